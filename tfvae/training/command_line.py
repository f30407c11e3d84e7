"""Flags from the fields of `Config`, flagfiles, and a grouped help text."""

from collections.abc import Sequence
import dataclasses
import os
import pathlib
import sys
import textwrap
import types
import typing

from absl import flags

from tfvae.settings import choices_of
from tfvae.settings import flag_text
from tfvae.training import train
from tfvae.training.config import Config
from tfvae.training.config import FIELDS
from tfvae.training.config import GROUPS
from tfvae.training.workdir import FLAGS_FILE

# What --mode runs, on a `Config` and a workdir; returns the metrics.
MODES = {
    'train': train.train_and_evaluate,
    'evaluate': train.evaluate_run,
    'report': train.report_run,
    'export': train.export_run,
}

_WORKDIR = ('directory for the results; running the same command again resumes '
            'there')
_MODE = ('train, then evaluate, report and export; or evaluate, report on or '
         'export the finished run in --workdir, whose flags are the defaults '
         'then')


def define_flags(flag_values: flags.FlagValues = flags.FLAGS):
  """Defines a flag for each field of `Config`, --workdir and --mode."""
  flags.DEFINE_string('workdir', None, _WORKDIR, flag_values=flag_values)
  flags.DEFINE_enum('mode', 'train', list(MODES), _MODE,
                    flag_values=flag_values)
  for field in FIELDS.values():
    _define(field, flag_values)


def config_from_flags(flag_values: flags.FlagValues = flags.FLAGS) -> Config:
  """Returns the `Config` that the flags describe.

  Raises:
    ValueError: if a value is out of range.
  """
  return Config(**{name: _value(field, flag_values[name].value)
                   for name, field in FIELDS.items()})


def parse_flags(argv: Sequence[str],
                flag_values: flags.FlagValues = flags.FLAGS) -> list[str]:
  """Parses the command line; a `flags_parser` for `absl.app.run`.

  Prints the grouped help for --help, and a one-line error, exit code 2, for a
  flag or value that does not parse. A --flagfile that is not there is one of
  those that come with tfvae: `digits.flags` or `configs/digits.flags`.

  Args:
    argv: with the program's name in front.
    flag_values: gets the values.

  Returns:
    The program's name alone.
  """
  if {'--help', '-h', '-help', '-?'} & set(argv[1:]):
    print(help_text(argv[0]))
    sys.exit(0)
  try:
    argv = _with_packaged_flagfiles(argv)
    rest = flag_values(argv)
    if flag_values.mode != 'train' and flag_values.workdir:
      # Those of the run first, so that the command line's are the last word.
      path = os.path.join(flag_values.workdir, FLAGS_FILE)
      if not os.path.exists(path):
        raise flags.Error(
            f'--mode={flag_values.mode} needs a finished run, and there is no '
            f'{path}; train one there first')
      rest = flag_values([argv[0], f'--flagfile={path}', *argv[1:]])
    if len(rest) > 1:
      raise flags.Error(f'unexpected arguments {rest[1:]}; a flag is written '
                        '--name=value')
  except flags.Error as error:
    message = str(error).replace('\n', r'\n')  # Of a value.
    print(f'{program_name(argv[0])}: error: {message}\nTry --help.',
          file=sys.stderr)
    sys.exit(2)
  return rest


def program_name(path: str) -> str:
  """Returns the program of `argv[0]` by the name that it was called by."""
  name = os.path.basename(path)
  return 'python -m tfvae' if name == '__main__.py' else name


def help_text(path: str = 'train_main.py') -> str:
  """Returns the flags of `Config` under the headings of their groups.

  Args:
    path: `argv[0]`, for the commands that it shows.
  """
  program = program_name(path)
  program = f'python {program}' if program.endswith('.py') else program
  lines = [
      'Trains and evaluates a variational autoencoder.', '',
      f'  {program} --flagfile=configs/digits.flags',
      f'  {program} --workdir=runs/mine --dataset=mnist', '',
      'output:', *_entry('workdir', _WORKDIR, 'required'),
      *_entry('mode', _MODE, 'default train', tuple(MODES))]
  for name, group in GROUPS.items():
    lines += ['', f'{name}:']
    for field in dataclasses.fields(group):
      default = 'none' if field.default is None else flag_text(field.default)
      lines += _entry(field.name, field.metadata['help'], f'default {default}',
                      choices_of(field))
  return '\n'.join([
      *lines, '', *textwrap.wrap(
          '--flagfile=FILE reads flags from a file, one a line; later flags '
          f'win. These come with tfvae: {", ".join(_packaged_flagfiles())}.',
          width=78), '--helpfull lists the flags of every library.'])


def _with_packaged_flagfiles(argv: Sequence[str]) -> list[str]:
  """Returns `argv` with the paths of the flagfiles that come with tfvae."""
  found = list(argv)
  for i, argument in enumerate(argv):
    name, equals, path = argument.partition('=')
    if argument == '--':  # No flags after this.
      break
    if name in ('--flagfile', '-flagfile'):
      if equals:
        found[i] = f'{name}={_flagfile(path)}'
      elif argv[i + 1:]:
        found[i + 1] = _flagfile(argv[i + 1])
  return found


def _flagfile(path: str) -> str:
  """Returns the path, or that of the packaged file which it means."""
  directory, name = os.path.split(path)
  packaged = _packaged_flagfiles()
  if not path or os.path.exists(os.path.expanduser(path)):
    return path
  if directory in ('', 'configs') and name in packaged:
    return packaged[name]
  raise flags.Error(f'there is no flagfile {path}; those that come with tfvae '
                    f'are {", ".join(packaged)}')


def _packaged_flagfiles() -> dict[str, str]:
  """Returns the experiments that come with tfvae: path by name."""
  package = pathlib.Path(__file__).parents[1]
  directory = package / 'configs'
  if not directory.exists():  # In a clone it stands beside the package.
    directory = package.parent / 'configs'
  return {path.name: str(path) for path in sorted(directory.glob('*.flags'))}


def _entry(name, text, default, choices=None) -> list[str]:
  value = f'={"|".join(choices)}' if choices else ''
  if len(name) + len(value) > 74:
    value, text = '', f'{text}: {", ".join(choices)}'
  return [f'  --{name}{value}', *textwrap.wrap(
      f'{text} ({default})', width=78, initial_indent=' ' * 6,
      subsequent_indent=' ' * 6)]


def _define(field: dataclasses.Field, flag_values: flags.FlagValues):
  name, text = field.name, field.metadata['help']
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
