"""Fixed bits: images that are binarized once, in memory or in a file."""

from collections.abc import Iterator
import zlib

import numpy as np
import tensorflow as tf

from tfvae.data.binarization.draws import whole_block_draw
from tfvae.data.storage.memory import aligned_empty
from tfvae.data.storage.memory import as_tensor
from tfvae.data.storage.memory import check_memory
from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import is_in_memory
from tfvae.data.storage.stored_images import stored
from tfvae.data.storage.stored_images import StoredImages

# Number of pixels in a chunk of fixed bits: 16 MiB of float32.
_CHUNK_PIXELS = 2**22

# Random stream of static training; see `evaluation_stream`.
_STATIC_STREAM = 0


def fixed_binarization(images: Images, seed: int,
                       split: str = 'test') -> Images:
  """Binarizes images once, for every evaluation of them.

  The bits of image i are a function of the seed, the name of the split, i and
  the pixels: the first thousand images get the same bits alone as among ten
  thousand. Splits with different names share no random number.

  Args:
    images: Gray images, uint8, or floating in [0, 1], `[n, ...]`.
    seed: Integer.
    split: Name of the split. A run evaluates 'train', 'validation' and 'test'.

  Returns:
    Zeros and ones, uint8, of the shape of `images`; float32 if values are
    missing, which stay NaN. They are a read-only array, or for `FileImages`,
    images in a file next to theirs.

  Raises:
    ValueError: If the bits do not fit in memory with the images.
  """
  return _binarized(images, seed, evaluation_stream(split))


def static_binarization(images: Images, seed: int) -> Images:
  """Binarizes training images once, for `binarization='static'`.

  Args:
    images: Gray images, as for `fixed_binarization`.
    seed: Integer, the seed of the training. Evaluations share none of its bits.

  Returns:
    Zeros and ones, as `fixed_binarization` returns them.

  Raises:
    ValueError: If the bits do not fit in memory with the images.
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
  """Returns the number of images in a chunk of fixed bits."""
  return max(1, _CHUNK_PIXELS // max(1, int(np.prod(images.shape[1:]))))


def fixed_draw(images: tf.Tensor, seed: int, stream: int,
               chunk: tf.Tensor) -> tf.Tensor:
  """Draws the fixed bits of a chunk of images, float32.

  Args:
    images: Images of the chunk, on the scale of `full_range`.
    seed: Integer.
    stream: Number of the random stream; see `evaluation_stream`.
    chunk: Number of the chunk in the split, int64.
  """
  return whole_block_draw(images, evaluation_key(seed, stream, chunk))


def evaluation_key(seed: int, stream: int, chunk: tf.Tensor) -> tf.Tensor:
  """Returns the seed of the fixed bits of a chunk, int64 `[2]`."""
  # The second word is negative; that of training_steps.py is positive.
  return tf.stack([tf.cast(seed, tf.int64), -1 - stream * 2**32 - chunk])


def _binarized(images: Images, seed: int, stream: int) -> Images:
  """Returns the fixed bits of a stream, in memory or in a file."""
  gray = stored(images).full_range()
  dtype = np.dtype(np.float32 if gray.has_holes else np.uint8)
  if not is_in_memory(images):
    # Versions without streams named all files of fixed bits 'bits-{seed}', with
    # the content of static training.
    name = f'bits-{seed}' + (f'-{stream}' if stream != _STATIC_STREAM else '')
    return gray.converted(
        name, lambda gray: _fixed_bits(gray, seed, stream, dtype), dtype)
  check_memory(images.nbytes + images.size * dtype.itemsize, 'fixed bits of '
               f'{len(images):,} images of shape {images.shape[1:]}')
  bits, done = aligned_empty(images.shape, dtype), 0
  for chunk in _fixed_bits(gray, seed, stream, dtype):
    bits[done:done + len(chunk)] = chunk
    done += len(chunk)
  bits.setflags(write=False)
  return bits


def _fixed_bits(images: StoredImages, seed: int, stream: int,
                dtype: np.dtype) -> Iterator[np.ndarray]:
  """Yields the fixed bits in chunks."""
  count = fixed_chunk(images)
  for chunk, start in enumerate(range(0, len(images), count)):
    with tf.device('CPU'):
      gray = as_tensor(images[start:start + count])
      bits = fixed_draw(gray, seed, stream, tf.constant(chunk, tf.int64))
    yield bits.numpy().astype(dtype)
