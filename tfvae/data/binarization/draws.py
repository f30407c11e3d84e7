"""Draws of binary pixels, as pure functions of the images and a seed."""

import tensorflow as tf


def unit_interval(images: tf.Tensor) -> tf.Tensor:
  """Returns float32: x / 255 of uint8 images, x of floating images."""
  values = tf.cast(images, tf.float32)
  return values / 255. if images.dtype == tf.uint8 else values


def bernoulli_draw(images: tf.Tensor, seed: tf.Tensor,
                   start: tf.Tensor | int = 0) -> tf.Tensor:
  """Draws every pixel from Bernoulli(x), with 16 random bits.

  With u uniform on {0, ..., 65535}, a pixel is one where

    u < (65536 x + 127) // 255    (uint8),
    u < floor(65536 x + 1/2)      (floating).

  The error of its probability is at most 2^-17; 0 is never one, and 255 (or
  1.0) is always one. The draw is a function of `images` and `seed`, the same
  eagerly, in a graph and under XLA. NaN, a missing value, stays NaN.

  Args:
    images: Images, uint8, or floating in [0, 1], of any shape.
    seed: Seed, int32 or int64 `[2]`.
    start: Place of the first image in a larger batch: rows `start` to `end` of
      a batch that is drawn whole equal those drawn alone. Under XLA it must be
      computed from the shape of a tensor.

  Returns:
    Zeros and ones, and NaN where a floating image has it, float32, of the
    shape of `images`.
  """
  skipped = start * tf.size(images[:1])
  return _draw(images, _halves_of_blocks(
      skipped + tf.size(images), seed)[skipped:])


def whole_block_draw(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Draws as `bernoulli_draw`, from all bits of each block of the generator."""
  return _draw(images, _whole_blocks(tf.size(images), seed))


def _draw(images: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
  """Draws pixels by as many u, uint16; see `bernoulli_draw`."""
  noise = tf.cast(noise, tf.float32)
  pixels = tf.cast(tf.reshape(images, [-1]), tf.float32)
  # float32 takes a quarter less time than int32 and is exact: in units of 2^-16
  # (2^-17 below), every term is an integer of at most 24 bits.
  if images.dtype == tf.uint8:
    # u < (65536 x + 127) // 255  <=>  255 u + 127 < 65536 x
    bits = tf.cast(noise * (255 / 65536) + 127 / 65536 < pixels, tf.float32)
  else:
    # u < floor(65536 x + 1/2)  <=>  u + 1/2 <= 65536 x
    bits = tf.cast(noise / 65536 + 0.5 / 65536 <= pixels, tf.float32)
    bits = tf.where(tf.math.is_nan(pixels), pixels, bits)
  return tf.reshape(bits, tf.shape(images))


def _halves_of_blocks(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Returns `count` uniform uint16 numbers, four from each block of Philox.

  A block is 128 bits. On a CPU, XLA computes a block again for every word that
  is used of it, one block at a time. With a slice that takes the same word of
  each block, it computes many blocks at a time: half the bits in a fraction of
  the time for all.
  """
  blocks = (count + 3) // 4
  # The default algorithm depends on the device, and takes forty times as long
  # under XLA on a CPU.
  words = tf.random.stateless_uniform(
      [blocks, 2], seed, minval=None, maxval=None, dtype=tf.uint64,
      alg='philox')[:, 0]
  # Always one, which XLA does not know. It computes the quotient once, instead
  # of again for each of the four numbers in every loop that reads them.
  one = tf.cast(tf.bitwise.bitwise_or(seed[1], 1) != 0, tf.uint64)
  return tf.reshape(tf.bitcast(words // one, tf.uint16), [-1])[:count]


def _whole_blocks(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Returns `count` uniform uint16 numbers, eight from each block of Philox."""
  words = tf.random.stateless_uniform(
      [(count + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32,
      alg='philox')
  return tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:count]
