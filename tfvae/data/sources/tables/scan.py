"""A pass over the rows of a table: missing values, sizes, labels, weights."""

from collections.abc import Sequence

import numpy as np

from tfvae.data.sources.arrays.labels import checked_labels
from tfvae.data.sources.arrays.labels import label_values
from tfvae.data.sources.arrays.weights import checked_weights
from tfvae.data.sources.missing import MissingValues
from tfvae.data.sources.tables.chunks import Rows

_REMEDY = 'take the columns out of the schema, with the kind identifier'


class Scan:
  """Sizes, labels and weights of a part of a table, found in one pass.

  Attributes:
    sizes: Number of rows of each group that are kept.
    labels: Different labels of each chunk, and the place of the label of each
      row that is kept among them.
    weights: Sample weights of the rows of each chunk that are kept, float32.
    missing: Number of missing values by column, where there are any.
    dropped: Number of rows that are left out.
  """

  def __init__(self, name: str, part: str, groups: Sequence[Rows],
               used: Sequence[str], label_key: str | None, missing: str,
               weight_key: str | None = None, missing_labels: bool = False):
    """Reads the rows.

    Args:
      name: Name of the data set, for messages.
      part: Name of the part, for messages.
      groups: Groups of rows of the part.
      used: Columns of x, then those of the labels and of the sample weights.
      label_key: Column of the labels, or None.
      missing: Treatment of incomplete rows, one of `MISSING`. Labels and
        weights must not be missing with 'allow'.
      weight_key: Column of the sample weights, or None.
      missing_labels: Whether labels may be missing, in complete rows too.

    Raises:
      ValueError: If values are missing and that is refused, or nothing is left,
        or a label or a weight is none.
    """
    self.sizes: list[int] = []
    self.labels: list[tuple[np.ndarray, np.ndarray]] = []
    self.weights: list[np.ndarray] = []
    others = [key for key in (label_key, weight_key) if key is not None]
    # Where incomplete rows are kept, x may have holes, but not the others.
    size = len(used) - (len(others) if missing == 'allow' else 0)
    found = MissingValues([size], used[:size])
    required = MissingValues([len(used) - size], used[size:])
    for group in groups:
      kept = 0
      for frame in group.chunks(used):
        holes = frame.isna().to_numpy()
        if missing_labels and label_key is not None:
          holes[:, list(used).index(label_key)] = False
        incomplete = found.add(holes[:, :size])
        lacking = required.add(holes[:, size:])
        keep = ~(lacking if missing == 'allow' else incomplete)
        kept += int(keep.sum())
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
      self.sizes.append(kept)
    if required.counts.any():
      listed = ', '.join(f'{column!r}: {count:,}' for column, count in
                         required.by_name().items())
      raise ValueError(
          'Labels and sample weights must not be missing. Leave these rows out '
          "with `missing='drop'`. Received: missing=allow for "
          f'{required.rows:,} rows of {part!r} of {name!r} with missing values '
          f'({listed})')
    found.treat(missing, name, part, _REMEDY)
    self.missing, self.dropped = found.by_name(), found.rows - sum(self.sizes)
