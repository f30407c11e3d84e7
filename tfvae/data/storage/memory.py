"""Memory shared by arrays and tensors, and a check that it suffices."""

from collections.abc import Sequence
import math
import os

import numpy as np
import tensorflow as tf

_ALIGNMENT = 64  # Bytes, of the memory of TensorFlow's tensors.
# Of images, and of labels as the model takes them.
_SHARED_DTYPES = (np.uint8, np.float32)

# TensorFlow itself, and temporary memory while images are read and drawn.
_PROGRAM_BYTES = 2**30


def check_memory(num_bytes: int, received: str) -> None:
  """Raises a ValueError unless images fit in the physical memory.

  Args:
    num_bytes: Bytes that are held at once.
    received: End of the message.
  """
  # All of it, not SC_AVPHYS_PAGES, which counts the file cache as used.
  present = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
  if num_bytes + _PROGRAM_BYTES > present:
    room = max(0, present - _PROGRAM_BYTES)
    percent = max(1, 50 * room // num_bytes)  # Half for the rest of training.
    raise ValueError(
        'The images do not fit in memory: they need '
        f'{num_bytes / 2**30:.1f} GiB and the program 1 GiB, and this machine '
        f"has {present / 2**30:.1f} GiB. Keep them on disk with `cache='disk'`,"
        ' or read a part of each split, as in '
        f"`train_split='train[:{percent}%]'`. Received: {received}")


def aligned_empty(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
  """Returns an uninitialized array whose memory a tensor can share.

  After filling it, call `array.setflags(write=False)`; only a read-only array
  is shared by `as_tensor`.

  Args:
    shape: Shape of the array.
    dtype: np.uint8 or np.float32.
  """
  size = math.prod(shape) * np.dtype(dtype).itemsize
  memory = np.empty(size + _ALIGNMENT, np.uint8)
  start = -memory.ctypes.data % _ALIGNMENT
  return memory[start:start + size].view(dtype).reshape(shape)


def as_tensor(values: np.ndarray, device: str = 'CPU') -> tf.Tensor:
  """Returns a tensor of an array, sharing its memory where possible.

  `tf.convert_to_tensor` copies an array, and needs the memory of a second copy
  while it does.

  Args:
    values: Array. On the CPU the memory of a read-only array of
      `aligned_empty`, or of its first rows, is shared; other arrays are copied
      once.
    device: Device of the tensor.
  """
  if values.dtype not in _SHARED_DTYPES:
    with tf.device(device):
      return tf.convert_to_tensor(values)
  if not _is_shared(values):
    copied = aligned_empty(values.shape, values.dtype)
    copied[...] = values
    values = copied
  writable = values.view()
  writable.setflags(write=True)  # NumPy's DLPack has no read-only arrays.
  tensor = tf.experimental.dlpack.from_dlpack(writable.__dlpack__())
  if device == 'CPU':
    return tensor
  with tf.device(device):
    return tf.identity(tensor)


def _is_shared(values: np.ndarray) -> bool:
  """Returns whether this is a read-only array of `aligned_empty`."""
  return (not values.flags.writeable and values.flags.c_contiguous
          and values.ctypes.data % _ALIGNMENT == 0
          and isinstance(values.base, np.ndarray)
          and values.base.flags.writeable)
