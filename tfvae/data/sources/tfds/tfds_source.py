"""Splits of TFDS data sets, whose records are decoded in batches.

TFDS calls a graph function for every record. Here one call decodes a batch,
which costs a fraction of that for small images.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import os

from absl import logging as absl_logging
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import file_adapters

from tfvae.data.sources.findings import Findings
from tfvae.data.sources.source import ExampleSpec
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import LabelSpec
from tfvae.data.sources.source import Source
from tfvae.data.sources.tfds import builders
from tfvae.data.sources.tfds.features import factor_names
from tfvae.data.sources.tfds.features import image_spec
from tfvae.data.sources.tfds.features import label_spec

# TFDS's own buffer of 8 MiB is large where sixteen files are open.
_FILE_BUFFER_BYTES = 2**20

# Files that take turns, and records of each turn, in a shuffled order.
_CYCLE_LENGTH, _BLOCK_LENGTH = 16, 16


class TfdsSource(Source):
  """A split of a TFDS data set that is prepared on disk."""

  def __init__(self, builder: tfds.core.DatasetBuilder, split: str,
               image: ExampleSpec, label: LabelSpec | None = None,
               factors: Mapping[str, str] | None = None):
    """Initializes the source.

    Args:
      builder: Builder of the prepared data set.
      split: TFDS split expression, such as 'train[:90%]'.
      image: Image feature.
      label: Label feature, or None.
      factors: Names of the generative factors by feature.
    """
    super().__init__(
        builder.name, builder.info.full_name, split, image, label,
        factors or {}, os.path.join(builder.data_dir, 'decoded'))
    self._builder = builder

  def __len__(self) -> int:
    return self._builder.info.splits[self.split].num_examples

  def files(self) -> Files:
    """Returns the files of the split."""
    found = self._builder.info.splits[self.split].file_instructions
    take = np.array([file.take for file in found], np.int64)
    return Files(np.array([os.fspath(file.filename) for file in found]),
                 np.array([file.skip for file in found], np.int64), take,
                 np.cumsum(take) - take)

  def records(self, files: Files, in_order: bool = True) -> tf.data.Dataset:
    """Returns pairs of a row number and a serialized example.

    Args:
      files: Files to read, as arrays or as tensors of a graph.
      in_order: Whether one file is read after the other; otherwise sixteen
        files take turns.

    Raises:
      ValueError: If the files have a format that TensorFlow does not read.
    """
    file_format = self._builder.info.file_format
    adapter = file_adapters.ADAPTER_FOR_FORMAT[file_format]
    if not adapter.SUPPORTS_TF_DATA:
      raise ValueError(
          'TensorFlow does not read files of this format. Prepare the data set '
          f'with `tfds build {self.name} --file_format=tfrecord`. Received: '
          f'file_format={file_format.value!r}')

    def one_file(path, skip, take, first):
      rows = tf.data.Dataset.range(first, first + take)
      return tf.data.Dataset.zip(rows, adapter.make_tf_data(
          path, _FILE_BUFFER_BYTES).skip(skip))

    parts = tf.data.Dataset.from_tensor_slices(tuple(files))
    found = parts.flat_map(one_file) if in_order else parts.interleave(
        one_file, cycle_length=_CYCLE_LENGTH, block_length=_BLOCK_LENGTH,
        num_parallel_calls=tf.data.AUTOTUNE)
    # Raises at the end of a file that is too short, instead of skipping images.
    return found.apply(
        tf.data.experimental.assert_cardinality(tf.reduce_sum(files.take)))

  def decode(self, records: tf.Tensor, image: bool = True,
             integers: bool = True) -> dict[str, tf.Tensor]:
    """Decodes serialized examples, `[b]`; see `Source.decode`."""
    spec = self.example
    keys = self.integer_keys if integers else []
    features = _features(self._builder, [spec.key, *keys] if image else keys)
    signature = {}
    if image:
      signature['images'] = tf.TensorSpec(spec.shape, spec.dtype)
    if keys:
      signature['integers'] = tf.TensorSpec([len(keys)], tf.int64)

    def decode_one(record):
      example, decoded = features.deserialize_example(record), {}
      if image:
        decoded['images'] = tf.cast(
            tf.reshape(example[spec.key], spec.shape), spec.dtype)
      if keys:
        decoded['integers'] = tf.stack(
            [tf.cast(example[key], tf.int64) for key in keys])
      return decoded

    return tf.map_fn(decode_one, records, fn_output_signature=signature)


class TfdsDataSet:
  """A data set of TFDS, which is prepared if necessary.

  Attributes:
    name: TFDS name.
    parts: Number of examples of each split, by name.
    content: Empty, because the version of a TFDS data set names its content.
    schema: None, because it is no table.
    findings: Nothing that the rows do not show.
  """

  content: Mapping[str, str] = {}
  schema: None = None
  findings = Findings()

  def __init__(self, name: str, data_dir: str | None = None,
               image_key: str = 'image', label_key: str | None = 'label'):
    """Prepares the data set; its features are checked before a download.

    Args:
      name: TFDS name, such as 'mnist' or 'imagenet_resized/32x32'.
      data_dir: Directory of TFDS; by default `~/tensorflow_datasets`.
      image_key: Name of the image feature.
      label_key: Name of the label feature, or None; see `label_spec`.

    Raises:
      ValueError: If the data set cannot be prepared, or an argument is not as
        described.
    """
    features = builders.open_builder(name, data_dir).info.features
    self._image = image_spec(features, image_key)
    label_spec(features, label_key)
    self._builder = builders.prepared_builder(name, data_dir)
    features = self._builder.info.features  # Some name their labels only now.
    self._label = label_spec(features, label_key)
    self._factors = factor_names(features)
    self.name = name
    self.parts = {split: info.num_examples
                  for split, info in self._builder.info.splits.items()}

  def sources(self, splits: Mapping[str, str]) -> dict[str, TfdsSource]:
    """Returns the sources of TFDS split expressions, by argument.

    Args:
      splits: Expressions by the argument that received them.

    Raises:
      ValueError: If a split does not exist or is empty.
    """
    builders.check_splits(self._builder.info.splits, splits)
    return {argument: TfdsSource(
        self._builder, split, self._image, self._label, self._factors)
            for argument, split in splits.items()}


def _features(builder: tfds.core.DatasetBuilder,
              keys: Sequence[str]) -> tfds.features.FeaturesDict:
  """Returns these features alone, so that no other is decoded."""
  with _without_dtype_warning():
    return tfds.decode.PartialDecoding(
        dict.fromkeys(keys, True)).extract_features(builder.info.features)


@contextlib.contextmanager
def _without_dtype_warning() -> Iterator[None]:
  """Suppresses a warning that TFDS logs about its own code.

  `PartialDecoding` compares `FeatureConnector.dtype`, which logs that callers
  should read `tf_dtype`.
  """
  def is_kept(record):
    return 'FeatureConnector.dtype' not in record.getMessage()

  logger = absl_logging.get_absl_logger()
  logger.addFilter(is_kept)
  try:
    yield
  finally:
    logger.removeFilter(is_kept)
