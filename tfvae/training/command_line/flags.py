"""A flag for each setting of a run."""

import dataclasses
import types
import typing
from typing import Any

from absl import flags

from tfvae.settings import choices_of
from tfvae.settings import flag_text
from tfvae.training.command_line.flagfiles import packaged_data
from tfvae.training.command_line.modes import MODE_HELP
from tfvae.training.command_line.modes import MODEL_HELP
from tfvae.training.command_line.modes import MODES
from tfvae.training.command_line.modes import WORKDIR_HELP
from tfvae.training.command_line.xla_cache import XLA_CACHE_HELP
from tfvae.training.config import Config
from tfvae.training.config import FIELDS
from tfvae.training.flag_names import as_flags


def define_flags(flag_values: flags.FlagValues = flags.FLAGS):
  """Defines the flags of the program, and one for each setting."""
  flags.DEFINE_string('workdir', None, WORKDIR_HELP, flag_values=flag_values)
  flags.DEFINE_string('model', None, as_flags(MODEL_HELP),
                      flag_values=flag_values)
  flags.DEFINE_enum('mode', 'train', list(MODES), as_flags(MODE_HELP),
                    flag_values=flag_values)
  flags.DEFINE_string('xla_cache_dir', None, as_flags(XLA_CACHE_HELP),
                      flag_values=flag_values)
  for field in FIELDS.values():
    _define(field, flag_values)


def config_from_flags(flag_values: flags.FlagValues = flags.FLAGS) -> Config:
  """Returns the `Config` that the flags describe.

  Raises:
    ValueError: If a value is out of range; see `Config`.
  """
  values = {name: _value(field, flag_values[name].value)
            for name, field in FIELDS.items()}
  return Config(**values | {'dataset': packaged_data(values['dataset'])})


def _define(field: dataclasses.Field, flag_values: flags.FlagValues):
  name, text = field.name, as_flags(field.metadata['help'])
  if choices_of(field) and _base_type(field) is str:
    flags.DEFINE_enum(name, field.default, choices_of(field), text,
                      flag_values=flag_values)
    return
  define = {
      bool: flags.DEFINE_bool, float: flags.DEFINE_float,
      int: flags.DEFINE_integer, str: flags.DEFINE_string,
      tuple: flags.DEFINE_list}[_base_type(field)]
  default = (flag_text(field.default) if isinstance(field.default, tuple)
             else field.default)
  define(name, default, text, flag_values=flag_values)


def _base_type(field: dataclasses.Field) -> type:
  """Returns `str` for `str | None`, `tuple` for `tuple[int, ...]`."""
  declared = _declared(field)
  return typing.get_origin(declared) or declared


def _declared(field: dataclasses.Field) -> Any:
  """Returns the type of a field without `| None`."""
  if isinstance(field.type, types.UnionType):
    return next(t for t in typing.get_args(field.type) if t is not type(None))
  return field.type


def _value(field: dataclasses.Field, value: Any) -> Any:
  """Returns the value of a flag as its setting has it."""
  if not isinstance(value, list):
    return value
  if typing.get_args(_declared(field))[0] is str:
    return tuple(value)
  try:
    return tuple(int(item) for item in value)
  except ValueError:
    raise ValueError(
        f'`{field.name}` must be whole numbers separated by commas. Received: '
        f'{field.name}={",".join(value)}') from None
