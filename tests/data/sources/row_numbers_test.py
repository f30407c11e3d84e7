"""Runs of row numbers, compared with NumPy's arrays of them."""

import itertools

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.data.sources.row_numbers import RowNumbers

_ROWS = 60
_RNG = np.random.default_rng(0)
_NUMBERS = (
    np.arange(0), np.arange(7, 31), np.array([5, 6, 4, 3, 59, 0, 1]),
    np.flatnonzero(_RNG.random(_ROWS) < 0.7), _RNG.permutation(_ROWS))


class RowNumbersTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(*((numbers,) for numbers in _NUMBERS))
  def test_selections(self, numbers):
    rows = RowNumbers.of(numbers)
    self.assertLen(rows, len(numbers))
    self.assertAllEqual(np.asarray(rows), numbers)
    for start, stop in _RNG.integers(-70, 70, [50, 2]).tolist():
      self.assertAllEqual(np.asarray(rows[start:stop]), numbers[start:stop])
    mask = _RNG.random(len(numbers)) < 0.5
    self.assertAllEqual(np.asarray(rows.chosen(mask)), numbers[mask])
    places = np.flatnonzero(mask)[::-1]
    self.assertAllEqual(np.asarray(rows.chosen(places)), numbers[places])
    self.assertAllEqual(rows.at(places), numbers[places])
    values = _RNG.random([_ROWS, 2])
    self.assertAllEqual(rows.rows_of(values), values[numbers])
    self.assertAllEqual(
        np.asarray(RowNumbers.joined([rows[3:], rows[:3]])),
        np.concatenate([numbers[3:], numbers[:3]]))

  def test_shared_rows(self):
    for one, other in itertools.product(_NUMBERS, repeat=2):
      self.assertEqual(RowNumbers.of(one).num_shared(RowNumbers.of(other)),
                       len(np.intersect1d(one, other)))

  @parameterized.parameters(*((numbers,) for numbers in _NUMBERS))
  def test_groups(self, numbers):
    sizes = [0, 10, 1, 0, 0, 25, 14, 10, 0]
    starts = np.cumsum([0, *sizes])
    group, skip, take = RowNumbers.of(numbers).by_group(sizes)
    self.assertAllEqual(np.concatenate([np.arange(0)] + [
        starts[g] + s + np.arange(t)
        for g, s, t in zip(group, skip, take, strict=True)]), numbers)
    self.assertTrue((skip + take <= np.array(sizes)[group]).all())

  def test_successive_rows_are_one_run(self):
    rows = RowNumbers.by_part({'train': 10**12, 'test': 5, 'empty': 0})
    whole = RowNumbers.joined([rows['train'], rows['test']])
    self.assertEqual((whole.starts.tolist(), whole.stops.tolist()),
                     ([0], [10**12 + 5]))
    self.assertAllEqual(np.asarray(rows['test']), 10**12 + np.arange(5))
    self.assertEmpty(rows['empty'])
    x = np.arange(20)
    self.assertTrue(np.shares_memory(RowNumbers.run(3, 9).rows_of(x), x))


if __name__ == '__main__':
  tf.test.main()
