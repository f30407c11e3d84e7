"""One split of a data set: images with their labels and factors."""

import dataclasses

import numpy as np

from tfvae.data.sources.source import Source
from tfvae.data.storage.stored_images import Images
from tfvae.data.storage.stored_images import is_in_memory


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images and, if the data set has them, their labels and factors.

  Attributes:
    images: Images `[n, height, width, channels]`, uint8, or float32 in [0, 1],
      or other numbers, float32; NaN is a missing value. They are an array,
      which is read-only as tensors share its memory, or `StoredImages`, which
      are read when they are needed.
    labels: Labels, int64 `[n]`, −1 where they are missing; or None.
    factors: Generative factors, int64 `[n, f]`, one column each, or None.
    weights: Sample weights, float32 `[n]`, or None.
  """

  images: Images
  labels: np.ndarray | None = None
  factors: np.ndarray | None = None
  weights: np.ndarray | None = None

  @classmethod
  def of(cls, source: Source, images: Images, integers: np.ndarray) -> 'Split':
    """Returns a split of a source.

    Args:
      source: Source of the images.
      images: Images, `[n, height, width, channels]`.
      integers: Label and factors, int64 `[n, k]` in the order of
        `source.integer_keys`.
    """
    columns = [source.integer_keys.index(key) for key in source.factors]
    return cls(images, integers[:, 0].copy() if source.label else None,
               integers[:, columns] if columns else None)

  def one_hot(self, num_classes: int,
              may_be_missing: bool = False) -> np.ndarray:
    """Returns the labels as float32 `[n, num_classes]`.

    Args:
      num_classes: Number of classes, the labels 0, ..., num_classes - 1.
      may_be_missing: Whether a label may be −1, whose row is zeros.

    Raises:
      ValueError: If there are no labels, or a label is not one of the classes.
    """
    self.check_labels(num_classes, may_be_missing=may_be_missing)
    rows = np.eye(num_classes + 1, num_classes, dtype=np.float32)
    return rows[self.labels]  # The last row, of −1, is zeros.

  def check_labels(self, num_classes: int, name: str = 'the images',
                   may_be_missing: bool = False) -> None:
    """Raises a ValueError unless each image has one of the classes.

    Args:
      num_classes: Number of classes, the labels 0, ..., num_classes - 1.
      name: Name of the images in the message.
      may_be_missing: Whether a label may be −1, which stands for none.
    """
    if self.labels is None:
      raise ValueError(
          'A conditional model needs labels. Set `label_key` to their feature, '
          f'or choose a model without y. Received: {name} without labels')
    wrong = (self.labels < -may_be_missing) | (self.labels >= num_classes)
    if not wrong.any():
      return
    count, fault = np.count_nonzero(wrong), 'outside the classes'
    if (self.labels[wrong] == -1).all():  # The convention of TFDS.
      fault = '-1, which means unlabeled'
    raise ValueError(
        f'A conditional model needs one of the classes 0 to {num_classes - 1} '
        f'for each image. Labels that are {fault}: {count:,} of {len(wrong):,} '
        f'of {name}. Choose a split without them, another `label_key`, or a '
        'model without y; where y has a factor in q and in p, such as '
        "`inference='y|x; z|x,y'` and `generative='z; y; x|z,y'`, labels may "
        f'be missing. Received: num_classes={num_classes}, labels from '
        f'{self.labels.min()} to {self.labels.max()}')

  def rows(self, chosen: np.ndarray) -> 'Split':
    """Returns the chosen rows: copies of an array, a view of stored images.

    Args:
      chosen: Mask, bool `[n]`, or indices.
    """
    return Split(self.images[chosen] if is_in_memory(self.images)
                 else self.images.rows(chosen),
                 *(None if values is None else values[chosen]
                   for values in (self.labels, self.factors, self.weights)))

  def in_memory(self) -> 'Split':
    """Returns the split with its images read into an array."""
    images = self.images[:]
    images.setflags(write=False)
    return dataclasses.replace(self, images=images)
