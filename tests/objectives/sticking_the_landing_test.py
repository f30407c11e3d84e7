"""The ELBO with path derivatives, compared with closed forms in float64."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests import linear_gradients
from tests.linear_graphs import LinearModel
from tfvae import objectives

_GRAPHS = ('bottom_up', 'top_down', 'conditional_prior', 'skip_connection')


class StickingTheLandingTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(*_GRAPHS)
  def test_mean_is_the_gradient_of_the_elbo(self, name, kl_factor=0.6):
    linear = LinearModel(name)
    data = linear.data(3)

    def objective(linear):  # E log p(x|z) − c KL = ELBO + (1 − c) KL
      return np.mean(linear.elbo(data) + (1 - kl_factor) * sum(
          linear.kl_by_latent(data).values()))

    expected, is_q = linear_gradients.closed_form(linear, objective)
    values = linear_gradients.estimates(
        linear, data, objectives.StickingTheLanding(), count=100, repeats=200,
        kl_factor=kl_factor)
    self.assertGreater(is_q.sum(), 0)
    score, of_weights = linear_gradients.scores(values, expected)
    print(f'{score:.2f} standard errors, {np.abs(of_weights).max():.2f} of '
          f'{len(of_weights)} weights at most')
    self.assertLess(abs(score), 3)
    self.assertAllInRange(of_weights, -4.5, 4.5)
    # Errors small enough to see a gradient that is off by a tenth.
    for side in (is_q, ~is_q):
      error = values.std(axis=0)[side] / len(values)**0.5
      self.assertLess(np.linalg.norm(error),
                      0.1 * np.linalg.norm(expected[side]))


if __name__ == '__main__':
  tf.test.main()
