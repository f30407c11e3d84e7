"""Likelihoods, posteriors and priors by name, as the command line has them."""

from collections.abc import Callable

from tfvae import layers
from tfvae import priors

# From an event shape, a number of mixture components and a fixed scale, or None
# for a learned one, to p(x|z)'s layer.
LIKELIHOODS: dict[str, Callable[..., layers.Likelihood]] = {
    'bernoulli': lambda shape, k, scale: layers.IndependentBernoulli(
        shape, name='likelihood'),
    'continuous_bernoulli': lambda shape, k, scale: (
        layers.IndependentContinuousBernoulli(shape, name='likelihood')),
    'normal': lambda shape, k, scale: layers.IndependentNormal(
        shape, scale or 'shared', name='likelihood'),
    'normal_per_pixel': lambda shape, k, scale: layers.IndependentNormal(
        shape, 'per_pixel', name='likelihood'),
    'discretized_logistic': lambda shape, k, scale: (
        layers.DiscretizedLogistic(shape, k, name='likelihood')),
    'poisson': lambda shape, k, scale: layers.IndependentPoisson(
        shape, name='likelihood'),
    'negative_binomial': lambda shape, k, scale: (
        layers.IndependentNegativeBinomial(shape, name='likelihood')),
}

# Kind of data of each; see `tfvae.layers.likelihoods.support`.
SUPPORT: dict[str, str] = {
    'bernoulli': 'binary', 'continuous_bernoulli': 'unit_interval',
    'normal': 'real', 'normal_per_pixel': 'real',
    'discretized_logistic': 'eight_bit', 'poisson': 'counts',
    'negative_binomial': 'counts'}

# From a latent's size to q(z|x)'s layer.
POSTERIORS: dict[str, Callable[[int], layers.DistributionLayer]] = {
    'normal_diag': layers.MultivariateNormalDiag,
    'normal_tril': layers.MultivariateNormalTriL,
    'iaf': lambda size: layers.InverseAutoregressiveFlow(size, 'normal_diag'),
    'iaf_tril': lambda size: layers.InverseAutoregressiveFlow(
        size, 'normal_tril'),
}

# From a latent's size, a number of components, and the shape and range of x to
# p(z).
PRIORS: dict[str, Callable[..., priors.Prior]] = {
    'standard_normal': lambda size, k, *x: priors.StandardNormal(size),
    'learned_normal': lambda size, k, *x: priors.LearnedNormal(size),
    'mixture': lambda size, k, *x: priors.GaussianMixture(size, k),
    'vamp': priors.VampPrior,
    'realnvp': lambda size, k, *x: priors.FlowPrior(size, 'realnvp'),
    'maf': lambda size, k, *x: priors.FlowPrior(size, 'maf'),
}


def get(choices: dict[str, Callable], kind: str, name: str) -> Callable:
  """Returns a choice by name.

  Raises:
    ValueError: if there is none of that name.
  """
  if name not in choices:
    raise ValueError(f'{kind} must be one of {", ".join(choices)}. Received: '
                     f'{kind}={name!r}')
  return choices[name]
