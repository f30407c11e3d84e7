"""Arrays of x and of labels, as a data set."""

from collections.abc import Mapping
import hashlib
import math
from typing import Any

import numpy as np

from tfvae.data.sources.arrays.array_source import ArraySource
from tfvae.data.sources.arrays.labels import checked_labels
from tfvae.data.sources.arrays.labels import numbered_classes
from tfvae.data.sources.arrays.masks import checked_mask
from tfvae.data.sources.arrays.masks import observed_values
from tfvae.data.sources.arrays.masks import with_holes
from tfvae.data.sources.arrays.names import array_key
from tfvae.data.sources.arrays.names import label_array_key
from tfvae.data.sources.arrays.names import parts_of
from tfvae.data.sources.arrays.rows import as_rows
from tfvae.data.sources.arrays.rows import Rows
from tfvae.data.sources.arrays.weights import checked_weights
from tfvae.data.sources.data_set import DataSet
from tfvae.data.sources.missing import MissingValues
from tfvae.data.sources.row_numbers import RowNumbers

_HASHED_BYTES = 2**24  # Read at a time for the digest.


class ArrayData(DataSet):
  """Arrays of x, with optional labels, in one or more parts."""

  def __init__(self, name: str, arrays: Mapping[str, Any],
               image_key: str = 'image', label_key: str | None = 'label',
               weight_key: str | None = None, missing: str = 'refuse',
               mask_key: str | None = None, missing_labels: bool = False):
    """Initializes the data set.

    Arrays with the suffixes '_train', '_validation' (or '_val') and '_test' are
    parts; an array without a suffix is the part 'train'.

    Args:
      name: Name of the data set.
      arrays: Arrays by name, such as 'x', 'y', 'x_test' and 'y_test'. Those of
        x can also be sparse matrices of SciPy, masked arrays of NumPy, or any
        `Rows`.
      image_key: Name of the array of x, `[n, ...]`. The default, 'image', also
        stands for 'x', 'data', or the only array.
      label_key: Name of the array of labels, integers or strings `[n]`, or None
        for no labels. The default, 'label', also stands for 'y' and 'labels',
        and may be missing.
      weight_key: Name of the array of sample weights `[n]`, or None.
      missing: Treatment of rows with missing values, one of `MISSING`.
      mask_key: Name of the array that is true where x is observed, or None; see
        `checked_mask`.
      missing_labels: Whether labels may be missing; see `checked_labels`.

    Raises:
      ValueError: If an array is missing, has no numbers, or the arrays do not
        fit together, or if values are missing and that is refused.
    """
    w_key, w_names = _named(arrays, weight_key, 'weight_key', name)
    _, mask_names = _named(arrays, mask_key, 'mask_key', name)
    ws = {part: checked_weights(name, array, arrays[array])
          for part, array in w_names.items()}
    masks = {part: (array, arrays[array])
             for part, array in mask_names.items()}
    arrays = {key: array for key, array in arrays.items()
              if key not in (*w_names.values(), *mask_names.values())}
    key = array_key(arrays, image_key, ('image', 'x', 'images', 'data'),
                    'image_key', name)
    y_key = label_array_key(arrays, label_key, name)
    xs = _x(name, {part: (array, arrays[array]) for part, array in parts_of(
        arrays, key).items()}, masks)
    ys = {} if y_key is None else {
        part: checked_labels(name, array, arrays[array], missing_labels)
        for part, array in parts_of(arrays, y_key).items()}
    _check_lengths(name, xs, ys, 'label', 'label_key')
    _check_lengths(name, xs, ws, 'weight', 'weight_key')
    found = {part: MissingValues(x.shape[1:]) for part, x in xs.items()}
    super().__init__(name, RowNumbers.by_part(
        {part: len(x) for part, x in xs.items()}), {
        f'{stem} of {part}': _digest(
            array, found[part] if stem == key else None)
        for stem, named in ((key, xs), (y_key, ys), (w_key, ws))
        for part, array in named.items()})
    self.treat_missing(missing, found)
    self._key, self._arrays = key, list(xs.values())
    self._label, self._labels = numbered_classes(
        y_key, [ys[part] for part in xs], missing_labels) if ys else (
            None, None)
    self.weights = np.concatenate([ws[part] for part in xs]) if ws else None

  def source(self, split: str, rows: RowNumbers) -> ArraySource:
    """Returns some of the rows as a source."""
    return ArraySource(
        self.name, self.full_name, split, self._key, self._arrays, rows,
        self._label, self._labels)


def _named(arrays: Mapping[str, Any], key: str | None, argument: str,
           name: str) -> tuple[str | None, dict[str, str]]:
  """Returns a name without its suffix, and the names of its arrays by part."""
  if key is None:
    return None, {}
  stem = array_key(arrays, key, ('',), argument, name)
  return stem, parts_of(arrays, stem)


def _x(name: str, named: Mapping[str, tuple[str, Any]],
       masks: Mapping[str, tuple[str, Any]]) -> dict[str, Rows]:
  """Returns the rows of x by part, with NaN where a mask is false.

  Args:
    name: Name of the data set, for messages.
    named: Name and array of each part.
    masks: Name and mask of each part; empty without masks.
  """
  xs = {part: _checked(name, key, as_rows(array))
        for part, (key, array) in named.items()}
  _check_shapes(name, xs)
  _check_parts(name, xs, masks, 'mask', 'mask_key')
  observed = {part: checked_mask(name, *masks[part], xs[part])
              for part in masks}
  for part, (_, array) in named.items():
    own = observed_values(array)  # Those of a masked array.
    if own is not None:
      observed[part] = own & observed.get(part, True)
  return with_holes(xs, observed)


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


def _check_parts(name: str, xs: Mapping[str, Rows], ys: Mapping[str, Any],
                 noun: str, argument: str) -> None:
  if ys and set(ys) != set(xs):
    raise ValueError(
        f'{noun.capitalize()}s must exist for each part, or for none; add '
        f'them, or set `{argument}=None`. Received: {name!r} with x for '
        f'{", ".join(xs)} and {noun}s for {", ".join(ys)}')


def _check_lengths(name: str, xs: Mapping[str, Rows],
                   ys: Mapping[str, np.ndarray], noun: str,
                   argument: str) -> None:
  _check_parts(name, xs, ys, noun, argument)
  for part, y in ys.items():
    if len(y) != len(xs[part]):
      raise ValueError(
          f'There must be one {noun} for each x. Received: {len(xs[part])} x '
          f'and {len(y)} {noun}s in {part!r} of {name!r}')


def _digest(array: Rows, found: MissingValues | None = None) -> str:
  """Returns a digest of rows, which are read in pieces as an array.

  Args:
    array: Rows.
    found: Missing values, to which those of the rows are added.
  """
  digest = hashlib.blake2b(digest_size=16)
  digest.update(array_header(array.dtype, array.shape))
  step = max(1, _HASHED_BYTES // max(1, array[:1].nbytes))
  for start in range(0, len(array), step):
    piece = array[start:start + step]
    digest.update(piece.tobytes())
    if found is not None:
      found.add_values(piece)
  return digest.hexdigest()
