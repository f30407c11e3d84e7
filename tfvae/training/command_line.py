"""Flags from the fields of `Config`, and a grouped help text."""

from collections.abc import Sequence
import dataclasses
import os
import sys
import textwrap
import types
import typing

from absl import flags

from tfvae.training.config import Config
from tfvae.training.setting import flag_text
from tfvae.training.workdir import FLAGS_FILE

MODES = ('train', 'evaluate', 'report')

_WORKDIR = ('directory for the results; running the same command again resumes '
            'there')
_MODE = ('train, then evaluate and report; or evaluate, or report on, the '
         'finished run in --workdir, whose flags are the defaults then')


def define_flags(flag_values: flags.FlagValues = flags.FLAGS):
  """Defines a flag for each field of `Config`, --workdir and --mode."""
  flags.DEFINE_string('workdir', None, _WORKDIR, flag_values=flag_values)
  flags.DEFINE_enum('mode', MODES[0], MODES, _MODE, flag_values=flag_values)
  for field in dataclasses.fields(Config):
    _define(field, flag_values)


def config_from_flags(flag_values: flags.FlagValues = flags.FLAGS) -> Config:
  """Returns the `Config` that the flags describe.

  Raises:
    ValueError: if a value is out of range.
  """
  return Config(**{field.name: _value(field, flag_values[field.name].value)
                   for field in dataclasses.fields(Config)})


def parse_flags(argv: Sequence[str]) -> list[str]:
  """Parses the command line; a `flags_parser` for `absl.app.run`.

  Prints the grouped help for --help, and a one-line error, exit code 2, for a
  flag or value that does not parse.

  Args:
    argv: with the program's name in front.

  Returns:
    The program's name alone.
  """
  if {'--help', '-h', '-help', '-?'} & set(argv[1:]):
    print(help_text())
    sys.exit(0)
  try:
    rest = flags.FLAGS(list(argv))
    if flags.FLAGS.mode != 'train' and flags.FLAGS.workdir:
      # Those of the run first, so that the command line's are the last word.
      path = os.path.join(flags.FLAGS.workdir, FLAGS_FILE)
      if not os.path.exists(path):
        raise flags.Error(
            f'--mode={flags.FLAGS.mode} needs a finished run, and there is no '
            f'{path}; train one there first')
      rest = flags.FLAGS([argv[0], f'--flagfile={path}', *argv[1:]])
    if len(rest) > 1:
      raise flags.Error(f'unexpected arguments {rest[1:]}; a flag is written '
                        '--name=value')
  except flags.Error as error:
    print(f'{argv[0]}: error: {error}\nTry --help.', file=sys.stderr)
    sys.exit(2)
  return rest


def help_text() -> str:
  """Returns the flags of `Config` under the headings of their groups."""
  lines = [
      'Trains and evaluates a variational autoencoder.', '',
      '  python train_main.py --flagfile=configs/digits.flags',
      '  python train_main.py --workdir=runs/mine --dataset=mnist', '',
      'output:', *_entry('workdir', _WORKDIR, 'required'),
      *_entry('mode', _MODE, f'default {MODES[0]}', MODES)]
  group = None
  for field in dataclasses.fields(Config):
    if field.metadata['group'] != group:
      group = field.metadata['group']
      lines += ['', f'{group}:']
    default = flag_text(field.default) if field.default is not None else 'none'
    lines += _entry(field.name, field.metadata['help'], f'default {default}',
                    field.metadata['choices'])
  lines += ['', '--flagfile=FILE reads flags from a file, one a line; later '
            'flags win.', '--helpfull lists the flags of every library.']
  return '\n'.join(lines)


def _entry(name, text, default, choices=None) -> list[str]:
  value = f'={"|".join(choices)}' if choices else ''
  if len(name) + len(value) > 74:
    value, text = '', f'{text}: {", ".join(choices)}'
  return [f'  --{name}{value}', *textwrap.wrap(
      f'{text} ({default})', width=78, initial_indent=' ' * 6,
      subsequent_indent=' ' * 6)]


def _define(field: dataclasses.Field, flag_values: flags.FlagValues):
  name, text = field.name, field.metadata['help']
  if field.metadata['choices'] and _base_type(field) is str:
    flags.DEFINE_enum(name, field.default, field.metadata['choices'], text,
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
  declared = field.type
  if isinstance(declared, types.UnionType):
    declared = next(t for t in typing.get_args(declared) if t is not type(None))
  return typing.get_origin(declared) or declared


def _value(field: dataclasses.Field, value: typing.Any) -> typing.Any:
  if not isinstance(value, list):
    return value
  if typing.get_args(field.type)[0] is str:
    return tuple(value)
  try:
    return tuple(int(item) for item in value)
  except ValueError:
    raise ValueError(
        f'--{field.name} must be whole numbers separated by commas. Received: '
        f'{field.name}={",".join(value)}') from None
