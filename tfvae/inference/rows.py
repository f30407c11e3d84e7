"""Seeds of rows, computed from their ids.

A row has the same seed, and so the same draws, in every batch, file and
process. The module needs NumPy alone, so that a worker without tfvae can have
a copy of it.
"""

from collections.abc import Iterable
import hashlib
import numbers

import numpy as np

_BITS = 31  # Bits of an int32 without its sign.
_MASK = 2**_BITS - 1


def row_seeds(ids: Iterable[int | str], seed: int = 0) -> np.ndarray:
  """Returns the seed of each row for a signature such as `score`.

  The first number is `seed`, the second one is computed from the id:

  - of an integer, its lower 31 bits, combined with the bits above them by
    exclusive or: (id ^ id >> 31) & (2³¹ − 1), which is the id itself for
    0 ≤ id < 2³¹;
  - of a string, the first four bytes of the BLAKE2b digest of that length of
    its UTF-8 code, big-endian, without the highest bit.

  Rows of different ids may share a seed. Among n strings, about n² / 2³² pairs
  do.

  Args:
    ids: Integers or strings, `[b]`.
    seed: Seed of all rows, from 0 to 2³¹ − 1.

  Returns:
    Seeds, int32 `[b, 2]`.

  Raises:
    ValueError: If an id is neither an integer nor a string in Unicode, or
      `seed` is outside its range.
  """
  if not 0 <= seed <= _MASK:
    raise ValueError(f'`seed` must be from 0 to {_MASK}. Received: seed={seed}')
  is_array = isinstance(ids, np.ndarray) and ids.dtype.kind in 'iu'
  seconds = _folded(ids.astype(np.uint64 if ids.dtype.kind == 'u' else np.int64)
                    ) if is_array else [_number(value) for value in ids]
  seeds = np.empty([len(seconds), 2], np.int32)
  seeds[:, 0] = seed
  seeds[:, 1] = seconds
  return seeds


def _folded(value: int | np.ndarray) -> int | np.ndarray:
  return (value ^ value >> _BITS) & _MASK


def _number(value: int | str) -> int:
  """Returns the number of an id, from 0 to 2³¹ − 1."""
  if isinstance(value, numbers.Integral) and not isinstance(value, bool):
    return _folded(int(value))
  try:
    digest = hashlib.blake2b(value.encode('utf-8'), digest_size=4).digest()
  except (AttributeError, UnicodeEncodeError) as error:
    raise ValueError('An id must be an integer or a string in Unicode. '
                     f'Received: id={value!r}') from error
  return int.from_bytes(digest, 'big') & _MASK
