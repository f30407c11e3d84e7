"""Detectors: alarms at the promised rate, anomalies found, files."""

import dataclasses
import json
import pathlib

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp

from tests.incomplete_rows import COLUMNS
from tests.incomplete_rows import rows_of_table
from tests.incomplete_rows import table_vae
from tests.linear_gaussian import LinearGaussian
from tests.linear_gaussian import SIZE
from tfvae import anomaly
from tfvae.graph import GraphicalModel
from tfvae.models import image_vae

tfd = tfp.distributions

_CALIBRATION = 999


@anomaly.SCORES.register('code_length')
@dataclasses.dataclass(frozen=True)
class CodeLength(anomaly.Score):

  formula = '½ |E[z|x]|²'
  source = 'Doe, Lengths of Codes, 2030'

  def __call__(self, model, inputs, draw):
    latents, _ = model.draw_posterior(inputs, tfd.Distribution.mean)
    return 0.5 * tf.reduce_sum(tf.square(latents['z']), axis=-1)


class DetectorTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.exact = LinearGaussian()
    cls.model = cls.exact.model
    cls.x = cls.exact.draw(_CALIBRATION)
    cls.new = cls.exact.draw(400, seed=2)
    # Rows off the plane of the loadings, and rows far out on it.
    rng = np.random.default_rng(3)
    cls.off = cls.exact.draw(50, seed=4) + np.float32(
        rng.choice([-4, 4], [50, SIZE]))
    cls.detectors = {
        name: anomaly.calibrate(cls.model, cls.x, scores, **settings)
        for name, scores, settings in (
            ('elbo', 'elbo', {'false_alarm_rate': 0.05}),
            ('fisher', ('elbo', 'kl', 'typicality'),
             {'false_alarm_rate': 0.05}),
            ('harmonic', ('reconstruction', 'kl'),
             {'combination': 'harmonic', 'false_alarm_rate': 0.02}))}

  @parameterized.parameters('elbo', 'fisher', 'harmonic')
  def test_alarms_are_as_rare_as_promised_and_find_outliers(self, name):
    detector = self.detectors[name]
    found = detector.detect(self.new)
    self.assertAllEqual(
        found.is_anomaly, found.p_values <= detector.false_alarm_rate)
    self.assertBetween(
        np.mean(found.is_anomaly),
        *detector.false_alarms.observed_interval(len(self.new), 0.999))
    if name == 'elbo':  # Of one score without ties, p-values are uniform.
      self.assertGreater(stats.kstest(found.p_values, 'uniform').pvalue, 0.001)
    outliers = detector.detect(self.off)
    self.assertGreater(np.mean(outliers.is_anomaly), 0.95)
    self.assertGreater(np.min(outliers.p_values), 0)

  def test_number_of_calibration_rows(self):
    self.assertLen(self.detectors['elbo'].calibration, _CALIBRATION)
    for name in ('fisher', 'harmonic'):  # Half of them are reference rows.
      detector = self.detectors[name]
      self.assertLen(detector.calibration, 500)
      self.assertEqual(detector.combination.reference.shape[1], 499)
    self.assertNear(self.detectors['fisher'].scores['typicality'].mean,
                    -np.mean(self.exact.elbo(self.x)), 0.3)

  def test_p_values_are_those_of_the_scores(self):
    detector = self.detectors['elbo']
    found = detector.detect(self.new)
    self.assertAllEqual(found.p_values, anomaly.conformal_p_values(
        detector.calibration, found.score))
    self.assertAllEqual(found.score, found.scores['elbo'])
    detector = self.detectors['harmonic']
    found = detector.detect(self.new)
    p_values = [anomaly.conformal_p_values(reference, scores)
                for reference, scores in zip(
                    detector.combination.reference, found.scores.values(),
                    strict=True)]
    self.assertAllClose(found.score, 1 / stats.hmean(p_values), rtol=1e-5)

  def test_explanations_are_those_of_the_model(self):
    found = self.detectors['fisher'].detect(self.off[:5])
    self.assertAllClose(
        found.latents, self.exact.posterior_mean(self.off[:5]), atol=1e-4)
    self.assertAllClose(
        found.reconstruction,
        found.latents @ self.exact.loadings.T + self.exact.bias, atol=1e-4)
    self.assertEqual(found.contributions.shape, (5, SIZE))
    self.assertAllClose(np.sum(found.contributions, axis=1),
                        found.scores['elbo'] - found.scores['kl'], rtol=1e-4)

  def test_results_depend_on_the_id_of_a_row_alone(self):
    detector = self.detectors['fisher']
    every = detector.detect(self.new, np.arange(400) * 7)
    rows = np.array([300, 5, 9])
    found = detector.detect(self.new[rows], [2100, 35, 63])
    self.assertAllClose(found.p_values, every.p_values[rows])
    for name, values in found.scores.items():
      self.assertAllClose(values, every.scores[name][rows], rtol=1e-5)
    named = detector.detect(self.new[:3], ['a', 'b', 'c'])
    self.assertNotAllClose(named.scores['elbo'], every.scores['elbo'][:3])
    with self.assertRaisesRegex(ValueError, '3 rows and 2 ids'):
      detector.detect(self.new[:3], [1, 2])
    with self.assertRaisesRegex(ValueError, '3 rows and 4 ids'):
      detector.detect(self.new[:3], [1, 2, 3, 4])

  def test_rows_that_are_not_finite_in_later_batches_are_alarms(self):
    x = self.new.copy()
    x[390, 2] = np.inf
    found = self.detectors['fisher'].detect(x)
    self.assertTrue(found.is_anomaly[390])
    self.assertFalse(np.isnan(found.p_values).any())

  @parameterized.parameters('elbo', 'fisher', 'harmonic')
  def test_a_loaded_detector_is_the_same(self, name):
    detector = self.detectors[name]
    path = pathlib.Path(self.create_tempdir().full_path) / 'detector.npz'
    detector.save(path)
    loaded = anomaly.Detector.load(path, self.model)
    expected, found = (d.detect(self.new[:50]) for d in (detector, loaded))
    self.assertAllEqual(found.p_values, expected.p_values)
    self.assertAllEqual(found.is_anomaly, expected.is_anomaly)
    self.assertEqual(loaded.scores, detector.scores)
    self.assertEqual(
        anomaly.drift(loaded.reference, found.scores, found.latents),
        anomaly.drift(detector.reference, expected.scores, expected.latents))
    self.assertEqual([p.name for p in path.parent.iterdir()], ['detector.npz'])

  def test_a_score_of_ones_own_is_saved_by_its_name(self):
    detector = anomaly.calibrate(self.model, self.x, 'code_length')
    path = self.create_tempdir().full_path + '/detector.npz'
    detector.save(path)
    found = anomaly.Detector.load(path, self.model).detect(self.new)
    self.assertAllClose(found.scores['code_length'], 0.5 * np.sum(
        self.exact.posterior_mean(self.new)**2, axis=1), rtol=1e-4)

  def test_files_of_another_model_or_kind_are_an_error(self):
    directory = pathlib.Path(self.create_tempdir().full_path)
    self.detectors['elbo'].save(directory / 'd.npz')
    other = LinearGaussian(factor=1.01).model
    with self.assertRaisesRegex(ValueError, 'calibrated with other weights'):
      anomaly.Detector.load(directory / 'd.npz', other)
    with self.assertRaisesRegex(ValueError, 'calibrated with other weights'):
      self.detectors['elbo'].check_model(other)
    (directory / 'text.npz').write_text('text')
    np.savez(directory / 'other.npz', a=1)
    for name in ('text', 'other'):
      with self.assertRaisesRegex(ValueError, f'not the file .*{name}.npz'):
        anomaly.Detector.load(directory / f'{name}.npz', self.model)
    with self.assertRaises(FileNotFoundError):
      anomaly.Detector.load(directory / 'none.npz', self.model)
    with np.load(directory / 'd.npz') as archive:
      arrays = dict(archive)
    for change in ({'version': 3}, {'scores': {'mine': {}}}):
      description = json.loads(str(arrays['description'])) | change
      np.savez(directory / 'new.npz', **arrays | {
          'description': np.array(json.dumps(description))})
      with self.assertRaisesRegex(ValueError, 'newer version'):
        anomaly.Detector.load(directory / 'new.npz', self.model)

  def test_drift_is_found_where_latents_move(self):
    detector = self.detectors['fisher']
    reference = detector.reference
    self.assertEqual(reference.latent_names, ('z[0]', 'z[1]', 'z[2]'))
    found = detector.detect(self.new)
    self.assertFalse(anomaly.drift(
        reference, found.scores, found.latents)['has_drifted'])
    moved = np.float32(self.new + 1.5 * self.exact.loadings[:, 1])
    found = detector.detect(moved)
    self.assertLess(np.mean(found.is_anomaly), 0.2)  # Few rows are unusual.
    self.assertIn('latent z[1]', anomaly.drift(
        reference, found.scores, found.latents)['moved_most'][:2])

  def test_rows_of_a_table_are_explained_by_column(self):
    model, (x, incomplete) = table_vae(), rows_of_table(120)
    detector = anomaly.calibrate(
        model, incomplete, ['surprise', 'elbo'], false_alarm_rate=0.1,
        settings={'anomaly_samples': 20})
    self.assertEqual(detector.scores['surprise'].samples, 20)
    self.assertEqual(detector.reference.columns, COLUMNS)
    self.assertAllEqual(detector.reference.codes, incomplete)
    odd = x[:5].copy()
    odd[1, 0] = 300.
    found = detector.detect(odd)
    self.assertAllClose(np.sum(found.contributions, axis=1),
                        found.scores['surprise'], rtol=1e-5)
    self.assertEqual(np.argmax(found.contributions[1]), 0)
    self.assertTrue(found.is_anomaly[1])
    report = anomaly.drift(
        detector.reference, found.scores, found.latents, odd)
    self.assertLen(report['tests'], 2 + 2 + 7 + 4 + 1)
    path = self.create_tempdir().full_path + '/d.npz'
    detector.save(path)
    self.assertAllEqual(anomaly.Detector.load(
        path, model).reference.codes, incomplete)

  def test_calibration_rows_among_the_training_rows_are_counted(self):
    training = tf.data.Dataset.from_tensor_slices(np.concatenate(
        [self.exact.draw(60, seed=9), self.x[:7], self.x[:2]])).batch(20)
    with self.assertLogs('tfvae.anomaly.digests', 'WARNING') as logs:
      detector = anomaly.calibrate(
          self.model, self.x[:100], false_alarm_rate=0.1, training=training)
    self.assertEqual(detector.overlap, 7)
    self.assertIn('7 of 100 calibration rows', logs.output[0])
    with self.assertNoLogs('tfvae.anomaly.digests', 'WARNING'):
      detector = anomaly.calibrate(
          self.model, self.x[:100], false_alarm_rate=0.1,
          training=self.exact.draw(60, seed=9))
    self.assertEqual(detector.overlap, 0)
    self.assertIsNone(self.detectors['elbo'].overlap)

  @parameterized.parameters(
      ({}, '99 or more calibration rows.*Received: 40'),
      ({'scores': ('elbo', 'kl')}, 'elbo, kl needs 198 or more.*40 rows'),
      ({'scores': 'typicality', 'false_alarm_rate': 0.02}, '98 or more'),
      ({'false_alarm_rate': 1.}, 'false_alarm_rate=1.0'),
      ({'scores': ()}, r'scores=\[\]'),
      ({'scores': ('elbo', 'elbo')}, 'each once'),
      ({'scores': ('elbow',)}, 'must be one of elbo, '),
      ({'scores': ('complexity',)}, 'complexity is a score of images'),
      ({'combination': 'mean'}, "combination='mean'"))
  def test_arguments_that_are_wrong_are_named(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      anomaly.calibrate(self.model, self.x[:40], **arguments)

  def test_images_of_a_conditional_model(self):
    model = image_vae(
        GraphicalModel.parse('z:2', 'z|x,y', 'z; x|z,y'), (4, 4, 1),
        hidden_units=(4,), num_classes=3)
    rng = np.random.default_rng(0)
    rows = {'x': rng.integers(2, size=[60, 4, 4, 1]).astype(np.float32),
            'y': np.eye(3, dtype=np.float32)[rng.integers(3, size=60)]}
    detector = anomaly.calibrate(
        model, tf.data.Dataset.from_tensor_slices(rows).batch(25),
        ('elbo', 'complexity'), false_alarm_rate=0.1)
    found = detector.detect(rows)
    self.assertEqual(found.contributions.shape, rows['x'].shape)
    self.assertEqual(found.reconstruction.shape, rows['x'].shape)
    others = detector.detect(rows | {'y': np.roll(rows['y'], 1, axis=1)})
    self.assertNotAllClose(others.score, found.score)
    # Version 1 had the length of one file, and did not say so.
    path = self.create_tempdir().full_path + '/detector.npz'
    detector.save(path)
    with np.load(path) as archive:
      arrays = dict(archive)
    description = json.loads(str(arrays['description'])) | {
        'version': 1, 'scores': {'elbo': {}, 'complexity': {}}}
    np.savez(path, **arrays | {'description': np.array(json.dumps(
        description))})
    old = anomaly.Detector.load(path, model)
    self.assertEqual(old.scores['complexity'].shapes, 1)
    self.assertEqual(detector.scores['complexity'].shapes, 2)


if __name__ == '__main__':
  tf.test.main()
