"""Reductions over many draws of q(z|x) in constant memory."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import examples
from tfvae.inference import unpack_batch
from tfvae.layers import SeededSample
from tfvae.models import LatentVariableModel

# Draws that share a seed. They are inferred together, so that the draws do not
# depend on the number of them that are decoded at a time.
BLOCK_SIZE = 50


def reduce_over_draws(
    model: LatentVariableModel,
    quantities: Callable[..., Any],
    reduce: Callable[..., tf.Tensor],
    neutral: float,
    dataset: Any,
    num_samples: int,
    chunk_size: int,
    seed: int,
    jit_compile: bool,
    title: str | None = None,
) -> Any:
  """Reduces quantities over K draws of q(z|x), in float64.

  Draws are made in blocks of `BLOCK_SIZE`, each with its own seed. A loop over
  the blocks runs inside one compiled call for each batch. It is traced once for
  batches of all sizes.

  Args:
    model: Model of q(z|x).
    quantities: Function of a module, from the model, `chunk_size`, the inputs
      and the target of a batch, and a draw to nested tensors `[num_draws, b]`.
    reduce: `tf.reduce_sum`, `tf.reduce_logsumexp` or another such reduction.
    neutral: Neutral element of the reduction.
    dataset: Batches as `fit` takes them, or arrays; see `examples.as_dataset`.
    num_samples: K, at least 1.
    chunk_size: Draws to decode at a time; see `log_likelihood`.
    seed: Seed of the draws.
    jit_compile: Whether to compile with XLA.
    title: Title of the progress bar; None for no bar.

  Returns:
    Float64 arrays `[n]`, nested as the quantities are.
  """
  reduced = compiled(
      model, _reduced, quantities, reduce, neutral, chunk_size,
      min(BLOCK_SIZE, num_samples), jit_compile=jit_compile)
  k = tf.constant(num_samples)
  results = []
  for index, inputs in examples(
      model, dataset, title or '', title is not None, with_target=True):
    if not index and not tf.config.functions_run_eagerly():
      reduced = _of_any_size(reduced, inputs, tf.constant([seed, index]), k)
    results.append(tf.nest.map_structure(
        np.array, reduced(inputs, tf.constant([seed, index]), k)))
  return tf.nest.map_structure(lambda *rows: np.concatenate(rows), *results)


def _of_any_size(function: Callable[..., Any], batch: Any,
                 *arguments: tf.Tensor) -> Callable[..., Any]:
  """Returns a `tf.function` as traced for batches like this, of any size."""
  return function.get_concrete_function(
      tf.nest.map_structure(
          lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), batch),
      *(tf.TensorSpec.from_tensor(argument) for argument in arguments))


def _reduced(model, quantities, reduce, neutral, chunk_size, block, batch,
             seed, num_samples) -> Any:
  """Reduces the draws of one batch, `block` of them at a time."""
  inputs, target = unpack_batch(batch)

  def values(index):
    key = tf.random.experimental.stateless_fold_in(seed, index, alg='philox')
    return tf.nest.map_structure(
        lambda value: tf.cast(value, tf.float64),
        quantities(model, chunk_size, inputs, target,
                   SeededSample(key, block)))

  def body(index, totals):
    # The last block may hold draws beyond K.
    is_counted = index * block + tf.range(block) < num_samples

    def add(total, value):
      value = tf.where(is_counted[:, tf.newaxis], value, neutral)
      return reduce(tf.concat([total[tf.newaxis], value], axis=0), axis=0)

    return index + 1, tf.nest.map_structure(add, totals, values(index))

  first = values(0)
  # In a loop, `first` serves as the structure alone, and is not computed.
  neutrals = tf.fill(tf.shape(tf.nest.flatten(inputs)[0])[:1],
                     tf.cast(neutral, tf.float64))
  start = tf.nest.map_structure(lambda value: neutrals, first)
  if block < BLOCK_SIZE:  # Then K is the size of the only block.
    return tf.nest.map_structure(
        lambda total, value: reduce(
            tf.concat([total[tf.newaxis], value], axis=0), axis=0),
        start, first)
  return tf.while_loop(
      lambda index, _: index * block < num_samples, body, [0, start],
      parallel_iterations=1)[1]  # Parallel iterations would need more memory.


def log_likelihood(
    model: LatentVariableModel,
    latents: Mapping[str, tf.Tensor],
    target: tf.Tensor,
    inputs: Any,
    chunk_size: int,
) -> tf.Tensor:
  """Returns log p(x|z) of n draws, decoding a chunk of them at a time.

  Args:
    model: Model of p(x|z).
    latents: Tensors `[n, b, size]` by name, or `[classes, n, b, size]`.
    target: x that p(x|z) explains, `[b, *event_shape]`.
    inputs: Batch of x, or a dictionary of 'x' and 'y'.
    chunk_size: Draws of each example to decode at a time, at most.

  Returns:
    A tensor `[n, b]` or `[classes, n, b]`, in nats.
  """
  latents = model.parents_of_x(latents)
  shape = next(iter(latents.values())).shape
  if shape.rank == 4:  # The classes are draws of their own.
    parts = log_likelihood(
        model, {name: tf.reshape(z, [shape[0] * shape[1], *_sizes(z)[2:]])
                for name, z in latents.items()}, target, inputs, chunk_size)
    return tf.reshape(parts, [*shape[:2], _sizes(parts)[1]])
  n = next(iter(latents.values())).shape[0]
  num_chunks = -(-n // chunk_size)
  if num_chunks == 1:
    return model.log_likelihood(latents, target, inputs)
  size = -(-n // num_chunks)  # Of equal chunks; the last one is padded.
  chunks = {
      name: tf.reshape(
          tf.pad(z, [[0, num_chunks * size - n], [0, 0], [0, 0]]),
          [num_chunks, size, tf.shape(z)[1], z.shape[2]])
      for name, z in latents.items()}
  parts = tf.map_fn(
      lambda chunk: model.log_likelihood(chunk, target, inputs), chunks,
      parallel_iterations=1, fn_output_signature=tf.float32)
  return tf.reshape(parts, [num_chunks * size, tf.shape(parts)[2]])[:n]


def _sizes(values: tf.Tensor) -> list[Any]:
  """Returns the shape; a tensor for each size that is unknown."""
  return [tf.shape(values)[axis] if size is None else size
          for axis, size in enumerate(values.shape)]
