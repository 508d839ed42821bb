"""Strategies, segments and experiments: written, checked, published, stepped along."""
