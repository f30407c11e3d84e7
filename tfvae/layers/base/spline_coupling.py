"""Coupling of dimensions by splines: a layer of a neural spline flow."""

from collections.abc import Sequence
import functools
import operator
import types
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base.autoregressive_network import keras3_dense
from tfvae.layers.base.rational_quadratic_spline import num_parameters
from tfvae.layers.base.rational_quadratic_spline import (
    rational_quadratic_spline,
)

tfb = tfp.bijectors


@tf_keras.saving.register_keras_serializable(package='tfvae')
class SplineCoupling(tf_keras.layers.Layer):
  """Transforms a part of z by splines that depend on the other part.

    y_a = z_a,  y_i = f(z_i; NN_i(z_a, h)) for the dimensions i of z_b,

  with a monotonic `rational_quadratic_spline` f for each i, whose parameters
  the network NN computes; Durkan, Bekasov, Murray and Papamakarios, Neural
  Spline Flows, 2019. y and z each take one pass from the other. Initially f is
  the identity, and it is so outside of [−B, B]. z_a is the first half of z, and
  z_b the last one, which is longer where n is odd.

  Call arguments:
    z: Float tensor `[..., n]`.
    context: Tensor h, `[..., context_size]`; its leading dimensions broadcast.
    inverse: Whether to return z of y instead.

  Returns, when called:
    y, `[..., n]`, and log |det ∂y/∂z|, `[...]`; of the inverse z, and the same
    determinant.
  """

  def __init__(
      self,
      event_size: int,
      hidden_units: Sequence[int],
      num_bins: int = 8,
      bound: float = 5.0,
      activation: str = 'tanh',
      reverse: bool = False,
      context_size: int = 0,
      **kwargs,
  ):
    """Initializes the layer.

    Args:
      event_size: n, dimensions of z, at least 2; or 1 with a context, and not
        reversed.
      hidden_units: Width of each hidden layer of NN.
      num_bins: Bins K of each spline, at least 2.
      bound: B, above 0.
      activation: Activation of the hidden layers, a name that Keras knows.
      reverse: Whether z_a is the last half, and z_b the first.
      context_size: Dimensions of h; 0 for none.
      **kwargs: Arguments of `tf_keras.layers.Layer`.
    """
    super().__init__(**kwargs)
    self.event_size, self.hidden_units, self.activation = (
        event_size, tuple(hidden_units), activation)
    self.num_bins, self.bound = num_bins, bound
    self.reverse, self.context_size = reverse, context_size
    self._first_half = event_size // 2
    halves = self._first_half, event_size - self._first_half
    num_kept, self._num_moved = halves[::-1] if reverse else halves
    widths = [*hidden_units, num_parameters(num_bins) * self._num_moved]

    def dense(index: int, size: int, use_bias: bool = True):
      layer = tf_keras.layers.Dense(
          widths[index], use_bias=use_bias, dtype=self.dtype,
          kernel_initializer=(  # Zeros at the end make the identity.
              'zeros' if widths[index + 1:] == [] else 'glorot_uniform'))
      layer.build([None, size])
      return layer

    self._of_kept = dense(0, num_kept) if num_kept else None
    self._of_context = dense(0, context_size, use_bias=not num_kept) if (
        context_size) else None
    self._later = [dense(index + 1, size)
                   for index, size in enumerate(hidden_units)]

  def call(self, z: tf.Tensor, context: tf.Tensor | None = None,
           inverse: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns y and log |det ∂y/∂z|; see the class."""
    if z.shape.rank == 1:  # One draw; dense layers need a batch dimension.
      return tuple(
          part[0] for part in self.call(z[tf.newaxis], context, inverse))
    kept, moved = self._parts(z)
    activation = tf_keras.activations.get(self.activation)
    inputs = ((self._of_kept, kept), (self._of_context, context))
    h = functools.reduce(operator.add, (
        layer(value) for layer, value in inputs if layer is not None))
    for layer in self._later:
      h = layer(activation(h))
    params = tf.reshape(h, tf.concat([
        tf.shape(h)[:-1], [self._num_moved, num_parameters(self.num_bins)],
    ], axis=0))
    moved, log_slope = rational_quadratic_spline(
        moved, params, self.bound, inverse)
    return self._joined(kept, moved, tf.concat), tf.reduce_sum(
        log_slope, axis=-1)

  def bijector(self, context: tf.Tensor | None = None) -> tfb.Bijector:
    """Returns z ↦ y for a context, `[..., context_size]`."""
    return _Coupling(self, context)

  def keras3_call(self, z: Any, context: Any, keras: Any) -> Any:
    """Returns y by layers of Keras 3.

    Args:
      z: Keras 3 tensor `[b, k, n]`.
      context: Keras 3 tensor `[b, context_size]`.
      keras: Package `keras`, with its `ops` and `layers`.
    """
    ops = keras.ops
    kept, moved = self._parts(z)
    h = ops.expand_dims(keras3_dense(
        keras, context, *self._of_context.get_weights()), 1)
    if self._of_kept is not None:
      h += keras3_dense(keras, kept, *self._of_kept.get_weights())
    for layer in self._later:
      h = keras3_dense(keras, keras.layers.Activation(self.activation)(h),
                       *layer.get_weights())
    params = ops.reshape(h, [
        -1, h.shape[1], self._num_moved, num_parameters(self.num_bins)])
    moved, _ = rational_quadratic_spline(moved, params, self.bound, ops=ops)
    return self._joined(kept, moved, ops.concatenate)

  def _parts(self, z: Any) -> tuple[Any, Any]:
    """Returns z_a and z_b."""
    first, last = z[..., :self._first_half], z[..., self._first_half:]
    return (last, first) if self.reverse else (first, last)

  def _joined(self, kept: Any, moved: Any, concatenate: Any) -> Any:
    return concatenate(
        [moved, kept] if self.reverse else [kept, moved], axis=-1)

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | {
        'event_size': self.event_size, 'hidden_units': list(self.hidden_units),
        'num_bins': self.num_bins, 'bound': self.bound,
        'activation': self.activation, 'reverse': self.reverse,
        'context_size': self.context_size}


class _Coupling(tfb.Bijector):
  """The bijector z ↦ y of a `SplineCoupling`.

  The pass that computes one of z and y gives the determinant as well, so that
  the density of a draw or of a point needs one pass.
  """

  def __init__(self, layer: SplineCoupling, context: tf.Tensor | None):
    parameters = dict(locals())
    super().__init__(forward_min_event_ndims=1, dtype=tf.as_dtype(layer.dtype),
                     parameters=parameters, name='spline_coupling')
    self._layer, self._context = layer, context
    # In a namespace, whose tensors TensorFlow does not track.
    self._last = types.SimpleNamespace(z=None, log_det=None)

  def _forward(self, z):
    y, self._last.log_det = self._layer(z, self._context)
    self._last.z = z
    return y

  def _inverse(self, y):
    self._last.z, self._last.log_det = self._layer(
        y, self._context, inverse=True)
    return self._last.z

  def _forward_log_det_jacobian(self, z):
    if self._last.z is not z:
      self._forward(z)
    return self._last.log_det
