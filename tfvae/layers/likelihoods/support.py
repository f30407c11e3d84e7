"""Kinds of data on which likelihoods are defined."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# Values that `check_support` examines at a time: 16 MiB of float32.
_CHUNK_VALUES = 2**22

# k/255 in float32, times 255, is within 2e-5 of k; in float16 it is not.
_LEVEL_TOLERANCE = 1e-3


class Support(NamedTuple):
  """A kind of data.

  Attributes:
    contains: Function from an array or tensor of finite values to booleans of
      its shape.
    description: End of the sentence 'a likelihood takes …'.
    remedies: Advice for data outside, by a key of `_FORMS`.
    is_binary: Whether gray pixels are binarized to become such data.
    is_count: Whether the data are stored integers, without scaling, instead of
      pixels from 0 to 1.
    has_unit: Whether the data have a unit, so that their location and scale may
      be anything.
  """

  contains: Callable[[Any], Any]
  description: str
  remedies: Mapping[str, str]
  is_binary: bool = False
  is_count: bool = False
  has_unit: bool = False


def _is_level(x: Any) -> Any:
  # The distance of 255 x from the nearest integer.
  distance = abs((255. * x + 0.5) % 1. - 0.5)
  return (x >= 0) & (x <= 1) & (distance <= _LEVEL_TOLERANCE)


# Tests of an array of finite values, by the name of a form of data. The first
# form that the data have selects the advice.
_FORMS: dict[str, Callable[[np.ndarray], bool]] = {
    'black_and_white': lambda x: np.all((x == 0) | (x == 255)),
    'bytes': lambda x: (
        x.min() >= 0 and x.max() <= 255 and np.all(x == np.floor(x))),
    'unit_interval': lambda x: x.min() >= 0 and x.max() <= 1,
    'signed_unit': lambda x: x.min() >= -1 and x.max() <= 1,
    'integers': lambda x: x.min() >= 0 and np.all(x == np.floor(x)),
    'positive': lambda x: x.min() >= 0,
    'real': lambda x: True,
}

_BINARIZE = (
    'binarize them (set `binarization` to static or dynamic, or call '
    'tfvae.data.fixed_binarization), or choose a likelihood of gray pixels: '
    'IndependentContinuousBernoulli or DiscretizedLogistic.')
_SIGNED = 'Map pixels from -1 ... 1 to 0 ... 1 first, (x + 1) / 2'
_MISSING = ('; a model of `missing=True` takes a NaN as a missing value.')
_REAL = 'Choose IndependentNormal for real data'
_COUNTS = 'IndependentPoisson or IndependentNegativeBinomial for counts'

SUPPORTS: dict[str, Support] = {
    'binary': Support(
        lambda x: (x == 0) | (x == 1), 'data that are 0 or 1', {
            'black_and_white': 'Divide the pixels by 255.',
            'bytes': (f'Divide the pixels by 255 and {_BINARIZE} Choose '
                      f'{_COUNTS}.'),
            'unit_interval': f'The pixels are gray: {_BINARIZE}',
            'signed_unit': f'{_SIGNED}; if they are gray, {_BINARIZE}',
            'integers': f'Choose {_COUNTS}.',
            'positive': f'{_REAL}, or threshold x.',
            'real': f'{_REAL}, or threshold x.'}, is_binary=True),
    'unit_interval': Support(
        lambda x: (x >= 0) & (x <= 1), 'data from 0 to 1', {
            'black_and_white': 'Divide the pixels by 255.',
            'bytes': f'Divide 8-bit pixels by 255, or choose {_COUNTS}.',
            'signed_unit': f'{_SIGNED}, or choose IndependentNormal.',
            'integers': (
                'Divide x by the largest value possible, 65535 for 16-bit '
                f'pixels, or choose {_COUNTS}.'),
            'positive': f'{_REAL}, or divide x by the largest value possible.',
            'real': f'{_REAL}, or map x to 0 ... 1.'}),
    'real': Support(
        lambda x: x == x, 'real numbers', {}, has_unit=True),
    'table': Support(lambda x: x == x, 'the codes of a table', {}),
    'eight_bit': Support(
        _is_level, 'pixels k/255, k = 0, ..., 255', {
            'black_and_white': 'Divide the pixels by 255.',
            'bytes': 'Divide the pixels by 255.',
            'unit_interval': (
                'Divide 8-bit pixels by 255 and by nothing else. If they were '
                'resized or augmented, round them, np.round(255 * x) / 255, or '
                'choose IndependentContinuousBernoulli.'),
            'signed_unit': f'{_SIGNED}.',
            'integers': (
                'There are levels above 255: divide x by the largest possible, '
                '65535 for 16-bit pixels, and choose '
                'IndependentContinuousBernoulli, or round to 8 bits, '
                'np.round(255 * x) / 255.'),
            'positive': f'{_REAL}, or divide the pixels by 255 and round them.',
            'real': f'{_REAL}.'}),
    'counts': Support(
        lambda x: (x >= 0) & (x % 1 == 0), 'counts 0, 1, 2, ...', {
            'unit_interval': (
                'Values from 0 to 1 are not counts: choose '
                'IndependentContinuousBernoulli or DiscretizedLogistic for '
                'pixels divided by 255, or undo the scaling of counts.'),
            'positive': (
                'Undo any scaling or logarithm of the counts, or choose '
                'IndependentNormal for real data.'),
            'signed_unit': f'{_REAL}; {_SIGNED.lower()}, and choose '
                           'IndependentContinuousBernoulli.',
            'real': f'{_REAL}, or undo the standardization of the counts.'},
        is_count=True, has_unit=True),
}


def is_inside(x: tf.Tensor, support: str) -> tf.Tensor:
  """Returns whether each value is finite and of a kind, `[*x.shape]`.

  Args:
    x: Float tensor of any shape.
    support: Key of `SUPPORTS`.
  """
  return tf.math.is_finite(x) & SUPPORTS[support].contains(x)


def _remedy(x: np.ndarray, kind: Support) -> str:
  """Returns the advice for finite values, after a space, or nothing."""
  return next((f' {kind.remedies[form]}' for form, has in _FORMS.items()
               if form in kind.remedies and has(x)), '')


def check_support(x: np.ndarray, support: str, name: str, first: int = 0,
                  allow_missing: bool = False) -> None:
  """Raises a ValueError unless all values are of a kind.

  Args:
    x: Numbers, of any shape.
    support: Key of `SUPPORTS`.
    name: Name of the likelihood, for the message. The message also has the
      index and the value of the first value outside, and advice.
    first: Index of x[0] for the message, where x is a part of the data.
    allow_missing: Whether a NaN is a missing value, which has every support.
  """
  x = np.atleast_1d(x)
  kind = SUPPORTS[support]
  rows = max(1, _CHUNK_VALUES // max(1, x[:1].size))
  for start in range(0, len(x), rows):
    chunk = x[start:start + rows]
    finite = np.isfinite(chunk)
    with np.errstate(invalid='ignore'):
      bad = ~(finite & kind.contains(chunk))
    if allow_missing:
      bad &= ~np.isnan(chunk)
    if not bad.any():
      continue
    index = np.unravel_index(np.argmax(bad), bad.shape)
    remedy = (_remedy(chunk[finite], kind) if finite[index] else
              ' Repair the example or leave it out'
              + (_MISSING if np.isnan(chunk[index]) else '.'))
    position = ', '.join(map(str, (first + start + index[0], *index[1:])))
    raise ValueError(f'{name} takes {kind.description}.{remedy} Received: '
                     f'x[{position}] = {chunk[index]}')
