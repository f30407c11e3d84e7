"""Checks of requests, as operations in the graph of a signature.

Only Python compares a request with the shapes of the signature. TF Serving and
the C++ loader feed any shape that a client sends, and a network that begins
with `Flatten` answers `[1, 64]` or `[2, 8, 4, 1]` in place of `[1, 8, 8, 1]`.
"""

import tensorflow as tf

from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.layers.likelihoods.support import is_inside
from tfvae.layers.likelihoods.support import SUPPORTS

Tensors = dict[str, tf.Tensor]
Shapes = dict[str, tuple[int, ...]]


def checked_inputs(inputs: Tensors, shapes: Shapes) -> Tensors:
  """Returns inputs whose use depends on checks of their shapes.

  Args:
    inputs: Tensors by name.
    shapes: Shape of one row of each input, by the same names.

  Returns:
    Tensors of the same values. A request with another shape, or with different
    numbers of rows in its inputs, fails with an InvalidArgumentError that names
    the inputs and shows the shapes or the numbers of rows.
  """
  # Error: 'check_shape_of_x: Shape of tensor … [1,64] is not compatible with
  # expected shape [?,8,8,1].'
  inputs = {
      name: tf.ensure_shape(
          value, (None, *shapes[name]), name=f'check_shape_of_{name}')
      for name, value in inputs.items()}
  if len(inputs) < 2:
    return inputs
  rows = {name: tf.shape(value)[0] for name, value in inputs.items()}
  first, *others = rows.values()
  is_same = tf.reduce_all([tf.equal(first, count) for count in others])
  message = ['Give every input the same number of rows. Received:', *(
      part for name, count in rows.items() for part in (f'{name}:', count))]
  with tf.control_dependencies([tf.debugging.Assert(is_same, message)]):
    return {name: tf.identity(value) for name, value in inputs.items()}


def checked_support(x: tf.Tensor, likelihood: Likelihood,
                    signature: str) -> tf.Tensor:
  """Returns x, whose use depends on a check of its values.

  Args:
    x: Data, `[b, *event_shape]`.
    likelihood: Layer of p(x|z).
    signature: Name of the signature, for the message.

  Returns:
    Tensor of the same values. A request with a value that is not finite, unless
    it may be missing, or that is outside the support of the likelihood, fails
    with an InvalidArgumentError that describes the support.
  """
  kind, name = SUPPORTS[likelihood.support], type(likelihood).__name__
  inside = is_inside(x, likelihood.support)
  if likelihood.allow_missing:
    inside |= tf.math.is_nan(x)
  first = tf.boolean_mask(x, ~inside)[:1]
  with tf.control_dependencies([tf.debugging.Assert(
      tf.reduce_all(inside), [
          f'{signature} takes {kind.description}, on which {name} is defined. '
          'Received a value of x:', first])]):
    return tf.identity(x)
