"""The signature `impute` against closed forms, also in the C++ loader."""

import numpy as np
import tensorflow as tf

from tests.incomplete_rows import table_vae
from tests.missing_linear_gaussian import MissingLinearGaussian
from tests.serving.cpp_loader import CppLoader
from tfvae import serving
from tfvae.models import image_vae


def _seeds(n):
  return np.random.default_rng(0).integers(0, 2**31, [n, 2]).astype(np.int32)


class ImputeSignatureTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.loader = cls.enterClassContext(CppLoader())

  def test_means_and_intervals_equal_the_closed_form_in_any_batch(self):
    exact = MissingLinearGaussian(factor=1.2)
    _, x = exact.draw(30)
    mean, scale = exact.conditional(x)
    functions = serving.signatures(
        exact.model, ['impute'], imputation_draws=4000)
    path = self.create_tempdir().full_path
    tf.saved_model.save(
        serving.ServedModel(exact.model), path, signatures=functions)
    seeds = _seeds(len(x))
    found = self.loader.run(path, 'impute', {'x': x, 'seed': seeds})
    missing = np.isnan(x)
    # Standard errors: of a mean σ / √K, of a 2.5 % quantile 2.67 σ / √K, a
    # third more for the effective sample size.
    for name, value, error in (
        ('mean', mean, 1.), ('lower', mean - 1.96 * scale, 2.67),
        ('upper', mean + 1.96 * scale, 2.67)):
      difference = (found[name] - value)[missing] / scale[missing]
      self.assertAllInRange(difference, *(
          sign * 4.5 * 1.3 * error / np.sqrt(4000) for sign in (-1, 1)))
      self.assertAllEqual(found[name][~missing], x[~missing])
    draws = (found['sample'] - mean)[missing] / scale[missing]
    self.assertNear(draws.std(), 1., 4 / np.sqrt(2 * missing.sum()))
    self.assertAllInRange(found['effective_sample_size'], 2000, 4000)
    for rows in (slice(10, 11), slice(7, 12)):
      part = self.loader.run(path, 'impute', {
          'x': x[rows], 'seed': seeds[rows]})
      for name, value in part.items():
        self.assertAllClose(value, found[name][rows], rtol=1e-5, atol=1e-5)

  def test_values_of_a_table_may_be_nan_or_empty(self):
    model = table_vae()
    functions = serving.signatures(model, ['impute', 'encode', 'score'],
                                   imputation_draws=20)
    seed = _seeds(2)
    given = {
        'length': [np.nan, 2.], 'mass': [1., np.nan], 'eggs': [np.nan, 1.],
        'sex': ['', 'm'], 'island': ['', 'b'], 'size': [np.nan, 2.],
        'day': ['', '1997-05-17']}
    given = {name: tf.constant(value) for name, value in given.items()}
    found = functions['impute'](**given, seed=seed)
    for name, value in given.items():
      is_missing = (np.isnan if value.dtype == tf.float32
                    else lambda texts: texts == b'')(value.numpy())
      for part in ('mean', 'sample', 'lower', 'upper'):
        result = found[f'{name}_{part}'].numpy()
        known = result[~is_missing]
        if name == 'day':
          known = [text[:10] for text in known]
        self.assertAllEqual(known, value.numpy()[~is_missing])
        self.assertNotIn(b'', result)
    # As the model sees the codes.
    codes = np.float32([[np.nan, 1., *[np.nan] * 5],
                        [2., np.nan, 1., 1., 2., 1., 9998.]])
    latents, _ = model.draw_posterior(codes, lambda q: q.mean())
    self.assertAllClose(functions['encode'](**given)['loc'], latents['z'])
    self.assertAllInRange(
        functions['score'](**given, seed=seed)['elbo'], -1e6, 0.)

  def test_a_model_of_complete_data_has_no_such_signature(self):
    model = image_vae('z:2', (4, 4, 1), hidden_units=(4,))
    self.assertNotIn('impute', serving.signatures(model, None))
    with self.assertRaisesRegex(ValueError, 'names=.*impute'):
      serving.signatures(model, ['impute'])


if __name__ == '__main__':
  tf.test.main()
