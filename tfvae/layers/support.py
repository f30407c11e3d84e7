"""The kinds of data that a likelihood may be defined on."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# `check_support` looks at this many values at a time: 16 MiB of float32.
_CHUNK_VALUES = 2**22

# k/255 in float32, times 255, is within 2e-5 of k; in float16 it is not.
_LEVEL_TOLERANCE = 1e-3


class Support(NamedTuple):
  """A kind of data.

  Attributes:
    contains: from an array of finite values to a bool array of its shape.
    description: ends the sentence 'a likelihood takes …'.
    remedy: what to do with data of another kind.
  """

  contains: Callable[[np.ndarray], np.ndarray]
  description: str
  remedy: str


def _is_level(x: np.ndarray) -> np.ndarray:
  levels = 255. * x
  return (x >= 0) & (x <= 1) & (
      np.abs(levels - np.round(levels)) <= _LEVEL_TOLERANCE)


SUPPORTS: dict[str, Support] = {
    'binary': Support(
        lambda x: (x == 0) | (x == 1), 'data that are 0 or 1',
        'Pass --binarization=dynamic or --binarization=static, or choose a '
        'likelihood of grey pixels: IndependentContinuousBernoulli or '
        'DiscretizedLogistic.'),
    'unit_interval': Support(
        lambda x: (x >= 0) & (x <= 1), 'data from 0 to 1',
        'Divide 8-bit pixels by 255, or choose IndependentNormal for real '
        'data, IndependentPoisson or IndependentNegativeBinomial for counts.'),
    'real': Support(lambda x: np.full(x.shape, True), 'real numbers', ''),
    'eight_bit': Support(
        _is_level, 'pixels k/255, k = 0, ..., 255',
        'Divide 8-bit pixels by 255 and by nothing else, or choose '
        'IndependentContinuousBernoulli for other data from 0 to 1, '
        'IndependentNormal for real data.'),
    'counts': Support(
        lambda x: (x >= 0) & (x == np.floor(x)), 'counts 0, 1, 2, ...',
        'Undo any scaling or logarithm of the counts, or choose '
        'IndependentNormal for real data.'),
}


def check_support(x: np.ndarray, support: str, name: str,
                  first: int = 0) -> None:
  """Raises a ValueError unless x consists of data of a kind.

  Args:
    x: numbers, of any shape.
    support: a key of `SUPPORTS`.
    name: of the likelihood, for the message, which also has the index and the
      value of the first offender, and the remedy.
    first: the index of x[0], for the message, where x is a part of the data.
  """
  x = np.atleast_1d(x)
  kind = SUPPORTS[support]
  rows = max(1, _CHUNK_VALUES // max(1, x[:1].size))
  for start in range(0, len(x), rows):
    chunk = x[start:start + rows]
    finite = np.isfinite(chunk)
    with np.errstate(invalid='ignore'):
      bad = ~(finite & kind.contains(chunk))
    if not bad.any():
      continue
    index = np.unravel_index(np.argmax(bad), bad.shape)
    remedy = (kind.remedy if finite[index] else
              'Repair the example or leave it out.')
    position = ', '.join(map(str, (first + start + index[0], *index[1:])))
    raise ValueError(f'{name} takes {kind.description}. {remedy} Received: '
                     f'x[{position}] = {chunk[index]}')
