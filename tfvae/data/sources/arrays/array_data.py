"""Arrays of x and of labels, as a data set."""

from collections.abc import Mapping
import hashlib
import math
from typing import Any

import numpy as np

from tfvae.data.sources.arrays.array_source import ArraySource
from tfvae.data.sources.arrays.labels import checked_labels
from tfvae.data.sources.arrays.labels import numbered_classes
from tfvae.data.sources.arrays.names import array_key
from tfvae.data.sources.arrays.names import label_array_key
from tfvae.data.sources.arrays.names import parts_of
from tfvae.data.sources.arrays.rows import as_rows
from tfvae.data.sources.arrays.rows import Rows
from tfvae.data.sources.arrays.weights import checked_weights
from tfvae.data.sources.data_set import DataSet

_HASHED_BYTES = 2**24  # Read at a time for the digest.


class ArrayData(DataSet):
  """Arrays of x, with optional labels, in one or more parts."""

  def __init__(self, name: str, arrays: Mapping[str, Any],
               image_key: str = 'image', label_key: str | None = 'label',
               weight_key: str | None = None, missing_labels: bool = False):
    """Initializes the data set.

    Arrays with the suffixes '_train', '_validation' (or '_val') and '_test' are
    parts; an array without a suffix is the part 'train'.

    Args:
      name: Name of the data set.
      arrays: Arrays by name, such as 'x', 'y', 'x_test' and 'y_test'. Those of
        x can also be sparse matrices of SciPy, or any `Rows`.
      image_key: Name of the array of x, `[n, ...]`. The default, 'image', also
        stands for 'x', 'data', or the only array.
      label_key: Name of the array of labels, integers or strings `[n]`, or None
        for no labels. The default, 'label', also stands for 'y' and 'labels',
        and may be missing.
      weight_key: Name of the array of sample weights `[n]`, or None.
      missing_labels: Whether labels may be missing; see `checked_labels`.

    Raises:
      ValueError: If an array is missing, has no numbers, or the arrays do not
        fit together.
    """
    w_key = None if weight_key is None else array_key(
        arrays, weight_key, ('',), 'weight_key', name)
    w_names = {} if w_key is None else parts_of(arrays, w_key)
    ws = {part: checked_weights(name, array, arrays[array])
          for part, array in w_names.items()}
    arrays = {key: array for key, array in arrays.items()
              if key not in w_names.values()}
    key = array_key(arrays, image_key, ('image', 'x', 'images', 'data'),
                    'image_key', name)
    y_key = label_array_key(arrays, label_key, name)
    xs = {part: _checked(name, array, as_rows(arrays[array]))
          for part, array in parts_of(arrays, key).items()}
    _check_shapes(name, xs)
    ys = {} if y_key is None else {
        part: checked_labels(name, array, arrays[array], missing_labels)
        for part, array in parts_of(arrays, y_key).items()}
    _check_lengths(name, xs, ys, 'label', 'label_key')
    _check_lengths(name, xs, ws, 'weight', 'weight_key')
    ends = np.cumsum([len(x) for x in xs.values()])
    rows = np.split(np.arange(ends[-1]), ends[:-1])
    super().__init__(name, dict(zip(xs, rows, strict=True)), {
        f'{stem} of {part}': _digest(array)
        for stem, found in ((key, xs), (y_key, ys), (w_key, ws))
        for part, array in found.items()})
    self._key, self._arrays = key, list(xs.values())
    self._label, self._labels = numbered_classes(
        y_key, [ys[part] for part in xs], missing_labels) if ys else (
            None, None)
    self.weights = np.concatenate([ws[part] for part in xs]) if ws else None

  def source(self, split: str, rows: np.ndarray) -> ArraySource:
    """Returns some of the rows as a source."""
    return ArraySource(
        self.name, self.full_name, split, self._key, self._arrays, rows,
        self._label, None if self._labels is None else self._labels[rows])


def array_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
  """Returns what the digest of an array begins with."""
  return f'{dtype.str} {tuple(shape)}'.encode()


def _checked(name: str, key: str, x: Rows) -> Rows:
  """Returns rows of x; raises a ValueError unless it has numbers."""
  received = f'Received: {key!r} of {name!r}, {x.dtype} of shape {x.shape}'
  if x.dtype.kind not in 'buif':
    raise ValueError('x must have numbers: booleans, integers or floats. '
                     f'Convert it, or choose another array. {received}')
  if len(x.shape) < 2 or not math.prod(x.shape):
    raise ValueError(
        'x must have at least one row, and an axis for its values: `[n, d]`, '
        f'`[n, height, width]` or any `[n, ...]`. {received}')
  return x


def _check_shapes(name: str, xs: Mapping[str, Rows]) -> None:
  first = next(iter(xs.values()))
  for part, x in xs.items():
    if x.shape[1:] != first.shape[1:] or x.dtype != first.dtype:
      raise ValueError(
          'The parts must have one shape and dtype. Received: '
          f'{first.dtype} {first.shape[1:]} and, in {part!r} of {name!r}, '
          f'{x.dtype} {x.shape[1:]}')


def _check_lengths(name: str, xs: Mapping[str, Rows],
                   ys: Mapping[str, np.ndarray], noun: str,
                   argument: str) -> None:
  if ys and set(ys) != set(xs):
    raise ValueError(
        f'{noun.capitalize()}s must exist for each part, or for none; add '
        f'them, or set `{argument}=None`. Received: {name!r} with x for '
        f'{", ".join(xs)} and {noun}s for {", ".join(ys)}')
  for part, y in ys.items():
    if len(y) != len(xs[part]):
      raise ValueError(
          f'There must be one {noun} for each x. Received: {len(xs[part])} x '
          f'and {len(y)} {noun}s in {part!r} of {name!r}')


def _digest(array: Rows) -> str:
  """Returns a digest of rows, which are read in pieces as an array."""
  digest = hashlib.blake2b(digest_size=16)
  digest.update(array_header(array.dtype, array.shape))
  step = max(1, _HASHED_BYTES // max(1, array[:1].nbytes))
  for start in range(0, len(array), step):
    digest.update(array[start:start + step].tobytes())
  return digest.hexdigest()
