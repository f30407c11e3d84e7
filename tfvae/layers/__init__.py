"""Keras layers that emit distributions, in the manner of `tfp.layers`."""

from tfvae.layers.conversion import convert_with
from tfvae.layers.conversion import SeededSample
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.layers.independent_bernoulli import IndependentBernoulli
from tfvae.layers.multivariate_normal_diag import MultivariateNormalDiag

__all__ = [
    'DistributionLayer',
    'IndependentBernoulli',
    'MultivariateNormalDiag',
    'SeededSample',
    'convert_with',
]
