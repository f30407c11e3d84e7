"""Facts about a data set that its rows do not show."""

from collections.abc import Mapping
import dataclasses


def _nothing() -> dataclasses.Field:
  return dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Findings:
  """Facts that were found when a data set was opened.

  Attributes:
    file_sizes: Number of image files of each (height, width).
    file_colors: Number of image files that are 'gray' and 'color'.
    resize: Treatment of image files of another size; None for other data.
    corrupt: Reasons why image files were left out, by path.
    missing: Number of missing values of each column that has some, by part.
    dropped: Number of rows with missing values that were left out, by part.
  """

  file_sizes: Mapping[tuple[int, int], int] = _nothing()
  file_colors: Mapping[str, int] = _nothing()
  resize: str | None = None
  corrupt: Mapping[str, str] = _nothing()
  missing: Mapping[str, Mapping[str, int]] = _nothing()
  dropped: Mapping[str, int] = _nothing()
