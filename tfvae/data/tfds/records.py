"""The records of a TFDS split: found in its files, read and decoded in batches.

TFDS calls a graph function for every record. Here one call decodes a batch, and
small images cost a fraction of that.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import math
import os
from typing import NamedTuple

from absl import logging as absl_logging
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import file_adapters

from tfvae.data.tfds.features import ImageSpec

# Decoded at a time where the images are read in their order: a second or so of
# work for small ones, after which progress is logged.
_PIECE_BYTES = 2**24
_PIECE_RECORDS = 2**14
# Decoded by one core at a time.
_BATCH_BYTES = 2**22
_BATCH_RECORDS = 256
# Of a file that is read: TFDS's own 8 MiB are many in sixteen files at once.
_FILE_BUFFER_BYTES = 2**20

# Files read in turn, and records of each, where the order is a shuffled one.
_CYCLE_LENGTH, _BLOCK_LENGTH = 16, 16


class Files(NamedTuple):
  """Where the rows of a split lie: a part of each file, in TFDS's order.

  Attributes:
    path: string `[f]`.
    skip: int64 `[f]`, records in front of the part.
    take: int64 `[f]`, records of the part, each a row.
    first: int64 `[f]`, the number of its first row.
  """

  path: np.ndarray
  skip: np.ndarray
  take: np.ndarray
  first: np.ndarray

  def between(self, start: int, stop: int) -> 'Files':
    """Returns what of the files holds the rows from `start` to `stop`."""
    # The part [first, first + take) of each file is cut to [start, stop).
    front = np.maximum(start - self.first, 0)
    take = np.minimum(self.first + self.take, stop) - self.first - front
    cut = Files(self.path, self.skip + front, take, self.first + front)
    return Files(*(column[take > 0] for column in cut))


def split_files(builder: tfds.core.DatasetBuilder, split: str) -> Files:
  """Returns the files of a split of a prepared data set."""
  found = builder.info.splits[split].file_instructions
  take = np.array([file.take for file in found], np.int64)
  return Files(np.array([os.fspath(file.filename) for file in found]),
               np.array([file.skip for file in found], np.int64), take,
               np.cumsum(take) - take)


def read_records(builder: tfds.core.DatasetBuilder, files: Files,
                 in_order: bool = True) -> tf.data.Dataset:
  """Returns the row numbers and serialized examples of files, pair by pair.

  Args:
    builder: the data set's, for the format of the files.
    files: arrays, or tensors of a graph.
    in_order: reads one file after the other; otherwise sixteen in turn.

  Raises:
    ValueError: if the files have a format that TensorFlow does not read.
  """
  adapter = file_adapters.ADAPTER_FOR_FORMAT[builder.info.file_format]
  if not adapter.SUPPORTS_TF_DATA:
    raise ValueError(
        'TensorFlow does not read files of this format. Prepare the data set '
        f'by `tfds build {builder.name} --file_format=tfrecord`. Received: '
        f'file_format={builder.info.file_format.value!r}')

  def one_file(path, skip, take, first):
    rows = tf.data.Dataset.range(first, first + take)
    return tf.data.Dataset.zip(rows, adapter.make_tf_data(
        path, _FILE_BUFFER_BYTES).skip(skip))

  parts = tf.data.Dataset.from_tensor_slices(tuple(files))
  found = parts.flat_map(one_file) if in_order else parts.interleave(
      one_file, cycle_length=_CYCLE_LENGTH, block_length=_BLOCK_LENGTH,
      num_parallel_calls=tf.data.AUTOTUNE)
  # A file that ends early would else pass for one with fewer images.
  return found.apply(
      tf.data.experimental.assert_cardinality(tf.reduce_sum(files.take)))


def decoder(
    builder: tfds.core.DatasetBuilder, image: ImageSpec | None,
    keys: Sequence[str] = (),
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
  """Returns the decoder of serialized examples `[b]`.

  Args:
    builder: the data set's, for its features.
    image: the feature that is the image, or None to leave it out.
    keys: the features that are one integer.

  Returns:
    A function to 'images' `[b, height, width, channels]`, as `image` has them,
    and 'integers', int64 `[b, k]`; what was not asked for is missing.
  """
  features = _features(builder, [*([image.key] if image else []), *keys])
  signature = {}
  if image:
    signature['images'] = tf.TensorSpec(image.shape, image.dtype)
  if keys:
    signature['integers'] = tf.TensorSpec([len(keys)], tf.int64)

  def decode(record):
    example, decoded = features.deserialize_example(record), {}
    if image:
      decoded['images'] = tf.cast(
          tf.reshape(example[image.key], image.shape), image.dtype)
    if keys:
      decoded['integers'] = tf.stack(
          [tf.cast(example[key], tf.int64) for key in keys])
    return decoded

  return lambda records: tf.map_fn(
      decode, records, fn_output_signature=signature)


def read_pieces(builder: tfds.core.DatasetBuilder, split: str,
                image: ImageSpec | None,
                keys: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
  """Yields a split in TFDS's order, some 16 MiB at a time.

  Args:
    builder: that of a data set which is prepared.
    split: a TFDS split expression.
    image: the feature that is the image, or None to leave it out.
    keys: the features that are one integer.

  Yields:
    What `decoder` gives.
  """
  decode = decoder(builder, image, keys)
  count = _rows(image, _PIECE_BYTES, _PIECE_RECORDS)
  records = read_records(builder, split_files(builder, split))
  yield from records.batch(batch_size(image)).map(
      lambda _, records: decode(records), num_parallel_calls=tf.data.AUTOTUNE,
  ).rebatch(count).prefetch(1).as_numpy_iterator()


def batch_size(image: ImageSpec | None) -> int:
  """Returns how many records one core decodes at a time, at least one."""
  return _rows(image, _BATCH_BYTES, _BATCH_RECORDS)


def _rows(image: ImageSpec | None, num_bytes: int, at_most: int) -> int:
  if image is None:
    return at_most
  size = math.prod(image.shape) * np.dtype(image.dtype).itemsize
  return max(1, min(at_most, num_bytes // size))


def _features(builder: tfds.core.DatasetBuilder,
              keys: Sequence[str]) -> tfds.features.FeaturesDict:
  """Returns those features alone, so that no other is decoded."""
  with _unconcerned_by_dtype():
    return tfds.decode.PartialDecoding(
        dict.fromkeys(keys, True)).extract_features(builder.info.features)


@contextlib.contextmanager
def _unconcerned_by_dtype() -> Iterator[None]:
  """Keeps back a warning that TFDS gives of itself.

  `PartialDecoding` compares `FeatureConnector.dtype`, which logs that callers
  should read `tf_dtype`.
  """
  def concerns_others(record):
    return 'FeatureConnector.dtype' not in record.getMessage()

  logger = absl_logging.get_absl_logger()
  logger.addFilter(concerns_others)
  try:
    yield
  finally:
    logger.removeFilter(concerns_others)
