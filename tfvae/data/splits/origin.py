"""Origin of a split: a part of the data, or rows that were held out."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Origin:
  """Selection of the rows of a split.

  Attributes:
    split: Split expression of the rows that it was selected from.
    held_out: Fraction of these rows that was held out at random for this split;
      None if it has all of them, or the rest.
    seed: Seed of the rows that were held out.
    by_class: Whether the same share of every class was held out.
    without: Splits whose rows were held out from `split` before.
  """

  split: str
  held_out: float | None = None
  seed: int | None = None
  by_class: bool = False
  without: tuple[str, ...] = ()

  def __str__(self) -> str:
    rest = ' and '.join(self.without)
    rows = f'{self.split!r}' + (f' without {rest}' if rest else '')
    if self.held_out is None:
      return rows if rest else f'{rows}, given by the data'
    return (f'{100 * self.held_out:.4g} % of {rows}, random (seed {self.seed}),'
            f' {"stratified by class" if self.by_class else "not stratified"}')
