"""A normalizing flow as prior."""

from collections.abc import Sequence
import functools
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.multivariate_normal_diag import NormalDiag
from tfvae.priors.masked_dense import autoregressive_masks
from tfvae.priors.masked_dense import MaskedDense
from tfvae.priors.prior import Prior

tfb, tfd = tfp.bijectors, tfp.distributions

KINDS = ('realnvp', 'maf')

# A transformation stretches no dimension by more than e³ ≈ 20.
MAX_LOG_SCALE = 3.0


@tf_keras.saving.register_keras_serializable(package='tfvae')
class FlowPrior(Prior):
  """The density of z = f(ε; θ) with ε ~ N(0, I) and f invertible.

    log p(z; θ) = log N(f⁻¹(z); 0, I) + log |det ∂f⁻¹(z)/∂z|

  f is a chain of transformations z_i ← z_i exp(s_i) + t_i with (s, t) from a
  network of its own for each:

    'realnvp': of the half of z that it keeps, the first and the last in turn.
      Densities and draws both take one pass: Dinh, Sohl-Dickstein and Bengio,
      Density Estimation using Real NVP, 2017.
    'maf': of z_1 … z_{i-1}, or of z_{i+1} … z_n, in turn. More flexible; a
      draw takes as many passes as z has dimensions: Papamakarios, Pavlakou
      and Murray, Masked Autoregressive Flow for Density Estimation, 2017.

  s is bounded smoothly to ±`MAX_LOG_SCALE`, and f begins as the identity. The
  KL is the Monte Carlo estimate.
  """

  def __init__(
      self,
      event_size: int,
      kind: str = 'realnvp',
      num_layers: int = 4,
      hidden_units: Sequence[int] = (64, 64),
      activation: str = 'tanh',
      **kwargs,
  ):
    """Initialises the prior.

    Args:
      event_size: dimensions of z, at least 2.
      kind: 'realnvp' or 'maf'.
      num_layers: transformations, at least 1; from 2 on all of z is
        transformed.
      hidden_units: width of each hidden layer of their networks.
      activation: of the hidden layers, a name Keras knows.
      **kwargs: of `Prior` and `tf_keras.layers.Layer`.

    Raises:
      ValueError: if a size is too small or the kind is unknown.
    """
    super().__init__(event_size, **kwargs)
    self._check_positive(num_layers=num_layers)
    for units in hidden_units:
      self._check_positive(hidden_units=units)
    if event_size < 2:
      raise ValueError('A flow needs at least 2 dimensions; use LearnedNormal '
                       f'or GaussianMixture. Received: event_size={event_size}')
    if kind not in KINDS:
      raise ValueError(f'kind must be one of {KINDS}. Received: kind={kind!r}')
    self.kind = kind
    self.num_layers = num_layers
    self.hidden_units = tuple(hidden_units)
    self.activation = activation
    make_network = (self._coupling_network if kind == 'realnvp'
                    else self._autoregressive_network)
    self._networks = [make_network(index) for index in range(num_layers)]

  def distribution(self) -> tfd.TransformedDistribution:
    """Returns p(z; θ): batch shape `[]`, event shape `[event_size]`."""
    zeros = tf.zeros([self.event_size], self.compute_dtype)
    return tfd.TransformedDistribution(
        NormalDiag(zeros, tf.ones_like(zeros)),
        tfb.Chain([self._bijector(index) for index in range(self.num_layers)]))

  def _bijector(self, index: int) -> tfb.Bijector:
    shift_and_log_scale = functools.partial(
        _shift_and_log_scale, self._networks[index])
    if self.kind == 'maf':
      return tfb.MaskedAutoregressiveFlow(shift_and_log_scale)
    kept = self.event_size // 2  # The last so many, if negative.
    return tfb.RealNVP(-kept if index % 2 else kept,
                       shift_and_log_scale_fn=shift_and_log_scale)

  def _coupling_network(self, index: int) -> tf_keras.Model:
    """Returns the network from the kept dimensions to (t, s) of the others."""
    del index
    kept = self.event_size // 2
    dense = functools.partial(tf_keras.layers.Dense, dtype=self.dtype)
    return tf_keras.Sequential([
        tf_keras.layers.Input([kept], dtype=self.dtype),
        *[dense(units, self.activation) for units in self.hidden_units],
        # Zeros, for the identity.
        dense(2 * (self.event_size - kept), kernel_initializer='zeros')])

  def _autoregressive_network(self, index: int) -> tf_keras.Model:
    """Returns the network from z to (t, s), each of what is before it."""
    *hidden, last = autoregressive_masks(
        self.event_size, self.hidden_units, outputs_per_input=2,
        reverse=index % 2 == 1)
    dense = functools.partial(MaskedDense, dtype=self.dtype)
    return tf_keras.Sequential([
        tf_keras.layers.Input([self.event_size], dtype=self.dtype),
        *[dense(mask, activation=self.activation) for mask in hidden],
        dense(last, kernel_initializer='zeros')])

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the prior."""
    return super().get_config() | {
        'kind': self.kind,
        'num_layers': self.num_layers,
        'hidden_units': list(self.hidden_units),
        'activation': self.activation,
    }


def _shift_and_log_scale(
    network: tf_keras.Model, z: tf.Tensor, output_size: int | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns t and s, `[..., output_size]` each, of z, `[..., input_size]`."""
  del output_size  # The network's own.
  rows = network(tf.reshape(z, [-1, z.shape[-1]]))
  shape = tf.concat([tf.shape(z)[:-1], rows.shape[-1:]], axis=0)
  shift, log_scale = tf.split(tf.reshape(rows, shape), 2, axis=-1)
  return shift, MAX_LOG_SCALE * tf.tanh(log_scale / MAX_LOG_SCALE)
