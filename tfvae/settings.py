"""Declaring the fields of a settings dataclass, and checking their values."""

from collections.abc import Mapping, Sequence
import dataclasses
import math
from typing import Any

_BOUNDS = {
    'at least': lambda value, bound: value >= bound,
    'at most': lambda value, bound: value <= bound,
    'above': lambda value, bound: value > bound,
    'below': lambda value, bound: value < bound,
}
# What TensorFlow can take as int32 and float32.
_LARGEST = {int: 2**31 - 1, float: 3.4e38}


def setting(default: Any, group: str, text: str,
            choices: Sequence[str] | None = None, changes_result: bool = True,
            only_with: Mapping[str, Sequence[str]] | None = None,
            same_result: Sequence[str] = (), **bounds: float) -> Any:
  """Declares a field.

  Args:
    default: its value where none is given.
    group: the heading it stands under in `--help`.
    text: its help.
    choices: the values it may have.
    changes_result: whether a run may be resumed with another value.
    only_with: by the name of another setting, the values of that with which
      this one has an effect; with others it must stay at its default.
    same_result: values of a setting that changes the result which all have the
      same, so that a run may be resumed with another of them.
    **bounds: `at_least`, `at_most`, `above`, `below`; of each item where the
      value is a tuple.
  """
  return dataclasses.field(default=default, metadata={
      'group': group, 'help': text, 'choices': choices,
      'changes_result': changes_result, 'only_with': only_with or {},
      'same_result': frozenset(same_result),
      'bounds': {name.replace('_', ' '): b for name, b in bounds.items()}})


def check_settings(settings: Any):
  """Checks each field of a dataclass of settings by what it was declared with.

  Args:
    settings: the dataclass.

  Raises:
    ValueError: if a value is out of range, or has no effect.
  """
  for field in dataclasses.fields(settings):
    _check_value(field, getattr(settings, field.name))
  for field in dataclasses.fields(settings):
    _check_effect(field, settings)


def flag_text(value: Any) -> str:
  """Returns a setting's value as it is written on the command line."""
  if isinstance(value, tuple):
    return ','.join(map(str, value))
  return str(value).lower() if isinstance(value, bool) else str(value)


def _check_value(field: dataclasses.Field, value: Any):
  choices, bounds = field.metadata['choices'], field.metadata['bounds']
  if value is None:
    return
  if isinstance(value, tuple) and not value:
    raise ValueError(f'--{field.name} needs at least one value. Received: '
                     f'{field.name}={value!r}')
  for item in value if isinstance(value, tuple) else (value,):
    if choices and item not in choices:
      raise ValueError(f'--{field.name} must be one of {", ".join(choices)}. '
                       f'Received: {field.name}={item!r}')
    if isinstance(item, float) and not math.isfinite(item):
      raise ValueError(f'--{field.name} must be finite. Received: '
                       f'{field.name}={value!r}')
    for name, bound in bounds.items():
      if not _BOUNDS[name](item, bound):
        raise ValueError(f'--{field.name} must be {name} {bound}. Received: '
                         f'{field.name}={flag_text(value)}')
    for kind, largest in _LARGEST.items():
      if isinstance(item, kind) and abs(item) > largest:
        raise ValueError(f'--{field.name} must be at most {largest} in size. '
                         f'Received: {field.name}={flag_text(value)}')


def _check_effect(field: dataclasses.Field, settings: Any):
  value = getattr(settings, field.name)
  if value == field.default:
    return
  for name, values in field.metadata['only_with'].items():
    other = getattr(settings, name)
    if other not in values:
      remedy = ' or '.join(f'--{name}={value}' for value in values)
      raise ValueError(
          f'--{field.name} has no effect with --{name}={other}; leave it out, '
          f'or use {remedy}. Received: {field.name}={flag_text(value)}, '
          f'{name}={other}')
