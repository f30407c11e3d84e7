"""From a `Config` and the shape of the data to a compiled model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import data
from tfvae import objectives
from tfvae.layers import IndependentColumns
from tfvae.models import image_vae
from tfvae.models import LatentVariableModel
from tfvae.models.steps.global_batch import BatchFn
from tfvae.schedules import Schedule
from tfvae.tables import Column
from tfvae.training import strategies
from tfvae.training.config import Config
from tfvae.training.config import ModelConfig
from tfvae.training.fit import execution
from tfvae.training.fit.optimization import make_optimizer

# The dtype policy of the networks; distributions are float32 with each.
POLICIES = {'float32': 'float32', 'bfloat16': 'mixed_bfloat16',
            'float16': 'mixed_float16'}


def compiled_model(config: Config, image_shape: Sequence[int],
                   num_examples: int, num_classes: int | None = None,
                   batch_fn: BatchFn | None = None,
                   moments: tuple[Any, Any] | None = None,
                   columns: Sequence[Column] = (),
                   missing: np.ndarray | None = None,
                   labeled_fraction: float = 1.0) -> LatentVariableModel:
  """Returns a new model with the optimizer and objective of the settings.

  Args:
    config: Settings of the run.
    image_shape: Shape of one x.
    num_examples: Number of training examples.
    num_classes: Length of the one-hot label, where `y` is in the graph.
    batch_fn: Argument of `compile`.
    moments: Argument of `image_vae`.
    columns: Columns of a table.
    missing: Argument of `image_vae`.
    labeled_fraction: Fraction of the training examples that have a label.

  Raises:
    ValueError: If the batch cannot be divided among the replicas.
  """
  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  batch_size = config.training.batch_size
  config.model.make_objective().check_replicas(replicas)
  if batch_size < replicas:
    raise ValueError(
        'A batch needs at least one image for each replica; raise '
        f'`batch_size`. Received: batch_size={batch_size}, {replicas} replicas')
  model = build_model(config.model, image_shape, num_classes,
                      config.training.seed, config.training.precision,
                      moments, columns, missing)
  compile_model(model, config, num_examples, batch_fn=batch_fn,
                labeled_fraction=labeled_fraction)
  return model


def build_model(config: ModelConfig, image_shape: Sequence[int],
                num_classes: int | None = None, seed: int = 0,
                precision: str = 'float32',
                moments: tuple[Any, Any] | None = None,
                columns: Sequence[Column] = (),
                missing: np.ndarray | None = None) -> LatentVariableModel:
  """Returns a new model of images.

  Args:
    config: Settings of the model.
    image_shape: Shape of one x.
    num_classes: Length of the one-hot label, where `y` is in the graph.
    seed: Seed of the initial weights and of the noise.
    precision: Precision of the networks, a key of `POLICIES`.
    moments: Argument of `image_vae`.
    columns: Columns of a table, in the order of x.
    missing: Argument of `image_vae`.
  """
  tf_keras.utils.set_random_seed(seed)  # Of the initial weights.
  return image_vae(
      config.graph(), image_shape, network=config.network,
      hidden_units=config.hidden_units, factor_units=config.factor_units,
      activation=config.activation, num_classes=num_classes,
      likelihood=IndependentColumns(columns=columns) if columns
      else config.likelihood, prior=config.prior,
      posterior=config.posterior, merging=config.merging,
      kl_weight=config.kl_weight,
      kl_controls={
          'free_bits': config.free_bits, 'capacity': config.kl_capacity,
          'free_bits_per': config.free_bits_per},
      seed=seed, dtype=POLICIES[precision], moments=moments, missing=missing,
      settings=vars(config))


def compile_model(model: LatentVariableModel, config: Config,
                  num_examples: int, optimizer: Any = None,
                  batch_fn: BatchFn | None = None,
                  labeled_fraction: float = 1.0):
  """Compiles a model with the optimizer and objective of the settings.

  Args:
    model: Model of `build_model`.
    config: Settings of the run.
    num_examples: Number of training examples.
    optimizer: Optimizer; by default a new one.
    batch_fn: Argument of `compile`.
    labeled_fraction: Fraction of the training examples that have a label.
  """
  training = config.training
  objective = config.model.make_objective().for_training_set(num_examples)
  if model.graph.infers_label:
    objective = objective.for_labeled_fraction(labeled_fraction)
  steps = data.steps_per_epoch(num_examples, training.batch_size)
  # XLA does not reach weights that are on another machine.
  is_local = not strategies.is_asynchronous(model.distribute_strategy)
  model.compile(
      optimizer or make_optimizer(training, training.epochs * steps),
      jit_compile=is_local and execution.uses_jit(training, model),
      batch_fn=batch_fn,
      objective=objective,
      kl_schedule=make_kl_schedule(config.model, steps),
      steps_per_execution=execution.steps_per_execution(training, steps))


def initialize_priors(model: LatentVariableModel, images: data.Images):
  """Initializes each prior that needs it from the first training images.

  Args:
    model: Model whose priors they are.
    images: Images of the training set, as they are stored.

  Raises:
    ValueError: If a prior needs more images than there are.
  """
  for prior in model.priors.values():
    count = getattr(prior, 'num_initial_examples', 0)  # A factor needs none.
    if not count:
      continue
    if len(images) < count:
      raise ValueError(
          f'A {type(prior).__name__} begins with a training image for each '
          'component; lower the number of components (`prior_components`), or '
          f'train on more images. Received: {len(images)} training images, '
          f'{count} components')
    prior.initialize_from(
        _complete(images, count)
        if model.decoder.layers[-1].kind_of_data().is_count
        else data.unit_interval(
            _complete(data.stored(images).full_range(), count)))


def _complete(images: data.Images, count: int) -> np.ndarray:
  """Returns the first images, with the mean where a value is missing."""
  first = images[:count]
  holes = np.isnan(first)
  if not holes.any():
    return first
  mean, _ = data.moments(data.chunks(images))
  return np.where(holes, mean.astype(first.dtype), first)


def make_kl_schedule(config: ModelConfig,
                     steps_per_epoch: int) -> Schedule | None:
  """Returns what `compile` takes as its KL schedule; None is 1 throughout.

  Args:
    config: Settings of the model.
    steps_per_epoch: Steps per epoch of the warm-up.
  """
  steps = config.kl_warm_up_epochs * steps_per_epoch
  match config.kl_warm_up:
    case 'linear':
      return tf_keras.optimizers.schedules.PolynomialDecay(0.0, steps, 1.0)
    case 'cyclical':
      return objectives.CyclicalWarmUp(steps)
  return None
