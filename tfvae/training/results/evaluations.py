"""The evaluations of a run, each a block of `metrics.json`."""

from collections.abc import Callable, Iterator, Mapping
import copy
import functools
import logging
from typing import Any

from tfvae import evaluation
from tfvae.training.callbacks.interruption import TrainingInterruptedError
from tfvae.training.results.subject import Run

_LOGGER = logging.getLogger(__name__)

SPLITS = ('test', 'validation', 'train')
NOT_COMPUTED = evaluation.NOT_COMPUTED


def warn(run: Run):
  """Logs which of the chosen evaluations cannot be computed, and why.

  Args:
    run: Data and model, which may be untrained.
  """
  for name, measure in _measures(run):
    reason = _why_not(name, measure, run)
    if reason:
      _LOGGER.warning('%s will not be computed: %s.', name, reason)


def evaluate(run: Run, metrics: Mapping[str, Any]) -> dict[str, Any]:
  """Runs the measures that the settings name.

  A measure that does not apply or fails ends neither the others nor the run:
  its block has the reason under 'not_computed'. Figures of an earlier
  evaluation stay with the reason of a failure.

  Args:
    run: Trained model and data.
    metrics: Metrics so far. The blocks of the splits are added where they are
      missing, a block of a chosen measure is replaced or, where the measure
      says so, combined with the new one; all others stay.

  Returns:
    The metrics with their new blocks, in nats.
  """
  metrics = copy.deepcopy(dict(metrics))
  for split in SPLITS:
    before = metrics.get(split, {})
    if 'elbo' not in before:
      before.pop(NOT_COMPUTED, None)
      metrics[split] = before | attempt(
          split, functools.partial(run.elbo_of_split, split))
  for name, measure in _measures(run):
    reason = _why_not(name, measure, run)
    if reason:
      _LOGGER.warning('%s is not computed: %s.', name, reason)
      metrics[name] = {NOT_COMPUTED: reason}
      continue
    before = metrics.get(name, {})
    block = attempt(name, functools.partial(
        _combined, name, measure, run, before))
    metrics[name] = before | block if NOT_COMPUTED in block else block
    headline = attempt(
        name, functools.partial(measure.headline, metrics[name]))
    if NOT_COMPUTED not in headline:
      metrics['test'] = metrics['test'] | headline
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
  except Exception as error:  # No failure may end the run.
    lines = str(error).strip().splitlines()
    reason = ': '.join([type(error).__name__, *lines[:1]])
    _LOGGER.warning('%s could not be computed. %s', name, reason)
    _LOGGER.debug('Traceback:', exc_info=True)
    return {NOT_COMPUTED: reason}


def _measures(run: Run) -> Iterator[tuple[str, evaluation.Measure]]:
  """Yields the chosen measures, with the settings of the run."""
  config = run.config.evaluation
  for name in config.chosen():
    yield name, evaluation.MEASURES.make(name, settings=vars(config))


def _why_not(name: str, measure: evaluation.Measure, run: Run) -> str | None:
  """Returns why a measure cannot be computed, also where it fails to say."""
  return attempt(name, lambda: {
      NOT_COMPUTED: measure.why_not(run.subject)})[NOT_COMPUTED]


def _combined(name: str, measure: evaluation.Measure, run: Run,
              before: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the new block of a measure, combined with that of before."""
  block = evaluation.timed(measure, run.subject)
  _log(name, block)
  return measure.combined(block, before)


def _log(name: str, block: Mapping[str, Any]):
  """Logs the figures and the sentences of a new block."""
  for key, value in block.items():
    if isinstance(value, int | float | str):
      _LOGGER.info('%s %s: %s', name, key,
                   f'{value:.4g}' if isinstance(value, float) else value)
    elif isinstance(value, list) and all(isinstance(v, str) for v in value):
      for sentence in value:
        _LOGGER.info('%s %s: %s', name, key, sentence)
