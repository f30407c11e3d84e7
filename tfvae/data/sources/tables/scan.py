"""A pass over the rows of a table: missing values, sizes, labels, weights."""

from collections.abc import Sequence
import logging

import numpy as np

from tfvae.data.sources.arrays.labels import checked_labels
from tfvae.data.sources.arrays.labels import label_values
from tfvae.data.sources.arrays.weights import checked_weights
from tfvae.data.sources.tables.chunks import Rows

_LOGGER = logging.getLogger(__name__)

MISSING = ('refuse', 'drop')


class Scan:
  """Sizes, labels and weights of a part of a table, found in one pass.

  Attributes:
    sizes: Number of complete rows of each group.
    labels: Different labels of each chunk, and the place of the label of each
      complete row among them.
    weights: Sample weights of the complete rows of each chunk, float32.
    missing: Number of missing values by column, where there are any.
    dropped: Number of incomplete rows.
  """

  def __init__(self, name: str, part: str, groups: Sequence[Rows],
               used: Sequence[str], label_key: str | None, missing: str,
               weight_key: str | None = None, missing_labels: bool = False):
    """Reads the rows.

    Args:
      name: Name of the data set, for messages.
      part: Name of the part, for messages.
      groups: Groups of rows of the part.
      used: Columns of which a row must have a value.
      label_key: Column of the labels, or None.
      missing: 'refuse' or 'drop', for incomplete rows.
      weight_key: Column of the sample weights, or None.
      missing_labels: Whether labels may be missing, in complete rows too.

    Raises:
      ValueError: If values are missing and that is refused, or nothing is left,
        or a label or a weight is none.
    """
    self.sizes: list[int] = []
    self.labels: list[tuple[np.ndarray, np.ndarray]] = []
    self.weights: list[np.ndarray] = []
    counts, rows = np.zeros(len(used), np.int64), 0
    for group in groups:
      complete = 0
      for frame in group.chunks(used):
        holes = frame.isna().to_numpy()
        if missing_labels and label_key is not None:
          holes[:, list(used).index(label_key)] = False
        keep = ~holes.any(axis=1)
        counts += holes.sum(axis=0)
        rows, complete = rows + len(frame), complete + int(keep.sum())
        if label_key is not None and keep.any():
          labels = checked_labels(
              name, label_key,
              label_values(frame[label_key][keep], missing_labels),
              missing_labels)
          values, places = np.unique(labels, return_inverse=True)
          self.labels.append(
              (values, places.astype(np.min_scalar_type(len(values)))))
        if weight_key is not None:
          self.weights.append(checked_weights(
              name, weight_key, frame[weight_key][keep].to_numpy()))
      self.sizes.append(complete)
    self.missing = {column: int(count) for column, count in zip(
        used, counts, strict=True) if count}
    self.dropped = rows - sum(self.sizes)
    if self.missing:
      self._check_missing(name, part, rows, missing)

  def _check_missing(self, name: str, part: str, rows: int,
                     missing: str) -> None:
    listed = ', '.join(f'{column!r}: {count:,}'
                       for column, count in self.missing.items())
    if missing == 'refuse':
      raise ValueError(
          'Values are missing. Leave these rows out with `missing=drop`, or '
          'take the columns out of the schema, with the kind identifier. '
          f'Received: {self.dropped:,} of {rows:,} rows of {part!r} of '
          f'{name!r} with missing values ({listed})')
    if rows == self.dropped:
      raise ValueError(
          'Each row has a missing value, so that none is left. Take columns '
          'out of the schema, with the kind identifier. Received: missing=drop '
          f'for {name!r} with missing values ({listed})')
    _LOGGER.warning('%s, %s: %d of %d rows with missing values are left out '
                    '(%s).', name, part, self.dropped, rows, listed)
