"""Colors of the points of the latent map: of labels or of a column."""

from collections.abc import Sequence
import dataclasses

import numpy as np

from tfvae.report.arguments import UNLABELED
from tfvae.tables import Column
from tfvae.tables import MISSING
from tfvae.tables import texts

SHADES = 7  # Of numbers and dates.

_MAX_CATEGORIES = 10  # Colors; rarer categories share one.


@dataclasses.dataclass(frozen=True, eq=False)
class Coloring:
  """Groups of points, each with a color.

  Attributes:
    title: Name of the column, or 'label'.
    groups: Group of each point, int `[n]`; −1 is in none of those with names.
    names: Name of each group, from 0; of shades, one for each.
    rest: Name of the points in no group.
    scale: Lowest, median and highest value as text if the groups are shades,
      which have equal numbers of points as far as values differ; empty for
      categories.
  """

  title: str
  groups: np.ndarray
  names: Sequence[str]
  rest: str = 'unlabeled'
  scale: Sequence[str] = ()

  @property
  def entries(self) -> dict[int, str]:
    """Name of each group that the legend lists, by its number."""
    rest = {UNLABELED: self.rest} if UNLABELED in self.groups else {}
    return rest | dict(enumerate(self.names))

  def color(self, group: int) -> str:
    """Returns the class that colors the dots of a group."""
    if group == UNLABELED:
      return 'unlabeled'
    return f's{group}' if self.scale else f'c{group % 10}'


def column_coloring(column: Column, codes: np.ndarray) -> Coloring:
  """Returns the colors of a column.

  Args:
    column: Description of the column.
    codes: Code of each point, `[n]`.
  """
  is_missing = np.isnan(codes)
  known = codes[~is_missing]
  if column.categories:
    return _of_categories(column, known.astype(int), is_missing)
  if not len(known):
    return Coloring(column.name, np.full(len(codes), UNLABELED), [],
                    rest=MISSING)
  # Shade k begins at the quantile k / SHADES, so that an outlier leaves the
  # other points their shades.
  edges = np.quantile(known, np.arange(1, SHADES) / SHADES)
  names = [f'shade {shade + 1}' for shade in range(SHADES)]
  low, middle, high = np.quantile(known, [0, 0.5, 1])
  return Coloring(
      column.name, _all(np.searchsorted(edges, known, 'right'), is_missing),
      names, rest=MISSING, scale=texts(column, np.array([low, middle, high])))


def _all(groups: np.ndarray, is_missing: np.ndarray) -> np.ndarray:
  """Returns the groups of all points, given those of known values."""
  found = np.full(len(is_missing), UNLABELED)
  found[~is_missing] = groups
  return found


def _of_categories(column: Column, codes: np.ndarray,
                   is_missing: np.ndarray) -> Coloring:
  """Returns a color for each of the most frequent categories.

  Args:
    column: Description of the column.
    codes: Known codes.
    is_missing: Which of the points have none.
  """
  counts = np.bincount(codes, minlength=column.num_codes)
  shown = np.sort(np.argsort(-counts, kind='stable')[:_MAX_CATEGORIES])
  shown = shown[counts[shown] > 0]
  group = np.full(len(counts), UNLABELED)
  group[shown] = np.arange(len(shown))
  rest = ['the rest'] * bool((group[codes] == UNLABELED).any()) + (
      [MISSING] * bool(is_missing.any()))
  return Coloring(column.name, _all(group[codes], is_missing),
                  texts(column, shown), rest=' or '.join(rest) or 'the rest')


def default_column(columns: Sequence[Column]) -> int:
  """Returns the position of the column that colors the map at first.

  The first one whose categories have no order, else the first of two values or
  of ordered categories, else the first.

  Args:
    columns: Columns of the table.
  """
  def rank(column: Column) -> int:
    return 0 if column.kind == 'categorical' else 1 if column.categories else 2

  return min(range(len(columns)), key=lambda i: (rank(columns[i]), i))
