"""Which data each kind of likelihood takes."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.layers.support import check_support
from tfvae.layers.support import SUPPORTS

_GOOD = {
    'binary': [0., 1.],
    'unit_interval': [0., 1e-30, 0.5, 1.],
    'real': [-1e30, 0., 3.5],
    'eight_bit': np.arange(256) / 255,
    'counts': [0., 1., 2., 1e6],
}
_BAD = {
    'binary': [-1., 0.5, 2., 1 - 1e-7],
    'unit_interval': [-1e-30, 1.001, 255.],
    'real': [],
    'eight_bit': [-1 / 255, 0.5, 256 / 255, 17., 0.5 / 255],
    'counts': [-1., 0.5, 1e-30],
}
_REMEDY = {
    'binary': '--binarization=dynamic',
    'unit_interval': 'by 255, or choose IndependentNormal',
    'eight_bit': 'IndependentContinuousBernoulli',
    'counts': 'IndependentNormal',
}


class SupportTest(tf.test.TestCase, parameterized.TestCase):

  def test_every_kind_is_tested(self):
    self.assertCountEqual(SUPPORTS, _GOOD)

  @parameterized.product(
      support=list(SUPPORTS), dtype=[np.float32, np.float64])
  def test_accepts(self, support, dtype):
    check_support(np.asarray(_GOOD[support], dtype), support, 'A')
    check_support(np.zeros([0, 3], dtype), support, 'A')

  @parameterized.parameters(*[
      (support, value) for support in SUPPORTS
      for value in [*_BAD[support], np.nan, np.inf, -np.inf]])
  def test_refuses(self, support, value):
    x = np.zeros([2, 3], np.float32)
    x[1, 1:] = value
    remedy = _REMEDY[support] if np.isfinite(value) else 'Repair the example'
    with self.assertRaisesRegex(
        ValueError, rf'^A takes .*{remedy}.*Received: x\[1, 1\] = '):
      check_support(x, support, 'A')

  def test_integers_and_booleans(self):
    check_support(np.array([True, False]), 'binary', 'A')
    check_support(np.array([0, 1], np.uint8), 'eight_bit', 'A')
    check_support(np.arange(7), 'counts', 'A')
    # 8-bit pixels that nobody divided by 255.
    with self.assertRaisesRegex(ValueError, r'by 255 .*x\[2\] = 2$'):
      check_support(np.arange(256, dtype=np.uint8), 'eight_bit', 'A')

  def test_index_in_large_data(self):
    x = np.zeros([9, 2**20], np.uint8)
    x[8, 5] = 3
    with self.assertRaisesRegex(ValueError, r'x\[8, 5\] = 3$'):
      check_support(x, 'binary', 'A')
    # The same, of data that are looked at in parts.
    with self.assertRaisesRegex(ValueError, r'x\[8, 5\] = 3$'):
      check_support(x[6:], 'binary', 'A', first=6)


if __name__ == '__main__':
  tf.test.main()
