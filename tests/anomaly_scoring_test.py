"""The worked example of docs/serving.md, on scores that are known."""

import importlib.util
import pathlib
import zlib

import numpy as np
from scipy import stats
import tensorflow as tf

from tfvae import models
from tfvae import serving

_PATH = pathlib.Path(__file__).parents[1] / 'docs' / 'anomaly_scoring.py'


def _example():
  spec = importlib.util.spec_from_file_location('anomaly_scoring', _PATH)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


class AnomalyScoringTest(tf.test.TestCase):

  def test_threshold_is_of_the_validation_scores_alone(self):
    rng = np.random.default_rng(0)
    validation, own, outliers = (
        rng.normal(mean, size=500) for mean in (0, 0.2, 1))
    row, = _example().table(
        {'s': validation}, {'s': own}, {'s': outliers}, false_alarms=0.1)
    self.assertEqual(np.sum(validation > row['threshold']), 50)
    self.assertEqual(row['false_alarms'], np.mean(own > row['threshold']))
    self.assertEqual(row['detected'], np.mean(outliers > row['threshold']))
    # The area under the curve is Mann and Whitney's U, as a share.
    self.assertAllClose(
        row['auc'], stats.mannwhitneyu(outliers, own).statistic / 500**2)

  def test_scores_are_high_for_what_is_foreign(self):
    x = np.zeros([2, 4, 4, 1], np.uint8)
    outputs = {'elbo': np.float32([-80, -120]), 'kl': np.float32([5, 6]),
               'reconstruction': np.float32([-75, -114])}
    scores = _example().anomaly_scores(outputs, x, typical=-100)
    nats = 8 * len(zlib.compress(bytes(16), 9)) * np.log(2)
    self.assertAllClose(scores['-elbo - complexity'], [80 - nats, 120 - nats])
    self.assertAllClose(scores['|elbo - mean|'], [20, 20])
    self.assertAllClose(scores['-elbo'], [80, 120])

  def test_scores_of_an_export_are_means_over_its_draws(self):
    model = models.image_vae('z:2', (4, 4, 1), hidden_units=(5,))
    workdir = pathlib.Path(self.create_tempdir().full_path)
    for _ in range(2):
      serving.export_saved_model(model, str(workdir / 'export'))
    example = _example()
    path = example.newest_version(str(workdir))
    self.assertEqual(pathlib.Path(path).name, '2')
    x = np.random.default_rng(0).integers(2, size=[3, 4, 4, 1])
    signature = serving.signatures(model, ['score'])['score']
    expected = np.mean([
        signature(x=tf.constant(x, tf.float32), seed=tf.constant(
            [[i, draw] for i in range(3)]))['elbo'] for draw in range(2)], 0)
    self.assertAllClose(
        example.score(path, x, draws=2)['elbo'], expected, rtol=1e-5)


if __name__ == '__main__':
  tf.test.main()
