"""Exports of a run: at its end, repeated, and elsewhere."""

import dataclasses
import os
import shutil
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.models import image_vae
from tfvae.serving import ImageInput
from tfvae.training import Config
from tfvae.training import export_run
from tfvae.training import train
from tfvae.training import train_and_evaluate
from tfvae.training.fit import fitting
from tfvae.training.results import export
from tfvae.training.results import use


class ExportTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    directory = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, directory)
    cls.workdir = os.path.join(directory, 'run')
    cls.config = Config(
        data_dir=directory, latents='z:2',
        hidden_units=(16,), epochs=1, jit='false', eval_importance_samples=2,
        eval_importance_examples=20, evaluations=('importance_weighted',))
    with (mock.patch.object(fitting, 'TensorBoard'),
          mock.patch.object(train, 'write_report')):
      cls.metrics = train_and_evaluate(cls.config, cls.workdir)

  def _versions(self, base_path=None):
    return sorted(os.listdir(base_path or os.path.join(self.workdir, 'export')))

  def test_a_run_ends_with_what_predicts_as_its_model(self):
    self.assertIn('1', self._versions())
    model = tf_keras.models.load_model(
        os.path.join(self.workdir, 'model.keras'))
    served = tf.saved_model.load(os.path.join(self.workdir, 'export', '1'))
    x = np.float32(np.random.default_rng(0).integers(2, size=[7, 8, 8, 1]))
    self.assertAllClose(
        served.signatures['serving_default'](x=tf.constant(x))['mean'],
        model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)

  def test_exports_anew_and_keeps_the_newest(self):
    newest = int(self._versions()[-1])
    self.assertEqual(export_run(self.config, self.workdir), self.metrics)
    self.assertEqual(self._versions()[-1], str(newest + 1))
    export_run(dataclasses.replace(self.config, export_keep=1), self.workdir)
    self.assertEqual(self._versions(), [str(newest + 2)])
    # For the other test, whichever comes first.
    os.rename(os.path.join(self.workdir, 'export', str(newest + 2)),
              os.path.join(self.workdir, 'export', '1'))

  def test_exports_elsewhere(self):
    base_path = self.create_tempdir().full_path
    export_run(dataclasses.replace(self.config, export_dir=base_path),
               self.workdir)
    self.assertEqual(self._versions(base_path), ['1'])

  def test_a_run_on_images_takes_image_files(self):
    path = os.path.join(self.workdir, 'export', self._versions()[0])
    signature = tf.saved_model.load(path).signatures['parse_image']
    digit = np.random.default_rng(0).integers(0, 256, [8, 8, 1], np.uint8)
    self.assertAllEqual(
        signature(image=tf.io.encode_png(digit)[tf.newaxis])['x'][0],
        digit >= 128)

  @parameterized.parameters(
      ('digits', ImageInput('pad', (255, 0, 0))),
      ('./flowers', ImageInput('pad', (255, 0, 0))), ('spectra.npz', None))
  def test_image_files_are_converted_as_in_training(self, dataset, expected):
    config = dataclasses.replace(
        self.config, dataset=dataset, image_size='8', resize='pad',
        background='red')
    model = image_vae('z:2', (8, 8, 1), hidden_units=(2,))
    with (mock.patch.object(use, 'load_model', return_value=model),
          mock.patch.object(train.workdir_lib, 'trained_metrics'),
          mock.patch.object(export, 'export_saved_model') as exported):
      export_run(config, self.create_tempdir().full_path)
    self.assertEqual(exported.call_args.kwargs['image_input'], expected)

  def test_refuses_what_is_no_finished_run(self):
    with self.assertRaisesRegex(
        ValueError, 'no finished run.*`train_and_evaluate`'):
      export_run(self.config, self.create_tempdir().full_path)


if __name__ == '__main__':
  tf.test.main()
