"""The interface of a data set outside TFDS: named parts, and their rows."""

import abc
from collections.abc import Mapping
import hashlib
import itertools
import json
import logging
import os

import numpy as np

from tfvae.data.sources.findings import Findings
from tfvae.data.sources.missing import MissingValues
from tfvae.data.sources.row_numbers import RowNumbers
from tfvae.data.sources.source import Source
from tfvae.data.sources.split_expressions import rows_of_split
from tfvae.tables import Schema

_LOGGER = logging.getLogger(__name__)


class DataSet(abc.ABC):
  """Rows of numbers with labels, in named parts such as 'train' and 'test'.

  Attributes:
    name: Name for logs, messages and the names of cache files.
    parts: Row numbers of each part, by name.
    content: Digest of each file or array, by its name in the data set; the same
      on every machine.
    schema: Columns of a table, or None.
    findings: Facts that the rows do not show.
    weights: Sample weight of each row, float32 `[n]`, or None.
    allows_missing: Whether x may have NaN, which are missing values.
  """

  schema: Schema | None = None
  findings: Findings = Findings()
  weights: np.ndarray | None = None
  allows_missing: bool = False

  def __init__(self, name: str, parts: Mapping[str, RowNumbers],
               content: Mapping[str, str]):
    """Initializes the data set; see the attributes."""
    self.name, self.parts, self.content = name, dict(parts), dict(content)

  @property
  def full_name(self) -> str:
    """The name with a digest of the whole content."""
    digest = hashlib.sha256(json.dumps(self.content).encode()).hexdigest()
    return f'{self.name}/{digest[:16]}'

  @abc.abstractmethod
  def source(self, split: str, rows: RowNumbers) -> Source:
    """Returns some of the rows as a source.

    Args:
      split: Name of these rows, for messages.
      rows: Row numbers.
    """

  def sources(self, splits: Mapping[str, str]) -> dict[str, Source]:
    """Returns the sources of split expressions, by argument.

    Splits that share rows are allowed and logged as a warning, because scores
    on them are too good.

    Args:
      splits: Expressions such as 'train[:90%]' by the argument that received
        them.

    Raises:
      ValueError: If an expression selects no rows.
    """
    rows = {argument: rows_of_split(self.parts, argument, split)
            for argument, split in splits.items()}
    for one, other in itertools.combinations(splits, 2):
      shared = rows[one].num_shared(rows[other])
      if shared:
        _LOGGER.warning('%s=%r and %s=%r have %d examples in common.', one,
                        splits[one], other, splits[other], shared)
    sources = {argument: self.source(split, rows[argument])
               for argument, split in splits.items()}
    for argument, source in sources.items():
      source.allows_missing = self.allows_missing
      if self.weights is not None:
        source.weights = rows[argument].rows_of(self.weights)
    return sources

  def treat_missing(self, missing: str,
                    found: Mapping[str, MissingValues]) -> None:
    """Refuses, leaves out or allows the rows that have missing values.

    Args:
      missing: One of `MISSING`.
      found: Missing values of each part, of all its rows.

    Raises:
      ValueError: If values are missing and that is refused, or no row of a part
        is left.
    """
    for part, values in found.items():
      values.treat(missing, self.name, part)
    self.allows_missing = missing == 'allow'
    found = {part: values for part, values in found.items()
             if values.counts.any()}
    dropped = {}
    if missing == 'drop':
      for part, values in found.items():
        self.parts[part] = self.parts[part].chosen(~values.incomplete)
        dropped[part] = values.num_incomplete
    self.findings = Findings(
        missing={part: values.by_name() for part, values in found.items()},
        dropped=dropped)


def cache_directory() -> str:
  """Returns the default directory of caches of data outside TFDS."""
  home = os.environ.get('XDG_CACHE_HOME') or os.path.join('~', '.cache')
  return os.path.join(os.path.expanduser(home), 'tfvae')
