"""Batches of the splits of a run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import data
from tfvae.layers import LIKELIHOODS
from tfvae.models.steps.global_batch import GlobalBatch
from tfvae.training import strategies
from tfvae.training.config import Config


class TrainingInput:
  """Training split as a data set of steps.

  If one device has the images in memory, a step receives the indices of its
  rows, and gathers and binarizes them itself, inside the compiled step.
  Otherwise `tf.data` reads the batch. Both draw the same bits.

  Attributes:
    steps_per_epoch: Steps per epoch, of the global batch size.
  """

  def __init__(self, images: data.ImageData, config: Config,
               strategy: tf.distribute.Strategy):
    """Initializes the input.

    Args:
      images: Data of the run.
      config: Settings of the run.
      strategy: Strategy whose replicas divide each batch.
    """
    self._images, self._config, self._strategy = images, config, strategy
    train = images.train.images
    self.steps_per_epoch = data.steps_per_epoch(
        len(train), config.training.batch_size)
    self._is_asynchronous = strategies.is_asynchronous(strategy)
    self._reads_in_step = data.is_in_memory(train) and (
        strategy.num_replicas_in_sync == 1 and not self._is_asynchronous)
    if not isinstance(train, data.StreamedImages):
      gpus = tf.config.list_logical_devices('GPU')
      self._read = data.BatchReader(
          train, config.data_binarization(), config.training.seed,
          labels_where_needed(images, 'train', config), as_counts(config),
          'GPU' if gpus and self._reads_in_step else 'CPU',
          weights_of_split(images, 'train'), config.data.hide_fraction)

  def batch_fn(self, element: Any, replica_id: int) -> GlobalBatch:
    """Returns the batch of an element of the data sets; see `BatchFn`."""
    del replica_id
    if 'rows' not in element:
      return _as_batch(element)
    rows = element['rows']
    return GlobalBatch(self._read(rows, element['key']), element['step'], 0,
                       tf.shape(rows)[0])

  def dataset(self, start_step: int) -> Any:
    """Returns an infinite data set of steps, distributed over the replicas.

    Args:
      start_step: First step, counted from 0 through all epochs.
    """
    config, train = self._config, self._images.train.images
    if isinstance(train, data.StreamedImages):
      return _distributed(self._strategy, lambda part, parts: self._streamed(
          start_step, part, parts))
    if self._is_asynchronous:
      return tf_keras.utils.experimental.DatasetCreator(
          lambda context: self._parts(self._steps(0, _clock()), 0, 1))
    if self._reads_in_step:
      return self._steps(start_step, config.training.seed)
    return _distributed(self._strategy, lambda part, parts: self._parts(
        self._steps(start_step, config.training.seed), part, parts))

  def _steps(self, start_step: int, seed: Any) -> tf.data.Dataset:
    return data.training_steps(
        len(self._images.train.images), self._config.training.batch_size, seed,
        start_step)

  def _parts(self, steps: tf.data.Dataset, part: int,
             parts: int) -> tf.data.Dataset:
    """Returns the part of a replica of each step, with its images."""
    def read(step):
      size = tf.size(step['rows'])
      start, end = _bounds(size, part, parts)
      return _element(self._read(step['rows'][start:end], step['key'], start),
                      step['step'], start, size)

    return steps.map(read, num_parallel_calls=tf.data.AUTOTUNE).prefetch(
        tf.data.AUTOTUNE)

  def _streamed(self, start_step: int, part: int,
                parts: int) -> tf.data.Dataset:
    """Returns the part of a replica of each step, streamed from the files."""
    config, train = self._config, self._images.train.images
    batch_size = config.training.batch_size
    epoch, step = divmod(start_step, self.steps_per_epoch)
    batches = data.streamed_batches(
        train, batch_size, config.training.seed, config.data_binarization(),
        epoch, step, labels_where_needed(self._images, 'train', config),
        as_counts(config), (part, parts), config.data.shuffle_buffer,
        config.data.deterministic, weights_of_split(self._images, 'train'),
        config.data.hide_fraction)
    last = len(train) - (self.steps_per_epoch - 1) * batch_size

    def with_place(step, batch):
      is_last = (step + 1) % self.steps_per_epoch == 0
      size = tf.where(is_last, last, batch_size)
      return _element(batch, step, _bounds(size, part, parts)[0], size)

    return tf.data.Dataset.zip(
        tf.data.Dataset.counter(start_step), batches).map(with_place)


def first_batch(images: data.ImageData, config: Config, count: int,
                binarization: str, hides: bool = True) -> np.ndarray:
  """Returns x of the first training batch as the model sees it, `[b, ...]`.

  Args:
    images: Data of the run.
    config: Settings of the run.
    count: Most examples; the first of the batch.
    binarization: Binarization of x, that of the settings if x admits it.
    hides: Whether values are hidden as the settings say.
  """
  train, settings = images.train.images, config.training
  seed = settings.seed
  hide_fraction = config.data.hide_fraction if hides else 0.0
  if isinstance(train, data.StreamedImages):
    batches = data.streamed_batches(
        train, settings.batch_size, seed, binarization,
        as_counts=as_counts(config),
        shuffle_buffer=config.data.shuffle_buffer,
        hide_fraction=hide_fraction)
    return next(iter(batches))[:count].numpy()
  step = next(iter(data.training_steps(
      len(train), settings.batch_size, seed)))
  # Whether they hold bits depends on all images.
  stored = data.stored(train)
  few = (stored if as_counts(config) else stored.full_range()).rows(
      step['rows'][:count].numpy())[:]
  read = data.BatchReader(few, binarization, seed, None, as_counts(config),
                          hide_fraction=hide_fraction)
  return read(tf.range(len(few)), step['key']).numpy()


def distributed_evaluation(images: data.ImageData, split: str, config: Config,
                           strategy: tf.distribute.Strategy) -> Any:
  """Returns `evaluation_batches`, repeated, distributed over the replicas.

  The model needs a `BatchFn`.
  """
  def parts_of_batches(part, parts):
    def part_of(start, batch):
      size = tf.shape(tf.nest.flatten(batch)[0])[0]
      first, end = _bounds(size, part, parts)
      return _element(tf.nest.map_structure(lambda x: x[first:end], batch),
                      start, first, size)

    return tf.data.Dataset.zip(
        # A batch is numbered by the examples before it, as in `evaluate`.
        tf.data.Dataset.counter(0, config.evaluation.eval_batch_size),
        evaluation_batches(images, split, config)).map(part_of).repeat()

  return _distributed(strategy, parts_of_batches)


def evaluation_batches(images: data.ImageData, split: str, config: Config,
                       hides: bool = True) -> tf.data.Dataset:
  """Returns the batches of a split, which no training seed changes.

  Args:
    images: Data of the run.
    split: Name of the split.
    config: Settings of the run.
    hides: Whether values are hidden as the settings say. The other values are
      those of the batches without hidden ones.
  """
  settings = config.evaluation
  return data.evaluation_batches(
      getattr(images, split).images, settings.eval_batch_size,
      settings.eval_seed,
      config.data_binarization(), labels_where_needed(images, split, config),
      as_counts(config), split, weights_of_split(images, split),
      config.data.hide_fraction if hides else 0.0)


def weights_of_split(images: data.ImageData, split: str) -> np.ndarray | None:
  """Returns the sample weights of a split, or None.

  They are divided by the mean weight of the training split, so that their scale
  does not act as a learning rate.
  """
  weights = getattr(images, split).weights
  return None if weights is None else weights / np.mean(images.train.weights)


def labels_where_needed(images: data.ImageData, split: str,
                        config: Config) -> np.ndarray | None:
  """Returns one-hot labels if the graphical model has y, else None.

  Rows of missing labels are zeros.
  """
  graph = config.model.graph()
  if not graph.is_conditional:
    return None
  return getattr(images, split).one_hot(images.num_classes, graph.infers_label)


def as_counts(config: Config) -> bool:
  """Returns whether the likelihood treats the stored numbers as counts."""
  return LIKELIHOODS[config.model.likelihood].kind_of_data().is_count


def _bounds(size: Any, part: int, parts: int) -> tuple[Any, Any]:
  """Returns the first row of a part of `size` rows, and the row after it.

  The first `size mod parts` parts have one more row than the others, as in
  `data.streamed_batches`.
  """
  least, more = size // parts, size % parts
  start = part * least + tf.minimum(part, more)
  return start, start + least + tf.cast(part < more, size.dtype)


def _element(inputs: Any, step: tf.Tensor, start: tf.Tensor,
             size: tf.Tensor) -> dict[str, Any]:
  """Returns a `GlobalBatch` as an element; `like` has its size as a shape."""
  return {'inputs': inputs, 'step': step, 'start': start,
          'like': tf.zeros([size], tf.int8)}


def _as_batch(element: dict[str, Any]) -> GlobalBatch:
  return GlobalBatch(element['inputs'], element['step'], element['start'],
                     tf.shape(element['like'])[0])


def _clock() -> tf.Tensor:
  """Returns a seed from the clock, which differs between workers."""
  return tf.cast(tf.timestamp() * 1e6, tf.int64)


def _distributed(strategy: tf.distribute.Strategy,
                 make: Callable[[int, int], tf.data.Dataset]) -> Any:
  """Returns a data set of `make(part, parts)` for each replica."""
  replicas = strategy.num_replicas_in_sync
  if replicas == 1:
    return make(0, 1)

  def for_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
    here = replicas // context.num_input_pipelines
    first = context.input_pipeline_id * here
    # The replicas of a worker take elements in turn.
    return tf.data.Dataset.choose_from_datasets(
        [make(first + i, replicas) for i in range(here)],
        tf.data.Dataset.range(here).repeat())

  return strategy.distribute_datasets_from_function(for_worker)
