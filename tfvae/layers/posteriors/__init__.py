"""Posterior layers q(z|x; φ), one family per file."""
