"""Imputations of hidden values as a measure."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.imputation import figures
from tfvae.evaluation.imputation import masks
from tfvae.evaluation.imputation import scores as scores_lib
from tfvae.evaluation.imputation.baselines import Baselines
from tfvae.evaluation.imputation.figures import Elements
from tfvae.evaluation.imputation.impute import chunks
from tfvae.evaluation.imputation.impute import DRAWS
from tfvae.evaluation.imputation.impute import LOW_SAMPLE_SIZE
from tfvae.evaluation.imputation.impute import predictive
from tfvae.evaluation.imputation.scores import Scores
from tfvae.evaluation.imputation.sections import section_of
from tfvae.evaluation.imputation.sections import warnings_of
from tfvae.evaluation.measure import Measure
from tfvae.evaluation.measure import MEASURES
from tfvae.evaluation.measure import Section
from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import weights_of
from tfvae.evaluation.subject import Examples
from tfvae.evaluation.subject import Subject
from tfvae.inference import observed
from tfvae.inference import unpack_batch
from tfvae.layers.columns.independent_columns import columns_of
from tfvae.registry import Setting

FRACTION = Setting(
    'eval_imputation_fraction', 0.3, 'fraction of the known test values that '
    'the measure `imputation` hides', above=0, below=1)
_EXAMPLES = Setting(
    'eval_imputation_examples', 1000,
    'number of test examples for the measure `imputation`, the first ones; 0 '
    'for all', at_least=0)
_TRAIN_EXAMPLES = Setting(
    'eval_imputation_train_examples', 10_000,
    'number of training examples that the baselines of `imputation` are fitted '
    'to, the first ones; 0 for all', at_least=0)


@MEASURES.register(
    'imputation', draws=DRAWS, fraction=FRACTION, examples=_EXAMPLES,
    train_examples=_TRAIN_EXAMPLES)
@dataclasses.dataclass(frozen=True)
class ImputationMeasure(Measure):
  """Errors of imputations of known values, and of baselines.

  For each mask of `masks.MASKS` that fits the data, known values of the test
  set are hidden, and p(x_mis|x_obs) is compared with them. Values that are
  missing in the test set cannot be scored.

  Attributes:
    draws: Draws K of z for each example; see `impute`.
    fraction: Fraction of the known values to hide, between 0 and 1.
    examples: Number of test examples, the first ones; 0 for all.
    train_examples: Number of training examples that the baselines are fitted
      to, the first ones; 0 for all. See `Baselines` for what they do with
      images.
  """

  draws: int = DRAWS.default
  fraction: float = FRACTION.default
  examples: int = _EXAMPLES.default
  train_examples: int = _TRAIN_EXAMPLES.default

  explanations = {
      'cells': 'Number of known values that were hidden and imputed.',
      'normalized_rmse': 'Root mean squared error of the mean, divided by the '
                         'standard deviation of the training values; mean over '
                         'the columns of numbers.',
      'normalized_crps': 'CRPS divided by the standard deviation of the '
                         'training values; mean over the columns of numbers. '
                         'That of a point estimate has its mean absolute '
                         'error.',
      'accuracy': 'Fraction of the hidden categories or bits whose most '
                  'probable value is the true one.',
      'rmse': 'Root mean squared error of the mean of p(x_mis|x_obs).',
      'crps': 'Continuous ranked probability score, at best 0, in the unit of '
              'the data; of a point estimate, the mean absolute error.',
      'log_density': 'log p(x_d|x_obs) of a hidden value in nats.',
      'effective_sample_size': 'Median over the examples of 1 / Σ_k w_k², with '
                               'w_k the importance weights of the draws.',
      'low_effective_sample_size': 'Fraction of the examples whose effective '
                                   'sample size is below 10.',
      'train_examples': 'Number of training examples that the baselines of '
                        'the block are fitted to.',
  } | {
      f'{prefix}coverage_{level:.0%}'.removesuffix('%'): (
          f'Fraction of the hidden {kind} in the central interval of '
          f'{level:.0%}{more}')
      for prefix, kind, more in (
          ('', 'continuous numbers', '.'),
          ('integer_', 'integers', ', which has at least this probability: '
           'intervals of integers cover more.'))
      for level in scores_lib.LEVELS}
  charted = ('by_column',)
  abbreviations = ('RMSE', 'CRPS', 'kNN')

  def why_not(self, subject: Subject) -> str | None:
    """Returns that the model takes complete data only, or None."""
    if not subject.model.allow_missing:
      return ('the model takes complete data only; `missing=allow` and '
              '`hide_fraction` train one that takes missing values')
    return None

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns a block of figures for each mask."""
    x, inputs, weights = _arrays(subject.test, self.examples)
    train, baselines = x, None
    likelihood = subject.model.likelihood_layer()
    if subject.train is not None:
      train = _arrays(subject.train, self.train_examples)[0]
      baselines = Baselines(train, columns_of(likelihood))
    elements = Elements.of(likelihood, train)
    block = {'draws': self.draws, 'fraction': self.fraction,
             'examples': len(x)}
    if baselines:
      block['train_examples'] = baselines.num_rows
    for name, mask in masks.hidden(x, self.fraction, subject.seed):
      given = inputs | {'x': np.where(mask, np.float32(np.nan), x)}
      found, sizes = _imputed(subject, given, x, mask, self.draws,
                              elements.have_numbers, f'imputation, {name}')
      points = {} if baselines is None else {
          baseline: scores_lib.point_scores(values, x, mask)
          for baseline, values in baselines.impute(given['x']).items()}
      block[name] = _block(found, sizes, points, elements, weights)
    return block

  def warnings(self, block: Mapping[str, Any]) -> list[str]:
    """Returns sentences about small sample sizes and wrong intervals."""
    return warnings_of(block)

  def section(self, block: Mapping[str, Any]) -> Section | None:
    """Returns errors of the model and of baselines, and the coverage."""
    return section_of(block)


def _block(found: Scores, sizes: np.ndarray, points: Mapping[str, Scores],
           elements: Elements, weights: np.ndarray | None) -> dict[str, Any]:
  """Returns the figures of a mask, those of baselines inside."""
  block = {'cells': len(found.rows)} | figures.overall(
      found, elements, weights)
  if len(sizes):
    block |= {'effective_sample_size': float(np.median(sizes)),
              'low_effective_sample_size': float(
                  np.mean(sizes < LOW_SAMPLE_SIZE))}
  block['baselines'] = {
      name: figures.overall(own, elements, weights)
      for name, own in points.items()}
  if elements.names:
    counts = np.bincount(found.elements, minlength=len(elements.names))
    columns = {
        column: {'cells': int(counts[elements.names.index(column)])} | own
        for column, own in figures.by_column(
            found, elements, weights).items()}
    for name, own in points.items():
      for column, values in figures.by_column(own, elements, weights).items():
        columns[column].setdefault('baselines', {})[name] = values
    block['by_column'] = columns
  return block


def _arrays(examples: Examples, count: int
            ) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray | None]:
  """Returns x of the first examples, all observed variables, and weights."""
  batches = examples.first_known(count)
  parts = [tf.nest.map_structure(np.asarray, observed(unpack_batch(batch)[0]))
           for batch in batches]
  inputs = {name: np.concatenate([part[name] for part in parts])
            for name in parts[0]}
  return np.float32(inputs['x']), inputs, weights_of(batches)


def _imputed(subject: Subject, given: Any, x: np.ndarray, mask: np.ndarray,
             num_draws: int, needs_draws: bool, title: str
             ) -> tuple[Scores, np.ndarray]:
  """Returns the scores of hidden values, and the effective sample sizes.

  Args:
    subject: Model, seed and whether to show progress.
    given: Inputs by name, x with NaN where a value is missing or hidden.
    x: True values.
    mask: Which of them are hidden.
    num_draws: Draws of z for each example.
    needs_draws: Whether to compute intervals and the CRPS.
    title: Title of the progress bar.

  Returns:
    The scores, and the sizes of the rows with hidden values.
  """
  function = compiled(subject.model, _hidden_values, num_draws, needs_draws,
                      jit_compile=False)
  found, sizes, start = [], [], 0
  for index, inputs in enumerate(chunks(
      subject.model, given if len(given) > 1 else given['x'], num_draws, title,
      subject.verbose)):
    end = start + len(tf.nest.flatten(inputs)[0])
    parts = tf.nest.map_structure(np.array, function(
        inputs, x[start:end], mask[start:end],
        tf.constant([subject.seed, index])))
    sizes.append(parts.pop('effective_sample_size'))
    found.append(scores_lib.scores(
        parts, x[start:end], mask[start:end], start))
    start = end
  is_hidden = mask.reshape(len(mask), -1).any(axis=1)
  return Scores.concatenated(found), np.concatenate(sizes)[is_hidden]


def _hidden_values(model, num_draws, needs_draws, inputs, x, mask,
                   seed) -> dict[str, tf.Tensor]:
  predicted, draws = predictive(model, inputs, num_draws, seed)
  return scores_lib.hidden_values(
      predicted, draws if needs_draws else None, x, mask) | {
          'effective_sample_size': predicted.effective_sample_size}
