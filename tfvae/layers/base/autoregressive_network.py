"""The masked autoregressive network of the flows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

# A transformation stretches no dimension by more than e³ ≈ 20.
MAX_LOG_SCALE = 3.0


@tf_keras.saving.register_keras_serializable(package='tfvae')
class AutoregressiveNetwork(tf_keras.layers.Layer):
  """Maps z_1 … z_{i-1}, and optionally a context, to (t_i, s_i).

  Germain, Gregor, Murray and Larochelle, MADE, 2015; the context is that of
  Kingma et al., Improving Variational Inference with Inverse Autoregressive
  Flow, 2016. Initially t = s = 0, the identity.
  """

  def __init__(
      self,
      event_size: int,
      hidden_units: Sequence[int],
      activation: str = 'tanh',
      reverse: bool = False,
      context_size: int = 0,
      **kwargs,
  ):
    """Initializes the network.

    Args:
      event_size: n, dimensions of z.
      hidden_units: Width of each hidden layer.
      activation: Activation of the hidden layers, a name that Keras knows.
      reverse: Whether (t_i, s_i) depend on z_{i+1} … z_n instead.
      context_size: Dimensions of the context; 0 for none.
      **kwargs: Arguments of `tf_keras.layers.Layer`.
    """
    super().__init__(**kwargs)
    self.event_size, self.hidden_units, self.activation = (
        event_size, tuple(hidden_units), activation)
    self.reverse, self.context_size = reverse, context_size
    masks = autoregressive_masks(
        event_size, hidden_units, 2, reverse, context_size > 0)
    self._masked = [
        MaskedDense(mask, dtype=self.dtype, kernel_initializer=(
            'zeros' if last else 'glorot_uniform'))
        for mask, last in zip(
            masks, [False] * len(hidden_units) + [True], strict=True)]
    for layer, mask in zip(self._masked, masks, strict=True):
      layer.build([None, len(mask)])
    if context_size:
      # Without hidden layers the context feeds the outputs, initially 0.
      self._context = tf_keras.layers.Dense(
          masks[0].shape[1], use_bias=False, dtype=self.dtype,
          kernel_initializer='glorot_uniform' if hidden_units else 'zeros')
      self._context.build([None, context_size])

  def call(self, z: tf.Tensor,
           context: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns t and s, `[..., n]` each.

    Args:
      z: Tensor `[..., n]`.
      context: Tensor `[..., context_size]`; its leading dimensions broadcast.
    """
    if z.shape.rank == 1:  # One draw; dense layers need a batch dimension.
      return tuple(part[0] for part in self.call(z[tf.newaxis], context))
    activation = tf_keras.activations.get(self.activation)
    h = self._masked[0](z)
    if context is not None:
      h += self._context(context)
    for layer in self._masked[1:]:
      h = layer(activation(h))
    return shift_and_log_scale(h)

  def keras3_call(self, z: Any, context: Any, keras: Any) -> tuple[Any, Any]:
    """Returns t and s by layers of Keras 3, masks multiplied into the kernels.

    Args:
      z: Keras 3 tensor `[b, k, n]`.
      context: Keras 3 tensor `[b, context_size]`.
      keras: Package `keras`, with its `ops` and `layers`.
    """
    *weights, context_kernel = self.get_weights()
    kernels = [kernel * mask for kernel, mask in zip(
        weights[::2], autoregressive_masks(
            self.event_size, self.hidden_units, 2, self.reverse, True),
        strict=True)]
    biases = weights[1::2]
    h = keras3_dense(keras, z, kernels[0], biases[0]) + keras.ops.expand_dims(
        keras3_dense(keras, context, context_kernel), 1)
    for kernel, bias in zip(kernels[1:], biases[1:], strict=True):
      h = keras3_dense(
          keras, keras.layers.Activation(self.activation)(h), kernel, bias)
    shift, log_scale = keras.ops.split(h, 2, axis=-1)
    return shift, MAX_LOG_SCALE * keras.ops.tanh(log_scale / MAX_LOG_SCALE)

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    return super().get_config() | {
        'event_size': self.event_size, 'hidden_units': list(self.hidden_units),
        'activation': self.activation, 'reverse': self.reverse,
        'context_size': self.context_size}


def keras3_dense(keras: Any, inputs: Any, *weights: np.ndarray) -> Any:
  """Returns the output of a new dense layer of Keras 3.

  Args:
    keras: Package `keras`.
    inputs: Keras 3 tensor `[..., m]`.
    *weights: Kernel `[m, n]` and, if there is one, bias `[n]`.
  """
  layer = keras.layers.Dense(
      weights[0].shape[1], use_bias=len(weights) == 2, dtype='float32')
  outputs = layer(inputs)
  layer.set_weights(weights)
  return outputs


def shift_and_log_scale(outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns t and s of a network's outputs, s bounded to ±`MAX_LOG_SCALE`."""
  shift, log_scale = tf.split(outputs, 2, axis=-1)
  return shift, MAX_LOG_SCALE * tf.tanh(log_scale / MAX_LOG_SCALE)


@tf_keras.saving.register_keras_serializable(package='tfvae')
class MaskedDense(tf_keras.layers.Dense):
  """A `tf_keras.layers.Dense` with a mask M: y = a(x (W ⊙ M) + b).

  `tfp.bijectors.AutoregressiveNetwork` masks by a constraint, which an
  optimizer applies after its step, so that gradients of masked connections
  still count in a global norm; it computes activations in half precision under
  a mixed policy, and warns whenever it is saved.
  """

  def __init__(self, mask: Sequence[Sequence[float]], **kwargs):
    """Initializes the layer.

    Args:
      mask: M, zeros and ones, `[input_size, units]`.
      **kwargs: Arguments of `tf_keras.layers.Dense`, except `units`.
    """
    self.mask = np.asarray(mask, np.float32)
    super().__init__(self.mask.shape[1], **kwargs)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    """Returns y, `[..., units]`, for inputs x, `[..., input_size]`."""
    kernel = self.kernel * tf.cast(self.mask, self.compute_dtype)
    outputs = tf.matmul(inputs, kernel)
    return self.activation(outputs + self.bias if self.use_bias else outputs)

  def get_config(self) -> dict[str, Any]:
    """Returns names and numbers from which `from_config` makes the layer."""
    config = super().get_config() | {'mask': self.mask.tolist()}
    del config['units']
    return config


def autoregressive_masks(
    event_size: int,
    hidden_units: Sequence[int],
    outputs_per_input: int,
    reverse: bool,
    has_context: bool = False,
) -> list[np.ndarray]:
  """Returns masks with which output i depends only on inputs before i.

  Inputs and outputs have the degrees 1 … n, hidden units cycle through 1 … n−1.
  A hidden unit is connected to units of its degree or a lower one, an output to
  units of a lower one: Germain, Gregor, Murray and Larochelle, MADE, 2015. A
  context has degree 0, and with a context so have some of the hidden units.

  Args:
    event_size: n, the number of inputs, at least 2; at least 1 with a context.
    hidden_units: Width of each hidden layer.
    outputs_per_input: Outputs for each input, in consecutive blocks of n.
    reverse: Whether "before i" means i + 1 … n.
    has_context: Whether the first layer has a context as a further input.

  Returns:
    A mask `[inputs, outputs]` for each layer, beginning with the first.
  """
  degrees = np.arange(1, event_size + 1)[::-1 if reverse else 1]
  lowest = 0 if has_context else 1
  hidden = [np.arange(units) % (event_size - lowest) + lowest
            for units in hidden_units]
  layers = [degrees, *hidden]
  masks = [below[:, np.newaxis] <= above
           for below, above in zip(layers, layers[1:], strict=False)]
  outputs = np.tile(degrees, outputs_per_input)
  return [*masks, layers[-1][:, np.newaxis] < outputs]
