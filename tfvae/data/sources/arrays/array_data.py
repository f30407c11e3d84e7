"""Arrays: `.npy` and `.npz` files, and NumPy arrays in memory."""

from collections.abc import Iterator, Mapping, Sequence
import hashlib
import zipfile

import numpy as np
import tensorflow as tf

from tfvae.data.sources.data_set import cache_directory
from tfvae.data.sources.data_set import DataSet
from tfvae.data.sources.source import ExampleSpec
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import LabelSpec
from tfvae.data.sources.source import Source

# Rows that are read at once, and shuffled as a block where rows are streamed.
_BLOCK_BYTES = 2**20
_HASHED_BYTES = 2**24
# Classes above this number are refused: they are probably not classes.
_MAX_CLASSES = 10_000


class ArrayData(DataSet):
  """Arrays of x, with optional labels, in one or more parts."""

  def __init__(self, name: str, arrays: Mapping[str, np.ndarray],
               image_key: str = 'image', label_key: str | None = 'label'):
    """Initializes the data set.

    Arrays with the suffixes '_train', '_validation' (or '_val') and '_test' are
    parts; an array without a suffix is the part 'train'.

    Args:
      name: Name of the data set.
      arrays: Arrays by name, such as 'x', 'y', 'x_test' and 'y_test'.
      image_key: Name of the array of x, `[n, ...]`. The default, 'image', also
        stands for 'x', 'data', or the only array.
      label_key: Name of the array of labels, integers or strings `[n]`, or None
        for no labels. The default, 'label', also stands for 'y' and 'labels',
        and may be missing.

    Raises:
      ValueError: If an array is missing, has no numbers, or the arrays do not
        fit together.
    """
    x_key = _key(arrays, image_key, ('image', 'x', 'images', 'data'),
                 'image_key', name)
    y_key = _label_key(arrays, label_key, name)
    xs = {part: _checked(name, key, arrays[key])
          for part, key in _parts(arrays, x_key).items()}
    _check_shapes(name, xs)
    ys = {part: _labels(name, key, arrays[key])
          for part, key in (_parts(arrays, y_key) if y_key else {}).items()}
    _check_lengths(name, xs, ys)
    ends = np.cumsum([len(x) for x in xs.values()])
    rows = np.split(np.arange(ends[-1]), ends[:-1])
    super().__init__(name, dict(zip(xs, rows, strict=True)), {
        f'{key} of {part}': _digest(array)
        for key, arrays in ((x_key, xs), (y_key, ys))
        for part, array in arrays.items()})
    self._x, self._key = list(xs.values()), x_key
    self._label, self._labels = _classes(y_key, [ys[part] for part in xs]
                                         if ys else None)

  def source(self, split: str, rows: np.ndarray) -> 'ArraySource':
    """Returns some of the rows as a source."""
    return ArraySource(self, split, rows)


class ArraySource(Source):
  """Some of the rows of arrays; a record is the bytes of a row."""

  def __init__(self, data: ArrayData, split: str, rows: np.ndarray):
    """Initializes the source.

    Args:
      data: Data set of the rows.
      split: Name of the rows.
      rows: Row numbers, int64 `[n]`.
    """
    first = data._x[0]
    self._stored = first.dtype
    super().__init__(
        data.name, data.full_name, split,
        ExampleSpec(data._key, _shape(first), _model_dtype(first.dtype),
                    is_image=False), data._label, {}, cache_directory())
    self._x, self._numbers = data._x, rows
    self.integers = (
        np.zeros([len(rows), 0], np.int64) if data._label is None
        else data._labels[rows, np.newaxis])
    self._starts = np.cumsum([0, *map(len, self._x)])

  def __len__(self) -> int:
    return len(self._numbers)

  def files(self) -> Files:
    """Returns blocks of rows, which take turns in a shuffled order."""
    row = max(1, self._x[0][:1].nbytes)
    size = max(1, _BLOCK_BYTES // row)
    first = np.arange(0, len(self), size, dtype=np.int64)
    return Files(np.full(len(first), ''), first,
                 np.minimum(first + size, len(self)) - first, first)

  def records(self, files: Files, in_order: bool = True) -> tf.data.Dataset:
    """Returns pairs of a row number and the bytes of a row."""

    def block(skip, take, first):
      rows = tf.range(skip, skip + take)
      found = tf.numpy_function(self._bytes, [rows], tf.string, stateful=False)
      return tf.data.Dataset.from_tensor_slices(
          (first + tf.range(take), tf.ensure_shape(found, [None])))

    parts = tf.data.Dataset.from_tensor_slices(tuple(files[1:]))
    return parts.flat_map(block) if in_order else parts.interleave(
        block, cycle_length=16, block_length=16)

  def decode(self, records: tf.Tensor, image: bool = True,
             integers: bool = True) -> dict[str, tf.Tensor]:
    """Decodes rows, `[b]`; see `Source.decode`."""
    del integers  # They are not in the records.
    if not image:
      return {}
    dtype = self.example.dtype
    values = tf.io.decode_raw(records, tf.as_dtype(dtype))
    return {'images': tf.reshape(values, [-1, *self.example.shape])}

  def pieces(self, image: bool = True) -> Iterator[dict[str, np.ndarray]]:
    """Yields the rows in order; see `Source.pieces`."""
    if not image:
      yield from super().pieces(image)
      return
    for start in range(0, len(self), self.piece_size):
      stop = min(start + self.piece_size, len(self))
      piece = {'images': self._values(np.arange(start, stop)),
               'integers': self.integers[start:stop]}
      self._check_numbers(piece['images'])
      yield piece

  def _bytes(self, rows: np.ndarray) -> np.ndarray:
    return np.array([row.tobytes() for row in self._values(rows)], object)

  def _values(self, rows: np.ndarray) -> np.ndarray:
    """Returns rows as the model takes them."""
    numbers = self._numbers[rows]
    array = np.searchsorted(self._starts, numbers, 'right') - 1
    values = np.empty([len(rows), *self.example.shape], self.example.dtype)
    for i, x in enumerate(self._x):
      chosen = array == i
      if chosen.any():
        values[chosen] = np.reshape(
            x[numbers[chosen] - self._starts[i]], [-1, *self.example.shape])
    return values


def load_arrays(path: str) -> dict[str, np.ndarray]:
  """Returns the arrays of a `.npy` or `.npz` file.

  A `.npy` file is mapped into memory, so that an array can be larger than
  memory. The arrays of a `.npz` file are read.

  Args:
    path: Path of the file. Files with Python objects are refused, as reading
      them would run code.

  Raises:
    ValueError: If it is not such a file, or has Python objects.
  """
  try:
    found = np.load(path, mmap_mode='r', allow_pickle=False)
    if isinstance(found, np.ndarray):
      return {'x': found}
    with found:
      return {key: found[key] for key in found.files}
  except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
    if 'allow_pickle' in str(error) or 'pickle' in str(error).lower():
      raise ValueError(
          'The file has Python objects, and unpickling them would run code. '
          'Save numbers or strings: `np.savez(path, x=np.asarray(x, '
          f"'float32'))`. Received: name={path!r}") from error
    raise ValueError(f'The file cannot be read as NumPy arrays: {error}. '
                     f'Received: name={path!r}') from error


def _key(arrays: Mapping[str, np.ndarray], key: str, defaults: Sequence[str],
         argument: str, name: str) -> str:
  """Returns the name of the array of x, without the suffix of a part."""
  stems = list(dict.fromkeys(_stem(key)[0] for key in arrays))
  if key != defaults[0]:
    if key in stems or key in arrays:
      return key
  else:
    for default in defaults:
      if default in stems:
        return default
    if len(stems) == 1:
      return stems[0]
  raise ValueError(
      f'The arrays have no such name. Set `{argument}` to one of '
      f'{", ".join(stems)}. Received: {argument}={key!r} for {name!r}')


def _label_key(arrays: Mapping[str, np.ndarray], key: str | None,
               name: str) -> str | None:
  """Returns the name of the array of labels, or None without labels."""
  if key is None:
    return None
  if key != 'label':
    return _key(arrays, key, ('label',), 'label_key', name)
  stems = {_stem(key)[0] for key in arrays}
  return next((key for key in ('label', 'y', 'labels') if key in stems), None)


_SUFFIXES = {'_train': 'train', '_validation': 'validation',
             '_valid': 'validation', '_val': 'validation', '_test': 'test'}


def _stem(key: str) -> tuple[str, str]:
  """Returns the name of an array without its suffix, and its part."""
  for suffix, part in _SUFFIXES.items():
    if key.endswith(suffix) and key != suffix:
      return key.removesuffix(suffix), part
  return key, 'train'


def _parts(arrays: Mapping[str, np.ndarray], stem: str) -> dict[str, str]:
  """Returns the arrays of a name by part, in the order of the parts."""
  found: dict[str, str] = {}
  for key in arrays:
    if _stem(key)[0] == stem or key == stem:
      part = 'train' if key == stem else _stem(key)[1]
      if part in found:
        raise ValueError(
            f"Two arrays are the part '{part}' of {stem!r}; remove one. "
            f'Received: {found[part]!r} and {key!r}')
      found[part] = key
  return {part: found[part] for part in ('train', 'validation', 'test')
          if part in found}


def _checked(name: str, key: str, x: np.ndarray) -> np.ndarray:
  """Returns an array of x; raises a ValueError unless it has numbers."""
  received = f'Received: {key!r} of {name!r}, {x.dtype} of shape {x.shape}'
  if x.dtype.kind not in 'buif':
    raise ValueError('x must have numbers: booleans, integers or floats. '
                     f'Convert it, or choose another array. {received}')
  if x.ndim < 2 or not x.size:
    raise ValueError(
        'x must have at least one row, and an axis for its values: `[n, d]`, '
        f'`[n, height, width]` or any `[n, ...]`. {received}')
  return x


def _check_shapes(name: str, xs: Mapping[str, np.ndarray]) -> None:
  first = next(iter(xs.values()))
  for part, x in xs.items():
    if x.shape[1:] != first.shape[1:] or x.dtype != first.dtype:
      raise ValueError(
          'The parts must have one shape and dtype. Received: '
          f'{first.dtype} {first.shape[1:]} and, in {part!r} of {name!r}, '
          f'{x.dtype} {x.shape[1:]}')


def _check_lengths(name: str, xs: Mapping[str, np.ndarray],
                   ys: Mapping[str, np.ndarray]) -> None:
  if ys and set(ys) != set(xs):
    raise ValueError(
        'Labels must exist for each part, or for none; add them, or set '
        f'`label_key=None`. Received: {name!r} with x for {", ".join(xs)} and '
        f'labels for {", ".join(ys)}')
  for part, y in ys.items():
    if len(y) != len(xs[part]):
      raise ValueError(
          f'There must be one label for each x. Received: {len(xs[part])} x '
          f'and {len(y)} labels in {part!r} of {name!r}')


def _labels(name: str, key: str, y: np.ndarray) -> np.ndarray:
  """Returns labels `[n]` as integers or strings."""
  y = np.asarray(y)
  if y.ndim == 2 and y.shape[1] == 1:
    y = y[:, 0]
  is_one_hot = (y.ndim == 2 and y.dtype.kind in 'buif'
                and bool(((y == 0) | (y == 1)).all() and (
                    y.sum(axis=1) == 1).all()))
  if is_one_hot:
    return np.argmax(y, axis=1)
  if y.ndim == 1 and y.dtype.kind == 'f' and (y == np.round(y)).all():
    return y.astype(np.int64)
  if y.ndim != 1 or y.dtype.kind not in 'buiUS':
    raise ValueError(
        'Labels must be integers or strings `[n]`, or one-hot `[n, classes]`. '
        'Set `label_key` to such an array, or to None for no labels. '
        f'Received: {key!r} of {name!r}, {y.dtype} of shape {y.shape}')
  return y.astype(str) if y.dtype.kind == 'S' else y


def _classes(key: str | None, ys: list[np.ndarray] | None
             ) -> tuple[LabelSpec | None, np.ndarray | None]:
  """Returns the description of the labels, and the class of each row.

  Integers from 0 are the classes themselves; other labels are numbered in
  sorted order.
  """
  if ys is None:
    return None, None
  values, labels = np.unique(np.concatenate(ys), return_inverse=True)
  if values.dtype.kind in 'bui' and 0 <= values[0] and (
      values[-1] < 2 * len(values)):
    values = np.arange(int(values[-1]) + 1)
    labels = np.concatenate(ys)
  if len(values) > _MAX_CLASSES:
    raise ValueError(
        f'Labels must be classes, at most {_MAX_CLASSES:,}. Set `label_key` to '
        'another array, or to None for no labels. Received: '
        f'label_key={key!r} with {len(values):,} different values')
  names = tuple(map(str, values.tolist()))
  return LabelSpec(key, len(names), names), labels.astype(np.int64)


def _shape(x: np.ndarray) -> tuple[int, ...]:
  """Returns the shape of one x; an image gets an axis of channels."""
  return (*x.shape[1:], 1) if x.ndim == 3 else x.shape[1:]


def _model_dtype(dtype: np.dtype) -> type[np.number]:
  """Returns uint8 for pixels and bits, else float32."""
  return np.uint8 if dtype in (np.uint8, np.bool_) else np.float32


def _digest(array: np.ndarray) -> str:
  """Returns a digest of an array, which is read in pieces."""
  digest = hashlib.blake2b(digest_size=16)
  digest.update(f'{array.dtype.str} {array.shape}'.encode())
  step = max(1, _HASHED_BYTES // max(1, array[:1].nbytes))
  for start in range(0, len(array), step):
    digest.update(array[start:start + step].tobytes())
  return digest.hexdigest()
