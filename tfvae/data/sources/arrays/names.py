"""Names of arrays, and the parts that their suffixes stand for."""

from collections.abc import Mapping, Sequence

import numpy as np

_SUFFIXES = {'_train': 'train', '_validation': 'validation',
             '_valid': 'validation', '_val': 'validation', '_test': 'test'}


def array_key(arrays: Mapping[str, np.ndarray], key: str,
              defaults: Sequence[str], argument: str, name: str) -> str:
  """Returns the name of an array, without the suffix of a part.

  Args:
    arrays: Arrays by name.
    key: Name that was given.
    defaults: Names that the first of them stands for.
    argument: Argument that received the name, for messages.
    name: Name of the data set, for messages.

  Raises:
    ValueError: If there is no such array.
  """
  stems = list(dict.fromkeys(_stem(key)[0] for key in arrays))
  if key != defaults[0]:
    if key in stems or key in arrays:
      return key
  else:
    for default in defaults:
      if default in stems:
        return default
    if len(stems) == 1:
      return stems[0]
  raise ValueError(
      f'The arrays have no such name. Set `{argument}` to one of '
      f'{", ".join(stems)}. Received: {argument}={key!r} for {name!r}')


def label_array_key(arrays: Mapping[str, np.ndarray], key: str | None,
                    name: str) -> str | None:
  """Returns the name of the array of labels, or None without labels.

  Args:
    arrays: Arrays by name.
    key: Name that was given; 'label' also stands for 'y' and 'labels', and may
      be missing.
    name: Name of the data set, for messages.

  Raises:
    ValueError: If there is no such array.
  """
  if key is None:
    return None
  if key != 'label':
    return array_key(arrays, key, ('label',), 'label_key', name)
  stems = {_stem(key)[0] for key in arrays}
  return next((key for key in ('label', 'y', 'labels') if key in stems), None)


def _stem(key: str) -> tuple[str, str]:
  """Returns the name of an array without its suffix, and its part."""
  for suffix, part in _SUFFIXES.items():
    if key.endswith(suffix) and key != suffix:
      return key.removesuffix(suffix), part
  return key, 'train'


def parts_of(arrays: Mapping[str, np.ndarray], stem: str) -> dict[str, str]:
  """Returns the names of arrays by part, in the order of the parts.

  Args:
    arrays: Arrays by name.
    stem: Name of the arrays without the suffix of a part.

  Raises:
    ValueError: If two arrays are the same part.
  """
  found: dict[str, str] = {}
  for key in arrays:
    if _stem(key)[0] == stem or key == stem:
      part = 'train' if key == stem else _stem(key)[1]
      if part in found:
        raise ValueError(
            f"Two arrays are the part '{part}' of {stem!r}; remove one. "
            f'Received: {found[part]!r} and {key!r}')
      found[part] = key
  return {part: found[part] for part in ('train', 'validation', 'test')
          if part in found}
