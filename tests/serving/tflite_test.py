"""LiteRT's files give what the model gives, in a process of their own."""

import os

import numpy as np
import tensorflow as tf
import tf_keras

from tests.serving import reused_case
from tests.serving import served_case
from tfvae import layers
from tfvae import models
from tfvae import priors
from tfvae import regularizers
from tfvae.serving.tflite import export_tflite
from tfvae.tables import Column

# Hierarchy, condition, merging, flow and full covariance; every network, and
# the likelihoods whose means take most.
_CASES = [dict(zip(
    ('graph', 'posterior', 'likelihood', 'network', 'prior'), case, strict=True
)) for case in [
    ('ladder, precision_weighted', 'normal_diag', 'negative_binomial', 'conv',
     'maf'),
    ('conditional', 'iaf_tril', 'continuous_bernoulli', 'resnet', 'mixture'),
    ('vae', 'normal_tril', 'discretized_logistic', 'mlp', 'vamp'),
    ('vae', 'spline', 'bernoulli', 'mlp', 'spline'),
    ('vae', 'mixture', 'bernoulli', 'mlp', 'standard_normal')]]

# For `reused_case`; the batch is none that the converter has seen.
_PROGRAM = """
import tensorflow as tf

def load(path):
  run = tf.lite.Interpreter(path + '.tflite').get_signature_runner(
      path.split('/')[-1])
  return lambda inputs: run(**inputs)

compare(load)
"""


class TFLiteTest(tf.test.TestCase):

  def test_float32_equals_the_model(self):
    root, directories = self.create_tempdir().full_path, []
    for index, case in enumerate(_CASES):
      model, rows = served_case.make_model_and_rows(case)
      directories.append(os.path.join(root, str(index)))
      export_tflite(model, directories[-1])
      for name, parts in reused_case.inputs_and_outputs(model, rows).items():
        reused_case.save(directories[-1], name, *parts)
    directories += [self._adapted(root), self._table(root)]
    differences = reused_case.differences(_PROGRAM, directories)
    self.assertGreaterEqual(len(differences), 3 * len(directories))
    for name, difference in differences.items():
      self.assertLess(difference, 1e-5, name)

  def _adapted(self, root):
    """Saves a model of data in another unit; returns the directory."""
    model = models.image_vae('z:2', (2, 3, 1), hidden_units=(4,),
                             likelihood='normal')
    likelihood = model.decoder.layers[-1]
    likelihood.data_loc, likelihood.data_scale = -300., 50.
    directory = os.path.join(root, 'adapted')
    export_tflite(model, directory)
    x = np.random.default_rng(0).normal(size=[3, 2, 3, 1]).astype(np.float32)
    for name, parts in reused_case.inputs_and_outputs(
        model, {'x': x, 'y': np.zeros([3, 0])}).items():
      reused_case.save(directory, name, *parts)
      if name == 'decode':
        self.assertAllClose(parts[1]['mean'], tf.fill([3, 2, 3, 1], -300.),
                            atol=200.)
    return directory

  def _table(self, root):
    """Saves a model of incomplete rows of a table; returns the directory."""
    columns = (Column('size', 'positive', loc=2.),
               Column('color', 'categorical', 'string', ('red', 'blue')),
               Column('grade', 'ordinal', 'string', ('c', 'b', 'a'),
                      frequencies=(0.5, 0.3, 0.2)),
               Column('visits', 'count'), Column('alive', 'binary', 'boolean', (
                   False, True)), Column('day', 'date', 'string', loc=10_000.))
    model = models.image_vae('z:2', (6,), hidden_units=(4,),
                             likelihood=layers.IndependentColumns(
                                 columns=columns), missing=True)
    directory = os.path.join(root, 'table')
    export_tflite(model, directory)
    x = np.float32([[8., 0, 2, 5, 1, 10_001.], [6., 2, 0, 0, 0, 9_998.25],
                    [np.nan, 1, np.nan, 2, 0, np.nan],
                    [1., np.nan, 0, np.nan, np.nan, 9_999.]])
    for name, parts in reused_case.inputs_and_outputs(
        model, {'x': x, 'y': np.zeros([4, 0])}).items():
      reused_case.save(directory, name, *parts)
    return directory

  def test_strict_resizing_refuses_other_shapes(self):
    model = models.image_vae('z:2', (8, 8, 1), hidden_units=(3,))
    paths = export_tflite(model, self.create_tempdir().full_path)
    for name, row, wrong in (('encode', (8, 8, 1), [(64,), (8, 4, 1)]),
                             ('decode', (2,), [(3,), (2, 2)])):
      interpreter = tf.lite.Interpreter(paths[name])
      index = interpreter.get_input_details()[0]['index']
      for shape in wrong:
        with self.assertRaises(RuntimeError):
          interpreter.resize_tensor_input(index, [5, *shape], strict=True)
      interpreter.resize_tensor_input(index, [5, *row], strict=True)
      interpreter.allocate_tensors()
      self.assertAllEqual(
          interpreter.get_input_details()[0]['shape'], [5, *row])

  def test_int8_is_small_and_near(self):
    tf_keras.utils.set_random_seed(0)
    model = models.image_vae('z:16', (28, 28, 1), hidden_units=(100, 100))
    directory = self.create_tempdir().full_path
    paths = export_tflite(model, directory, quantize=True)
    x = np.random.default_rng(0).uniform(size=[3, 28, 28, 1])
    parts = reused_case.inputs_and_outputs(
        model, {'x': x.astype(np.float32), 'y': np.zeros([3, 0])})
    for name, (inputs, outputs) in parts.items():
      reused_case.save(directory, name, inputs, outputs)
    size = sum(map(os.path.getsize, paths.values()))
    self.assertLess(size, 1.3 * model.count_params())  # Bytes; float32 has 4.
    differences = reused_case.differences(_PROGRAM, [directory])
    self.assertLen(differences, 3)
    for name, difference in differences.items():
      self.assertBetween(difference, 1e-5, 0.03, name)

  def test_names_the_operation_that_is_missing(self):
    diagonal = tf_keras.layers.Lambda(
        lambda x: tf.linalg.diag_part(x[:, :, None] * x[:, None, :]))
    model = models.VAE(
        tf_keras.Sequential([
            tf_keras.layers.Input([6]), diagonal, tf_keras.layers.Dense(4),
            layers.MultivariateNormalDiag(
                2, activity_regularizer=regularizers.KLDivergenceRegularizer(
                    priors.StandardNormal(2)))]),
        tf_keras.Sequential([
            tf_keras.layers.Input([2]), tf_keras.layers.Dense(6),
            layers.IndependentBernoulli(6)]))
    with self.assertRaisesRegex(
        ValueError, 'no tf.MatrixDiagPartV3; .*SELECT_TF_OPS'):
      export_tflite(model, self.create_tempdir().full_path)


if __name__ == '__main__':
  tf.test.main()
