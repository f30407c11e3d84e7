"""Rows of any data set in order, as a model sees them, from any row on."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.data.batches.checks import gray_scale
from tfvae.data.binarization.fixed import evaluation_stream
from tfvae.data.binarization.fixed import fixed_chunk
from tfvae.data.binarization.fixed import fixed_draw
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.opening import open_data_set
from tfvae.data.sources.source import Source
from tfvae.data.storage.streamed_images import StreamedImages
from tfvae.tables import Column
from tfvae.tables import Schema

_DEFAULT_FORM = ImageFormat()

# Arrays of the same length by name.
_Arrays = dict[str, np.ndarray]


class OrderedRows:
  """The rows of one split of a data set, which are read a batch at a time.

  Attributes:
    name: Name that identifies the content.
    shape: Shape of one x.
    columns: Columns of a table, in the order of x; empty for other data.
    has_labels: Whether the rows have classes.
  """

  def __init__(self, source: Source, columns: Sequence[Column] = (),
               binarization: str = 'none', seed: int = 0,
               as_counts: bool = False):
    """Initializes the rows.

    Args:
      source: Source of the rows.
      columns: Columns of a table.
      binarization: Binarization of pixels, one of `BINARIZATIONS`. The bits are
        those of an evaluation of the split, a function of the seed, of the name
        of the split and of the number of the row.
      seed: Seed of the bits.
      as_counts: Whether pixels are counts, which are not scaled.
    """
    self._source, self.columns = source, tuple(columns)
    self.shape = source.example.shape
    self.name = f'{source.full_name}/{source.split}'
    self.has_labels = source.label is not None
    self._scale = gray_scale(binarization, as_counts)
    self._binarizes, self._seed = binarization != 'none', seed
    self._stream = evaluation_stream(source.split)
    images = StreamedImages(source)
    self._factor = 1 if as_counts else images.full_range().factor
    self._chunk = fixed_chunk(images)

  def __len__(self) -> int:
    return len(self._source)

  def batches(self, start: int, stop: int, size: int) -> Iterator[_Arrays]:
    """Yields the rows from `start` to `stop`, `size` at a time.

    Args:
      start: First row.
      stop: Row after the last one.
      size: Rows of each batch but the last.

    Yields:
      'ids', integers or strings `[b]`; 'x', float32 `[b, ...]`, NaN where a
      value is missing; and, with classes, 'labels', their names `[b]`, ''
      where one is missing. A row is the same whatever the batches are.

    Raises:
      ValueError: If a value cannot be read.
    """
    yield from _rebatched(self._seen(start, stop), size)

  def _seen(self, start: int, stop: int) -> Iterator[_Arrays]:
    """Yields the rows as a model sees them, in pieces of any size."""
    first = start
    if self._binarizes:  # Bits are drawn by the chunk, from its first row on.
      first -= start % self._chunk
    pieces = self._source.pieces(start=first, stop=stop)
    for piece in _rebatched(
        pieces, self._chunk) if self._binarizes else pieces:
      x = self._x(piece['images'], first // self._chunk)
      skip = max(0, start - first)
      ids = piece['ids'][skip:] if 'ids' in piece else (
          self._source.ids(first + skip, first + len(x)))
      seen = {'ids': ids, 'x': x[skip:]}
      if self.has_labels:
        names = np.array([*self._source.label.names, ''], object)
        seen['labels'] = names[piece['integers'][skip:, 0]]  # '' of −1.
      yield seen
      first += len(x)

  def _x(self, images: np.ndarray, chunk: int) -> np.ndarray:
    if self._factor != 1:
      images = images * images.dtype.type(self._factor)
    with tf.device('CPU'):
      if self._binarizes:
        return fixed_draw(tf.constant(images), self._seed, self._stream,
                          tf.constant(chunk, tf.int64)).numpy()
      return self._scale(tf.constant(images)).numpy()


def open_rows(name: Any, split: str | None = None,
              data_dir: str | None = None, image_key: str = 'image',
              label_key: str | None = None, form: ImageFormat = _DEFAULT_FORM,
              skip_corrupt: bool = False, columns: Sequence[Column] = (),
              missing: str = 'refuse', mask_key: str | None = None,
              missing_labels: bool = False, id_key: str | None = None,
              binarization: str = 'none', seed: int = 0,
              as_counts: bool = False) -> OrderedRows:
  """Opens any data set that `load` takes, to be read in order.

  Args:
    name: Data set; see `load`.
    split: Split expression; by default the only part of the data set.
    data_dir: See `load`.
    image_key: See `load`.
    label_key: See `load`; by default there are no labels.
    form: Size and channels of images of a folder or of TFDS.
    skip_corrupt: See `load`.
    columns: Columns of a table.
    missing: Treatment of rows with missing values, one of `MISSING`.
    mask_key: See `load`.
    missing_labels: Whether labels may be missing.
    id_key: Column that names the rows of a table. By default rows have numbers,
      and images of a folder their paths.
    binarization: See `OrderedRows`.
    seed: See `OrderedRows`.
    as_counts: See `OrderedRows`.

  Raises:
    ValueError: If the data set cannot be read, has several parts and no `split`
      is given, or rows without a name would be left out.
  """
  opened = open_data_set(
      name, data_dir, image_key, label_key, form, skip_corrupt,
      isinstance(name, tf.data.Dataset),
      Schema(tuple(columns)) if columns else None, missing, None, None,
      mask_key, missing_labels, id_key)
  if split is None:
    if len(opened.parts) > 1:
      raise ValueError(
          'The data set has several parts; choose one by `input_split`, or '
          f'join them, as in {"+".join(opened.parts)!r}. Received: '
          f'input={opened.name!r} with {", ".join(opened.parts)}')
    split = next(iter(opened.parts))
  if opened.findings.dropped and id_key is None:
    raise ValueError(
        'Rows with missing values would be left out, so that numbers no longer '
        'name the rows. Set `id_key` to a column that does, or remove these '
        f'rows from the file. Received: input={opened.name!r}, missing=drop, '
        f'{sum(opened.findings.dropped.values()):,} rows with missing values')
  source = opened.sources({'input_split': split})['input_split']
  found = opened.schema.modeled if opened.schema else ()
  return OrderedRows(source, found, binarization, seed, as_counts)


def _rebatched(pieces: Iterable[_Arrays], size: int) -> Iterator[_Arrays]:
  """Yields the rows of pieces, `size` at a time."""
  kept, count = [], 0
  for piece in pieces:
    kept.append(piece)
    count += len(next(iter(piece.values())))
    if count < size:
      continue
    joined = _joined(kept)
    end = count - count % size
    for start in range(0, end, size):
      yield {name: values[start:start + size]
             for name, values in joined.items()}
    kept = [{name: values[end:] for name, values in joined.items()}]
    count -= end
  if count:
    yield _joined(kept)


def _joined(parts: list[_Arrays]) -> _Arrays:
  return parts[0] if len(parts) == 1 else {
      name: np.concatenate([part[name] for part in parts])
      for name in parts[0]}
