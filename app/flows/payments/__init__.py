"""Payments at banks: begun, followed, settled, returned, taken back."""
