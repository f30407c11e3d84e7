"""Seeds of rows by their names.

This module imports NumPy alone, so that a worker without tfvae can run it.
"""

from collections.abc import Sequence
import hashlib

import numpy as np


def row_seeds(ids: Sequence[int] | Sequence[str] | np.ndarray,
              seed: int = 0) -> np.ndarray:
  """Returns the seed of each row for the draws of a signature.

  A row has the same seed in any batch, on any machine and in any order. The
  number of an integer i is (i XOR (i >> 31)) AND (2³¹ − 1), which is i itself
  below 2³¹; that of a string is its BLAKE2b digest of four bytes, as a number
  with the first byte first, AND (2³¹ − 1).

  Args:
    ids: Integers or strings that name the rows, `[b]`.
    seed: Seed of all rows, at least 0.

  Returns:
    Rows of (seed, number), int32 `[b, 2]`.
  """
  ids = np.asarray(ids)
  if ids.dtype.kind in 'iu':
    wide = ids.astype(np.int64)
    numbers = (wide ^ (wide >> 31)) & (2**31 - 1)
  else:
    numbers = np.array([
        int.from_bytes(hashlib.blake2b(
            str(name).encode(), digest_size=4).digest(), 'big') & (2**31 - 1)
        for name in ids], np.int64)
  seeds = np.empty([len(ids), 2], np.int32)
  seeds[:, 0], seeds[:, 1] = seed, numbers
  return seeds
