"""Money in sight: raised as a signal, decided on, ended; what stays protected."""
