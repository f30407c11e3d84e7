"""Better posteriors of single examples, by gradient ascent of their ELBO."""

from collections.abc import Callable, Mapping
import functools
import math
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.inference import batches
from tfvae.inference.importance_sampling import draws_at_a_time
from tfvae.inference.latent_variable_model import LatentVariableModel
from tfvae.inference.moved_posteriors import log_ratio
from tfvae.inference.moved_posteriors import moved
from tfvae.inference.moved_posteriors import MovedDraw
from tfvae.inference.moved_posteriors import natural_direction
from tfvae.inference.moved_posteriors import parameters
from tfvae.inference.moved_posteriors import unconstrained
from tfvae.inference.row_draws import RowSeededSample

tfd = tfp.distributions

# Function of step t, its step size, the offset and the gradient `[b, p]`, and
# a state, to the change of the offset and the new state.
Update = Callable[..., tuple[tf.Tensor, tuple[tf.Tensor, ...]]]

# Standard deviations, or units of log σ, that a step of size 1 is limited to.
_LIMIT = 1.0
# Draws of z whose mean is the gain.
_GAIN_DRAWS = 50


class Refinement(NamedTuple):
  """Posteriors that were refined, and what it gained.

  Attributes:
    posteriors: q(z|x) by name, each latent given the means of its parents.
    gain: Increase of the ELBO of each example in nats, `[b]`, estimated from 50
      draws with common noise. It can be negative.
  """

  posteriors: Mapping[str, tfd.Distribution]
  gain: tf.Tensor


def refine(model: LatentVariableModel, inputs: Any, steps: int,
           draw: RowSeededSample, step_size: float = 0.5,
           draws_per_step: int = 5) -> Refinement:
  """Returns posteriors closer to p(z|x) than those of the encoder.

  From the encoder's μ and log σ of each example, k steps follow the natural
  gradient of its ELBO, with steps that shrink along a cosine. Kim, Wiseman,
  Miller, Sontag and Rush, Semi-Amortized Variational Autoencoders, 2018;
  Cremer, Li and Duvenaud, Inference Suboptimality in Variational Autoencoders,
  2018.

  It consists of operations of TensorFlow, for a graph, and the result of an
  example depends on its own seed alone. Where the graph infers the label, a
  missing one is the most probable class.

  Args:
    model: Trained model whose posteriors are Gaussian.
    inputs: Batch of x, or a dictionary; see `LatentVariableModel`.
    steps: Number of steps k, at least 1.
    draw: Draw with the seeds of the examples.
    step_size: Size of the first step; 1 is that of Newton's method.
    draws_per_step: Draws of z for each example in a gradient.

  Returns:
    A `Refinement`.

  Raises:
    ValueError: If a posterior is not Gaussian, or a number is out of range.
  """
  _check(steps=steps, step_size=step_size, draws_per_step=draws_per_step)
  inputs = model.completed(inputs)
  start = tf.zeros_like(parameters(model, inputs))  # Raises if not Gaussian.
  elbos = log_ratio(model, inputs, batches.observed(inputs)['x'])
  offset = ascend(
      lambda offset, t: elbos(
          offset, draw.draws(draws_per_step, t * draws_per_step)),
      start, steps, step_size, _natural_update(model, inputs))

  def gain(first, count):  # Draws that no step has used.
    of = draw.draws(count, steps * draws_per_step + first)
    return elbos(offset, of) - elbos(start, of.draws(
        count, steps * draws_per_step + first))

  moved_draw = MovedDraw(offset, tfd.Distribution.mean)
  latents, _ = model.draw_posterior(inputs, moved_draw)
  return Refinement(
      dict(zip(latents, moved_draw.posteriors, strict=True)),
      _mean_of_draws(gain, offset))


def ascend(elbos: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
           offset: tf.Tensor, num_steps: int | tf.Tensor, step_size: float,
           update: Update, state: tuple[tf.Tensor, ...] = ()) -> tf.Tensor:
  """Returns the offset after steps of gradient ascent.

  All examples of a batch are searched together. The size of step t of T is
  η_t = ½ η (1 + cos(π t / T)).

  Args:
    elbos: Function from an offset and the number of the step to ELBOs of draws,
      `[n, b]`.
    offset: Initial offset, `[b, p]`.
    num_steps: Number of steps T.
    step_size: Size η of the first step.
    update: Function of t, η_t, the offset, the gradient and a state, which
      returns the change of the offset and the next state.
    state: Initial state of the updates.
  """
  number = functools.partial(tf.cast, dtype=offset.dtype)

  def step(t, offset, *state):
    with tf.GradientTape() as tape:
      tape.watch(offset)
      total = tf.reduce_sum(tf.reduce_mean(elbos(offset, t), axis=0))
    gradient = tape.gradient(total, offset)
    size = 0.5 * step_size * (
        1 + tf.cos(math.pi * number(t) / number(num_steps)))
    change, state = update(t, size, offset, gradient, state)
    return t + 1, offset + change, *state

  return tf.while_loop(lambda t, *_: t < num_steps, step, (0, offset, *state),
                       parallel_iterations=1)[1]


def _natural_update(model: LatentVariableModel, inputs: Any) -> Update:
  """Returns steps along the natural gradient."""
  _, encoded = model.draw_posterior(inputs, tfd.Distribution.mean)
  sizes = [unconstrained(q).shape[-1] for q in encoded.values()]

  def update(t, size, offset, gradient, state):
    del t
    directions = [
        natural_direction(moved(q, own), part, _LIMIT)
        for q, own, part in zip(
            encoded.values(), tf.split(offset, sizes, axis=-1),
            tf.split(gradient, sizes, axis=-1), strict=True)]
    return size * tf.concat(directions, axis=-1), state

  return update


def _mean_of_draws(values: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
                   offset: tf.Tensor) -> tf.Tensor:
  """Returns the mean over the gain's draws, in blocks, `[b]`."""
  block = draws_at_a_time(tf.shape(offset)[0])

  def body(first, total):
    count = tf.minimum(block, _GAIN_DRAWS - first)
    return first + block, total + tf.reduce_sum(values(first, count), axis=0)

  return tf.while_loop(
      lambda first, _: first < _GAIN_DRAWS, body,
      [0, tf.zeros_like(offset[:, 0])], parallel_iterations=1)[1] / _GAIN_DRAWS


def _check(**settings: float):
  for name, value in settings.items():
    if not value > 0:
      raise ValueError(f'`{name}` must be above 0. Received: {name}={value}')
