"""One factor of a graphical model: the density of a latent given parents."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers import DistributionLayer
from tfvae.layers import MultivariateNormalDiag
from tfvae.layers.posteriors.multivariate_normal_diag import NormalDiag
from tfvae.models.networks.precision import output_dtype

tfd = tfp.distributions


@tf_keras.saving.register_keras_serializable(package='tfvae')
class Factor(tf_keras.layers.Layer):
  """A density of z_j whose parameters are a perceptron of the parents.

  It is q(z_j|Pa(z_j)), with the features of x where x is a parent, or the
  conditional prior p(z_j|Pa(z_j)).
  """

  def __init__(self, head: DistributionLayer | int, input_size: int,
               units: Sequence[int] = (), activation: str = 'tanh', **kwargs):
    """Initializes the factor.

    Args:
      head: Layer that makes the distribution; a number of dimensions stands for
        `MultivariateNormalDiag` of that size.
      input_size: Size of the parents together.
      units: Widths of the hidden layers; none leaves a linear map.
      activation: Activation of the hidden layers.
      **kwargs: Arguments of `tf_keras.layers.Layer`; `dtype` is the policy of
        the perceptron.
    """
    super().__init__(**kwargs)
    self.head = MultivariateNormalDiag(head) if isinstance(head, int) else head
    # Dense layers take any number of leading dimensions, a Sequential only one.
    policy = self.dtype_policy
    self.network = [
        *(tf_keras.layers.Dense(width, activation, dtype=policy)
          for width in units),
        tf_keras.layers.Dense(self.head.params_size(
            self.head.event_size, **self.head.settings),
                              dtype=output_dtype(policy))]
    for layer, size in zip(self.network, (input_size, *units), strict=True):
      layer.build([None, size])
    self.input_size, self.units, self.activation = (
        input_size, tuple(units), activation)
    self.built = True  # `distribution` is used; the layer is never called.

  def distribution(self, parents: Sequence[tf.Tensor]) -> tfd.Distribution:
    """Returns the density given the parents.

    Args:
      parents: Tensors `[*sample_shape, b, size]`; those without a sample shape
        are broadcast.

    Returns:
      A distribution of batch shape `[*sample_shape, b]`.
    """
    h = joined(parents)
    is_single = h.shape.rank == 1  # One draw of p(z); Dense needs rows.
    h = h[tf.newaxis] if is_single else h
    for layer in self.network:
      h = layer(h)
    return self.head.distribution(h[0] if is_single else h)

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments of the constructor as plain data."""
    return super().get_config() | {
        'head': tf_keras.saving.serialize_keras_object(self.head),
        'input_size': self.input_size, 'units': list(self.units),
        'activation': self.activation}

  @classmethod
  def from_config(cls, config: dict[str, Any]) -> 'Factor':
    """Makes the factor from the result of `get_config`."""
    config = dict(config)
    config['head'] = tf_keras.saving.deserialize_keras_object(config['head'])
    return cls(**config)


def product_of_normals(one: tfd.Distribution,
                       other: tfd.Distribution) -> NormalDiag:
  """Returns the normalized product of two diagonal normal densities.

  σ⁻² = σ_1⁻² + σ_2⁻²,  μ = σ² (μ_1 σ_1⁻² + μ_2 σ_2⁻²)
  """
  precisions = [part.stddev() ** -2.0 for part in (one, other)]
  variance = 1.0 / (precisions[0] + precisions[1])
  return NormalDiag(
      variance * (one.mean() * precisions[0] + other.mean() * precisions[1]),
      tf.sqrt(variance))


def joined(parents: Sequence[tf.Tensor]) -> tf.Tensor:
  """Concatenates tensors along their last axis, broadcasting the others."""
  parents = [tf.convert_to_tensor(parent) for parent in parents]
  deepest = max(parents, key=lambda parent: parent.shape.rank)
  leading = tf.shape(deepest)[:-1]
  return tf.concat([
      parent if parent.shape.rank == deepest.shape.rank
      else tf.broadcast_to(parent, tf.concat(
          [leading, tf.shape(parent)[-1:]], axis=0))
      for parent in parents], axis=-1)
