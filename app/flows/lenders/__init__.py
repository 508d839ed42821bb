"""Lenders and their people: made, changed, signed in, stopped."""
