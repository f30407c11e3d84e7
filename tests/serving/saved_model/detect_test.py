"""The signature `detect` against the detector, also in the C++ loader."""

import numpy as np
import tensorflow as tf

from tests.incomplete_rows import rows_of_table
from tests.incomplete_rows import table_vae
from tests.serving.cpp_loader import CppLoader
from tfvae import anomaly
from tfvae import serving
from tfvae.inference.rows import row_seeds
from tfvae.models import image_vae
from tfvae.models.networks.precision import in_float32


class DetectSignatureTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.loader = cls.enterClassContext(CppLoader())

  def _check(self, outputs, found, rows=slice(None)):
    self.assertAllClose(outputs['p_value'], found.p_values[rows], atol=1e-5)
    self.assertAllClose(
        outputs['score'], found.score[rows], rtol=1e-5, atol=1e-5)
    self.assertAllEqual(outputs['is_anomaly'], found.is_anomaly[rows])
    self.assertAllClose(outputs['contributions'], found.contributions[rows],
                        rtol=1e-5, atol=1e-5)

  def test_exports_equal_the_detector_in_any_batch(self):
    model = image_vae('z:2', (6, 5, 1), hidden_units=(8,),
                      dtype='mixed_bfloat16')
    rng = np.random.default_rng(0)
    x = np.float32(rng.random([300, 6, 5, 1]) < 0.1 + 0.5 * rng.random(
        [300, 1, 1, 1]))
    detector = anomaly.calibrate(
        model, x[:200], ('complexity', 'log_likelihood', 'typicality'),
        false_alarm_rate=0.1, settings={'anomaly_samples': 12})
    new = np.concatenate([x[200:], 1 - x[:1]])  # One row is like no other.
    found = detector.detect(new)
    self.assertBetween(found.is_anomaly.sum(), 1, 50)
    path, seeds = self.create_tempdir().full_path, row_seeds(np.arange(101))
    # As `export_saved_model` does.
    model = in_float32(model)
    tf.saved_model.save(
        serving.ServedModel(model), path, signatures=serving.signatures(
            model, ['serving_default', 'detect'], detector=detector))
    self.assertEmpty(serving.lint_saved_model(path))
    loaded = tf.saved_model.load(path).signatures['detect']
    self._check(loaded(x=tf.constant(new), seed=tf.constant(seeds)), found)
    for rows in (slice(0, 101), slice(97, 101)):
      self._check(self.loader.run(path, 'detect', {
          'x': new[rows], 'seed': seeds[rows]}), found, rows)

  def test_columns_of_a_table_are_inputs(self):
    model, (x, _) = table_vae(), rows_of_table(60)
    detector = anomaly.calibrate(
        model, x, 'surprise', false_alarm_rate=0.1,
        settings={'anomaly_samples': 12})
    function = serving.signatures(
        model, ['detect'], detector=detector)['detect']
    found = function(
        length=[2.5], mass=[np.nan], eggs=[3.], sex=['m'], island=[''],
        size=[2.], day=['1997-05-17'], seed=row_seeds([7]))
    codes = np.float32([[2.5, np.nan, 3., 1., np.nan, 1., 9998.]])
    self._check(found, detector.detect(codes, ids=[7]))

  def test_another_model_is_an_error(self):
    models = [image_vae('z:2', (4, 4, 1), hidden_units=(3,)) for _ in range(2)]
    x = np.zeros([20, 4, 4, 1], np.float32)
    detector = anomaly.calibrate(models[0], x, false_alarm_rate=0.1)
    with self.assertRaisesRegex(ValueError, 'calibrated with other weights'):
      serving.signatures(models[1], ['detect'], detector=detector)
    with self.assertRaisesRegex(ValueError, 'calibrated with other weights'):
      serving.export_saved_model(
          models[1], self.create_tempdir().full_path, detector=detector)
    with self.assertRaisesRegex(ValueError, 'names=.*detect'):
      serving.signatures(models[0], ['detect'])


if __name__ == '__main__':
  tf.test.main()
