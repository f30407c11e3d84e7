"""Splits of TFDS data sets, whose records are decoded in batches.

TFDS calls a graph function for every record. Here one call decodes a batch,
which costs a fraction of that for small images.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import functools
import os

from absl import logging as absl_logging
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core import file_adapters

from tfvae.data.sources.findings import Findings
from tfvae.data.sources.images.decoding import convert_pixels
from tfvae.data.sources.images.decoding import ImageFormat
from tfvae.data.sources.source import ExampleSpec
from tfvae.data.sources.source import Files
from tfvae.data.sources.source import LabelSpec
from tfvae.data.sources.source import Source
from tfvae.data.sources.tfds import builders
from tfvae.data.sources.tfds.features import factor_names
from tfvae.data.sources.tfds.features import image_form
from tfvae.data.sources.tfds.features import image_spec
from tfvae.data.sources.tfds.features import label_spec
from tfvae.streaming import untuned

# TFDS's own buffer of 8 MiB is large where sixteen files are open.
_FILE_BUFFER_BYTES = 2**20

# Files that take turns, and records of each turn, in a shuffled order.
_CYCLE_LENGTH, _BLOCK_LENGTH = 16, 16

# Images that show whether the pixels of a data set are bits.
_SHOWN = 256
_AS_STORED = ImageFormat()


class TfdsSource(Source):
  """A split of a TFDS data set that is prepared on disk."""

  def __init__(self, builder: tfds.core.DatasetBuilder, split: str,
               image: ExampleSpec, label: LabelSpec | None = None,
               factors: Mapping[str, str] | None = None,
               form: ImageFormat | None = None, has_bits: bool = False):
    """Initializes the source.

    Args:
      builder: Builder of the prepared data set.
      split: TFDS split expression, such as 'train[:90%]'.
      image: Image feature.
      label: Label feature, or None.
      factors: Names of the generative factors by feature.
      form: Format that the images are converted to, or None.
      has_bits: Whether pixels are 0 and 1, which the conversion scales to 255.
    """
    full_name = builder.info.full_name
    super().__init__(
        builder.name, f'{full_name}/{form}' if form else full_name, split,
        image, label, factors or {}, os.path.join(builder.data_dir, 'decoded'))
    self._builder, self._form, self._has_bits = builder, form, has_bits

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
        decoded['images'] = tf.cast(tf.reshape(
            self._converted(example[spec.key]), spec.shape), spec.dtype)
      if keys:
        decoded['integers'] = tf.stack(
            [tf.cast(example[key], tf.int64) for key in keys])
      return decoded

    return tf.map_fn(decode_one, records, fn_output_signature=signature)

  def _converted(self, pixels: tf.Tensor) -> tf.Tensor:
    """Returns an image in the format."""
    if self._form is None:
      return pixels
    if pixels.shape.rank == 2:
      pixels = pixels[..., tf.newaxis]
    if self._has_bits:  # As `StoredImages.full_range` does for other formats.
      tf.debugging.assert_less_equal(
          pixels, tf.constant(1, tf.uint8), 'The first images of the data set '
          'have no pixel above 1, and others have; repair the data set.')
      pixels *= tf.constant(255, tf.uint8)
    return tf.numpy_function(
        functools.partial(convert_pixels, form=self._form), [pixels], tf.uint8,
        stateful=False)


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
               image_key: str = 'image', label_key: str | None = 'label',
               form: ImageFormat = _AS_STORED):
    """Prepares the data set; its features are checked before a download.

    Args:
      name: TFDS name, such as 'mnist' or 'imagenet_resized/32x32'.
      data_dir: Directory of TFDS; by default `~/tensorflow_datasets`.
      image_key: Name of the image feature.
      label_key: Name of the label feature, or None; see `label_spec`.
      form: Size, channels, resizing and background; see `image_form`.

    Raises:
      ValueError: If the data set cannot be prepared, or an argument is not as
        described.
    """
    features = builders.open_builder(name, data_dir).info.features
    self._form = image_form(features, image_key, form)
    self._image = image_spec(features, image_key, self._form)
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
    has_bits = self._form is not None and self._shows_bits()
    return {argument: TfdsSource(
        self._builder, split, self._image, self._label, self._factors,
        self._form, has_bits) for argument, split in splits.items()}

  def _shows_bits(self) -> bool:
    """Returns whether no pixel of the first images is above 1."""
    key = self._image.key
    with _without_dtype_warning():
      shown = self._builder.as_dataset(
          split=max(self.parts, key=self.parts.get),
          decoders=tfds.decode.PartialDecoding({key: True}),
          read_config=tfds.ReadConfig(try_autocache=False)).take(_SHOWN)
      return all(example[key].max(initial=0) <= 1
                 for example in untuned(shown).as_numpy_iterator())


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
