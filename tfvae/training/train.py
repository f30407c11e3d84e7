"""The seam between the command line and the library."""

import importlib.metadata
import logging
import os
import sys
import time
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import data
from tfvae import evaluation
from tfvae import objectives
from tfvae import report
from tfvae.layers import bits_per_dim
from tfvae.layers.support import check_support
from tfvae.models import image_vae
from tfvae.models import LatentVariableModel
from tfvae.models.choices import SUPPORT
from tfvae.training import callbacks
from tfvae.training import workdir as workdir_lib
from tfvae.training.config import Config

_LOGGER = logging.getLogger(__name__)

# Images of the validation split that the pictures show.
_PICTURE_IMAGES = 50

_PACKAGES = ('tensorflow', 'tf-keras', 'tensorflow-probability',
             'tensorflow-datasets', 'numpy')


def train_and_evaluate(config: Config, workdir: str) -> dict[str, Any]:
  """Trains a VAE, evaluates it and leaves all of it in a directory.

  Called again with the same arguments it goes on after the last epoch that was
  finished, and does nothing where the run is finished. The numbers of the test
  set are those of the weights that had the best ELBO on the validation set.

  Args:
    config: the settings.
    workdir: gets `flags.txt`, `metrics.json`, `history.csv`, `checkpoints/`,
      `tensorboard/`, `report/` and `model.keras`.

  Returns:
    What `metrics.json` holds; likelihoods in nats.

  Raises:
    ValueError: before training, if the data or the directory will not do.
    FloatingPointError: if the loss is NaN or infinite; what was saved stays.
  """
  images = data.load_images(
      config.dataset, data_dir=config.data_dir,
      train_split=config.train_split,
      validation_split=config.validation_split, test_split=config.test_split,
      validation_fraction=config.validation_fraction,
      image_key=config.image_key, label_key=config.label_key,
      seed=config.seed)
  _check_support(config, images)
  if config.graph().is_conditional and not images.num_classes:
    raise ValueError(
        "The graphical model has the label 'y', and the data set has no "
        'classes; remove it, or name their feature by --label_key. Received: '
        f'dataset={config.dataset!r}, label_key={config.label_key!r}')
  finished = workdir_lib.prepare(workdir, config)
  if finished:
    _LOGGER.info('The run in %s is finished; nothing to do.', workdir)
    return finished
  model = _build_model(config, images)
  checkpoint, history = _fit(model, config, images, workdir)
  start = time.monotonic()
  metrics = _evaluate(model, config, images) | {
      'best_epoch': int(checkpoint.best_epoch),
      'parameters': model.count_params(),
      'seconds': {'train': round(history.seconds, 1),
                  'evaluate': round(time.monotonic() - start, 1)},
      'versions': {name: importlib.metadata.version(name)
                   for name in _PACKAGES}}
  model.save(os.path.join(workdir, 'model.keras'))
  workdir_lib.write_metrics(workdir, metrics)
  return metrics


def _check_support(config: Config, images: data.ImageData):
  """Refuses data that the likelihood is not defined on."""
  support = SUPPORT[config.likelihood]
  for split in (images.train, images.validation, images.test):
    if support == 'binary':
      data.check_support(split.images, config.data_binarization())
    elif support == 'counts':
      check_support(split.images, support, config.likelihood)
    elif split.images.dtype != np.uint8:  # k/255 has every other support.
      check_support(split.images, support, config.likelihood)


def _build_model(config: Config, images: data.ImageData) -> LatentVariableModel:
  tf_keras.utils.set_random_seed(config.seed)  # Of the initial weights.
  model = image_vae(
      config.graph(), images.image_shape, config.network,
      config.hidden_units, config.factor_units, config.activation,
      images.num_classes, config.likelihood, config.likelihood_components,
      config.prior, config.prior_components, config.kl_weight, {
          'free_bits': config.free_bits, 'capacity': config.kl_capacity,
          'free_bits_per': config.free_bits_per}, config.seed)
  steps = data.steps_per_epoch(len(images.train.images), config.batch_size)
  learning_rate = config.learning_rate
  if config.learning_rate_schedule == 'cosine':
    learning_rate = tf_keras.optimizers.schedules.CosineDecay(
        learning_rate, decay_steps=config.epochs * steps)
  model.compile(
      tf_keras.optimizers.Adam(learning_rate), jit_compile=config.jit,
      objective=_objective(config), kl_schedule=_kl_schedule(config, steps),
      steps_per_execution=min(config.steps_per_execution, steps))
  return model


def _objective(config: Config) -> objectives.ImportanceWeighted | None:
  if config.objective == 'elbo':
    return None
  return objectives.ImportanceWeighted(
      config.importance_samples,
      doubly_reparameterized=config.objective == 'dreg')


def _kl_schedule(
    config: Config, steps_per_epoch: int,
) -> tf_keras.optimizers.schedules.LearningRateSchedule | None:
  steps = config.kl_warm_up_epochs * steps_per_epoch
  if config.kl_warm_up == 'linear':
    return tf_keras.optimizers.schedules.PolynomialDecay(0.0, steps, 1.0)
  if config.kl_warm_up == 'cyclical':
    return objectives.CyclicalWarmUp(steps)
  return None


def _fit(model: LatentVariableModel, config: Config, images: data.ImageData,
         workdir: str) -> tuple[callbacks.Checkpoint, callbacks.History]:
  """Trains from the last checkpoint, if there is one, to the last epoch."""
  num_images = len(images.train.images)
  checkpoint = callbacks.Checkpoint(model, workdir)
  epochs_done = checkpoint.restore()
  if epochs_done:
    _LOGGER.info('Resuming after epoch %d of %d.', epochs_done, config.epochs)
  history = callbacks.History(workdir, epochs_done)
  validation_batches = _evaluation_batches(images, 'validation', config)
  pictures = next(iter(validation_batches.unbatch().batch(_PICTURE_IMAGES)))
  few = tf.nest.map_structure(lambda rows: rows[:10], pictures)
  if epochs_done < config.epochs:
    model.fit(
        data.training_batches(
            images.train.images, config.batch_size, config.seed,
            config.data_binarization(), epochs_done,
            _labels(images, 'train', config), _as_counts(config)),
        initial_epoch=epochs_done,
        epochs=config.epochs,
        steps_per_epoch=data.steps_per_epoch(num_images, config.batch_size),
        validation_data=validation_batches,
        callbacks=[
            history, callbacks.TensorBoard(workdir, few), checkpoint],
        verbose=1 if sys.stdout.isatty() else 2)
  checkpoint.restore_best()
  _draw(model, pictures, images.num_classes, config, workdir)
  return checkpoint, history


def _labels(images: data.ImageData, split: str,
            config: Config) -> np.ndarray | None:
  """Returns one-hot labels where the graphical model has y."""
  if not config.graph().is_conditional:
    return None
  return getattr(images, split).one_hot(images.num_classes)


def _evaluation_batches(images: data.ImageData, split: str,
                        config: Config) -> tf.data.Dataset:
  return data.evaluation_batches(
      getattr(images, split).images, config.eval_batch_size, config.seed,
      config.data_binarization(), _labels(images, split, config),
      _as_counts(config))


def _as_counts(config: Config) -> bool:
  return SUPPORT[config.likelihood] == 'counts'


def _evaluate(model: LatentVariableModel, config: Config,
              images: data.ImageData) -> dict[str, Any]:
  """Returns the ELBO's parts of every split, and the test set's NLL."""
  metrics = {}
  for name in ('test', 'validation', 'train'):
    means = model.evaluate(
        _evaluation_batches(images, name, config), return_dict=True, verbose=0)
    metrics[name] = {part: means[part]
                     for part in ('elbo', 'reconstruction', 'kl')}
    metrics[name]['examples'] = len(getattr(images, name).images)
  examples = config.eval_importance_examples or len(images.test.images)
  nll = evaluation.importance_weighted_nll(
      model, _evaluation_batches(images, 'test', config).unbatch().take(
          examples).batch(config.eval_batch_size),
      config.eval_importance_samples, seed=config.seed)
  metrics['test'] |= {
      'iwae_nll': nll.mean,
      'iwae_nll_standard_error': nll.standard_error,
      'iwae_samples': config.eval_importance_samples,
      'iwae_examples': len(nll.values)}
  likelihood = model.decoder.layers[-1]
  if likelihood.is_discrete:
    metrics['test']['bits_per_dim'] = bits_per_dim(
        nll.mean, images.image_shape)
  return metrics


def _draw(model: LatentVariableModel, inputs: Any, num_classes: int | None,
          config: Config, workdir: str):
  """Writes pictures: of the graphs, of reconstructions and of samples."""
  directory = os.path.join(workdir, 'report')
  os.makedirs(directory, exist_ok=True)
  graph = config.graph()
  report.save_figure(
      os.path.join(directory, 'graph.png'), report.draw_graph(graph))
  labels, title = None, 'samples: E[x|z], z ~ p(z)'
  if graph.is_conditional:  # A column of samples for each class in turn.
    labels = {'y': np.eye(num_classes)[np.arange(100) % num_classes]}
    title = 'samples: E[x|z,y], z ~ p(z|y)'
  samples = model.sample(100, config.seed, mean=True, inputs=labels).numpy()
  samples /= max(1, samples.max()) if _as_counts(config) else 1
  report.save_panels(os.path.join(directory, 'overview.png'), [
      ('data, each row over its reconstruction',
       report.reconstruction_grid(model, inputs)),
      (title, report.image_grid(samples, columns=10))])
