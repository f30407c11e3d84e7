"""Keras layers that emit distributions, in the manner of `tfp.layers`."""

from tfvae.layers.conversion import convert_with
from tfvae.layers.conversion import SeededSample
from tfvae.layers.discretized_logistic import DiscretizedLogistic
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.layers.independent_bernoulli import IndependentBernoulli
from tfvae.layers.independent_continuous_bernoulli import (
    IndependentContinuousBernoulli,
)
from tfvae.layers.independent_negative_binomial import (
    IndependentNegativeBinomial,
)
from tfvae.layers.independent_normal import IndependentNormal
from tfvae.layers.independent_poisson import IndependentPoisson
from tfvae.layers.inverse_autoregressive_flow import InverseAutoregressiveFlow
from tfvae.layers.likelihood import bits_per_dim
from tfvae.layers.likelihood import Likelihood
from tfvae.layers.multivariate_normal_diag import MultivariateNormalDiag
from tfvae.layers.multivariate_normal_tril import MultivariateNormalTriL

__all__ = [
    'DiscretizedLogistic',
    'DistributionLayer',
    'IndependentBernoulli',
    'IndependentContinuousBernoulli',
    'IndependentNegativeBinomial',
    'IndependentNormal',
    'IndependentPoisson',
    'InverseAutoregressiveFlow',
    'Likelihood',
    'MultivariateNormalDiag',
    'MultivariateNormalTriL',
    'SeededSample',
    'bits_per_dim',
    'convert_with',
]
