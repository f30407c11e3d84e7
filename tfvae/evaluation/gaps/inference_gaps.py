"""Inference gaps: the nats that amortization loses, and the time it saves."""

import dataclasses
import time
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.gaps.per_datum_inference import fold_in
from tfvae.evaluation.gaps.per_datum_inference import PerDatumInference
from tfvae.evaluation.running.classes import is_missing
from tfvae.evaluation.running.compiled import kept
from tfvae.evaluation.running.examples import check
from tfvae.evaluation.running.examples import examples
from tfvae.evaluation.running.examples import weights_of
from tfvae.inference import unpack_batch
from tfvae.models import LatentVariableModel


@dataclasses.dataclass(frozen=True)
class InferenceGaps:
  """Inference gaps: parts of log p(x) − ELBO for each example.

    log p(x) − ELBO(encoder) = approximation gap + amortization gap

  Attributes:
    encoder_elbo: ELBO of the encoder's q(z|x).
    optimized_elbo: ELBO of the best q of the family, found for each example
      from the encoder's q.
    cold_start_elbo: The same, found from N(0, I) without the encoder. Where it
      is much lower than `optimized_elbo`, the search needs more steps; where it
      is higher, the optimum near the encoder's q is not the global one.
    log_evidence: Estimates of log p(x) that were given.
    seconds: Seconds for all examples, without compilation, of 'encoder',
      'optimized' and 'cold_start'.
  """

  encoder_elbo: Estimate
  optimized_elbo: Estimate
  cold_start_elbo: Estimate
  log_evidence: Estimate
  seconds: dict[str, float]

  @property
  def amortization_gap(self) -> Estimate:
    """ELBO(best q) − ELBO(encoder), the gain of a better encoder."""
    return self.encoder_elbo.replaced(
        self.optimized_elbo.values - self.encoder_elbo.values)

  @property
  def approximation_gap(self) -> Estimate:
    """Log p(x) − ELBO(best q), the gain of a richer family of q."""
    return self.encoder_elbo.replaced(
        self.log_evidence.values - self.optimized_elbo.values)

  @property
  def seconds_per_example(self) -> dict[str, float]:
    """The seconds per example."""
    n = len(self.encoder_elbo.values)
    return {name: total / n for name, total in self.seconds.items()}

  @property
  def saving(self) -> float:
    """Time of a search without the encoder over the time of the encoder."""
    return self.seconds['cold_start'] / self.seconds['encoder']


def inference_gaps(
    model: LatentVariableModel,
    dataset: Any,
    log_evidence: Estimate,
    num_steps: int = 500,
    draws_per_step: int = 10,
    learning_rate: float = 0.05,
    num_samples: int = 1000,
    seed: int = 0,
    jit_compile: bool = True,
    verbose: bool = False,
) -> InferenceGaps:
  """Splits log p(x) − ELBO(x) into amortization and approximation.

    amortization gap  = ELBO(x; q*) − ELBO(x; q),  q from the encoder,
    approximation gap = log p(x) − ELBO(x; q*),    q* the best of q's family,

  Cremer, Li and Duvenaud, Inference Suboptimality in Variational Autoencoders,
  2018. `PerDatumInference` finds q* for each example, once from the encoder's q
  and once from N(0, I). The three ELBOs are means over draws with common noise,
  which cancels in the gaps.

  Args:
    model: Trained model whose posteriors are Gaussian.
    dataset: Batches as `fit` takes them, or arrays; see `examples.as_dataset`.
      Where the graph infers the label, all have y, and p(x) is p(x, y). Each
      pass must yield the same examples in the same order. Each example is
      decoded about 2 · num_steps · draws_per_step times, so use a few hundred.
    log_evidence: Estimate of log p(x) for each example, in that order. A lower
      bound makes the approximation gap too small.
    num_steps: Steps of each search, at least 1.
    draws_per_step: Draws of z in each gradient, at least 1.
    learning_rate: Learning rate of the first step, in units of z and of log σ.
    num_samples: Draws of z for each ELBO, at least 1, one at a time, so that
      memory does not grow with them.
    seed: Seed of the draws.
    jit_compile: Whether XLA compiles the search, which is faster for
      perceptrons and slower for convolutions on a CPU.
    verbose: Whether to show progress.

  Returns:
    An `InferenceGaps`, in nats and seconds.

  Raises:
    ValueError: If a number is out of range, a posterior is not Gaussian, a
      label is missing, or `log_evidence` does not have a value for each
      example.
  """
  _check(num_steps=num_steps, draws_per_step=draws_per_step,
         num_samples=num_samples, learning_rate=learning_rate)
  _check_length(log_evidence, check(model, dataset))
  search = kept(
      model, PerDatumInference, draws_per_step, learning_rate, jit_compile)
  names = ('encoder', 'optimized', 'cold_start')
  elbos = {name: [] for name in names}
  seconds = dict.fromkeys(names, 0.0)
  for index, inputs in examples(
      model, dataset, 'Inference gaps', verbose, with_target=True):
    _check_label(model, inputs)
    keys = [fold_in(fold_in([seed, 0], index), k) for k in range(3)]
    answers = _answers(search, inputs, num_steps, keys[:2])
    for name, (offset, taken) in answers.items():
      seconds[name] += taken
      elbos[name].append(search.elbo(
          inputs, offset, tf.constant(num_samples), keys[2]).numpy())
  weights = weights_of(dataset)
  return InferenceGaps(
      *(Estimate(np.concatenate(elbos[name]), weights) for name in names),
      log_evidence, seconds)


def _answers(search: PerDatumInference, inputs: Any, num_steps: int,
             keys: list[tf.Tensor]) -> dict[str, tuple[tf.Tensor, float]]:
  """Returns the offset of each search, and the seconds it took."""
  steps = tf.constant(num_steps)
  cold = search.cold_start(inputs)
  warm = tf.zeros_like(cold)
  # Compiles for batches of this shape, so that the seconds exclude it.
  search.encode(inputs)
  search.optimize(inputs, warm, tf.constant(0), keys[0])
  return {
      'encoder': (warm, _timed(search.encode, inputs, repeats=10)[1]),
      'optimized': _timed(search.optimize, inputs, warm, steps, keys[0]),
      'cold_start': _timed(search.optimize, inputs, cold, steps, keys[1])}


def _timed(function: Any, *arguments: Any,
           repeats: int = 1) -> tuple[tf.Tensor, float]:
  """Returns the result, and the mean seconds of a call."""
  start = time.perf_counter()
  for _ in range(repeats):
    result = function(*arguments)
    result.numpy()  # Waits for a GPU.
  return result, (time.perf_counter() - start) / repeats


def _check(**settings: float):
  for name, value in settings.items():
    if not value > 0:
      raise ValueError(f'`{name}` must be above 0. Received: {name}={value}')


def _check_label(model: LatentVariableModel, batch: Any):
  if model.graph.infers_label and is_missing(
      model, unpack_batch(batch)[0]).any():
    raise ValueError(
        'The search is for q(z|x, y), and so needs the label y of each '
        'example; leave out those without one. Received: a missing label')


def _check_length(log_evidence: Estimate, dataset: Any):
  n = sum(len(tf.nest.flatten(inputs)[0]) for inputs in dataset)
  if log_evidence.values.shape != (n,):
    raise ValueError(
        f'`log_evidence` must have a value for each of the {n} examples. '
        f'Received: log_evidence.values.shape={log_evidence.values.shape}')
