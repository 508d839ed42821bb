"""Consents: asked for, chosen, authorised at the bank, followed, withdrawn, ended."""
