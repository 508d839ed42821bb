"""Providers: set up and taken away, heard when they answer or call, put aside while they rest."""
