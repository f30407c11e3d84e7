"""One factor of a graphical model, and the names of variables."""

from collections.abc import Iterable
import dataclasses
import re

DENSITIES = {'inference': 'q', 'generative': 'p'}
OBSERVED = ('x', 'y')
NAME = '[A-Za-z][A-Za-z0-9_]*'
NAME_RULE = "a name is a letter, then letters, digits or '_'."


@dataclasses.dataclass(frozen=True)
class Factor:
  """One conditional density of a factorization; prints as `z1|z2,x`.

  Args:
    variable: Name of the variable of the density.
    parents: Names of the variables that the density is conditioned on.

  Raises:
    ValueError: If a name is malformed or a parent is listed twice.
  """

  variable: str
  parents: tuple[str, ...] = ()

  def __post_init__(self):
    object.__setattr__(self, 'parents', tuple(self.parents))
    for name in (self.variable, *self.parents):
      if not re.fullmatch(NAME, name):
        raise ValueError(f"Factor '{self}' has a bad name: {NAME_RULE} "
                         f'Received: name={name!r}')
    unique = tuple(dict.fromkeys(self.parents))
    if unique != self.parents:
      raise ValueError(f"Factor '{self}' lists a parent twice: write "
                       f"'{Factor(self.variable, unique)}'. "
                       f'Received: parents={self.parents}')

  def __str__(self):
    return '|'.join(filter(None, (self.variable, ','.join(self.parents))))


def text_of(factors: Iterable[Factor]) -> str:
  """Returns factors as `'z2; z1|z2; x|z1'`."""
  return '; '.join(map(str, factors))
