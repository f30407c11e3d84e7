"""Exported models, run by TensorFlow's C++ loader as a server runs them."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.linear_gaussian import LinearGaussian
from tests.serving import served_case
from tests.serving.cpp_loader import CppLoader
from tfvae import serving


def _save_function(function, path, **kwargs):
  """Saves a function of float rows `x` as a SavedModel's one signature."""
  module = tf.Module()
  module.function = tf.function(
      function, input_signature=[tf.TensorSpec([None], name='x')], **kwargs)
  tf.saved_model.save(module, path, signatures=module.function)


class CppLoaderTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.loader = cls.enterClassContext(CppLoader())

  # Every other one; `benchmarks.serving_versions` takes the whole matrix.
  @parameterized.parameters(*served_case.COVERING_CASES[::2])
  def test_every_signature_equals_python_in_any_batch(self, **case):
    model, rows = served_case.make_model_and_rows(case)
    functions = serving.signatures(model, importance_samples=3)
    path = self.create_tempdir().full_path
    # `export_saved_model` adds to this, for seconds, what its own test shows.
    tf.saved_model.save(
        serving.ServedModel(model), path, signatures=functions)
    for name, function in functions.items():
      takes = function.structured_input_signature[1]
      expected = function(**{key: tf.constant(rows[key]) for key in takes})
      for batch in served_case.BATCHES:
        outputs = self.loader.run(
            path, name, {key: rows[key][batch] for key in takes})
        self.assertCountEqual(outputs, expected)
        for key, value in outputs.items():
          # A row, the sample of a seed's too, is that of any other batch.
          self.assertLess(served_case.relative_difference(
              value, expected[key][batch].numpy()), 1e-5, f'{name}: {key}')

  def test_refined_posteriors_equal_python_and_the_exact_ones(self):
    exact = LinearGaussian(factor=0.6, shift=-0.5)
    x, seed = exact.draw(64), np.int32(np.arange(128).reshape(64, 2))
    functions = serving.signatures(
        exact.model, ['serving_default', 'refine'], refine_steps=60)
    path = self.create_tempdir().full_path
    tf.saved_model.save(
        serving.ServedModel(exact.model), path, signatures=functions)
    self.assertEmpty(serving.lint_saved_model(path))
    expected = functions['refine'](x=tf.constant(x), seed=tf.constant(seed))
    for rows in served_case.BATCHES:
      outputs = self.loader.run(
          path, 'refine', {'x': x[rows], 'seed': seed[rows]})
      self.assertCountEqual(outputs, ['loc', 'scale_diag', 'gain'])
      for key, value in outputs.items():
        self.assertLess(served_case.relative_difference(
            value, expected[key].numpy()[rows]), 1e-5, key)
      self.assertAllClose(
          outputs['loc'], exact.posterior_mean(x[rows]), atol=1e-3)

  def test_compiled_function_fails_as_in_the_server(self):
    path = os.path.join(self.get_temp_dir(), 'compiled')
    _save_function(lambda x: {'doubled': 2 * x}, path, jit_compile=True)
    x = np.ones(3, np.float32)
    served = tf.saved_model.load(path).signatures['serving_default']
    self.assertAllEqual(served(x=tf.constant(x))['doubled'], 2 * x)
    with self.assertRaisesRegex(RuntimeError, 'XLA compilation disabled'):
      self.loader.run(path, 'serving_default', {'x': x})

  def test_python_function_fails_as_in_the_server(self):
    path = os.path.join(self.get_temp_dir(), 'python')
    _save_function(
        lambda x: {'sum': tf.numpy_function(np.add, [x, x], tf.float32)}, path)
    with self.assertRaisesRegex(RuntimeError, 'PyFunc'):
      self.loader.run(path, 'serving_default', {'x': np.ones(3, np.float32)})

  def test_wrong_requests_say_what_is_wrong(self):
    path = os.path.join(self.get_temp_dir(), 'half')
    _save_function(lambda x: {'half': x / 2}, path)
    x = np.float32([1, 2])
    for wrong, message in [
        ((f'{path}/1', 'serving_default', {'x': x}), 'Could not find'),
        ((path, 'encode', {'x': x}), 'Received: encode'),
        ((path, 'serving_default', {'z': x}), r"Received: \['z'\]"),
        ((path, 'serving_default', {'x': x > 0}), 'bool'),
        ((path, 'serving_default', {'x': np.int32(x)}), 'int32'),
    ]:
      with self.assertRaisesRegex(RuntimeError, message):
        self.loader.run(*wrong)
    # And the loader answers still.
    self.assertAllEqual(
        self.loader.run(path, 'serving_default', {'x': x})['half'], x / 2)


if __name__ == '__main__':
  tf.test.main()
