"""The kinds of columns as a person would name them."""

from absl.testing import parameterized
import numpy as np
import pandas as pd
import tensorflow as tf

from tfvae.data.sources.tables.recognition import recognized
from tfvae.tables import Column

_N = 300
_RNG = np.random.default_rng(0)
_COLUMNS = {
    'identifier': (np.arange(_N) + 17, {}),
    'name': ([f'person {i}' for i in range(_N)], {
        'kind': 'identifier', 'type': 'string'}),
    'constant': ([3.5] * _N, {}),
    'real': (_RNG.normal(size=_N), {}),
    'year': (_RNG.integers(1900, 2000, _N), {'kind': 'real'}),
    'positive': (np.exp(_RNG.normal(5, 2, _N)), {}),
    'count': (_RNG.poisson(8, _N), {}),
    'ordinal': (_RNG.integers(3, 8, _N), {'categories': (3, 4, 5, 6, 7)}),
    'binary': (_RNG.choice(['no', 'yes'], _N),
               {'type': 'string', 'categories': ('no', 'yes')}),
    'flag': (_RNG.random(_N) < 0.5, {
        'kind': 'binary', 'type': 'boolean', 'categories': (False, True)}),
    'one_or_two': (_RNG.choice([1.5, 2], _N), {
        'kind': 'binary', 'categories': (1.5, 2)}),
    'categorical': (
        ['rare', *_RNG.choice(['b', 'a', 'c'], _N - 1)],
        {'type': 'string', 'categories': ('a', 'b', 'c')}),
    'date': (['2024-05-01', *['2023-01-31 12:30:00'] * (_N - 2), '1969-01-01'],
             {'type': 'string'}),
    'time': (pd.date_range('2024-01-01', periods=_N, freq='h'),
             {'kind': 'date', 'type': 'string'}),
    'grade': (pd.Categorical(
        _RNG.choice(['low', 'high'], _N), ['low', 'mid', 'high'], ordered=True),
              {'kind': 'ordinal', 'type': 'string',
               'categories': ('low', 'mid', 'high')})}


class RecognitionTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(*_COLUMNS)
  def test_kind(self, name):
    values, expected = _COLUMNS[name]
    frame = pd.DataFrame({name: values, 'other': np.arange(_N) % 7 / 2})
    column, _ = recognized(frame)
    expected = Column(**{'name': name, 'kind': name} | expected)
    if name == 'constant':
      self.assertEqual(column.kind, 'constant')
      return
    self.assertEqual(column, expected)

  def test_holes_do_not_matter(self):
    whole = pd.DataFrame({'a': _RNG.integers(3, 8, _N)})
    holes = whole.where(_RNG.random(whole.shape) < 0.8)
    self.assertEqual(recognized(holes), recognized(whole))

  def test_column_without_values(self):
    with self.assertRaisesRegex(ValueError, "'empty' without any value"):
      recognized(pd.DataFrame({'a': [1, 2], 'empty': [None, None]}))


if __name__ == '__main__':
  tf.test.main()
