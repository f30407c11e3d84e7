"""How a distribution layer turns its distribution into a tensor.

TFP calls it concretization: the next Keras layer needs a tensor, and
`convert_to_tensor_fn` makes one of the distribution. A layer has a conversion
of its own, by name so that it can be saved; `convert_with` replaces it for the
calls made inside a `with` block, which is how a model trains on samples with
seeds of its choosing and predicts at the posterior mean, with one encoder.
"""

from collections.abc import Callable, Iterator
import contextlib
import threading

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

tfd = tfp.distributions

Conversion = Callable[[tfd.Distribution], tf.Tensor]

CONVERSIONS = ('sample', 'mean', 'mode', 'stddev', 'variance')


class _Override(threading.local):
  """Per thread, as `MirroredStrategy` runs each replica in one of its own."""

  conversion: Conversion | None = None


_OVERRIDE = _Override()


@contextlib.contextmanager
def convert_with(conversion: Conversion) -> Iterator[None]:
  """Replaces the conversion of every tfvae layer called inside the block.

  Args:
    conversion: takes a `tfd.Distribution`, returns a tensor.

  Yields:
    Nothing.
  """
  outer, _OVERRIDE.conversion = _OVERRIDE.conversion, conversion
  try:
    yield
  finally:
    _OVERRIDE.conversion = outer


def convert(distribution: tfd.Distribution, conversion: Conversion):
  """Applies the override if there is one, else the layer's own conversion."""
  return (_OVERRIDE.conversion or conversion)(distribution)


class SeededSample:
  """A conversion that draws samples from one stateless seed.

  Distributions converted one after the other get seeds folded in with their
  position, so a model with several latents draws independent noise for each.
  """

  def __init__(self, seed: tf.Tensor, num_samples: int | None = None):
    """Initialises the conversion.

    Args:
      seed: int tensor `[2]`.
      num_samples: draws for each example, in a leading dimension; None for one
        without such a dimension. A latent whose parents have the dimension
        already gets one draw for each of theirs.
    """
    self._seed = tf.cast(seed, tf.int32)
    self._num_samples = num_samples
    self._position = 0

  def __call__(self, distribution: tfd.Distribution) -> tf.Tensor:
    """Returns a reparameterised draw, `[*sample_shape, b, *event_shape]`."""
    seed = tf.random.experimental.stateless_fold_in(
        self._seed, self._position, alg='philox')
    self._position += 1
    is_root = distribution.batch_shape.rank < 2
    shape = [self._num_samples] if self._num_samples and is_root else []
    return distribution.sample(shape, seed=seed)


def conversion_name(identifier: str | Conversion) -> str:
  """Returns the name under which a conversion is saved.

  Args:
    identifier: one of `CONVERSIONS`, the `tfd.Distribution` method of that
      name, or a function registered with
      `@tf_keras.saving.register_keras_serializable`.

  Returns:
    The name, which `get_conversion` turns back into the function.

  Raises:
    ValueError: for anything else, a lambda for example, since a saved model
      could not hold it.
  """
  if identifier in CONVERSIONS:
    return identifier
  if callable(identifier):
    name = getattr(identifier, '__name__', '')
    if name in CONVERSIONS and getattr(tfd.Distribution, name) is identifier:
      return name
    registered = tf_keras.saving.get_registered_name(identifier)
    if tf_keras.saving.get_registered_object(registered) is identifier:
      return registered
  elif tf_keras.saving.get_registered_object(identifier):
    return identifier
  raise ValueError(
      'convert_to_tensor_fn must be a name in '
      f'{CONVERSIONS}, the method of tfd.Distribution with such a name, or a '
      'function registered with tf_keras.saving.register_keras_serializable, '
      'so that the layer can be saved without Python code. Received: '
      f'convert_to_tensor_fn={identifier!r}')


def get_conversion(name: str) -> Conversion:
  """Returns the function that `conversion_name` named."""
  if name in CONVERSIONS:
    return lambda distribution: getattr(distribution, name)()
  return tf_keras.saving.get_registered_object(name)
