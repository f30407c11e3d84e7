"""Draws from each component of a mixture posterior, and sums over them."""

import dataclasses

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.inference.inference import Draw
from tfvae.layers import SeededSample
from tfvae.layers.posteriors.multivariate_normal_diag_mixture import (
    NormalDiagMixture,
)

tfd = tfp.distributions


@dataclasses.dataclass(frozen=True)
class Strata:
  """Components of a mixture posterior with their weights π_m(x).

  Values at the draws z_m have the components in the dimension before that of
  the examples, `[*sample_shape, M, b]`.

  Attributes:
    log_weights: Values of log π_m, `[M, b]`.
  """

  log_weights: tf.Tensor

  def mean(self, nats: tf.Tensor, event_ndims: int = 0) -> tf.Tensor:
    """Returns Σ_m π_m nats_m, `[*sample_shape, b, *event_shape]`.

    Args:
      nats: Values, `[*sample_shape, M, b, *event_shape]`.
      event_ndims: Rank of the event shape.
    """
    weights = tf.exp(self.log_weights)
    for _ in range(event_ndims):
      weights = weights[..., tf.newaxis]
    return tf.reduce_sum(weights * nats, axis=-2 - event_ndims)

  def log_sum(self, log_values: tf.Tensor) -> tf.Tensor:
    """Returns log Σ_m π_m exp(log_values_m).

    Args:
      log_values: Values, `[*sample_shape, M, b]`.
    """
    return tf.reduce_logsumexp(self.log_weights + log_values, axis=-2)


class StratifiedSample(SeededSample):
  """A `Draw` that draws z_m from each component of a mixture posterior.

  With q(z|x) = Σ_m π_m q_m(z|x),

    ELBO(x) = Σ_m π_m E_{q_m}[log p(x, z_m) − log q(z_m|x)],

  whose gradient with respect to π is exact given the draws, where a draw of m
  has none. An `Inference` by this draw sums over the components: see
  `Inference.over_classes` and `Inference.log_sum`. From other posteriors it
  draws as `SeededSample` does. Morningstar, Vikram, Ham, Gallagher and Dillon,
  Automatic Differentiation Variational Inference with Mixtures, 2021.

  Attributes:
    strata: Components of the mixture that was drawn from; None before, and
      where there is none.
  """

  def __init__(self, seed: tf.Tensor, num_samples: int | None = None):
    """Initializes the draw.

    Args:
      seed: Integer tensor `[2]`.
      num_samples: Draws of each component for each example, in a leading
        dimension; None for a single draw without that dimension.
    """
    super().__init__(seed, num_samples)
    self.strata: Strata | None = None

  def _sample(self, distribution, shape, seed):
    """Returns a draw, `[*shape, M, b, size]` of a mixture."""
    if not isinstance(distribution, NormalDiagMixture):
      return super()._sample(distribution, shape, seed)
    if self.strata is not None or distribution.batch_shape.rank != 1:
      raise ValueError(
          'Draws from each component need a single latent with a mixture '
          'posterior, given x alone; use another posterior for the others. '
          f'Received: posterior={distribution}')
    self.strata = Strata(tf.transpose(distribution.log_weights))
    return distribution.by_component().sample(shape, seed=seed)


def check_trains(posterior: tfd.Distribution, draw: Draw):
  """Raises if a draw in training would have no gradient of the weights.

  Args:
    posterior: Posterior that is drawn from.
    draw: Function from a posterior to a draw.

  Raises:
    ValueError: If the posterior is a mixture, and the draw no
      `StratifiedSample`.
  """
  if isinstance(posterior, NormalDiagMixture) and not isinstance(
      draw, StratifiedSample):
    raise ValueError(
        'A draw of a mixture has no gradient with respect to the weights of '
        'its components: train by `fit` with the objective elbo, stl or iwae, '
        'or draw from each component by tfvae.inference.StratifiedSample. '
        f'Received: draw={draw!r}')
