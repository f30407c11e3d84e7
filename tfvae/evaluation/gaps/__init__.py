"""Amortization and approximation gap of the inference network."""
