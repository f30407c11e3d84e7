"""Which data each kind of likelihood takes."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.layers.likelihoods.support import _FORMS
from tfvae.layers.likelihoods.support import check_support
from tfvae.layers.likelihoods.support import SUPPORTS

_GOOD = {
    'binary': [0., 1.],
    'unit_interval': [0., 1e-30, 0.5, 1.],
    'real': [-1e30, 0., 3.5],
    'eight_bit': np.arange(256) / 255,
    'counts': [0., 1., 2., 1e6],
    'table': [-1e30, 0., 3.5],
}
_BAD = {
    'binary': [-1., 0.5, 2., 1 - 1e-7],
    'unit_interval': [-1e-30, 1.001, 255.],
    'real': [],
    'eight_bit': [-1 / 255, 0.5, 256 / 255, 17., 0.5 / 255],
    'counts': [-1., 0.5, 1e-30],
    'table': [],
}
_PIXELS = np.arange(256, dtype=np.uint8)
_GREY = np.float32(_PIXELS / 255)

# Support, data outside of it, and what the message has to say and not to say.
_REMEDIES = (
    ('binary', _PIXELS, 'Divide the pixels by 255 and binarize', 'Normal'),
    ('binary', np.float32(_PIXELS), 'by 255 and binarize', 'Normal'),
    ('binary', np.uint8([0, 255]), 'Divide the pixels by 255.', 'binarize'),
    ('binary', _GREY, r'gray: binarize them \(set `binarization` to static',
     'by 255'),
    ('binary', 2 * _GREY - 1, r'\(x \+ 1\) / 2; .*binarize', 'by 255'),
    ('binary', [0., 300.], 'Choose IndependentPoisson', 'binarize'),
    ('binary', [-3.5, 1.], 'IndependentNormal', 'binarize'),
    ('binary', [7.5, 1.], 'IndependentNormal', 'binarize'),
    ('unit_interval', _PIXELS, 'Divide 8-bit pixels by 255', 'Normal'),
    ('unit_interval', [0, 255], 'Divide the pixels by 255', 'Normal'),
    ('unit_interval', 2 * _GREY - 1, r'-1 ... 1 to 0 ... 1.*\(x \+ 1\) / 2',
     'by 255'),
    ('unit_interval', np.uint16([0, 65535]), '65535 for 16-bit', 'by 255'),
    ('unit_interval', [0.5, 300.], 'divide x by the largest', 'by 255'),
    ('unit_interval', [-9., 0.5], 'IndependentNormal', 'by 255'),
    ('eight_bit', _PIXELS, 'Divide the pixels by 255.', 'Normal'),
    ('eight_bit', np.float32(_PIXELS), 'Divide the pixels by 255.', 'Normal'),
    ('eight_bit', _PIXELS / 256, 'by 255 and by nothing else', 'Normal'),
    ('eight_bit', [0.2, 0.1234], r'np.round\(255 \* x\) / 255', 'Normal'),
    ('eight_bit', 2 * _GREY - 1, r'\(x \+ 1\) / 2', 'Normal'),
    ('eight_bit', np.uint16([0, 256]), 'levels above 255', 'Normal'),
    ('eight_bit', [0.5, 300.], 'IndependentNormal', 'levels'),
    ('eight_bit', [-9., 0.5], 'IndependentNormal', 'by 255'),
    ('counts', _GREY, 'not counts: choose IndependentContinuousBernoulli',
     'Normal'),
    ('counts', [0., np.log1p(9.)], 'scaling or logarithm', 'pixels'),
    ('counts', [-1., 2.], 'standardization', 'pixels'),
    ('counts', 2 * _GREY - 1, r'\(x \+ 1\) / 2, and choose', 'logarithm'),
)


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
    remedy = r'\w+ ' if np.isfinite(value) else 'Repair the example'
    with self.assertRaisesRegex(
        ValueError, rf'^A takes .*\. {remedy}.*\. Received: x\[1, 1\] = '):
      check_support(x, support, 'A')

  @parameterized.parameters(*_REMEDIES)
  def test_remedy_is_that_of_the_data(self, support, x, remedy, other):
    for values in (np.asarray(x), np.append(x, np.nan)):
      with self.assertRaisesRegex(ValueError, f'^A takes .*{remedy}') as caught:
        check_support(values, support, 'A')
      self.assertNotIn(other, str(caught.exception))

  def test_every_form_has_a_remedy(self):
    samples = {
        'black_and_white': [0, 255], 'bytes': [0, 3, 9],
        'unit_interval': [0.1, 0.2], 'signed_unit': [-0.3, 0.1],
        'integers': [0, 300], 'positive': [0.1, 9.5], 'real': [-9.5, 0.3]}
    self.assertCountEqual(samples, _FORMS)
    for name, kind in SUPPORTS.items():
      self.assertContainsSubset(kind.remedies, _FORMS)
      for sample in samples.values():
        x = np.array(sample)
        if not kind.contains(x).all():
          with self.assertRaisesRegex(ValueError, 'A takes'):
            check_support(x, name, 'A')

  def test_integers_and_booleans(self):
    check_support(np.array([True, False]), 'binary', 'A')
    check_support(np.array([0, 1], np.uint8), 'eight_bit', 'A')
    check_support(np.arange(7), 'counts', 'A')
    # 8-bit pixels that nobody divided by 255.
    with self.assertRaisesRegex(ValueError, r'by 255\. .*x\[2\] = 2$'):
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
