"""Measurement of how the posteriors of a data set use the latent space."""

from collections.abc import Mapping
import functools
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import layers
from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.bounds import standard_errors
from tfvae.evaluation.latents.aggregate_posterior import log_aggregate_posterior
from tfvae.evaluation.latents.latent_measures import Latent
from tfvae.evaluation.latents.latent_measures import LatentSpace
from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import examples
from tfvae.evaluation.running.examples import weights_of
from tfvae.models import Inference
from tfvae.models import LatentVariableModel

tfd = tfp.distributions


def latent_space(
    model: LatentVariableModel,
    dataset: Any,
    num_samples: int = 16,
    num_draws: int = 2000,
    chunk_size: int = 500,
    seed: int = 0,
    jit_compile: bool = False,
    verbose: bool = False,
) -> LatentSpace:
  """Measures active units, KL, mutual information, aggregate KL and volume.

  See `LatentSpace` and `Latent` for the definitions. It takes two passes over
  the data, one for each posterior by itself and one for their mixture, which
  evaluates m N densities; the memory holds the latents of the data. A missing
  label is the most probable class.

  Args:
    model: Trained model.
    dataset: Batches as `fit` takes them, or arrays; see `examples.as_dataset`.
      Each pass must yield them in the same order.
    num_samples: Draws for each example, at least 2, to estimate posterior means
      and KLs without a closed form.
    num_draws: Upper limit of the number m of draws at which q(z) is evaluated,
      one for each of m evenly spaced examples. The mixture has all N
      components.
    chunk_size: Draws at which a batch of posteriors is evaluated at a time.
    seed: Seed of the draws.
    jit_compile: Whether to compile with XLA, which makes convolutional networks
      slower on a CPU.
    verbose: Whether to show progress bars.

  Returns:
    A `LatentSpace`.

  Raises:
    ValueError: If a number is out of range, the data differ in the second pass,
      or there are fewer than two examples or, where labels condition the prior,
      fewer than two with a label.
  """
  if num_samples < 2 or num_draws < 2 or chunk_size < 1:
    raise ValueError(
        '`num_samples` and `num_draws` must be at least 2, `chunk_size` at '
        f'least 1. Received: num_samples={num_samples}, num_draws={num_draws}, '
        f'chunk_size={chunk_size}')
  function = compiled(
      model, _batch_values, num_samples, jit_compile=jit_compile)
  values = _first_pass(model, dataset, function, seed, verbose)
  weights = weights_of(dataset)
  groups = _groups(values)
  n = len(groups)
  chosen = np.linspace(0, n - 1, min(n, num_draws)).astype(int)
  log_aggregate, log_others, own = log_aggregate_posterior(
      model, dataset,
      {name: z[chosen] for name, z in values['draw'].items()}, chosen, groups,
      chunk_size, jit_compile, verbose, weights)
  densities = {name: np.float64(density[chosen])
               for name, density in values['log'].items()}
  _check_order(own, densities['log_posterior'])
  return LatentSpace(
      {name: _latent(part, weights)
       for name, part in values['latents'].items()}, n,
      log_aggregate=log_aggregate, log_others=log_others,
      weights=None if weights is None else weights[chosen],
      **densities | {'log_posterior': own})


def measure_latents(
    model: LatentVariableModel,
    dataset: Any,
    num_samples: int = 16,
    seed: int = 0,
    compiles: bool = True,
    verbose: bool = False,
) -> dict[str, Latent]:
  """Measures each latent by itself: its active units and its KL.

  It takes one pass over the data; `latent_space` adds what takes a second one.

  Args:
    model: Trained model.
    dataset: Batches as `fit` takes them, or arrays; see `latent_space`.
    num_samples: Draws for each example, at least 2; see `latent_space`.
    seed: Seed of the draws.
    compiles: Whether to trace a TensorFlow function, which saves time if there
      are more than a few batches.
    verbose: Whether to show a progress bar.

  Returns:
    The measures of each latent by name. The variances over a single example are
    NaN.
  """
  function = compiled(
      model, _latents_values, num_samples, jit_compile=False
  ) if compiles else functools.partial(_latents_values, model, num_samples)
  values = _first_pass(model, dataset, function, seed, verbose)
  weights = weights_of(dataset)
  return {name: _latent(part, weights) for name, part in values.items()}


def _first_pass(model, dataset, batch_values, seed, verbose) -> dict[str, Any]:
  """Returns the values of all batches, arrays with rows for examples."""
  batches = [
      tf.nest.map_structure(np.array, batch_values(
          inputs, tf.constant([seed, 2 * index])))
      for index, inputs in examples(model, dataset, 'Posteriors', verbose)]
  return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *batches)


def _batch_values(model: LatentVariableModel, num_samples: int, inputs: Any,
                  seed: tf.Tensor) -> dict[str, Any]:
  """Returns the values of each example's own posterior, tensors `[b, …]`."""
  inputs = model.completed(inputs)
  inference = model.infer(inputs, layers.SeededSample(seed, num_samples))
  batch_size = tf.nest.flatten(inputs)[0].shape[0]
  prior = model.sample_prior(batch_size, seed + [0, 1], inputs)

  def log_density(factors: Mapping[str, tfd.Distribution]) -> tf.Tensor:
    return tf.add_n([factors[name].log_prob(z)[0]
                     for name, z in inference.latents.items()])

  per_dimension = model.kl_per_dimension(inference)
  return {
      'draw': {name: z[0] for name, z in inference.latents.items()},
      'log': {'log_posterior': log_density(inference.posteriors),
              'log_prior': log_density(inference.priors),
              'log_prior_of_prior': model.log_prior(prior, inputs)},
      'label': inputs['y'] if _labels_condition_prior(model) else tf.zeros(
          [batch_size, 1]),
      'latents': {name: _latent_values(
          inference, name, per_dimension.get(name))
                  for name in inference.latents}}


def _latents_values(model: LatentVariableModel, num_samples: int, inputs: Any,
                    seed: tf.Tensor) -> dict[str, Any]:
  """Returns the `latents` of `_batch_values` alone."""
  inference = model.infer(inputs, layers.SeededSample(seed, num_samples))
  per_dimension = model.kl_per_dimension(inference)
  return {name: _latent_values(inference, name, per_dimension.get(name))
          for name in inference.latents}


def _latent_values(
    inference: Inference, name: str,
    kl_per_dimension: tf.Tensor | None) -> dict[str, tf.Tensor]:
  """Returns means over the draws of one latent's mean and KL."""
  z, q = inference.latents[name], inference.posteriors[name]
  # Other families, flows among them, have no mean in closed form.
  has_mean = isinstance(
      q, tfd.MultivariateNormalLinearOperator | tfd.MixtureSameFamily)
  mean = tf.broadcast_to(q.mean(), tf.shape(z)) if has_mean else z
  values = {
      'mean': tf.reduce_mean(mean, axis=0),
      # The variance of that mean over the draws: Σ_s (m_s − m̄)² / S (S − 1).
      'noise': tf.math.reduce_variance(mean, axis=0) / (z.shape[0] - 1),
      'kl': _over_draws(inference.kl[name], rank=1)}
  if kl_per_dimension is not None:
    values['kl_per_dimension'] = _over_draws(kl_per_dimension, rank=2)
  return values


def _over_draws(values: tf.Tensor, rank: int) -> tf.Tensor:
  """Returns the mean over draws if the values depend on them."""
  return values if values.shape.rank == rank else tf.reduce_mean(values, axis=0)


def _labels_condition_prior(model: LatentVariableModel) -> bool:
  return any('y' in factor.parents for factor in model.graph.generative
             if factor.variable != 'x')


def _groups(values: Mapping[str, Any]) -> np.ndarray:
  """Returns the number of each example's label, `[n]`."""
  groups = np.unique(values['label'], axis=0, return_inverse=True)[1].ravel()
  if np.bincount(groups).min() < 2:
    raise ValueError(
        'The latent space needs at least two examples and, where labels '
        'condition the prior, two with each label. Received: '
        f'examples by label={np.bincount(groups).tolist()}')
  return groups


def _latent(values: Mapping[str, np.ndarray],
            weights: np.ndarray | None) -> Latent:
  """Returns the measures of a latent from its values for each example."""
  values = {name: np.float64(part) for name, part in values.items()}
  # Var_x(E[z]) = Var_x(m̄) − E_x[Var(m̄|x)]
  means = values['mean']
  total = np.full(means.shape[1], np.nan) if len(means) < 2 else (
      np.diagonal(np.atleast_2d(np.cov(means, rowvar=False, aweights=weights))))
  variances = total - np.average(values['noise'], axis=0, weights=weights)
  kl = values.get('kl_per_dimension')
  return Latent(
      variances, Estimate(values['kl'], weights),
      None if kl is None else np.average(kl, axis=0, weights=weights),
      None if kl is None else standard_errors(kl, weights))


def _check_order(second: np.ndarray, first: np.ndarray):
  """Raises if log q(z_i|x_i) differs in the second pass."""
  if not np.allclose(second, first, rtol=1e-3, atol=0.1, equal_nan=True):
    raise ValueError(
        'The data set must yield the same examples in the same order in each '
        'pass; remove shuffling and random preprocessing. Received: '
        f'log q(z|x) of {first[:3]} in the first pass and {second[:3]} in the '
        'second')
