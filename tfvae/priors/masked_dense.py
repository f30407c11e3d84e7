"""The layers of a masked autoregressive network."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras


@tf_keras.saving.register_keras_serializable(package='tfvae')
class MaskedDense(tf_keras.layers.Dense):
  """A `tf_keras.layers.Dense` with some connections cut: y = a(x (W ⊙ M) + b).

  `tfp.bijectors.AutoregressiveNetwork` cuts them by a constraint, which an
  optimizer applies after its step, so that gradients of connections that do
  not exist still count in a global norm; it activates in half precision under
  a mixed policy, and warns whenever it is saved.
  """

  def __init__(self, mask: Sequence[Sequence[float]], **kwargs):
    """Initialises the layer.

    Args:
      mask: M, zeros and ones, `[input_size, units]`.
      **kwargs: of `tf_keras.layers.Dense`, but not `units`.
    """
    self.mask = np.asarray(mask, np.float32)
    super().__init__(self.mask.shape[1], **kwargs)

  def call(self, inputs: tf.Tensor) -> tf.Tensor:
    """Returns y, `[..., units]`, of inputs x, `[..., input_size]`."""
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
) -> list[np.ndarray]:
  """Returns the masks by which output i sees the inputs before i only.

  Inputs and outputs have degrees 1 … n, hidden units take turns with 1 … n−1.
  A hidden unit sees what is of its degree or a lower one, an output what is of
  a lower one: Germain, Gregor, Murray and Larochelle, MADE, 2015.

  Args:
    event_size: n, the number of inputs, at least 2.
    hidden_units: width of each hidden layer.
    outputs_per_input: outputs i for each input i; they follow one another in
      blocks of n.
    reverse: whether "before i" means i + 1 … n.

  Returns:
    A mask for each layer, `[inputs, outputs]`, from the inputs on.
  """
  degrees = np.arange(1, event_size + 1)[::-1 if reverse else 1]
  hidden = [np.arange(units) % (event_size - 1) + 1 for units in hidden_units]
  layers = [degrees, *hidden]
  masks = [below[:, np.newaxis] <= above
           for below, above in zip(layers, layers[1:], strict=False)]
  outputs = np.tile(degrees, outputs_per_input)
  return [*masks, layers[-1][:, np.newaxis] < outputs]
