"""Split expressions such as 'train[:90%]' for data outside TFDS."""

from collections.abc import Mapping
import difflib
import itertools

from tensorflow_datasets.core import splits as tfds_splits

from tfvae.data.sources.row_numbers import RowNumbers


def rows_of_split(parts: Mapping[str, RowNumbers], argument: str,
                  split: str) -> RowNumbers:
  """Returns the rows that a split expression selects.

  The syntax is that of TFDS: 'train', 'train[:90%]', 'train[100:]',
  'train+test', 'all'.

  Args:
    parts: Row numbers of each part of the data set, by name.
    argument: Argument that received the expression, for messages.
    split: Expression.

  Returns:
    Row numbers in the order of the expression, at least one.

  Raises:
    ValueError: If a part does not exist, the expression does not parse, selects
      nothing or selects a row twice.
  """
  present = ', '.join(f'{name} ({len(rows):,})' for name, rows in parts.items())
  infos = {name: tfds_splits.SplitInfo(
      name=name, shard_lengths=[len(rows)], num_bytes=0)
           for name, rows in parts.items()}
  received = f'Received: {argument}={split!r}'
  try:
    chosen = tfds_splits.AbstractSplit.from_spec(split).to_absolute(infos)
  except Exception as error:  # ValueError, NotImplementedError.
    near = difflib.get_close_matches(split, parts)
    suggestion = f' Did you mean {near[0]!r}?' if near else ''
    raise ValueError(f'There is no such split.{suggestion} The parts of this '
                     f'data set are: {present}. {received}') from error
  rows = RowNumbers.joined(
      parts[piece.splitname][piece.from_:piece.to] for piece in chosen)
  if not len(rows):
    raise ValueError(f'The split is empty. The parts of this data set are: '
                     f'{present}. {received}')
  # The parts have no row in common.
  ends = sorted(
      (piece.splitname, *slice(piece.from_, piece.to).indices(
          len(parts[piece.splitname]))[:2]) for piece in chosen)
  if any(one[0] == other[0] and other[1] < one[2]
         for one, other in itertools.pairwise(ends)):
    raise ValueError(f'The split has an example twice. {received}')
  return rows
