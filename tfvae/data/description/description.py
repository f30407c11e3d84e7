"""Description of a data set in three splits, as plain data."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from tfvae.data.description.columns import ColumnValues
from tfvae.data.description.numbers import Numbers


@dataclasses.dataclass(frozen=True)
class SplitDescription:
  """One split.

  Attributes:
    examples: Number of examples.
    origin: Phrase that says which rows of the data it has, and how they were
      selected.
    held_out: Fraction that was held out at random; None if the data have the
      split.
    by_class: Whether the same share of every class was held out.
    examined: Number of examples, from the first, that `numbers`, `columns`,
      `repeated` and the missing values are of.
    numbers: Distribution of all numbers of x; None for a table.
    varying: Number of elements of x with more than one value; None for a table.
    columns: Values of each modeled column of a table.
    repeated: Number of examples whose x equals that of an earlier one.
    class_counts: Number of examples of each of the classes.
    unlabeled: Number of examples with the label −1.
    missing: Number of missing values of each column that has some. Without
      columns, of elements such as 'x[:, 3]', at most the 100 that are missing
      most often.
    num_missing: Number of missing values of all elements.
    incomplete: Number of examples with a missing value.
    empty: Number of examples without an observed value.
  """

  examples: int
  origin: str
  held_out: float | None
  by_class: bool
  examined: int
  numbers: Numbers | None
  varying: int | None
  columns: tuple[ColumnValues, ...]
  repeated: int
  class_counts: tuple[int, ...]
  unlabeled: int
  missing: Mapping[str, int]
  num_missing: int
  incomplete: int
  empty: int


@dataclasses.dataclass(frozen=True)
class Shared:
  """Examples of a split whose x is also in another one.

  Attributes:
    split: Name of the split.
    other: Name of the other split, in which they also are.
    examples: Number of examples of `split`.
  """

  split: str
  other: str
  examples: int


@dataclasses.dataclass(frozen=True)
class FileSize:
  """Image files of one size: pixels of a side, and number of files."""

  height: int
  width: int
  files: int


@dataclasses.dataclass(frozen=True)
class Description:
  """Facts about a data set, as Python's own types.

  Attributes:
    name: Name of the data set.
    kind: 'images', 'vectors' or 'table'.
    shape: Shape of one x; (height, width, channels) of images.
    dtype: 'uint8' or 'float32', as x is stored.
    splits: 'train', 'validation' and 'test'.
    shared: Pairs of splits with equal examples, among those examined.
    classes: Names of the classes; empty without labels.
    factors: Number of different values of each generative factor.
    column_kinds: Kind of each column of a table, also of those left out.
    first_rows: Values of the first training rows of a table, by column.
    missing: Missing values by part of the data and column, before examples
      were left out.
    dropped: Rows left out because of missing values, by part.
    file_sizes: The most frequent sizes of the image files of a folder.
    num_file_sizes: Number of different sizes.
    file_colors: Number of image files that are 'gray' and 'color'.
    resize: Treatment of image files of another size than `shape`.
    corrupt: Reasons why image files were left out, by path.
  """

  name: str
  kind: str
  shape: tuple[int, ...]
  dtype: str
  splits: Mapping[str, SplitDescription]
  shared: tuple[Shared, ...]
  classes: tuple[str, ...]
  factors: Mapping[str, int]
  column_kinds: Mapping[str, str]
  first_rows: Mapping[str, tuple[Any, ...]]
  missing: Mapping[str, Mapping[str, int]]
  dropped: Mapping[str, int]
  file_sizes: tuple[FileSize, ...]
  num_file_sizes: int
  file_colors: Mapping[str, int]
  resize: str | None
  corrupt: Mapping[str, str]

  def to_dict(self) -> dict[str, Any]:
    """Returns the facts as nested dictionaries, for JSON."""
    return dataclasses.asdict(self)
