"""Prior of a normalizing flow."""

from collections.abc import Sequence
import functools
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.autoregressive_network import AutoregressiveNetwork
from tfvae.layers.base.autoregressive_network import shift_and_log_scale
from tfvae.layers.posteriors.multivariate_normal_diag import NormalDiag
from tfvae.priors.prior import Prior
from tfvae.priors.prior import PRIORS

tfb, tfd = tfp.bijectors, tfp.distributions

KINDS = ('realnvp', 'maf')


@PRIORS.register('maf', kind='maf')
@PRIORS.register('realnvp', kind='realnvp')
@tf_keras.saving.register_keras_serializable(package='tfvae')
class FlowPrior(Prior):
  """The density of z = f(ε; θ) with ε ~ N(0, I) and f invertible.

    log p(z; θ) = log N(f⁻¹(z); 0, I) + log |det ∂f⁻¹(z)/∂z|

  f is a chain of transformations z_i ← z_i exp(s_i) + t_i, in which a separate
  network for each computes (s, t):

    'realnvp': From the half of z that stays unchanged, alternating between the
      first and the last half. Densities and draws both take one pass: Dinh,
      Sohl-Dickstein and Bengio, Density Estimation using Real NVP, 2017.
    'maf': From z_1 … z_{i-1} and from z_{i+1} … z_n in turn. More flexible; a
      draw takes as many passes as z has dimensions: Papamakarios, Pavlakou
      and Murray, Masked Autoregressive Flow for Density Estimation, 2017.

  s is bounded smoothly to ±3, and f is initially the identity. The KL
  divergence is the Monte Carlo estimate.
  """

  def __init__(
      self,
      event_size: int | None = None,
      kind: str = 'realnvp',
      num_layers: int = 4,
      hidden_units: Sequence[int] = (64, 64),
      activation: str = 'tanh',
      **kwargs,
  ):
    """Initializes the prior.

    Args:
      event_size: Dimensions of z, at least 2; None for a template, which has no
        networks.
      kind: Transformations, 'realnvp' or 'maf'.
      num_layers: Number of transformations, at least 1; from 2 on all of z is
        transformed.
      hidden_units: Width of each hidden layer of their networks.
      activation: Activation of the hidden layers, a name that Keras knows.
      **kwargs: Arguments of `Prior` and `tf_keras.layers.Layer`.

    Raises:
      ValueError: If a size is too small or the kind is unknown.
    """
    super().__init__(event_size, **kwargs)
    self._check_positive(num_layers=num_layers)
    for units in hidden_units:
      self._check_positive(hidden_units=units)
    check_dimensions(event_size)
    if kind not in KINDS:
      raise ValueError(f'`kind` must be one of {KINDS}. Received: {kind=}')
    self.kind = kind
    self.num_layers = num_layers
    self.hidden_units = tuple(hidden_units)
    self.activation = activation
    self._networks = [] if event_size is None else [
        self._network(index) for index in range(num_layers)]

  def distribution(self) -> tfd.TransformedDistribution:
    """Returns p(z; θ): batch shape `[]`, event shape `[event_size]`."""
    zeros = tf.zeros([self.event_size], self.compute_dtype)
    return tfd.TransformedDistribution(
        NormalDiag(zeros, tf.ones_like(zeros)),
        tfb.Chain([self._bijector(index) for index in range(self.num_layers)]))

  def _bijector(self, index: int) -> tfb.Bijector:
    network = self._networks[index]
    if self.kind == 'maf':
      return tfb.MaskedAutoregressiveFlow(network)
    kept = self.event_size // 2  # A negative number counts from the end.
    return tfb.RealNVP(
        -kept if index % 2 else kept,
        shift_and_log_scale_fn=lambda z, output_size: _coupling(network, z))

  def _network(self, index: int) -> tf_keras.layers.Layer:
    """Returns the network of one transformation."""
    if self.kind == 'maf':
      return AutoregressiveNetwork(
          self.event_size, self.hidden_units, self.activation,
          reverse=index % 2 == 1, dtype=self.dtype)
    kept = self.event_size // 2
    dense = functools.partial(tf_keras.layers.Dense, dtype=self.dtype)
    return tf_keras.Sequential([
        tf_keras.layers.Input([kept], dtype=self.dtype),
        *[dense(units, self.activation) for units in self.hidden_units],
        # Zeros make the identity.
        dense(2 * (self.event_size - kept), kernel_initializer='zeros')])

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the prior."""
    return super().get_config() | {
        'kind': self.kind,
        'num_layers': self.num_layers,
        'hidden_units': list(self.hidden_units),
        'activation': self.activation,
    }


def check_dimensions(event_size: int | None):
  """Raises if a flow would have a single dimension."""
  if event_size is not None and event_size < 2:
    raise ValueError('A flow needs at least 2 dimensions; use LearnedNormal '
                     f'or GaussianMixture. Received: {event_size=}')


def _coupling(network: tf_keras.Model,
              z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns t and s, `[..., n]` each, from the kept half of z, `[..., m]`."""
  # A Sequential takes a single batch dimension.
  rows = network(tf.reshape(z, [-1, z.shape[-1]]))
  shape = tf.concat([tf.shape(z)[:-1], rows.shape[-1:]], axis=0)
  return shift_and_log_scale(tf.reshape(rows, shape))
