"""From a `Config` and the shape of the data to a compiled model."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from tfvae import data
from tfvae import objectives
from tfvae.models import image_vae
from tfvae.models import LatentVariableModel
from tfvae.models.steps.global_batch import BatchFn
from tfvae.priors import VampPrior
from tfvae.schedules import Schedule
from tfvae.training import strategies
from tfvae.training.config import Config
from tfvae.training.fit import execution
from tfvae.training.fit.optimization import make_optimizer

# The dtype policy of the networks; distributions are float32 with each.
POLICIES = {'float32': 'float32', 'bfloat16': 'mixed_bfloat16',
            'float16': 'mixed_float16'}


def build_model(config: Config, image_shape: Sequence[int], num_examples: int,
                num_classes: int | None = None,
                batch_fn: BatchFn | None = None) -> LatentVariableModel:
  """Returns the model, optimizer and objective that the settings describe.

  Args:
    config: the settings.
    image_shape: height, width and channels.
    num_examples: of the training set.
    num_classes: length of the one-hot label where `y` is in the graph.
    batch_fn: what `compile` takes.

  Raises:
    ValueError: if replicas are to share what the objective needs whole.
  """
  replicas = tf.distribute.get_strategy().num_replicas_in_sync
  if config.objective in ('beta_tc', 'info_vae') and replicas > 1:
    raise ValueError(
        f'--objective={config.objective} compares the examples of a batch, '
        'which replicas share out; use --strategy=one_device. Received: '
        f'objective={config.objective}, {replicas} replicas')
  if config.batch_size < replicas:
    raise ValueError(
        'A batch holds at least one image for each replica; raise '
        f'--batch_size. Received: batch_size={config.batch_size}, {replicas} '
        'replicas')
  tf_keras.utils.set_random_seed(config.seed)  # Of the initial weights.
  model = image_vae(
      config.graph(), image_shape, network=config.network,
      hidden_units=config.hidden_units, factor_units=config.factor_units,
      activation=config.activation, num_classes=num_classes,
      likelihood=config.likelihood,
      likelihood_components=config.likelihood_components,
      likelihood_scale=config.likelihood_scale, prior=config.prior,
      prior_components=config.prior_components, posterior=config.posterior,
      merging=config.merging, kl_weight=config.kl_weight,
      kl_controls={
          'free_bits': config.free_bits, 'capacity': config.kl_capacity,
          'free_bits_per': config.free_bits_per},
      seed=config.seed, dtype=POLICIES[config.precision])
  compile_model(model, config, num_examples, batch_fn=batch_fn)
  return model


def compile_model(model: LatentVariableModel, config: Config,
                  num_examples: int, optimizer: Any = None,
                  batch_fn: BatchFn | None = None):
  """Compiles a model with the optimizer and objective of the settings.

  Args:
    model: of `build_model`.
    config: the settings.
    num_examples: of the training set.
    optimizer: None makes a new one.
    batch_fn: what `compile` takes.
  """
  steps = data.steps_per_epoch(num_examples, config.batch_size)
  # XLA does not reach weights that are on another machine.
  is_local = not strategies.is_asynchronous(model.distribute_strategy)
  model.compile(
      optimizer or make_optimizer(config, config.epochs * steps),
      jit_compile=is_local and execution.uses_jit(config), batch_fn=batch_fn,
      objective=make_objective(config, num_examples),
      kl_schedule=make_kl_schedule(config, steps),
      steps_per_execution=execution.steps_per_execution(config, steps))


def initialize_priors(model: LatentVariableModel, images: data.Images):
  """Gives each VampPrior of a model training images for pseudo-inputs.

  Args:
    model: whose priors they are.
    images: of the training set, as they are stored.

  Raises:
    ValueError: if there are fewer images than pseudo-inputs.
  """
  for prior in model.priors.values():
    if not isinstance(prior, VampPrior):
      continue
    if len(images) < prior.num_components:
      raise ValueError('--prior_components of vamp must not be more than the '
                       f'training images, {len(images)}. Received: '
                       f'prior_components={prior.num_components}')
    prior.initialize_from(
        images[:prior.num_components] if prior.input_range is None
        else data.unit_interval(
            data.stored(images).full_range()[:prior.num_components]))


def make_objective(config: Config,
                   num_examples: int) -> objectives.Objective | None:
  """Returns what `compile` takes as its objective; None is the ELBO.

  Args:
    config: the settings.
    num_examples: of the training set.
  """
  match config.objective:
    case 'iwae' | 'dreg':
      return objectives.ImportanceWeighted(
          config.importance_samples,
          doubly_reparameterized=config.objective == 'dreg')
    case 'beta_tc':
      return objectives.BetaTC(config.tc_weight, num_examples)
    case 'info_vae':
      return objectives.InfoVAE(
          config.info_alpha, config.info_lambda, config.mmd_kernel,
          config.mmd_bandwidth)
  return None


def make_kl_schedule(config: Config, steps_per_epoch: int) -> Schedule | None:
  """Returns what `compile` takes as its KL schedule; None is 1 throughout.

  Args:
    config: the settings.
    steps_per_epoch: which turn the epochs of the warm-up into steps.
  """
  steps = config.kl_warm_up_epochs * steps_per_epoch
  match config.kl_warm_up:
    case 'linear':
      return tf_keras.optimizers.schedules.PolynomialDecay(0.0, steps, 1.0)
    case 'cyclical':
      return objectives.CyclicalWarmUp(steps)
  return None

