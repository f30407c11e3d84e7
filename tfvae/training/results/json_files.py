"""Text files and JSON files that are replaced atomically; JSON has no NaN."""

from collections.abc import Mapping
import json
import math
import os
from typing import Any

import numpy as np

from tfvae.files import replacing


def write_text(path: str, text: str):
  """Replaces a file atomically: a kill leaves the old or the new one."""
  with (replacing(path) as temporary,
        open(temporary, 'w', encoding='utf-8') as file):
    file.write(text)


def read_json(path: str) -> Any:
  """Returns the content of a JSON file, or None if there is no such file.

  NaN and infinities, which are no JSON but were written by earlier versions,
  become None.

  Args:
    path: Path of the file.
  """
  if not os.path.exists(path):
    return None
  with open(path, encoding='utf-8') as file:
    return json.load(file, parse_constant=lambda _: None)


def write_json(path: str, content: Any) -> Any:
  """Replaces a JSON file atomically.

  Args:
    path: Path of the file.
    content: Nested mappings, sequences, arrays and scalars. A NaN or an
      infinity becomes null.

  Returns:
    The content as `read_json` returns it.
  """
  content = plain(content)
  write_text(path, json.dumps(content, indent=2, allow_nan=False) + '\n')
  return content


def plain(value: Any) -> Any:
  """Returns nested values as plain data, with None for NaN and infinities."""
  if isinstance(value, Mapping):
    return {str(key): plain(part) for key, part in value.items()}
  if isinstance(value, np.ndarray | np.generic):
    return plain(value.tolist())
  if isinstance(value, list | tuple):
    return [plain(part) for part in value]
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
