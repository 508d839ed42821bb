"""Cases: opened, looked at, flagged, placed with an agency, reopened."""
