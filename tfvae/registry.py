"""Choices by name, such as the likelihoods, to which users can add their own.

A choice registers itself in its own file:

```python
@OBJECTIVES.register('beta_tc', beta=Setting(
    'tc_weight', 6.0, 'weight β of the total correlation', at_least=0))
class BetaTC(Objective):
  …
```

The name is then a value of the setting `objective`, which is a flag of the
program, and `tc_weight` is a flag that has an effect with this value only. A
registration outside the package does the same, provided that it comes before
the first import of `tfvae.training`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import dataclasses
import re
import types
from typing import Any, NamedTuple


@dataclasses.dataclass(frozen=True)
class Setting:
  """A constructor argument that is also a setting of a run, and so a flag.

  Attributes:
    name: Name of the setting, which is that of the flag.
    default: Value of the setting; where it is None the argument is left out.
    text: Help, a noun phrase.
    kind: Type of the value; by default that of `default`.
    choices: Values that are allowed; all by default.
    bounds: `at_least`, `at_most`, `above` and `below`, by name.
  """

  name: str
  default: Any
  text: str
  kind: type | None = None
  choices: Sequence[str] | None = None
  bounds: Mapping[str, float] = dataclasses.field(default_factory=dict)

  def __init__(self, name: str, default: Any, text: str,
               kind: type | None = None, choices: Sequence[str] | None = None,
               **bounds: float):
    """Initializes the setting; see the attributes."""
    for field, value in (
        ('name', name), ('default', default), ('text', text),
        ('kind', kind or type(default)),
        ('choices', choices and tuple(choices)), ('bounds', bounds)):
      object.__setattr__(self, field, value)


class _Choice(NamedTuple):
  """A registered choice.

  Attributes:
    make: Class or function that the choice calls.
    arguments: Arguments of `make`: constants and `Setting`s, by name.
  """

  make: Callable[..., Any]
  arguments: Mapping[str, Any]


class Registry(Mapping[str, Callable[..., Any]]):
  """Choices of one kind by name.

  As a mapping it has the class or function of each choice, without its
  arguments.
  """

  def __init__(self, kind: str):
    """Initializes an empty registry.

    Args:
      kind: Name of what is chosen, such as 'likelihood', for messages; also
        the name of the setting whose values are the choices.
    """
    self.kind = kind
    self._choices: dict[str, _Choice] = {}

  def register(self, name: str, **arguments: Any) -> Callable[[Any], Any]:
    """Returns a decorator that registers a class or a function.

    Args:
      name: Name of the choice.
      **arguments: Arguments of the class: constants, or `Setting`s whose values
        a run may set.

    Raises:
      ValueError: If another class or function has the name.
    """

    def decorator(make):
      known = self._choices.get(name)
      if known and (known.make.__module__, known.make.__qualname__) != (
          make.__module__, make.__qualname__):
        raise ValueError(
            f'The name of a {self.kind} must be new; choose another one. '
            f'Received: name={name!r}, which is {known.make!r}')
      self._choices[name] = _Choice(make, dict(arguments))
      return make

    return decorator

  def make(self, name: str, /, *args: Any,
           settings: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
    """Makes the object of a choice.

    Args:
      name: Name of the choice.
      *args: Positional arguments of the class or function.
      settings: Values of settings by name; those of other choices are ignored,
        and those that are missing have their defaults.
      **kwargs: Further arguments.

    Raises:
      ValueError: If the name is unknown, or the class raises one: its message
        then names settings where it named arguments that `settings` set.
    """
    choice = self._choice(name)
    given = settings or {}
    for argument, value in choice.arguments.items():
      if isinstance(value, Setting):
        value = given.get(value.name, value.default)
        if value is None:
          continue
      kwargs.setdefault(argument, value)
    try:
      return choice.make(*args, **kwargs)
    except ValueError as error:
      message = _naming_settings(str(error), choice.arguments, given)
      if message == str(error):
        raise
      raise ValueError(message) from error

  def settings(self) -> dict[str, tuple[Setting, tuple[str, ...]]]:
    """Returns each setting by name, with the names of the choices it is of.

    Raises:
      ValueError: If two choices declare a setting of one name differently.
    """
    found: dict[str, tuple[Setting, tuple[str, ...]]] = {}
    for name, choice in self._choices.items():
      for value in choice.arguments.values():
        if not isinstance(value, Setting):
          continue
        setting, names = found.get(value.name, (value, ()))
        if setting != value:
          raise ValueError(
              f'Two choices of {self.kind} declare the setting {value.name} '
              'differently; share one Setting. Received: '
              f'{", ".join((*names, name))}')
        found[value.name] = setting, (*names, name)
    return found

  def _choice(self, name: str) -> _Choice:
    if name not in self._choices:
      raise ValueError(
          f'`{self.kind}` must be one of {", ".join(self._choices)}, or an '
          f'object. Received: {self.kind}={name!r}')
    return self._choices[name]

  def __getitem__(self, name: str) -> Callable[..., Any]:
    return self._choices[name].make

  def __iter__(self) -> Iterator[str]:
    return iter(self._choices)

  def __len__(self) -> int:
    return len(self._choices)


def _naming_settings(message: str, arguments: Mapping[str, Any],
                     settings: Mapping[str, Any]) -> str:
  """Returns a message with `setting` for `argument`, and setting=value."""
  names = {argument: value.name for argument, value in arguments.items()
           if isinstance(value, Setting) and value.name in settings}
  return re.sub(
      r'(?<=`)\w+(?=`)|\b\w+(?==)',
      lambda match: names.get(match[0], match[0]), message)


def public_names(namespace: Mapping[str, Any]) -> list[str]:
  """Returns the `__all__` of a package that imports its public names.

  With it a public name is one line of the package, its import.

  Args:
    namespace: `globals()` of the package.
  """
  return sorted(
      name for name, value in namespace.items()
      if not name.startswith('_') and not isinstance(value, types.ModuleType)
      and value is not public_names)
