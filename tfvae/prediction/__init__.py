"""Prediction: what a trained model computes of the rows of a data set."""

from tfvae.prediction.rows import row_seeds
from tfvae.registry import public_names

__all__ = public_names(globals())
