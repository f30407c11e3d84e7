"""Memory that an array and a tensor share, and whether there is enough."""

from collections.abc import Sequence
import math
import os

import numpy as np
import tensorflow as tf

_ALIGNMENT = 64  # In bytes, of the memory of TensorFlow's tensors.
# Of images, and of labels as the model takes them.
_SHARED_DTYPES = (np.uint8, np.float32)

# TensorFlow's own, and what reading and drawing the images takes for a moment.
_PROGRAM_BYTES = 2**30


def check_memory(num_bytes: int, received: str) -> None:
  """Raises a ValueError unless images fit in the physical memory.

  Args:
    num_bytes: that are held at once.
    received: ends the message.
  """
  # All of it, not SC_AVPHYS_PAGES: that counts the file cache as taken.
  present = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
  if num_bytes + _PROGRAM_BYTES > present:
    room = max(0, present - _PROGRAM_BYTES)
    percent = max(1, 50 * room // num_bytes)  # Half for the rest of training.
    raise ValueError(
        'The images do not fit in memory: they need '
        f'{num_bytes / 2**30:.1f} GiB and the program one, and this machine '
        f'has {present / 2**30:.1f}. Keep them on the disk, by --cache=disk, '
        'or read a part of each split, as in '
        f"--train_split='train[:{percent}%]'. Received: {received}")


def aligned_empty(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
  """Returns an array without content, whose memory a tensor can share.

  Once it is filled, `array.setflags(write=False)` is the promise that it stays
  as it is, on which `as_tensor` shares it.

  Args:
    shape: of the array.
    dtype: np.uint8 or np.float32.
  """
  size = math.prod(shape) * np.dtype(dtype).itemsize
  memory = np.empty(size + _ALIGNMENT, np.uint8)
  start = -memory.ctypes.data % _ALIGNMENT
  return memory[start:start + size].view(dtype).reshape(shape)


def as_tensor(values: np.ndarray, device: str = 'CPU') -> tf.Tensor:
  """Returns a tensor of an array, which shares its memory where it can.

  `tf.convert_to_tensor` copies an array, and holds another copy meanwhile.

  Args:
    values: the array. The first rows of one of `aligned_empty` that is
      read-only are shared on the CPU; all else is copied once.
    device: to hold the tensor.
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
  """Returns whether an array is one of `aligned_empty` that stays as it is."""
  return (not values.flags.writeable and values.flags.c_contiguous
          and values.ctypes.data % _ALIGNMENT == 0
          and isinstance(values.base, np.ndarray)
          and values.base.flags.writeable)
