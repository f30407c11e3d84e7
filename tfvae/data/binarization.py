"""Grey pixels as the probabilities of binary ones.

A pixel x is read as the probability that a binary pixel is one: x / 255 for
uint8, x itself for floating images in [0, 1]. `dynamic` draws anew in every
epoch, `static` draws once, `none` keeps the grey value.

Reference: R. Salakhutdinov and I. Murray, On the Quantitative Analysis of Deep
Belief Networks, ICML 2008; Y. Burda, R. Grosse and R. Salakhutdinov,
Importance Weighted Autoencoders, ICLR 2016 (the dynamic form).
"""

from collections.abc import Iterator
import zlib

import numpy as np
import tensorflow as tf

from tfvae.data.storage.memory import aligned_empty
from tfvae.data.storage.memory import as_tensor
from tfvae.data.storage.memory import check_memory
from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import is_in_memory
from tfvae.data.storage.stored_images import stored
from tfvae.data.storage.stored_images import StoredImages

BINARIZATIONS = ('dynamic', 'static', 'none')

# Fixed bits are drawn for this many pixels at a time: 16 MiB of float32.
_CHUNK_PIXELS = 2**22

# The stream of the bits that static training draws; see `evaluation_stream`.
_STATIC_STREAM = 0


def unit_interval(images: tf.Tensor) -> tf.Tensor:
  """Returns x / 255 of uint8 images, x of floating ones, as float32."""
  values = tf.cast(images, tf.float32)
  return values / 255. if images.dtype == tf.uint8 else values


def bernoulli_draw(images: tf.Tensor, seed: tf.Tensor,
                   start: tf.Tensor | int = 0) -> tf.Tensor:
  """Draws every pixel as Bernoulli(x), from 16 random bits.

  With u uniform on {0, ..., 65535}, a pixel is one where

    u < (65536 x + 127) // 255    (uint8),
    u < floor(65536 x + 1/2)      (floating),

  so its probability is off by at most 2^-17, and 0 is never and 255 (or 1.0)
  always one. The draw is a function of `images` and `seed` alone, the same
  eagerly, in a graph and under XLA.

  Args:
    images: uint8, or floating in [0, 1], of any shape.
    seed: int32 or int64 `[2]`.
    start: draws what these images get behind so many others of their shape:
      rows `start` to `end` of a batch drawn whole are those drawn by
      themselves. Under XLA it has to follow from the shape of a tensor.

  Returns:
    Zeros and ones, float32, of the shape of `images`.
  """
  skipped = start * tf.size(images[:1])
  return _draw(images, _halves_of_blocks(
      skipped + tf.size(images), seed)[skipped:])


def _draw(images: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
  """Draws pixels by as many u, uint16; see `bernoulli_draw`."""
  noise = tf.cast(noise, tf.float32)
  pixels = tf.cast(tf.reshape(images, [-1]), tf.float32)
  # In float32, which takes a quarter less time than int32 and is as exact: in
  # units of 2^-16 (2^-17 below) every term is an integer of at most 24 bits.
  if images.dtype == tf.uint8:
    # u < (65536 x + 127) // 255  <=>  255 u + 127 < 65536 x
    ones = noise * (255 / 65536) + 127 / 65536 < pixels
  else:
    # u < floor(65536 x + 1/2)  <=>  u + 1/2 <= 65536 x
    ones = noise / 65536 + 0.5 / 65536 <= pixels
  return tf.reshape(tf.cast(ones, tf.float32), tf.shape(images))


def fixed_binarization(images: Images, seed: int,
                       split: str = 'test') -> Images:
  """Binarizes images once, for every evaluation of them.

  The bits of image i are a function of the seed, the split's name, i and the
  image's pixels: the first thousand images get the same bits alone as among
  ten thousand. Splits with different names share no random number.

  Args:
    images: Grey images, uint8, or floating in [0, 1], `[n, ...]`.
    seed: Integer, `--eval_seed` of a run.
    split: Name of the split. A run evaluates 'train', 'validation' and 'test'.

  Returns:
    Zeros and ones, uint8, of the shape of `images`, read-only; of `FileImages`,
    in a file beside theirs.

  Raises:
    ValueError: If they do not fit in memory with the images.
  """
  return _binarized(images, seed, evaluation_stream(split))


def static_binarization(images: Images, seed: int) -> Images:
  """Binarizes training images once, for `binarization='static'`.

  Args:
    images: Grey images, as for `fixed_binarization`.
    seed: Integer, that of the training. Evaluations share none of its bits.

  Returns:
    Zeros and ones, as `fixed_binarization` returns them.

  Raises:
    ValueError: If they do not fit in memory with the images.
  """
  return _binarized(images, seed, _STATIC_STREAM)


def evaluation_stream(split: str) -> int:
  """Returns the number of the random stream that evaluates a split.

  Args:
    split: Name of the split.

  Returns:
    1 + (CRC-32 of the name mod 2^30): the same on every machine, and never 0,
    the stream of static training.
  """
  return 1 + zlib.crc32(split.encode()) % 2**30


def fixed_chunk(images: Images) -> int:
  """Returns the number of images whose fixed bits are drawn at a time."""
  return max(1, _CHUNK_PIXELS // max(1, int(np.prod(images.shape[1:]))))


def fixed_draw(images: tf.Tensor, seed: int, stream: int,
               chunk: tf.Tensor) -> tf.Tensor:
  """Draws the fixed bits of a chunk of images, float32.

  Args:
    images: Images of the chunk, on the scale of `full_range`.
    seed: Integer.
    stream: Number of the random stream, see `evaluation_stream`.
    chunk: Number of the chunk in the split, int64.
  """
  # Dynamic draws use seeds whose second word is positive: see pipeline.py.
  key = tf.stack([tf.cast(seed, tf.int64), -1 - stream * 2**32 - chunk])
  return _draw(images, _whole_blocks(tf.size(images), key))


def _binarized(images: Images, seed: int, stream: int) -> Images:
  """Returns the fixed bits of a stream, in memory or in a file."""
  grey = stored(images).full_range()
  if not is_in_memory(images):
    # Before there were streams, all files of fixed bits were 'bits-{seed}', and
    # held what static training still draws.
    name = f'bits-{seed}' + (f'-{stream}' if stream != _STATIC_STREAM else '')
    return grey.converted(name, lambda grey: _fixed_bits(grey, seed, stream))
  check_memory(images.nbytes + images.size, 'fixed bits of '
               f'{len(images):,} images of shape {images.shape[1:]}')
  bits, done = aligned_empty(images.shape, np.uint8), 0
  for chunk in _fixed_bits(grey, seed, stream):
    bits[done:done + len(chunk)] = chunk
    done += len(chunk)
  bits.setflags(write=False)
  return bits


def _fixed_bits(images: StoredImages, seed: int,
                stream: int) -> Iterator[np.ndarray]:
  """Yields the fixed bits, uint8, chunk after chunk."""
  count = fixed_chunk(images)
  for chunk, start in enumerate(range(0, len(images), count)):
    with tf.device('CPU'):
      grey = as_tensor(images[start:start + count])
      bits = fixed_draw(grey, seed, stream, tf.constant(chunk, tf.int64))
    yield bits.numpy().astype(np.uint8)


def check_support(images: Images, binarization: str) -> None:
  """Checks that a Bernoulli likelihood is defined on the images it will see.

  It is defined on 0 and 1 alone. 'dynamic' and 'static' yield these from any
  image; with 'none' the pixels have to be 0 or 1 already: 0 or 255 in uint8
  (or 0 or 1, where no pixel is above 1), 0.0 or 1.0 in floating images.

  Args:
    images: uint8 or floating array of any shape, or stored images.
    binarization: one of `BINARIZATIONS`.

  Raises:
    ValueError: with 'none', if a pixel is neither 0 nor 1.
  """
  check_binarization(binarization)
  if binarization != 'none':
    return
  images = stored(images).full_range()
  one = 255 if images.dtype == np.uint8 else 1.
  num_grey, first = 0, None
  for chunk in images.chunks():
    grey = (chunk != 0) & (chunk != one)
    num_grey += np.count_nonzero(grey)
    if first is None and grey.any():
      first = chunk[grey][0]
  if num_grey:
    raise ValueError(
        'A Bernoulli likelihood needs pixels that are 0 or 1, and '
        f'{num_grey / np.prod(images.shape):.1%} of these are grey. Pass '
        '--binarization=dynamic or --binarization=static, or choose a '
        'likelihood of grey pixels. Received: '
        f'binarization={binarization!r}, images with a pixel of {first} on a '
        f'scale of 0 to {one}')


def check_binarization(binarization: str) -> None:
  """Raises a ValueError unless `binarization` is one of `BINARIZATIONS`."""
  if binarization not in BINARIZATIONS:
    raise ValueError(
        f'binarization must be one of {", ".join(BINARIZATIONS)}. '
        f'Received: binarization={binarization!r}')


def _halves_of_blocks(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Returns `count` uniform uint16 numbers, four from each block of Philox.

  A block is 128 bits. XLA on a CPU computes a block anew for every word that is
  used of it, one after the other. Where a slice takes the same word of each it
  computes many at a time: half the bits, in far less time than all.
  """
  blocks = (count + 3) // 4
  # The algorithm is named because the default depends on the device, and under
  # XLA on a CPU takes forty times as long.
  words = tf.random.stateless_uniform(
      [blocks, 2], seed, minval=None, maxval=None, dtype=tf.uint64,
      alg='philox')[:, 0]
  # Always one, which XLA does not know. What is divided it computes once, and
  # not anew for each of the four numbers in every loop that reads them.
  one = tf.cast(tf.bitwise.bitwise_or(seed[1], 1) != 0, tf.uint64)
  return tf.reshape(tf.bitcast(words // one, tf.uint16), [-1])[:count]


def _whole_blocks(count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
  """Returns `count` uniform uint16 numbers, eight from each block of Philox."""
  words = tf.random.stateless_uniform(
      [(count + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32,
      alg='philox')
  return tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:count]
