"""Likelihood layers p(x|z; θ), one family per file."""
