"""Imputation of missing values with draws of p(x_mis|x_obs)."""

import dataclasses
import logging
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import examples
from tfvae.inference import posterior_predictive
from tfvae.inference import PosteriorPredictive
from tfvae.layers import SeededSample
from tfvae.models import LatentVariableModel
from tfvae.registry import Setting

_LOGGER = logging.getLogger(__name__)

DRAWS = Setting(
    'eval_imputation_draws', 500, 'draws K of z for each test example whose '
    'values are imputed', at_least=2)

# Probabilities of the lower and the upper end of a 95 % interval.
INTERVAL = (0.025, 0.975)
# Values of all draws that are decoded at a time: 64 MiB of float32.
_CHUNK_VALUES = 2**24
# Effective sample sizes below this are reported.
LOW_SAMPLE_SIZE = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Imputation:
  """Missing values of n examples, by draws of p(x_mis|x_obs).

  Where x is observed, all arrays have its value.

  Attributes:
    mean: E[x|x_obs], the most probable code of a category, `[n, *event_shape]`.
    lower: Lower end of the central interval of each value, of the same shape.
    upper: Upper end.
    imputations: Draws of p(x_mis|x_obs), `[m, n, *event_shape]`: m completed
      data sets. An analysis of each of them shows the uncertainty that the
      missing values cause; Rubin, Multiple Imputation for Nonresponse in
      Surveys, 1987.
    effective_sample_size: 1 / Σ_k w̃_k² of the K importance weights, `[n]`.
    level: Probability of the interval.
  """

  mean: np.ndarray
  lower: np.ndarray
  upper: np.ndarray
  imputations: np.ndarray
  effective_sample_size: np.ndarray
  level: float


def impute(model: LatentVariableModel, data: Any,
           num_draws: int = DRAWS.default, num_imputations: int = 5,
           level: float = 0.95, seed: int = 0,
           verbose: bool = False) -> Imputation:
  """Returns draws, means and intervals of missing values.

  The K draws z_k ~ q(z|x_obs) get the weights w̃_k of `PosteriorPredictive`. The
  mean is Σ_k w̃_k E[x|z_k], the interval has the weighted quantiles of draws
  x_k ~ p(x|z_k), and imputations are x_k resampled by their weights.

  Logs a warning if the effective sample size of an example is below 10: then
  its results rest on few draws.

  Args:
    model: Model whose x may have missing values; see `image_vae(missing=…)`.
    data: Batches as `fit` takes them, or arrays, NaN where a value is missing.
    num_draws: K, at least 2.
    num_imputations: Draws of each missing value, m, at least 1.
    level: Probability of the central interval, between 0 and 1.
    seed: Seed of the draws.
    verbose: Whether to show progress.

  Returns:
    The imputation of all examples, in the order of the data.

  Raises:
    ValueError: If the model takes complete data only, the data do not fit it,
      or an argument is out of range.
  """
  check(model, num_draws, num_imputations, level)
  levels = (0.5 - level / 2, 0.5 + level / 2)
  function = compiled(
      model, completed, num_draws, num_imputations, levels, jit_compile=False)
  parts = []
  for batch in chunks(model, data, num_draws, 'imputation', verbose):
    parts.append(tf.nest.map_structure(
        np.array, function(batch, tf.constant([seed, len(parts)]))))
  found = {name: np.concatenate([part[name] for part in parts],
                                axis=int(name == 'imputations'))
           for name in parts[0]}
  _warn(found['effective_sample_size'], num_draws)
  return Imputation(level=level, **found)


def check(model: LatentVariableModel, num_draws: int, num_imputations: int = 1,
          level: float = 0.5):
  """Raises a ValueError unless these are arguments of `impute`."""
  if not model.allow_missing:
    raise ValueError(
        'Imputation needs a model that was trained to see missing values: '
        'build it with `missing=True` (`missing=allow` or `hide_fraction` in a '
        f'run). Received: {model.name!r}, which takes complete data only')
  if num_draws < 2 or num_imputations < 1 or not 0 < level < 1:
    raise ValueError(
        '`num_draws` must be at least 2, `num_imputations` at least 1 and '
        f'`level` between 0 and 1. Received: num_draws={num_draws}, '
        f'num_imputations={num_imputations}, level={level}')


def chunks(model: LatentVariableModel, data: Any, num_draws: int, title: str,
           verbose: bool = False):
  """Yields inputs of few enough examples that all their draws fit in memory.

  Args:
    model: Trained model.
    data: Batches or arrays.
    num_draws: Draws of each example.
    title: Title of the progress bar.
    verbose: Whether to show it.
  """
  classes = model.num_classes if model.graph.infers_label else 1
  size = max(1, _CHUNK_VALUES // (
      classes * num_draws * math.prod(model.event_shape)))
  for _, batch in examples(model, data, title, verbose):
    for start in range(0, len(tf.nest.flatten(batch)[0]), size):
      yield tf.nest.map_structure(
          lambda rows, start=start: rows[start:start + size], batch)


def predictive(model: LatentVariableModel, inputs: Any, num_draws: int,
               seed: tf.Tensor) -> tuple[PosteriorPredictive, tf.Tensor]:
  """Returns p(x|x_obs), and K weighted draws from it.

  Args:
    model: Model whose x may have missing values.
    inputs: Batch of x, or a dictionary.
    num_draws: K.
    seed: Stateless seed, int tensor `[2]`.

  Returns:
    The mixture, and the draws x_k ~ p(x|z_k), `[b, K, *event_shape]`.
  """
  z_seed, x_seed = (tf.random.experimental.stateless_fold_in(
      seed, i, alg='philox') for i in range(2))
  found = posterior_predictive(model, inputs, SeededSample(z_seed, num_draws))
  return found, found.draws(SeededSample(x_seed))


def completed(model: LatentVariableModel, num_draws: int, num_imputations: int,
              levels: tuple[float, float], inputs: Any,
              seed: tf.Tensor) -> dict[str, tf.Tensor]:
  """Returns the arrays of an `Imputation` of a batch, by name.

  Args:
    model: Model whose x may have missing values.
    num_draws: Draws K of z for each example.
    num_imputations: Draws of each missing value.
    levels: Probabilities of the lower and the upper end of the interval.
    inputs: Batch of x, or a dictionary.
    seed: Stateless seed, int tensor `[2]`.
  """
  found, draws = predictive(model, inputs, num_draws, seed)
  lower, upper = tf.unstack(found.quantiles(draws, levels))
  return {
      'mean': found.mean(), 'lower': lower, 'upper': upper,
      'imputations': found.resampled(
          draws, num_imputations, tf.random.experimental.stateless_fold_in(
              seed, 2, alg='philox')),
      'effective_sample_size': found.effective_sample_size}


def _warn(sizes: np.ndarray, num_draws: int):
  low = int(np.sum(sizes < LOW_SAMPLE_SIZE))
  if low:
    _LOGGER.warning(
        'The importance weights of %d of %d examples have an effective sample '
        'size below %d of %d draws: their intervals and draws are unreliable. '
        'Take more draws (`imputation_draws` in a run), or train longer.', low,
        len(sizes), LOW_SAMPLE_SIZE, num_draws)
