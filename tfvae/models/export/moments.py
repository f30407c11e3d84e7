"""Layers that end an encoder or a decoder in plain tensors."""

import types
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers import DistributionLayer
from tfvae.layers import Likelihood
from tfvae.layers import MultivariateNormalDiag
from tfvae.models.factor import product_of_normals

tfd = tfp.distributions


class _OfDistribution(tf_keras.layers.Layer):
  """A layer that emits moments of the distribution of another layer."""

  def __init__(self, head: DistributionLayer, **kwargs):
    """Initializes the layer.

    Args:
      head: Layer that makes the distribution; its weights are shared.
      **kwargs: Arguments of `tf_keras.layers.Layer`.
    """
    # Float32, like the distribution, under any policy.
    super().__init__(**{'dtype': head.compute_dtype} | kwargs)
    # In a namespace, which Keras does not track: the regularizer of the head
    # has the prior, which is not part of the encoder.
    self._parts = types.SimpleNamespace(head=head)

  @property
  def head(self) -> DistributionLayer:
    """The layer that makes the distribution."""
    return self._parts.head

  def get_config(self) -> dict[str, Any]:
    """Returns the arguments of the constructor as plain data."""
    head = tf_keras.saving.serialize_keras_object(self.head)
    head['config']['activity_regularizer'] = None
    return super().get_config() | {'head': head}

  @classmethod
  def from_config(cls, config: dict[str, Any]) -> '_OfDistribution':
    """Makes the layer from the result of `get_config`."""
    return cls(**config | {
        'head': tf_keras.saving.deserialize_keras_object(config['head'])})


@tf_keras.saving.register_keras_serializable(package='tfvae')
class PosteriorMoments(_OfDistribution):
  """Emits mean and standard deviations of q(z_j|Pa_q(z_j)) from its parameters.

  Call arguments:
    params: Parameters of the head's distribution, `[b, params_size]`.
    prior_params: Parameters μ and log σ² of p(z_j|Pa_p(z_j)),
      `[b, 2 * event_size]`, where q is the normalized product of the head's
      density and that one.

  Returns, when called:
    A dictionary of 'loc' and 'scale_diag', `[b, event_size]`, and for a full
    covariance L Lᵀ also 'scale_tril', L, `[b, event_size, event_size]`.
  """

  def __init__(self, head: DistributionLayer, **kwargs):
    """Initializes the layer; see the base class."""
    super().__init__(head, **kwargs)
    self.networks = getattr(head, 'networks', [])  # Tracked: those of a flow.

  def call(self, params: tf.Tensor,
           prior_params: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
    """Returns the moments by name."""
    q = self.head.distribution(params)
    if prior_params is not None:
      q = product_of_normals(q, MultivariateNormalDiag.new(
          prior_params, self.head.event_size))
    moments = {'loc': q.mean(), 'scale_diag': q.stddev()}
    if isinstance(q, tfd.MultivariateNormalTriL):
      moments['scale_tril'] = q.scale.to_dense()
    return moments


@tf_keras.saving.register_keras_serializable(package='tfvae')
class LikelihoodMean(_OfDistribution):
  """Emits the mean of p(x|z) from its parameters.

  Call arguments:
    params: Parameters of the head's distribution, `[b, *params_shape]` or flat.

  Returns, when called:
    A tensor `[b, *event_shape]`.
  """

  def __init__(self, head: Likelihood, **kwargs):
    """Initializes the layer; see the base class."""
    super().__init__(head, **kwargs)
    self.likelihood = head  # Tracked: its scale may be learned.

  def call(self, params: tf.Tensor) -> tf.Tensor:
    """Returns the mean."""
    return self.head.distribution(params).mean()
