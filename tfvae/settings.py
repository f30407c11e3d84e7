"""Declaring the fields of a settings dataclass, and checking their values."""

from collections.abc import Callable, Collection, Iterable, Mapping
import dataclasses
import math
from typing import Any

from tfvae.registry import Registry

_BOUNDS = {
    'at least': lambda value, bound: value >= bound,
    'at most': lambda value, bound: value <= bound,
    'above': lambda value, bound: value > bound,
    'below': lambda value, bound: value < bound,
}
# What TensorFlow can take as int32 and float32.
_LARGEST = {int: 2**31 - 1, float: 3.4e38}


def setting(default: Any, text: str, choices: Iterable[Any] | None = None,
            changes_result: bool = True,
            only_with: Mapping[str, Collection[str]] | None = None,
            same_result: Collection[str] = (), **bounds: float) -> Any:
  """Declares a field.

  Args:
    default: Value where none is given.
    text: Help, a noun phrase.
    choices: Allowed values; a mapping, such as a `Registry`, stands for its
      names, also for those that are added later.
    changes_result: Whether a run must not be resumed with another value.
    only_with: Values of other settings, by their name, with which this one has
      an effect; with any other it must have its default.
    same_result: Values that lead to the same result, so that a run may be
      resumed with another of them.
    **bounds: `at_least`, `at_most`, `above` and `below`; of each item where the
      value is a tuple.
  """
  return dataclasses.field(default=default, metadata={
      'help': text, 'choices': choices, 'changes_result': changes_result,
      'only_with': only_with or {}, 'same_result': frozenset(same_result),
      'bounds': {name.replace('_', ' '): b for name, b in bounds.items()}})


def extended_by(changes_result: bool = True,
                **registries: Registry) -> Callable[[type], type]:
  """Returns a decorator that declares the settings of choices as fields.

  ```python
  @dataclasses.dataclass(frozen=True)
  @extended_by(objective=OBJECTIVES)
  class ModelConfig:
    objective: str = setting('elbo', 'objective of the training', OBJECTIVES)
  ```

  The `Setting`s of the registered objectives become fields that follow
  `objective`, and have an effect only with the objectives they belong to. Where
  several choices can be made, so that the field holds a tuple, they are the
  last fields, and have no such condition.

  Args:
    changes_result: Whether a run must not be resumed with other values of the
      declared fields.
    **registries: Registry of the choices, by the name of the field that chooses
      among them.
  """

  def decorator(cls):
    declared, last = {}, {}
    for name, kind in cls.__annotations__.items():
      declared[name] = kind
      if name in registries:
        is_single = kind is str
        added = _fields_of(registries[name], name if is_single else None,
                           changes_result)
        for field_name, (_, field) in added.items():
          setattr(cls, field_name, field)
        (declared if is_single else last).update(
            {key: annotation for key, (annotation, _) in added.items()})
    cls.__annotations__ = declared | last
    return cls

  return decorator


def choices_of(field: dataclasses.Field) -> tuple[str, ...]:
  """Returns the allowed values of a field; nothing where all are."""
  found = []
  choices = field.metadata['choices'] or ()
  for choice in (choices,) if isinstance(choices, Mapping) else choices:
    found += choice if isinstance(choice, Mapping) else [choice]
  return tuple(found)


def check_settings(settings: Any):
  """Checks each field of a settings dataclass against its declaration.

  Args:
    settings: Instance of the dataclass.

  Raises:
    ValueError: If a value is out of range or has no effect.
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


def _fields_of(registry: Registry, chooser: str | None,
               changes_result: bool) -> dict[str, Any]:
  """Returns the annotation and the field of each setting of a registry."""
  return {name: (
      declared.kind | None if declared.default is None else declared.kind,
      setting(declared.default, declared.text, declared.choices,
              changes_result, {chooser: choices} if chooser else None,
              **declared.bounds))
          for name, (declared, choices) in registry.settings().items()}


def _check_value(field: dataclasses.Field, value: Any):
  choices, bounds = choices_of(field), field.metadata['bounds']
  if value is None:
    return
  if isinstance(value, tuple) and not value:
    raise ValueError(f'`{field.name}` needs at least one value. Received: '
                     f'{field.name}={value!r}')
  for item in value if isinstance(value, tuple) else (value,):
    if choices and item not in choices:
      raise ValueError(f'`{field.name}` must be one of {", ".join(choices)}. '
                       f'Received: {field.name}={item!r}')
    if isinstance(item, float) and not math.isfinite(item):
      raise ValueError(f'`{field.name}` must be finite. Received: '
                       f'{field.name}={value!r}')
    for name, bound in bounds.items():
      if not _BOUNDS[name](item, bound):
        raise ValueError(f'`{field.name}` must be {name} {bound}. Received: '
                         f'{field.name}={flag_text(value)}')
    for kind, largest in _LARGEST.items():
      if isinstance(item, kind) and abs(item) > largest:
        raise ValueError(f'`{field.name}` must be at most {largest} in size. '
                         f'Received: {field.name}={flag_text(value)}')


def _check_effect(field: dataclasses.Field, settings: Any):
  value = getattr(settings, field.name)
  if value == field.default:
    return
  for name, values in field.metadata['only_with'].items():
    other = getattr(settings, name)
    if other not in values:
      remedy = ' or '.join(f'`{name}={value!r}`' for value in values)
      raise ValueError(
          f'`{field.name}` has no effect with `{name}={other!r}`; leave it '
          f'out, or use {remedy}. Received: {field.name}={flag_text(value)}, '
          f'{name}={other}')
