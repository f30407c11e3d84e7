"""Keras layers that emit distributions, like those of `tfp.layers`."""

from tfvae.layers.base.conversion import convert_with
from tfvae.layers.base.conversion import SeededSample
from tfvae.layers.base.distribution_layer import DistributionLayer
from tfvae.layers.base.missing_inputs import MissingInputs
from tfvae.layers.base.posterior import POSTERIORS
from tfvae.layers.columns.independent_columns import IndependentColumns
from tfvae.layers.likelihoods.discretized_logistic import DiscretizedLogistic
from tfvae.layers.likelihoods.independent_bernoulli import IndependentBernoulli
from tfvae.layers.likelihoods.independent_continuous_bernoulli import (
    IndependentContinuousBernoulli,
)
from tfvae.layers.likelihoods.independent_negative_binomial import (
    IndependentNegativeBinomial,
)
from tfvae.layers.likelihoods.independent_normal import IndependentNormal
from tfvae.layers.likelihoods.independent_poisson import IndependentPoisson
from tfvae.layers.likelihoods.likelihood import bits_per_dim
from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.layers.likelihoods.likelihood import LIKELIHOODS
from tfvae.layers.posteriors.inverse_autoregressive_flow import (
    InverseAutoregressiveFlow,
)
from tfvae.layers.posteriors.multivariate_normal_diag import (
    MultivariateNormalDiag,
)
from tfvae.layers.posteriors.multivariate_normal_diag_mixture import (
    MultivariateNormalDiagMixture,
)
from tfvae.layers.posteriors.multivariate_normal_tril import (
    MultivariateNormalTriL,
)
from tfvae.layers.posteriors.neural_spline_flow import NeuralSplineFlow
from tfvae.registry import public_names

__all__ = public_names(globals())
