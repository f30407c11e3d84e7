"""Evaluation of a model by several measures."""

from collections.abc import Sequence
import time
from typing import Any

from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.measure import NOT_COMPUTED
from tfvae.evaluation.subject import Examples
from tfvae.evaluation.subject import Subject
from tfvae.models import LatentVariableModel


def evaluate(
    model: LatentVariableModel,
    data: Any,
    measures: Sequence[str | Measure] = ('importance_weighted', 'latent_space'),
    train: Examples | None = None,
    seed: int = 0,
    jit_compile: bool = False,
    verbose: bool = False,
) -> dict[str, Any]:
  """Returns the ELBO of test data, and the blocks of measures.

  Args:
    model: Trained model.
    data: `Examples`, which may have labels and factors; or batches as `fit`
      takes them, or arrays.
    measures: Measures to run, in this order: names of registered ones, which
      then have their default settings, or objects such as
      `AnnealedMeasure(steps=100)`.
    train: Labeled examples for the classifiers of 'representation'.
    seed: Seed of all draws.
    jit_compile: Whether to compile with XLA where that may pay off; on a CPU it
      is slower for convolutions.
    verbose: Whether to show progress.

  Returns:
    Nested figures as in `metrics.json`, likelihoods in nats: the ELBO under
    'test', and the block of each measure under its name. The block of a measure
    that does not apply has the reason under 'not_computed'.

  Raises:
    ValueError: If a measure is unknown, or the data do not fit the model.
  """
  chosen = [measure if isinstance(measure, Measure) else MEASURES.make(measure)
            for measure in measures]
  test = data if isinstance(data, Examples) else Examples.of(data)
  subject = Subject(model, test, train, seed, jit_compile, verbose)
  metrics = {'test': subject.elbo.to_dict() | {'examples': test.count}}
  for measure in chosen:
    reason = measure.why_not(subject)
    metrics[measure.name] = {NOT_COMPUTED: reason} if reason else (
        measure.combined(timed(measure, subject), {}))
    metrics['test'] |= measure.headline(metrics[measure.name])
  return metrics


def timed(measure: Measure, subject: Subject) -> dict[str, Any]:
  """Returns the block of a measure that applies, with its 'seconds'."""
  start = time.monotonic()
  block = measure.run(subject)
  return block | {'seconds': round(time.monotonic() - start, 1)}
