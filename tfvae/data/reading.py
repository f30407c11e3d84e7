"""Reading of whole files of arrays, as a model sees them."""

import numpy as np

from tfvae.data.binarization import unit_interval
from tfvae.data.sources.arrays.array_data import ArrayData
from tfvae.data.sources.arrays.files import load_arrays
from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.splits.in_memory import split_in_memory
from tfvae.data.storage.stored_images import stored


def read_array(path: str, image_key: str = 'image', mask_key: str | None = None,
               label_key: str | None = None, as_counts: bool = False,
               missing_labels: bool = False
               ) -> tuple[np.ndarray, np.ndarray | None]:
  """Reads all x of a file as a model sees them, and their labels.

  Args:
    path: Path of a `.npy` or `.npz` file.
    image_key: Name of the array of x; see `load`.
    mask_key: Name of the array that is true where x is observed, or None.
    label_key: Name of the array of labels, or None; see `load`.
    as_counts: Whether integers are counts, and not pixels.
    missing_labels: Whether labels may be missing; see `load`.

  Returns:
    The x of all parts, float32 `[n, ...]`, NaN where a value is missing; and
    names of their labels, `[n]`, '' where one is missing, or None where there
    are none.

  Raises:
    ValueError: If the file cannot be read, or the arrays do not fit together.
  """
  found = ArrayData(path, load_arrays(path), image_key, label_key,
                    missing='allow', mask_key=mask_key,
                    missing_labels=missing_labels)
  source = found.source('all', RowNumbers.joined(found.parts.values()))
  source.allows_missing = True
  split = split_in_memory(source)
  images = stored(split.images)
  x = images[:] if as_counts else unit_interval(images.full_range()[:]).numpy()
  labels = None if source.label is None else np.where(
      split.labels < 0, '', np.array(source.label.names)[split.labels])
  return np.float32(x), labels
