"""Help of the program, by groups of settings."""

from collections.abc import Sequence
import dataclasses
import os
import textwrap

from tfvae.settings import choices_of
from tfvae.settings import flag_text
from tfvae.training.command_line.flagfiles import packaged_flagfiles
from tfvae.training.command_line.modes import MODE_HELP
from tfvae.training.command_line.modes import MODEL_HELP
from tfvae.training.command_line.modes import MODES
from tfvae.training.command_line.modes import WORKDIR_HELP
from tfvae.training.command_line.xla_cache import XLA_CACHE_HELP
from tfvae.training.config import GROUPS
from tfvae.training.flag_names import as_flags

_WIDTH = 78


def program_name(path: str) -> str:
  """Returns the name by which the program of `argv[0]` was called."""
  name = os.path.basename(path)
  return 'python -m tfvae' if name == '__main__.py' else name


def help_text(path: str = 'train_main.py') -> str:
  """Returns the flags under the headings of their groups.

  Args:
    path: `argv[0]`, for the commands in the text.
  """
  program = program_name(path)
  program = f'python {program}' if program.endswith('.py') else program
  lines = [
      'Trains and evaluates a variational autoencoder.', '',
      f'  {program} --flagfile=configs/digits.flags',
      f'  {program} --workdir=runs/mine --dataset=mnist', '',
      'output:', *_entry('workdir', WORKDIR_HELP, 'required'),
      *_entry('mode', MODE_HELP, 'default train', tuple(MODES)),
      *_entry('model', MODEL_HELP, ''),
      *_entry('xla_cache_dir', XLA_CACHE_HELP, '')]
  for name, group in GROUPS.items():
    lines += ['', f'{name}:']
    for field in dataclasses.fields(group):
      default = field.default
      lines += _entry(
          field.name, field.metadata['help'],
          '' if default is None else f'default {flag_text(default)}',
          sorted(choices_of(field), key=lambda choice: choice != default))
  return '\n'.join([
      *lines, '', *textwrap.wrap(
          '--flagfile=FILE reads flags from a file, one per line; later flags '
          'override earlier ones. These files come with tfvae: '
          f'{", ".join(packaged_flagfiles())}.', width=_WIDTH),
      '--helpfull lists the flags of every library.'])


def _entry(name: str, text: str, default: str,
           choices: Sequence[str] = ()) -> list[str]:
  """Returns the lines of a flag; without a default, the text explains it."""
  value = f'={"|".join(choices)}' if choices else ''
  if len(name) + len(value) > _WIDTH - 4:
    value, text = '', f'{text}: {", ".join(choices)}'
  return [f'  --{name}{value}', *textwrap.wrap(
      as_flags(text) + (f' ({default})' if default else ''), width=_WIDTH,
      initial_indent=' ' * 6, subsequent_indent=' ' * 6)]
