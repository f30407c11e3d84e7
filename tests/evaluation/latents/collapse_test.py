"""Sentences about collapse, and the settings that they name."""

import re

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.linear_gaussian import LinearGaussian
from tfvae.evaluation.bounds import Estimate
from tfvae.evaluation.latents.collapse import describe_collapse
from tfvae.evaluation.latents.latent_measures import Latent
from tfvae.evaluation.latents.latent_measures import LatentSpace
from tfvae.evaluation.latents.latent_space import latent_space
from tfvae.settings import choices_of
from tfvae.training.config import FIELDS


def _linear(norms):
  exact = LinearGaussian(norms=norms)
  return latent_space(exact.model, exact.dataset(200, 100))


def _space(**latents):
  """Latents by name: variances, and the KL of each dimension or None."""
  parts = {}
  for name, (variances, kl) in latents.items():
    kl = None if kl is None else np.array(kl)
    total = np.full(4, 1.0 if kl is None else kl.sum())
    parts[name] = Latent(np.array(variances), Estimate(total), kl, kl)
  total = sum(latent.kl.values for latent in parts.values())
  zeros = np.zeros(4)
  return LatentSpace(parts, 4, total, zeros, zeros, zeros, zeros)


class DescribeCollapseTest(tf.test.TestCase, parameterized.TestCase):

  def test_nothing_is_said_of_a_healthy_model(self):
    self.assertEmpty(describe_collapse(_linear((2.0, 1.0, 0.5)), -10.0))

  def test_total_collapse(self):
    found = describe_collapse(_linear((0.0, 0.0, 0.0)), -10.0)
    self.assertLen(found, 1)
    self.assertIn('none of 3 dimensions is active', found[0])
    self.assertRegex(found[0], 'carries -?0.00 nats')

  def test_partial_collapse(self):
    found = describe_collapse(_linear((2.0, 0.0, 1.0)))
    self.assertLen(found, 1)
    self.assertStartsWith(found[0], '2 of 3 dimensions of z are active')
    self.assertIn(' z:2 in `latents` ', found[0])

  def test_an_unused_latent_of_a_hierarchy(self):
    found = describe_collapse(_space(
        z1=([1., 1.], None), z2=([1e-4, 1e-5], [0.001, 0.002])))
    self.assertLen(found, 1)
    self.assertStartsWith(found[0], 'The latent z2 carries')
    self.assertIn(': 0 of its 2 dimensions are active', found[0])

  def test_a_latent_that_only_follows_its_parents(self):
    """Its mean moves, but p(z1|z2) knows as much."""
    found = describe_collapse(_space(z1=([1.], [0.001]), z2=([1.], [2.])))
    self.assertLen(found, 1)
    self.assertStartsWith(found[0], 'The latent z1 carries')
    self.assertIn(': 1 of its 1 dimension is active', found[0])

  @parameterized.parameters(
      ([1., 0.02, 0.], [1., 0.009, 0.001], 1), ([1., 1., 0.], [1., 2., 0.], 0),
      ([1., 1e-3, 0.], [1., 2., 0.], 0), ([1., 0.02, 0.], None, 0))
  def test_counts_what_active_units_counts(self, variances, kl, num_quiet):
    """Whatever the KL; that of an active dimension adds a remark."""
    space = _space(z=(variances, kl))
    found, = describe_collapse(space)
    count = int(np.sum(np.array(variances) > 0.01))
    self.assertEqual(space.active_units, count)
    self.assertStartsWith(found, f'{count} of 3 dimensions of z '
                          f'{"is" if count == 1 else "are"} active')
    self.assertEqual('1 has a KL of at most 0.1' in found, num_quiet == 1)

  def test_a_prior_of_small_scale_is_no_collapse(self):
    self.assertEmpty(describe_collapse(_space(z=([1e-3, 1e-4], [2., 3.]))))

  def test_a_kl_that_is_small_beside_the_reconstruction(self):
    space = _space(z=([0.5], [0.8]))
    self.assertEmpty(describe_collapse(space, -700.0))
    for reconstruction in (-900.0, 900.0):
      found = describe_collapse(space, reconstruction)
      self.assertLen(found, 1)
      self.assertIn('0.80 nats, is negligible', found[0])

  def test_names_settings_and_values_that_exist(self):
    text = ' '.join([
        *describe_collapse(_space(z=([0.], [0.]))),
        *describe_collapse(
            _space(a=([0.], [0.]), b=([1., 0.], [1., 0.])), 1e6)])
    flags = re.findall(r"`(\w+)(?:='([a-z_]+)')?`", text)
    self.assertGreater(len(set(flags)), 10)
    for name, *values in flags:
      self.assertIn(name, FIELDS)
      for value in filter(None, values):
        if choices_of(FIELDS[name]):
          self.assertIn(value, choices_of(FIELDS[name]))


if __name__ == '__main__':
  tf.test.main()
