"""Flags in place of the arguments that messages of the library name."""

import ast
from collections.abc import Mapping
import logging
import re
import shlex
from typing import Any

from tfvae.settings import flag_text
from tfvae.training.config import FIELDS

# `name`, `name=value`, and the settings of a run as a file.
_ARGUMENT = re.compile(r'`(\w+)(?:=([^`]*))?`')
_FLAGFILE = re.compile(r'the settings in `([^`]*)`')

# Flags of arguments, also of those with another name. A `Registry` names the
# settings of its choices itself.
_FLAGS: Mapping[str, str] = {
    **{name: f'--{name}' for name in ('workdir', 'model', 'mode', *FIELDS)},
    'train_and_evaluate': '--mode=train', 'evaluate_run': '--mode=evaluate',
    'report_run': '--mode=report', 'export_run': '--mode=export',
    'capacity': '--kl_capacity', 'base_path': '--export_dir',
    'keep': '--export_keep', 'name': '--dataset'}


def as_flags(message: str) -> str:
  """Returns a message that names flags where it named arguments.

  '`epochs` must be at least 1' becomes '--epochs must be at least 1', and
  "use `optimizer='adamw'`" becomes 'use --optimizer=adamw'. A name in backticks
  without a flag stays as it is.

  Args:
    message: Message of the library.
  """
  return _ARGUMENT.sub(
      _flag, _FLAGFILE.sub(lambda match: f'--flagfile={match[1]}', message))


def texts_as_flags(content: Any) -> Any:
  """Returns nested mappings and sequences with `as_flags` of their texts."""
  if isinstance(content, Mapping):
    return {name: texts_as_flags(part) for name, part in content.items()}
  if isinstance(content, list | tuple):
    return [texts_as_flags(part) for part in content]
  return as_flags(content) if isinstance(content, str) else content


class FlagNames(logging.Filter):
  """Filter of a handler: records of tfvae name flags."""

  def filter(self, record: logging.LogRecord) -> bool:
    """Replaces the message of a record of tfvae."""
    if record.name.partition('.')[0] == 'tfvae':
      record.msg, record.args = as_flags(record.getMessage()), ()
    return True


def _flag(match: re.Match) -> str:
  name, value = match.groups()
  if name not in _FLAGS:
    return match[0]
  return _FLAGS[name] if value is None else f'{_FLAGS[name]}={_text(value)}'


def _text(value: str) -> str:
  """Returns a Python literal as it is written on the command line."""
  try:
    return shlex.quote(flag_text(ast.literal_eval(value)))
  except (SyntaxError, ValueError):  # A placeholder, such as N.
    return value
