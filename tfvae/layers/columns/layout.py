"""The blocks of a table: which columns and parameters each of them has."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfvae.layers.columns.block import Block
from tfvae.layers.columns.block import BLOCKS
from tfvae.tables.column import Column


class Layout:
  """Columns grouped into blocks of one kind.

  Attributes:
    blocks: Blocks, whose parameters follow each other.
    indices: Positions in x of the columns of each block.
  """

  def __init__(self, columns: Sequence[Column]):
    """Initializes the layout.

    Args:
      columns: Columns of x, in the order of its elements.
    """
    groups: dict[Any, list[int]] = {}
    for index, column in enumerate(columns):
      kind = BLOCKS[column.kind]
      key = (column.kind, index if kind.has_one_column else None)
      groups.setdefault(key, []).append(index)
    self.indices = list(groups.values())
    self.blocks: list[Block] = [
        BLOCKS.make(kind, [columns[i] for i in group])
        for (kind, _), group in groups.items()]
    # Position of each column where the blocks follow each other.
    self.order = np.argsort(np.concatenate(self.indices)).astype(np.int32)
    self._ends = np.cumsum([0, *(b.num_params for b in self.blocks)])

  @property
  def num_params(self) -> int:
    """Number of parameters of all blocks."""
    return int(self._ends[-1])

  def params_of(self, params: Any) -> list[Any]:
    """Returns the parameters of each block.

    Args:
      params: Parameters `[..., num_params]`.
    """
    return [params[..., start:stop] for start, stop in zip(
        self._ends, self._ends[1:], strict=False)]
