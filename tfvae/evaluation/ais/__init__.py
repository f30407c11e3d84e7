"""Annealed importance sampling of log p(x)."""
