"""Moments of q(z|x) for Keras 3, by its layers and `keras.ops` alone."""

import keras
from keras import ops

from tfvae.layers import DistributionLayer
from tfvae.layers.base.posterior import Posterior
from tfvae.layers.posteriors import multivariate_normal_diag
from tfvae.serving.keras3.hooks import check_hook
from tfvae.serving.keras3.likelihoods import Tensor

Moments = dict[str, Tensor]


def posterior_moments(head: DistributionLayer, params: Tensor,
                      prior_params: Tensor | None = None) -> Moments:
  """Returns mean and standard deviations of q(z_j|Pa_q(z_j)).

  Args:
    head: Layer whose distribution it is.
    params: Parameters that the layer takes, `[b, params_size]`.
    prior_params: μ and log σ² of p(z_j|Pa_p(z_j)), where that is merged in.

  Returns:
    The moments by the names that `PosteriorMoments` has.

  Raises:
    ValueError: If the posterior has no `keras3_moments`.
  """
  check_hook(head, Posterior, 'keras3_moments', ('new', '_new'))
  moments = head.keras3_moments(params, keras)
  if prior_params is None:
    return moments
  prior = multivariate_normal_diag.moments(prior_params, ops)
  # σ⁻² = σ_1⁻² + σ_2⁻²,  μ = σ² (μ_1 σ_1⁻² + μ_2 σ_2⁻²)
  precision, prior_precision = (
      1. / ops.square(part['scale_diag']) for part in (moments, prior))
  variance = 1. / (precision + prior_precision)
  return {'loc': variance * (moments['loc'] * precision
                             + prior['loc'] * prior_precision),
          'scale_diag': ops.sqrt(variance)}
