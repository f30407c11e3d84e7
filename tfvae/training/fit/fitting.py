"""Training, from a new model to its best weights."""

import logging
import sys
from typing import Any

import tf_keras

from tfvae import data
from tfvae.inference import unpack_batch
from tfvae.layers.columns.independent_columns import columns_of
from tfvae.models import LatentVariableModel
from tfvae.models.steps.global_batch import BatchFn
from tfvae.models.steps.skipped_steps import SkippedSteps
from tfvae.training import callbacks
from tfvae.training import strategies
from tfvae.training.callbacks.tensorboard import TensorBoard
from tfvae.training.callbacks.validation import CoordinatorValidation
from tfvae.training.callbacks.validation import Validation
from tfvae.training.config import Config
from tfvae.training.fit.batches import distributed_evaluation
from tfvae.training.fit.batches import evaluation_batches
from tfvae.training.fit.batches import TrainingInput
from tfvae.training.fit.building import compile_model
from tfvae.training.fit.building import compiled_model
from tfvae.training.fit.building import initialize_priors
from tfvae.training.fit.images import elements_with_holes
from tfvae.training.fit.images import labeled_fraction
from tfvae.training.fit.images import training_columns
from tfvae.training.fit.images import training_moments

_LOGGER = logging.getLogger(__name__)

# Remedy in the messages about steps that are not finite.
SKIPPED_REMEDY = (
    'The last good checkpoint is kept. Try a lower `learning_rate` or '
    "`clip_norm=1` in a new workdir; instead of `precision='float16'`, try "
    "`precision='bfloat16'`.")

# Images of the validation split that TensorBoard shows, and rows of a table
# that its log-likelihoods by column are means over.
_PICTURE_IMAGES, _TABLE_ROWS = 10, 1000


def build(config: Config, images: data.ImageData,
          batch_fn: BatchFn | None = None) -> LatentVariableModel:
  """Returns the compiled model of a run, with initialized priors.

  Args:
    config: Settings of the run.
    images: Data of the run.
    batch_fn: Argument of `compile`.

  Raises:
    ValueError: See `compiled_model` and `initialize_priors`.
  """
  model = compiled_model(
      config, images.image_shape, len(images.train.images), images.num_classes,
      batch_fn, training_moments(config, images), training_columns(images),
      elements_with_holes(config, images), labeled_fraction(images))
  initialize_priors(model, images.train.images)
  return model


def fit(model: LatentVariableModel, config: Config, images: data.ImageData,
        train_input: TrainingInput,
        workdir: str) -> tuple[callbacks.Checkpoint, callbacks.History]:
  """Trains to the last epoch, from the last checkpoint if there is one.

  Args:
    model: Model of `build`, with the `batch_fn` of `train_input`.
    config: Settings of the run.
    images: Data of the run.
    train_input: Training split, distributed by the strategy of the model.
    workdir: Directory that receives `history.csv`, `checkpoints/` and
      `tensorboard/`.

  Returns:
    The callbacks with the best weights and with the rows of the epochs.

  Raises:
    TrainingInterruptedError: If a signal ended the training.
    FloatingPointError: After `max_skipped_steps` skipped steps in a row.
  """
  steps, epochs = train_input.steps_per_epoch, config.training.epochs
  is_chief = strategies.is_chief(model.distribute_strategy)
  history = callbacks.History(workdir, len(images.train.images), is_chief)
  checkpoint = callbacks.Checkpoint(
      model, workdir, config.training, steps, history)
  done = checkpoint.restore(model)
  epoch, step = divmod(done, steps)
  if done:
    _LOGGER.info('Resuming after step %d of epoch %d of %d.', step, epoch + 1,
                 epochs)
  skipped = SkippedSteps(
      config.training.max_skipped_steps, int(history.total('skipped_steps')),
      SKIPPED_REMEDY, adds_to_logs=True)
  callback_list = [_validation(model, config, images), skipped, history]
  if is_chief:
    columns = columns_of(model.likelihood_layer())
    board = TensorBoard(
        workdir, _first_examples(
            images, config, _TABLE_ROWS if columns else _PICTURE_IMAGES),
        epoch, config.training.seed, columns,
        config.training.checkpoint_min_seconds)
    callback_list.append(board)
    checkpoint.before_save.append(board.flush)
  with checkpoint.awaiting_signals():
    # The rest of an interrupted epoch, then complete epochs.
    for first, last, count in ((epoch, epoch + bool(step), steps - step),
                               (epoch + bool(step), epochs, steps)):
      if first < last:
        model.fit(
            train_input.dataset(first * steps + steps - count),
            initial_epoch=first, epochs=last, steps_per_epoch=count,
            callbacks=[*callback_list, checkpoint],
            verbose=(1 if sys.stdout.isatty() else 2) if is_chief else 0)
  if is_chief:
    board.close()
  return checkpoint, history


def best(model: LatentVariableModel, checkpoint: callbacks.Checkpoint,
         config: Config, images: data.ImageData) -> LatentVariableModel:
  """Returns the model with the selected weights, on one device.

  Args:
    model: Model that `fit` trained.
    checkpoint: Callback that `fit` returned.
    config: Settings of the run.
    images: Data of the run.
  """
  strategy = model.distribute_strategy
  if strategy.num_replicas_in_sync > 1 or strategies.is_asynchronous(strategy):
    model = build(config, images)
  else:
    compile_model(model, config, len(images.train.images), model.optimizer,
                  labeled_fraction=labeled_fraction(images))
  model.set_weights(checkpoint.best_weights())
  return model


def _validation(
    model: LatentVariableModel, config: Config, images: data.ImageData
) -> tf_keras.callbacks.Callback:
  """Returns the callback that validates."""
  strategy = model.distribute_strategy
  if strategies.is_asynchronous(strategy):
    return CoordinatorValidation(
        build(config, images), evaluation_batches(images, 'validation', config))
  return Validation(
      distributed_evaluation(images, 'validation', config, strategy),
      data.steps_per_epoch(
          len(images.validation.images), config.evaluation.eval_batch_size))


def _first_examples(images: data.ImageData, config: Config, count: int) -> Any:
  batches = evaluation_batches(images, 'validation', config)
  return unpack_batch(next(iter(batches.unbatch().batch(count))))[0]
