"""Files of arrays."""

import zipfile
import zlib

import numpy as np


def load_arrays(path: str) -> dict[str, np.ndarray]:
  """Returns the arrays of a `.npy` or `.npz` file.

  A `.npy` file is mapped into memory, so that an array can be larger than
  memory. The arrays of a `.npz` file are read.

  Args:
    path: Path of the file. Files with Python objects are refused, as reading
      them would run code.

  Raises:
    ValueError: If it is not such a file, or has Python objects.
  """
  try:
    found = np.load(path, mmap_mode='r', allow_pickle=False)
    if isinstance(found, np.ndarray):
      return {'x': found}
    with found:
      return {key: found[key] for key in found.files}
  except (ValueError, OSError, EOFError, zipfile.BadZipFile,
          zlib.error) as error:
    if 'pickle' in str(error).lower():
      raise ValueError(
          'The file has Python objects, and unpickling them would run code. '
          'Save numbers or strings: `np.savez(path, x=np.asarray(x, '
          f"'float32'))`. Received: name={path!r}") from error
    raise ValueError(f'The file cannot be read as NumPy arrays: {error}. '
                     f'Received: name={path!r}') from error
