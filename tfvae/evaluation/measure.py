"""Measures of a trained model: blocks of `metrics.json` by name.

A measure is one object: when it applies, how it runs, its settings, the
explanation of its figures, the figures that the test set's block repeats, its
warnings and its section of the report. It registers itself in its own file:

```python
@MEASURES.register('reconstruction_error', examples=Setting(
    'eval_error_examples', 100, 'test images of reconstruction_error',
    at_least=1))
@dataclasses.dataclass(frozen=True)
class ReconstructionError(Measure):
  examples: int = 100
  explanations = {'squared_error': 'Mean of (x − E[x|z])² over the pixels.'}

  def run(self, subject):
    …
    return {'squared_error': error}
```
"""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any, ClassVar

import numpy as np

from tfvae.evaluation.subject import Subject
from tfvae.registry import Registry

MEASURES = Registry('evaluations')

# Key of the reason in a block without figures.
NOT_COMPUTED = 'not_computed'


@dataclasses.dataclass(frozen=True)
class Histogram:
  """A histogram in a section of the report.

  Attributes:
    title: Name below the bars.
    counts: Count of each bin, `[bins]`.
    band: Lowest and highest count that are expected of a bin; None for no band.
    latent: Name of the latent that it is of. The report orders the histograms
      of a latent as it orders its dimensions, and shows a limited number.
    dimension: Dimension of that latent.
  """

  title: str
  counts: Sequence[int]
  band: tuple[float, float] | None = None
  latent: str | None = None
  dimension: int = 0


@dataclasses.dataclass(frozen=True)
class LineChart:
  """Lines over a common x in a section of the report.

  Attributes:
    title: Heading of the chart.
    x: Ascending values, `[n]`.
    lines: Values `[n]` of each line, by its name in the legend.
    x_label: Name of the horizontal axis.
  """

  title: str
  x: Sequence[float]
  lines: Mapping[str, Sequence[float]]
  x_label: str


@dataclasses.dataclass(frozen=True)
class Table:
  """A table in a section of the report.

  Attributes:
    title: Text above the table.
    heads: Texts of the first row.
    rows: Other rows, of text and numbers; the first entry of each is its
      heading.
  """

  title: str
  heads: Sequence[str]
  rows: Sequence[Sequence[str | float | None]]


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
  """A grid of images in a section of the report.

  Attributes:
    title: Heading of the grid.
    rows: Images in [0, 1] with 1 or 3 channels, `[rows, columns, h, w, c]`.
    alt: Alternative text.
  """

  title: str
  rows: np.ndarray
  alt: str


@dataclasses.dataclass(frozen=True)
class Section:
  """A section of the report, as plain text and numbers.

  Attributes:
    title: Heading.
    text: Paragraph below the heading.
    charts: Charts and tables below the paragraph.
    short: Name in the navigation; by default the heading.
  """

  title: str
  text: str
  charts: Sequence[Histogram | LineChart | Table | Pictures]
  short: str = ''


class Measure:
  """Base class of measures.

  A subclass implements `run`. Its constructor takes the settings of its
  registration, each with a default.

  Attributes:
    explanations: Sentence about each key of the block, for the report.
    charted: Keys that the report shows in the section and leaves out of its
      tables of all figures, at any depth of the block.
    abbreviations: Words of keys that the report writes in this way.
  """

  explanations: ClassVar[Mapping[str, str]] = {}
  charted: ClassVar[Sequence[str]] = ()
  abbreviations: ClassVar[Sequence[str]] = ()

  @property
  def name(self) -> str:
    """Name of the block: that of the registration, else of the class."""
    return next((name for name, make in MEASURES.items() if make is type(self)),
                type(self).__name__)

  def why_not(self, subject: Subject) -> str | None:
    """Returns why the measure does not apply, or None if it does.

    A run asks before training, so the answer rests on the structure of model
    and data alone.

    Args:
      subject: Model and data.
    """
    del subject

  def run(self, subject: Subject) -> dict[str, Any]:
    """Returns the block: figures by key, likelihoods in nats.

    A key that ends in `_standard_error` has the standard error of its figure.

    Args:
      subject: Trained model and data.
    """
    raise NotImplementedError

  def combined(self, block: dict[str, Any],
               before: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the block to store, given that of an earlier evaluation.

    Args:
      block: Result of `run`, with its 'seconds'.
      before: Stored block; empty if there is none.
    """
    del before
    return block

  def headline(self, block: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the figures that the block of the test set repeats."""
    del block
    return {}

  def warnings(self, block: Mapping[str, Any]) -> list[str]:
    """Returns sentences for the top of the report."""
    del block
    return []

  def section(self, block: Mapping[str, Any]) -> Section | None:
    """Returns the section of the report, or None."""
    del block
    return None


def measures_of(metrics: Mapping[str, Any]) -> dict[str, Measure]:
  """Returns the registered measures that have a block in metrics, by name.

  Args:
    metrics: Content of `metrics.json`.
  """
  return {name: MEASURES.make(name) for name in MEASURES
          if isinstance(metrics.get(name), Mapping)}
