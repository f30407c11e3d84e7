"""Random numbers as a function of a key and a counter: Threefry-2x32.

TensorFlow's own generators take one key for all numbers that an operation
draws. Here each number has a key, so that the rows of a batch can have their
own. The generator consists of integer operations of TensorFlow, which run in
TensorFlow Serving and under XLA.

Reference: J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, Parallel
Random Numbers: As Easy as 1, 2, 3, 2011.
"""

import math

import tensorflow as tf

Words = tuple[tf.Tensor, tf.Tensor]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_INJECTIONS = 5  # Of the key, one after every four rounds.
_PACKET = 16  # Float32 numbers of the widest vector instructions.


def threefry2x32(key: Words, counter: Words) -> Words:
  """Returns two random words of 32 bits for each key and counter, 20 rounds.

  Args:
    key: Two uint32 tensors.
    counter: Two uint32 tensors that broadcast with the key.

  Returns:
    Two uint32 tensors of the broadcast shape.
  """
  xor = tf.bitwise.bitwise_xor
  keys = (*key, xor(xor(*key), _word(_PARITY)))
  x, y = counter[0] + keys[0], counter[1] + keys[1]
  for i in range(_INJECTIONS):
    for bits in _ROTATIONS[i % 2]:
      x += y
      y = xor(x, _rotated(y, bits))
    x += keys[(i + 1) % 3]
    y += keys[(i + 2) % 3] + _word(i + 1)
  return x, y


def uniform(word: tf.Tensor) -> tf.Tensor:
  """Returns numbers in (0, 1], float32, of uint32 words of any shape."""
  # 31 bits, since TensorFlow converts signed integers faster.
  bits = tf.bitcast(tf.bitwise.right_shift(word, _word(1)), tf.int32)
  return (tf.cast(bits, tf.float32) + 0.5) * 2.0**-31


def normals(words: Words) -> Words:
  """Returns two independent draws of N(0, 1) of each pair of words, float32.

    (ε_1, ε_2) = √(−2 log u) (cos θ, sin θ),  θ = 2π v,

  with u and v uniform; Box and Muller, A Note on the Generation of Random
  Normal Deviates, 1958. The last bit does not depend on the number of words.

  Args:
    words: Two uint32 tensors of the same shape.
  """
  shape, n = tf.shape(words[0]), tf.size(words[0])
  # TensorFlow computes logarithms and sines of what is left over from whole
  # vectors by other routines, which differ in the last bit.
  first, second = (
      tf.pad(tf.reshape(word, [-1]), [[0, -n % _PACKET]]) for word in words)
  radius = tf.sqrt(-2.0 * tf.math.log(uniform(first)))
  angle = tf.cast(tf.bitcast(second, tf.int32), tf.float32) * (
      2 * math.pi * 2.0**-32)
  return tuple(
      tf.ensure_shape(tf.reshape((radius * part(angle))[:n], shape),
                      words[0].shape) for part in (tf.cos, tf.sin))


def _rotated(word: tf.Tensor, bits: int) -> tf.Tensor:
  """Returns words rotated to the left."""
  return tf.bitwise.bitwise_or(
      tf.bitwise.left_shift(word, _word(bits)),
      tf.bitwise.right_shift(word, _word(32 - bits)))


def _word(value: int) -> tf.Tensor:
  return tf.constant(value, tf.uint32)
