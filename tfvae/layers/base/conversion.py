"""Conversion of a distribution to the tensor that the next layer takes.

TFP calls it concretization: the next Keras layer needs a tensor, and
`convert_to_tensor_fn` computes one from the distribution. Each layer has its
own conversion, identified by name so that it can be saved. `convert_with`
replaces it for the calls inside a `with` block: with one encoder, a model
trains on samples with given seeds and predicts at the posterior mean.
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
  """Per thread, as `MirroredStrategy` runs each replica in its own thread."""

  conversion: Conversion | None = None


_OVERRIDE = _Override()


@contextlib.contextmanager
def convert_with(conversion: Conversion) -> Iterator[None]:
  """Replaces the conversion of every tfvae layer called inside the block.

  Args:
    conversion: Function from a `tfd.Distribution` to a tensor.

  Yields:
    Nothing.
  """
  outer, _OVERRIDE.conversion = _OVERRIDE.conversion, conversion
  try:
    yield
  finally:
    _OVERRIDE.conversion = outer


def is_replaced() -> bool:
  """Returns whether this is inside a block of `convert_with`."""
  return _OVERRIDE.conversion is not None


def convert(distribution: tfd.Distribution, conversion: Conversion):
  """Converts by the override if there is one, else by the given conversion."""
  return (_OVERRIDE.conversion or conversion)(distribution)


class SeededSample:
  """A conversion that draws samples with one stateless seed.

  The seed of each distribution is folded in with its position in the order of
  the calls, so that a model with several latents draws independent noise.
  """

  def __init__(self, seed: tf.Tensor, num_samples: int | None = None):
    """Initializes the conversion.

    Args:
      seed: Integer tensor `[2]`.
      num_samples: Draws for each example, in a leading dimension; None for a
        single draw without that dimension. A latent whose parents have the
        dimension gets one draw for each of their draws.
    """
    self._seed = tf.cast(seed, tf.int32)
    self._num_samples = num_samples
    self._position = 0

  def __call__(self, distribution: tfd.Distribution) -> tf.Tensor:
    """Returns a reparameterized draw, `[*sample_shape, b, *event_shape]`."""
    seed = tf.random.experimental.stateless_fold_in(
        self._seed, self._position, alg='philox')
    self._position += 1
    is_root = distribution.batch_shape.rank < 2
    shape = [self._num_samples] if self._num_samples and is_root else []
    return self._sample(distribution, shape, seed)

  def _sample(self, distribution: tfd.Distribution, shape: list[int],
              seed: tf.Tensor) -> tf.Tensor:
    return distribution.sample(shape, seed=seed)


def conversion_name(identifier: str | Conversion) -> str:
  """Returns the name under which a conversion is saved.

  Args:
    identifier: Name in `CONVERSIONS`, the `tfd.Distribution` method of that
      name, or a function registered with
      `@tf_keras.saving.register_keras_serializable`.

  Returns:
    The name, which `get_conversion` maps back to the function.

  Raises:
    ValueError: For anything else, such as a lambda, which cannot be saved.
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
      f'`convert_to_tensor_fn` must be a name in {CONVERSIONS}, the method of '
      'tfd.Distribution of that name, or a function registered with '
      'tf_keras.saving.register_keras_serializable, so that the layer can be '
      'saved without Python code. Received: '
      f'convert_to_tensor_fn={identifier!r}')


def get_conversion(name: str) -> Conversion:
  """Returns the function of a name that `conversion_name` returned."""
  if name in CONVERSIONS:
    return lambda distribution: getattr(distribution, name)()
  return tf_keras.saving.get_registered_object(name)
