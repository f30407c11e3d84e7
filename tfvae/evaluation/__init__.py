"""Measures of a trained model, in nats."""

from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.bounds import importance_weighted_nll

__all__ = ['Estimate', 'importance_weighted_nll']
