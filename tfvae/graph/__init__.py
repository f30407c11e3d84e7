"""Graphical models: the factorization notation, its checks and presets."""

from tfvae.graph.factor import Factor
from tfvae.graph.model import GraphicalModel
from tfvae.graph.presets import PRESETS
from tfvae.registry import public_names

__all__ = public_names(globals())
