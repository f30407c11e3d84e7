"""Checks in a signature's graph of the requests that it answers.

Only Python compares a request with the signature's shapes. TF Serving and the
C++ loader feed whatever a client sends, and a network that begins with a
`Flatten` answers `[1, 64]` or `[2, 8, 4, 1]` in place of `[1, 8, 8, 1]`.
"""

import tensorflow as tf

from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.layers.likelihoods.support import is_inside
from tfvae.layers.likelihoods.support import SUPPORTS

Tensors = dict[str, tf.Tensor]
Shapes = dict[str, tuple[int, ...]]


def checked_inputs(inputs: Tensors, shapes: Shapes) -> Tensors:
  """Returns the inputs; whatever is computed from them runs after the checks.

  Args:
    inputs: Tensors by name.
    shapes: Shape of one row of each input, by the same names.

  Returns:
    Tensors of the same values. A request that has another shape, or not the
    same number of rows in every input, fails with an InvalidArgumentError that
    names the inputs, with the expected and the received shape or the numbers
    of rows.
  """
  # The error says 'check_shape_of_x: Shape of tensor … [1,64] is not compatible
  # with expected shape [?,8,8,1].'
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


def checked_support(x: tf.Tensor, likelihood: Likelihood) -> tf.Tensor:
  """Returns x; whatever is computed from it runs after a check of its values.

  Args:
    x: Data, `[b, *event_shape]`.
    likelihood: Layer that makes p(x|z).

  Returns:
    A tensor of the same values. A request with a value that is not finite, or
    outside the support of the likelihood, fails with an InvalidArgumentError
    that says what the likelihood takes.
  """
  kind, name = SUPPORTS[likelihood.support], type(likelihood).__name__
  inside = is_inside(x, likelihood.support)
  first = tf.boolean_mask(x, ~inside)[:1]
  with tf.control_dependencies([tf.debugging.Assert(
      tf.reduce_all(inside), [
          f'score takes {kind.description}, on which {name} is defined. '
          'Received a value of x:', first])]):
    return tf.identity(x)
