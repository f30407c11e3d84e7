"""The elements of a `tf.data.Dataset` as batches of x and of labels."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.streaming import untuned

_BATCH_BYTES, _BATCH_SIZE = 2**20, 1024


class Examples:
  """The examples of a data set, checked before the first is read.

  Attributes:
    x: Data set of the x of each example.
    shape: Shape of one x.
    dtype: Type of the numbers of x.
  """

  def __init__(self, dataset: tf.data.Dataset, image_key: str = 'image',
               label_key: str | None = 'label'):
    """Initializes the examples.

    Args:
      dataset: Data set of x, of pairs (x, y), or of dictionaries.
      image_key: Name of x in a dictionary. The default, 'image', also stands
        for 'x', 'images', 'data', or the only name.
      label_key: Name of the label, or None. The default, 'label', also stands
        for 'y' and 'labels', and may be missing.

    Raises:
      ValueError: If it is infinite or empty, a name is missing, or the elements
        are not dense tensors of one shape.
    """
    cardinality = int(dataset.cardinality())
    if cardinality in (tf.data.INFINITE_CARDINALITY, 0):
      raise ValueError(
          'A data set must be finite, with at least one example. Use `take` in '
          'place of `repeat`. Received: a data set that is '
          f'{"infinite" if cardinality else "empty"}')
    names = _named(dataset.element_spec)
    x = _chosen(names, image_key, ('image', 'x', 'images', 'data'), 'image_key')
    y = None if label_key is None else _chosen(
        names, label_key, ('label', 'y', 'labels'), 'label_key')
    for key in (x,) if y is None else (x, y):
      _check_dense(key, names[key])
    _check_x(names[x])
    self.shape = tuple(names[x].shape)
    self.dtype = np.dtype(names[x].dtype.as_numpy_dtype)
    self.x = dataset.map(lambda *found: _named(_element(found))[x])
    self._labeled = None if y is None else dataset.map(
        lambda *found: tuple(_named(_element(found))[key] for key in (x, y)))

  def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yields x and the labels, or None, of successive examples, in a pass."""
    row = max(1, int(np.prod(self.shape)) * self.dtype.itemsize)
    size = max(1, min(_BATCH_SIZE, _BATCH_BYTES // row))
    found = self.x if self._labeled is None else self._labeled
    for batch in untuned(found.batch(size).prefetch(1)).as_numpy_iterator():
      x, y = (batch, None) if self._labeled is None else batch
      # Strings of TensorFlow are objects.
      yield x, y.astype('S') if y is not None and y.dtype == object else y


def _element(found: tuple) -> Any:
  """Returns an element from the arguments of a map, which unpacks tuples."""
  return found[0] if len(found) == 1 else found


def _named(element: Any) -> Mapping[str, Any]:
  """Returns the components of an element, or of its type, by name."""
  if isinstance(element, Mapping):
    return element
  parts = element if isinstance(element, tuple) else (element,)
  if len(parts) > 2:
    raise ValueError(
        'Elements must be x, pairs (x, y), or dictionaries. Choose two parts '
        f'by `map`. Received: tuples of {len(parts)}')
  return dict(zip(('x', 'y'), parts, strict=False))


def _chosen(names: Mapping[str, Any], key: str, defaults: Sequence[str],
            argument: str) -> str | None:
  """Returns the name of a component; None for a label that may be missing."""
  for name in (key,) if key != defaults[0] else defaults:
    if name in names:
      return name
  if key == defaults[0] and argument == 'label_key':
    return None
  if key == defaults[0] and len(names) == 1:
    return next(iter(names))
  raise ValueError(
      f'The elements have no such name. Set `{argument}` to one of '
      f'{", ".join(names)}. Received: {argument}={key!r}')


def _check_dense(key: str, spec: Any) -> None:
  if not isinstance(spec, tf.TensorSpec) or not spec.shape.is_fully_defined():
    raise ValueError(
        'Elements must be examples: dense tensors of one known shape. Call '
        '`unbatch()` if the data set is batched, resize or pad examples of '
        'different sizes, and `tf.ensure_shape` them if only their shape is '
        f'unknown. Received: {key!r} with {spec}')


def _check_x(spec: tf.TensorSpec) -> None:
  if np.dtype(spec.dtype.as_numpy_dtype).kind not in 'buif' or (
      not spec.shape.rank or not spec.shape.num_elements()):
    raise ValueError(
        'x must have numbers, booleans, integers or floats, and at least one '
        f'axis. Received: {spec}')
