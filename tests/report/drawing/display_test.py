"""Pictures of images and of other data."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae.report import Display

_RNG = np.random.default_rng(0)


def _heights(pictures):
  """Returns the height of the area of each column, as a share."""
  ink = pictures[..., 0] < 1
  return (ink.sum(axis=1) - 1) / (pictures.shape[1] - 2)


class ImageTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters((0, 1, 0, 1), (0.2, 0.7, 0, 1), (0, 9, 0, 9),
                            (-2, 3, -2, 3), (-1, 0.5, -1, 1))
  def test_scale(self, low, high, first, last):
    x = np.linspace(low, high, 24).reshape(2, 3, 4, 1)
    self.assertAllClose(Display(x)(x), (x - first) / (last - first))

  def test_values_outside_are_clipped_and_channels_left_out(self):
    display = Display(np.ones([1, 2, 2, 2]))
    self.assertAllEqual(
        display(np.full([1, 2, 2, 2], 7.)), np.ones([1, 2, 2, 1]))
    self.assertEqual(Display(np.ones([1, 2, 2, 3]))(
        np.ones([5, 2, 2, 3])).shape, (5, 2, 2, 3))


  def test_missing_pixels_are_gray(self):
    x = np.linspace(-1, 3, 24).reshape(2, 3, 4, 1)
    missing = x.copy()
    missing[0, 1] = np.nan
    expected = Display(x)(x)
    expected[0, 1] = 0.5
    self.assertAllClose(Display(missing)(missing), expected)
    self.assertAllEqual(Display(np.full([1, 2, 2, 1], np.nan))(
        np.zeros([1, 2, 2, 1])), np.zeros([1, 2, 2, 1]))


class ProfileTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(1, 2, 5, 24, 48, 60, 500)
  def test_numbers_from_left_to_right(self, size):
    x = _RNG.random([6, size])
    x[0], x[1] = 0, 1  # The scale.
    found = _heights(Display(x)(x))
    columns = found.shape[1]
    self.assertBetween(columns, 48, 96)
    # One column in the middle of each number; of many, those shown.
    if size <= 48:
      middle = ((np.arange(size) + 0.5) * columns / size).astype(int)
      self.assertAllClose(found[:, middle], x, atol=0.5 / 34 + 1e-6)
    else:
      shown = np.linspace(0, size - 1, columns).astype(int)
      self.assertAllClose(found, x[:, shown], atol=0.5 / 34 + 1e-6)

  def test_units_that_differ_get_scales_of_their_own(self):
    x = _RNG.random([50, 2]) * [1, 1000] + [0, 500]
    own = _heights(Display(x)(x))
    expected = (x - x.min(axis=0)) / np.ptp(x, axis=0)
    self.assertAllClose(own[:, [10, 40]], expected, atol=0.5 / 34 + 1e-6)
    one = _heights(Display(x * [1, 0.004])(x * [1, 0.004]))
    self.assertLess(one[:, 10].max(), 0.5)

  def test_missing_numbers_have_a_light_column(self):
    x = _RNG.random([50, 3]) * [1, 1000, 2]
    x[4, 1] = np.nan
    x[:, 2] = np.nan
    found = Display(x)(x)
    self.assertAllEqual(found[4, :, 20:28], np.full([36, 8, 1], 0.85))
    self.assertAllEqual(found[:, :, 40:], np.full([50, 36, 8, 1], 0.85))
    self.assertAllClose(_heights(found[5:, :, :10])[:, 5],
                        (x[5:, 0] - x[:, 0].min()) / np.ptp(x[:, 0]),
                        atol=0.5 / 34 + 1e-6)

  def test_constant_data(self):
    x = np.ones([4, 3])
    self.assertAllInRange(Display(x)(x), 0, 1)

  def test_any_shape(self):
    x = _RNG.random([3, 2, 2, 2, 2])
    self.assertEqual(Display(x)(x).shape, Display(x.reshape(3, 16))(
        x.reshape(3, 16)).shape)


if __name__ == '__main__':
  tf.test.main()
