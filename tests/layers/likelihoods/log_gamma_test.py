"""The log gamma function and its gradient equal SciPy's."""

from absl.testing import parameterized
import numpy as np
from scipy import special
import tensorflow as tf

from tfvae.layers.likelihoods.log_gamma import log_gamma


class LogGammaTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(dtype=['float32', 'float64'],
                         jit_compile=[False, True])
  def test_equals_scipy(self, dtype, jit_compile):
    z = tf.constant(np.concatenate([
        10.**np.linspace(-30, 9, 79), np.arange(1., 40.),
        8. + np.array([-1e-9, 0., 1e-9])]))

    @tf.function(jit_compile=jit_compile)
    def value_and_gradient(z):
      with tf.GradientTape() as tape:
        tape.watch(z)
        value = log_gamma(z, tf.as_dtype(dtype))
      return value, tape.gradient(value, z)

    value, gradient = value_and_gradient(z)
    value_error, gradient_error = (
        (6e-6, 3e-7) if dtype == 'float32' else (6e-12, 1e-11))
    self.assertAllClose(value, special.gammaln(z), rtol=1e-14, atol=value_error)
    self.assertAllClose(gradient, special.digamma(z), rtol=gradient_error,
                        atol=10 * gradient_error)
    large = z >= 8
    self.assertAllClose(value[large], special.gammaln(z[large]),
                        rtol=1e-14, atol=min(value_error, 1e-7))


if __name__ == '__main__':
  tf.test.main()
