"""The evaluations of a run by name, each a block of `metrics.json`."""

from collections.abc import Callable, Mapping
import copy
import dataclasses
import functools
import logging
import time
from typing import Any

import numpy as np

from tfvae import data
from tfvae import evaluation
from tfvae.layers import bits_per_dim
from tfvae.training.callbacks.interruption import TrainingInterruptedError
from tfvae.training.config import Config
from tfvae.training.fit.batches import evaluation_batches
from tfvae.training.fit.batches import labels_where_needed
from tfvae.training.results.evaluation_checks import PROBE_IMAGES
from tfvae.training.results.evaluation_checks import why_not
from tfvae.training.results.subject import elbo_of_split
from tfvae.training.results.subject import Subject
from tfvae.training.results.subject import with_errors

_LOGGER = logging.getLogger(__name__)

SPLITS = ('test', 'validation', 'train')
NOT_COMPUTED = 'not_computed'  # Key of the reason in a block.


def importance_weighted(subject: Subject) -> dict[str, Any]:
  """Returns the importance-weighted NLL, and the ELBO of the same images."""
  config = subject.config.evaluation
  nll = evaluation.importance_weighted_nll(
      subject.model, subject.test_batches(config.eval_importance_examples),
      config.eval_importance_samples, config.eval_chunk, config.eval_seed,
      verbose=True)
  count = len(nll.values)
  elbo = evaluation.Estimate(subject.test_elbo.elbo.values[:count])
  block = with_errors({'iwae_nll': nll}) | {
      'iwae_samples': config.eval_importance_samples, 'iwae_examples': count}
  if subject.model.decoder.layers[-1].is_discrete:
    block['bits_per_dim'] = bits_per_dim(nll.mean, subject.images.image_shape)
  return block | with_errors({'elbo': elbo})


def latent_space(subject: Subject) -> dict[str, Any]:
  """Returns measures of how the test set's posteriors fill the latent space."""
  space = subject.latent_space
  return space.to_dict() | {
      'collapse': evaluation.describe_collapse(
          space, subject.test_elbo.reconstruction.mean),
      'examples': space.num_examples}


def representation(subject: Subject) -> dict[str, Any]:
  """Returns the accuracy of simple classifiers of the posterior means."""
  train, test = subject.images.train, subject.images.test
  few = dataclasses.replace(subject.images, train=data.Split(
      train.images[:PROBE_IMAGES], train.labels[:PROBE_IMAGES]))
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
  config, nll = subject.config.evaluation, subject.log_evidence
  count = len(nll.values)
  bound = evaluation.importance_weighted_nll(  # Of the same images.
      subject.model, subject.test_batches(count),
      config.eval_importance_samples, config.eval_chunk, config.eval_seed)
  labels = labels_where_needed(subject.images, 'test', subject.config)
  bounds = evaluation.bidirectional_bounds(
      subject.model, count, config.eval_ais_steps, config.eval_ais_chains,
      labels=None if labels is None else labels[:count],
      seed=config.eval_seed, jit_compile=subject.jit_compile, verbose=True)
  return {
      'ais_nll': -nll.mean, 'ais_nll_standard_error': nll.standard_error,
      'iwae_nll': bound.mean, 'iwae_samples': config.eval_importance_samples,
      'steps': config.eval_ais_steps, 'chains': config.eval_ais_chains,
      'examples': count, 'simulated_lower': bounds.lower.mean,
      'simulated_upper': bounds.upper.mean,
  } | with_errors({'simulated_gap': bounds.gap})


def gaps(subject: Subject) -> dict[str, Any]:
  """Returns the amortization and the approximation gap, and the times."""
  config = subject.config.evaluation
  result = evaluation.inference_gaps(
      subject.model, subject.test_batches(config.eval_costly_examples),
      subject.log_evidence, seed=config.eval_seed,
      jit_compile=subject.jit_compile, verbose=True)
  return with_errors({name: getattr(result, name) for name in (
      'encoder_elbo', 'optimized_elbo', 'cold_start_elbo', 'log_evidence',
      'amortization_gap', 'approximation_gap')}) | {
      'seconds_per_example': dict(result.seconds_per_example),
      'saving': result.saving, 'examples': len(result.encoder_elbo.values)}


def calibration(subject: Subject) -> dict[str, Any]:
  """Returns simulation-based calibration, with its rank histograms."""
  config, inputs = subject.config.evaluation, None
  count = config.eval_simulations
  if subject.model.graph.is_conditional:
    classes = subject.images.num_classes
    inputs = {'y': np.eye(classes, dtype=np.float32)[
        np.arange(count) % classes]}
  result = evaluation.simulation_based_calibration(
      subject.model, count, inputs=inputs, seed=config.eval_seed, verbose=True)
  return result.to_dict() | {
      'verdict': result.describe(), 'rank_histograms': {
          name: np.asarray(histogram).tolist()
          for name, histogram in result.histograms.items()}}


def disentanglement(subject: Subject) -> dict[str, Any]:
  """Returns the disentanglement scores of the test set.

  Scores of posterior means credit only the dimensions that are informative;
  `mig_of_draws` is there where each dimension of q(z|x) has a density.
  """
  means = evaluation.posterior_means(
      subject.model, subject.test_batches(), jit_compile=False, verbose=True)
  codes = np.concatenate(list(means.values()), axis=-1)
  seed = subject.config.evaluation.eval_seed
  factors = subject.images.test.factors
  scores = evaluation.disentanglement_scores(
      codes, factors, seed, subject.latent_space.informative)
  if _has_density_by_dimension(subject.config):
    scores['mig_of_draws'] = evaluation.sampled_mutual_information_gap(
        subject.model, subject.test_batches(), factors, seed=seed, verbose=True)
  return scores | {
      'informative_units': int(subject.latent_space.informative.sum()),
      'factors': list(subject.images.factor_names)}


def _has_density_by_dimension(config: Config) -> bool:
  """Returns whether q(z_d|x) of every dimension is a normal density."""
  graph = config.model.graph()
  latents = set(graph.latent_names)
  return config.model.posterior == 'normal_diag' and not any(
      latents & set(factor.parents) for factor in graph.inference)


EVALUATIONS: dict[str, Callable[[Subject], dict[str, Any]]] = {
    'importance_weighted': importance_weighted, 'latent_space': latent_space,
    'representation': representation, 'annealed': annealed, 'gaps': gaps,
    'calibration': calibration, 'disentanglement': disentanglement}


def evaluate(subject: Subject, metrics: Mapping[str, Any]) -> dict[str, Any]:
  """Runs the evaluations that the settings name.

  An evaluation that does not apply or fails ends neither the others nor the
  run: its block has the reason under 'not_computed'. Figures of an earlier
  evaluation stay with the reason of a failure.

  Args:
    subject: Model and data.
    metrics: Metrics so far. The blocks of the splits are added where they are
      missing, a block of a chosen evaluation is replaced, all others stay. The
      importance-weighted NLL is kept for each number of samples; that of the
      most images, and among these of the most samples, is also in the block of
      the test set.

  Returns:
    The metrics with their new blocks, in nats.
  """
  metrics = copy.deepcopy(dict(metrics))
  for split in SPLITS:
    before = metrics.get(split, {})
    if 'elbo' not in before:
      before.pop(NOT_COMPUTED, None)
      metrics[split] = before | attempt(
          split, functools.partial(elbo_of_split, subject, split))
  for name in subject.config.evaluation.chosen():
    before, reason = metrics.get(name, {}), why_not(
        name, subject.config, subject.images)
    if reason:
      _LOGGER.warning('%s is not computed: %s.', name, reason)
      metrics[name] = {NOT_COMPUTED: reason}
      continue
    block = attempt(name, functools.partial(_timed, name, subject))
    if NOT_COMPUTED in block:
      block = before | block
    elif name == 'importance_weighted':
      block = _by_samples(before) | {f'K={block["iwae_samples"]}': block}
    metrics[name] = block
    metrics['test'] = metrics['test'] | _headline(name, block)
  return metrics


def attempt(name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
  """Returns a block, or the reason why it could not be computed.

  Args:
    name: Name of the block, for the warning.
    compute: Function that returns the block.
  """
  try:
    return compute()
  except TrainingInterruptedError:
    raise
  except Exception as error:  # Whatever it is, it must not cost the run.
    lines = str(error).strip().splitlines()
    reason = ': '.join([type(error).__name__, *lines[:1]])
    _LOGGER.warning('%s could not be computed. %s', name, reason)
    _LOGGER.debug('Traceback:', exc_info=True)
    return {NOT_COMPUTED: reason}


def _timed(name: str, subject: Subject) -> dict[str, Any]:
  """Returns the block of an evaluation with its seconds, and logs it."""
  start = time.monotonic()
  block = EVALUATIONS[name](subject)
  block['seconds'] = round(time.monotonic() - start, 1)
  for key, value in block.items():
    if isinstance(value, int | float | str):
      _LOGGER.info('%s %s: %s', name, key,
                   f'{value:.4g}' if isinstance(value, float) else value)
  for sentence in [*block.get('collapse', []), *block.get('verdict', [])]:
    _LOGGER.info('%s: %s', name, sentence)
  return block


def _by_samples(block: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the parts of `importance_weighted`, one for each K."""
  return {key: part for key, part in block.items() if key.startswith('K=')}


def _headline(name: str, block: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the figures of a block that the test set's block repeats."""
  if name == 'latent_space' and 'active_units' in block:
    return {'active_units': block['active_units']}
  parts = _by_samples(block).values()
  if name != 'importance_weighted' or not parts:
    return {}
  best = max(parts, key=lambda b: (b['iwae_examples'], b['iwae_samples']))
  return {key: best[key] for key in (
      'iwae_nll', 'iwae_nll_standard_error', 'iwae_samples', 'iwae_examples',
      'bits_per_dim') if key in best}
