"""The evaluations of a run, by name; each fills a block of `metrics.json`."""

from collections.abc import Callable
import dataclasses
import functools
import logging
import time
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import data
from tfvae import evaluation
from tfvae.layers import bits_per_dim
from tfvae.models import LatentVariableModel
from tfvae.training.batches import evaluation_batches
from tfvae.training.batches import labels_where_needed
from tfvae.training.config import Config
from tfvae.training.execution import uses_jit

_LOGGER = logging.getLogger(__name__)

# The linear probe is fitted to so many training images at most: with more the
# accuracy changes by less than its own noise on the test set.
_PROBE_IMAGES = 10_000


@dataclasses.dataclass(frozen=True)
class Subject:
  """What is evaluated: a trained model and the data of its run."""

  model: LatentVariableModel
  config: Config
  images: data.ImageData
  reconstruction: float | None = None  # E_q[log p(x|z)] of the test set.

  @property
  def jit_compile(self) -> bool:
    """Whether XLA serves: on a CPU its convolutions are slow."""
    return uses_jit(self.config) and self.config.network == 'mlp'

  def test_batches(self, examples: int = 0) -> tf.data.Dataset:
    """Returns the first so many test images in batches; all of them for 0."""
    batches = evaluation_batches(self.images, 'test', self.config)
    if not 0 < examples < len(self.images.test.images):
      return batches
    return batches.unbatch().take(examples).batch(self.config.eval_batch_size)

  @functools.cached_property
  def log_evidence(self) -> evaluation.Estimate:
    """The estimate of log p(x) by annealing, for `ais` and for `gaps`."""
    config = self.config
    return evaluation.annealed_importance_sampling(
        self.model, self.test_batches(config.eval_costly_examples),
        config.eval_ais_steps, config.eval_ais_chains, seed=config.seed,
        jit_compile=self.jit_compile, verbose=True)


def elbo_means(subject: Subject) -> dict[str, Any]:
  """Returns the ELBO's parts of every split, by one draw for each example."""
  blocks = {}
  for name in ('test', 'validation', 'train'):
    means = subject.model.evaluate(
        evaluation_batches(subject.images, name, subject.config),
        return_dict=True, verbose=0)
    blocks[name] = {part: means[part]
                    for part in ('elbo', 'reconstruction', 'kl')}
    blocks[name]['examples'] = len(getattr(subject.images, name).images)
  return blocks


def importance_weighted(subject: Subject) -> dict[str, Any]:
  """Returns the importance-weighted NLL, under the number of its samples."""
  config = subject.config
  nll = evaluation.importance_weighted_nll(
      subject.model, subject.test_batches(config.eval_importance_examples),
      config.eval_importance_samples, config.eval_chunk, config.seed,
      verbose=True)
  block = {'iwae_nll': nll.mean, 'iwae_nll_standard_error': nll.standard_error,
           'iwae_samples': config.eval_importance_samples,
           'iwae_examples': len(nll.values)}
  if subject.model.decoder.layers[-1].is_discrete:
    block['bits_per_dim'] = bits_per_dim(nll.mean, subject.images.image_shape)
  return block


def latent_space(subject: Subject) -> dict[str, Any]:
  """Returns how the test set's posteriors fill the latent space."""
  space = evaluation.latent_space(
      subject.model, subject.test_batches(), seed=subject.config.seed,
      verbose=True)
  return space.to_dict() | {
      'collapse': evaluation.describe_collapse(
          space, subject.reconstruction),
      'examples': space.num_examples}


def representation(subject: Subject) -> dict[str, Any]:
  """Returns how well simple classifiers read the labels off the means."""
  train, test = subject.images.train, subject.images.test
  few = dataclasses.replace(subject.images, train=data.Split(
      train.images[:_PROBE_IMAGES], train.labels[:_PROBE_IMAGES]))
  means = [
      np.concatenate(list(evaluation.posterior_means(
          subject.model, evaluation_batches(images, split, subject.config),
          jit_compile=False, verbose=True).values()), axis=-1)
      for images, split in ((few, 'train'), (subject.images, 'test'))]
  return evaluation.representation_accuracy(
      means[0], few.train.labels, means[1], test.labels) | {
          'train_examples': len(few.train.labels),
          'test_examples': len(test.labels)}


def annealed(subject: Subject) -> dict[str, Any]:
  """Returns −log p(x) by annealing, and a bracket on the model's own data."""
  config, nll = subject.config, subject.log_evidence
  count = len(nll.values)
  bound = evaluation.importance_weighted_nll(  # Of the same images.
      subject.model, subject.test_batches(count),
      config.eval_importance_samples, config.eval_chunk, config.seed)
  labels = labels_where_needed(subject.images, 'test', config)
  bounds = evaluation.bidirectional_bounds(
      subject.model, count, config.eval_ais_steps, config.eval_ais_chains,
      labels=None if labels is None else labels[:count],
      seed=config.seed, jit_compile=subject.jit_compile, verbose=True)
  return {
      'ais_nll': -nll.mean, 'ais_nll_standard_error': nll.standard_error,
      'iwae_nll': bound.mean, 'iwae_samples': config.eval_importance_samples,
      'steps': config.eval_ais_steps, 'chains': config.eval_ais_chains,
      'examples': count, 'simulated_lower': bounds.lower.mean,
      'simulated_upper': bounds.upper.mean,
      'simulated_gap': bounds.gap.mean,
      'simulated_gap_standard_error': bounds.gap.standard_error}


def gaps(subject: Subject) -> dict[str, Any]:
  """Returns what amortization and the posterior's family cost, and save."""
  config = subject.config
  result = evaluation.inference_gaps(
      subject.model, subject.test_batches(config.eval_costly_examples),
      subject.log_evidence, seed=config.seed,
      jit_compile=subject.jit_compile, verbose=True)
  block = {}
  for name in ('encoder_elbo', 'optimized_elbo', 'cold_start_elbo',
               'log_evidence', 'amortization_gap', 'approximation_gap'):
    estimate = getattr(result, name)
    block |= {name: estimate.mean,
              f'{name}_standard_error': estimate.standard_error}
  return block | {
      'seconds_per_example': dict(result.seconds_per_example),
      'saving': result.saving, 'examples': len(result.encoder_elbo.values)}


def calibration(subject: Subject) -> dict[str, Any]:
  """Returns simulation-based calibration, with its rank histograms."""
  config, inputs = subject.config, None
  count = config.eval_simulations
  if subject.model.graph.is_conditional:
    classes = subject.images.num_classes
    inputs = {'y': np.eye(classes, dtype=np.float32)[
        np.arange(count) % classes]}
  result = evaluation.simulation_based_calibration(
      subject.model, count, inputs=inputs, seed=config.seed, verbose=True)
  return result.to_dict() | {
      'verdict': result.describe(), 'rank_histograms': {
          name: np.asarray(histogram).tolist()
          for name, histogram in result.histograms.items()}}


def disentanglement(subject: Subject) -> dict[str, Any]:
  """Returns the disentanglement scores of the test set's means."""
  means = evaluation.posterior_means(
      subject.model, subject.test_batches(), jit_compile=False, verbose=True)
  codes = np.concatenate(list(means.values()), axis=-1)
  factors = subject.images.test.factors
  return evaluation.disentanglement_scores(
      codes, factors, seed=subject.config.seed) | {
          'factors': list(subject.images.factor_names)}


EVALUATIONS: dict[str, Callable[[Subject], dict[str, Any]]] = {
    'importance_weighted': importance_weighted, 'latent_space': latent_space,
    'representation': representation, 'annealed': annealed, 'gaps': gaps,
    'calibration': calibration, 'disentanglement': disentanglement}


def evaluate(subject: Subject, metrics: dict[str, Any]) -> dict[str, Any]:
  """Runs the evaluations that the settings name.

  Args:
    subject: the model and its data.
    metrics: those there are; a block that is there already is replaced, all
      others stay. The importance-weighted NLL is kept for each number of
      samples; that of the most images, and then of the most samples, is in the
      block of the test set.

  Returns:
    The metrics with their new blocks, in nats.
  """
  metrics = dict(metrics)
  subject = dataclasses.replace(
      subject, reconstruction=metrics.get('test', {}).get('reconstruction'))
  for name in subject.config.chosen_evaluations():
    reason = _why_not(name, subject)
    if reason:
      _LOGGER.info('No %s: %s.', name, reason)
      continue
    start = time.monotonic()
    block = EVALUATIONS[name](subject)
    block['seconds'] = round(time.monotonic() - start, 1)
    _log(name, block)
    if name == 'importance_weighted':
      block = metrics.get(name, {}) | {f'K={block["iwae_samples"]}': block}
    metrics[name] = block
    metrics['test'] = metrics.get('test', {}) | _headline(name, block)
  return metrics


def _log(name: str, block: dict[str, Any]):
  """Shows the figures of a block, and what it says in words."""
  for key, value in block.items():
    if isinstance(value, int | float | str):
      _LOGGER.info('%s %s: %s', name, key,
                   f'{value:.4g}' if isinstance(value, float) else value)
  for sentence in [*block.get('collapse', []), *block.get('verdict', [])]:
    _LOGGER.info('%s: %s', name, sentence)


def _headline(name: str, block: dict[str, Any]) -> dict[str, Any]:
  """Returns what of a block stands in the test set's as well."""
  if name == 'latent_space':
    return {'active_units': block['active_units']}
  if name != 'importance_weighted':
    return {}
  best = max(block.values(),
             key=lambda b: (b['iwae_examples'], b['iwae_samples']))
  return {key: value for key, value in best.items() if key != 'seconds'}


def _why_not(name: str, subject: Subject) -> str | None:
  """Returns why an evaluation does not apply, if it does not."""
  if name == 'representation' and subject.images.test.labels is None:
    return 'the data set has no labels'
  if name == 'disentanglement' and subject.images.test.factors is None:
    return 'the data set has no factors'
  if name == 'gaps' and subject.config.posterior.startswith('iaf'):
    return 'a flow has no parameters to optimise for each datum'
  return None
