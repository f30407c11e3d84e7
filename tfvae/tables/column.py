"""One column of a table."""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

# Kinds of columns that a model has a likelihood for, and what they hold.
KINDS: Mapping[str, str] = {
    'real': 'real numbers', 'positive': 'numbers above 0',
    'count': 'counts 0, 1, 2, …', 'binary': 'one of two values',
    'categorical': 'categories without an order',
    'ordinal': 'categories in order', 'date': 'dates or times',
    'identifier': 'left out: it names the row',
    'constant': 'left out: it has one value'}
LEFT_OUT = ('identifier', 'constant')
TYPES = ('number', 'string', 'boolean')
# Dates as text, a regular expression of Python and of TensorFlow.
DATE = r'\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?'
_OTHER = 'other'  # A rare or unknown category of strings.
_WITH_CATEGORIES = ('binary', 'categorical', 'ordinal')


@dataclasses.dataclass(frozen=True)
class Column:
  """A column of a table: its kind, its categories and its unit.

  In the x of a model, a column is one number, its code:

  - real, positive and count: the number itself;
  - binary and ordinal: the position of the value in `categories`;
  - categorical: 0 for a value that is not in `categories`, because it is rare
    or was not in the training data, else 1 plus the position;
  - date: days since 1970-01-01, with fractions.

  Attributes:
    name: Name of the column.
    kind: Key of `KINDS`.
    type: Type of the values outside of the model: 'number', 'string' or
      'boolean'. A date is a string, such as '2024-05-01' or
      '2024-05-01 17:30:00'.
    categories: Values of a binary, categorical or ordinal column, in order.
    loc: Mean of the training data: of the codes, of log x of a positive
      column, and of log(1 + x) of a count.
    scale: Standard deviation of the same.
    frequencies: Share of each code of an ordinal column in the training data.
  """

  name: str
  kind: str
  type: str = 'number'
  categories: tuple[Any, ...] = ()
  loc: float = 0.0
  scale: float = 1.0
  frequencies: tuple[float, ...] = ()

  def __post_init__(self):
    """Checks the description; lists of a file become tuples."""
    object.__setattr__(self, 'categories', tuple(self.categories))
    object.__setattr__(self, 'frequencies', tuple(self.frequencies))
    for name, values in (('kind', KINDS), ('type', TYPES)):
      value = getattr(self, name)
      if value not in values:
        raise ValueError(
            f'`{name}` of a column must be one of {", ".join(values)}. '
            f'Received: {name}={value!r} for the column {self.name!r}')
    count, needs = len(self.categories), self.kind in _WITH_CATEGORIES
    least = 2 if self.kind in ('binary', 'ordinal') else 1
    if needs and (count < least or (self.kind == 'binary' and count > 2)):
      raise ValueError(
          f'A {self.kind} column needs {"two" if least == 2 else "one"} '
          f'{"" if self.kind == "binary" else "or more "}categories. Received: '
          f'categories={list(self.categories)} for the column {self.name!r}')
    if len(set(self.categories)) < count:
      raise ValueError(
          'Categories must differ; remove the repetitions. Received: '
          f'categories={list(self.categories)} for the column {self.name!r}')
    if not math.isfinite(self.loc) or not 0 < self.scale < math.inf:
      raise ValueError(
          '`loc` must be finite and `scale` positive and finite. Received: '
          f'loc={self.loc}, scale={self.scale} for the column {self.name!r}')

  @property
  def is_modeled(self) -> bool:
    """Whether the column is part of x."""
    return self.kind not in LEFT_OUT

  @property
  def num_codes(self) -> int:
    """Number of codes of a column with categories, else 0."""
    return len(self.categories) + (self.kind == 'categorical')

  @property
  def values(self) -> list[Any]:
    """The value of each code of a column with categories.

    It is 'other' or NaN of the code of all categories that are not among those
    of the column.
    """
    other = [_OTHER if self.type == 'string' else math.nan]
    return [*other * (self.kind == 'categorical'), *self.categories]

  def admits(self, numbers: Any) -> Any:
    """Returns whether the kind admits each of an array or tensor of numbers."""
    match self.kind:
      case 'positive':
        return numbers > 0
      case 'count':
        return (numbers >= 0) & (numbers % 1 == 0)
    return numbers == numbers

  def has_code(self, codes: Any) -> Any:
    """Returns whether each of an array of numbers is a code of the column."""
    if self.categories:
      return (codes >= 0) & (codes < self.num_codes) & (codes % 1 == 0)
    return self.admits(codes)

  def to_dict(self) -> dict[str, Any]:
    """Returns the arguments that differ from their defaults, for a file."""
    return {
        field.name: list(value) if isinstance(value, tuple) else value
        for field in dataclasses.fields(self)
        for value in [getattr(self, field.name)]
        if value != field.default}
