"""Parsing of the command line."""

from collections.abc import Sequence
import os
import sys

from absl import flags

from tfvae.serving.saved_model.description import is_saved_model
from tfvae.serving.saved_model.description import read_description
from tfvae.training.command_line.flagfiles import with_packaged_flagfiles
from tfvae.training.command_line.help import help_text
from tfvae.training.command_line.help import program_name
from tfvae.training.command_line.modes import DATA_MODE
from tfvae.training.command_line.modes import FIRST_MODES
from tfvae.training.command_line.modes import MODEL_MODES
from tfvae.training.flag_names import as_flags
from tfvae.training.workdir import FLAGS_FILE


def parse_flags(argv: Sequence[str],
                flag_values: flags.FlagValues = flags.FLAGS) -> list[str]:
  """Parses the command line; a `flags_parser` for `absl.app.run`.

  Prints the grouped help for --help, and a one-line error with exit code 2 for
  a flag or value that does not parse. A --flagfile that does not exist may be
  one of those that come with tfvae: `digits.flags` or `configs/digits.flags`.

  Args:
    argv: Arguments, the first of which is the name of the program.
    flag_values: Flags that receive the values.

  Returns:
    The name of the program.
  """
  if {'--help', '-h', '-help', '-?'} & set(argv[1:]):
    print(help_text(argv[0]))
    sys.exit(0)
  try:
    rest = _parse(with_packaged_flagfiles(argv), flag_values)
  except flags.Error as error:
    message = str(error).replace('\n', r'\n')  # Of a value.
    print(f'{program_name(argv[0])}: error: {message}\nTry --help.',
          file=sys.stderr)
    sys.exit(2)
  return rest


def _parse(argv: list[str], flag_values: flags.FlagValues) -> list[str]:
  """Parses the flags, on top of those of the run that the mode needs."""
  rest = flag_values(argv)
  mode, place = flag_values.mode, flag_values.workdir
  if flag_values.model:
    if mode not in MODEL_MODES:
      raise flags.Error(
          f'--model has no effect with --mode={mode}; leave it out, or use '
          f'--mode={" or --mode=".join(MODEL_MODES)}')
    place = flag_values.workdir = flag_values.model
  if place and (mode not in FIRST_MODES or mode == DATA_MODE):
    # The flags of the run first, so that the command line overrides them.
    path = os.path.join(place, FLAGS_FILE)
    if os.path.exists(path):
      rest = flag_values([argv[0], f'--flagfile={path}', *argv[1:]])
    elif mode in MODEL_MODES and is_saved_model(place):
      rest = flag_values([argv[0], *_flags_of_export(place), *argv[1:]])
    elif mode != DATA_MODE:
      raise flags.Error(
          f'--mode={mode} needs a finished run, and there is no {path}; '
          'train one there first'
          + (', or name an exported version, such as runs/mnist/export/1'
             if mode in MODEL_MODES else ''))
  if len(rest) > 1:
    raise flags.Error(f'unexpected arguments {rest[1:]}; a flag is written '
                      '--name=value')
  return rest


def _flags_of_export(path: str) -> list[str]:
  """Returns the flags of the run that was exported."""
  try:
    settings = read_description(path)['settings']
  except ValueError as error:
    raise flags.Error(as_flags(str(error))) from error
  return [f'--{name}={text}' for name, text in settings.items()]
