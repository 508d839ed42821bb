"""Reads of balances: planned, made, judged, recorded; what they teach, and when it is erased."""
