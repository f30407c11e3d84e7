"""Labels of a few training examples, the same number of each class."""

import numpy as np

MISSING_LABEL = -1  # The convention of TFDS.


def kept_labels(labels: np.ndarray, num_classes: int, num_labels: int,
                seed: int) -> np.ndarray:
  """Returns labels, all but a few of which are missing.

  Args:
    labels: Labels, int `[n]`; −1 is missing.
    num_classes: Number of classes.
    num_labels: Number of labels to keep, a multiple of `num_classes`.
    seed: Integer that fixes which ones. With more labels and the same seed,
      those of fewer labels are among them.

  Returns:
    Labels, int64 `[n]`, −1 where they are missing.

  Raises:
    ValueError: If the number is no multiple of the number of classes, or a
      class has too few labels.
  """
  each, rest = divmod(num_labels, num_classes)
  if rest or each < 1:
    raise ValueError(
        f'`num_labels` must be a multiple of the number of classes, '
        f'{num_classes}, for the same number of each. Received: '
        f'num_labels={num_labels}')
  kept = np.full(len(labels), MISSING_LABEL, np.int64)
  order = np.random.default_rng(seed).permutation(len(labels))
  for label in range(num_classes):
    rows = order[labels[order] == label]
    if len(rows) < each:
      raise ValueError(
          f'`num_labels` takes {each} labels of each class, and class {label} '
          f'has {len(rows)}; lower it. Received: num_labels={num_labels}')
    kept[rows[:each]] = label
  return kept
