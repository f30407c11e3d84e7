"""SavedModels that a server would fail at, and what is said of them."""

import os
import warnings

from absl.testing import parameterized
import tensorflow as tf
import tensorflow_probability as tfp

from tests.serving import cpp_loader
from tfvae.serving.saved_model import lint

tfd = tfp.distributions

_ROWS = tf.TensorSpec([None, 3], tf.float32, name='x')
_double = lambda x: {'y': 2 * x}
_double_compiled = tf.function(lambda x: 2 * x, jit_compile=True)
_generator = tf.random.Generator.from_seed(1)


def _python(call):
  """Returns a function that has `tf.py_function` or one like it within."""
  return lambda x: {'y': tf.ensure_shape(
      call(lambda rows: 2 * rows, [x], tf.float32), [None, 3])}


# By hand: function, input, and what must be said of it: where, what, remedy.
_BAD = {
    'distribution': (
        lambda x: {'y': tfd.Normal(x, 1.0)}, _ROWS,
        ["output 'y'", 'tfp.distributions.Normal', 'mean or a sample']),
    'independent': (
        lambda x: {'y': tfd.Independent(tfd.Normal(x, 1.0), 1)}, _ROWS,
        ["output 'y'", 'tfp.distributions.Independent', 'mean or a sample']),
    'ragged': (
        lambda x: {'y': tf.RaggedTensor.from_tensor(x)}, _ROWS,
        ["output 'y'", 'RaggedTensor', 'dense']),
    'py_function': (
        _python(tf.py_function), _ROWS, ['EagerPyFunc', 'Python', 'served']),
    'numpy_function': (
        _python(tf.numpy_function), _ROWS, ['PyFunc', 'Python', 'served']),
    'numpy_function_stateless': (
        _python(lambda *a: tf.numpy_function(*a, stateful=False)), _ROWS,
        ['PyFunc', 'Python', 'served']),
    'compiled': (
        lambda x: {'y': _double_compiled(x)}, _ROWS,
        ['function', 'XLA', 'without jit_compile=True', 'served']),
    'bfloat16': (
        lambda x: {'y': tf.cast(x, tf.bfloat16)}, _ROWS,
        ["output 'y'", 'bfloat16', 'cast it']),
    'float16': (
        lambda x: {'y': tf.cast(x, tf.float32)},
        tf.TensorSpec([None, 3], tf.float16, name='x'),
        ["input 'x'", 'float16', 'cast it']),
    'variant': (
        lambda x: {'y': tf.raw_ops.TensorListFromTensor(
            tensor=x, element_shape=[3])[tf.newaxis]}, _ROWS,
        ["output 'y'", 'variant']),
    'scalar_output': (
        lambda x: {'y': tf.reduce_sum(x)}, _ROWS,
        ["output 'y'", 'scalar', 'None']),
    'scalar_input': (
        lambda x: {'y': tf.fill([3, 1], x)[:tf.cast(x, tf.int32)]},
        tf.TensorSpec([], tf.float32, name='x'),
        ["input 'x'", 'scalar', 'None']),
    'fixed_rows': (
        _double, tf.TensorSpec([8, 3], tf.float32, name='x'),
        ["input 'x'", '[8, 3]', 'None']),
    'unknown_rank': (
        _double, tf.TensorSpec(None, tf.float32, name='x'),
        ["input 'x'", 'rank', 'tf.ensure_shape']),
    'random': (
        lambda x: {'y': tf.random.normal(tf.shape(x))}, _ROWS,
        ['RandomStandardNormal', 'stateless', 'served']),
    'random_with_seed': (
        lambda x: {'y': x * tf.random.uniform([3], seed=1)}, _ROWS,
        ['RandomUniform', 'stateless', 'served']),
    'random_in_a_loop': (
        lambda x: {'y': tf.map_fn(lambda row: row + tf.random.gamma([3], 1.0),
                                  x)}, _ROWS,
        ['RandomGamma', 'stateless', 'served']),
    'random_in_a_branch': (
        lambda x: {'y': tf.cond(x[0, 0] > 0, lambda: x,
                                lambda: tf.random.shuffle(x))}, _ROWS,
        ['RandomShuffle', 'stateless', 'served']),
    'generator': (
        lambda x: {'y': x * _generator.normal([3])}, _ROWS,
        ['RngReadAndSkip', 'stateless', 'served']),
}
# By hand: those that a client cannot have an answer of, not even a wrong one.
_UNANSWERED = ['distribution', 'independent', 'ragged', 'py_function',
               'numpy_function', 'compiled']


class LintTest(tf.test.TestCase, parameterized.TestCase):

  def _save(self, function, spec=_ROWS, names=('serving_default', 'served')):
    """Returns the path of a SavedModel with the function as signatures."""
    module = tf.Module()
    module.generator = _generator
    module.function = tf.function(function, input_signature=[spec])
    path = self.create_tempdir().full_path
    with warnings.catch_warnings():  # All that TensorFlow says of these.
      warnings.simplefilter('ignore')
      tf.saved_model.save(
          module, path, signatures={name: module.function for name in names})
    return path

  @parameterized.parameters(*_BAD)
  def test_says_where_what_and_the_remedy(self, case):
    function, spec, words = _BAD[case]
    path = self._save(function, spec)
    problems = lint.lint_saved_model(path)
    self.assertTrue(
        any(all(word in problem for word in words) for problem in problems),
        problems)
    with self.assertRaises(ValueError) as error:
      lint.check_saved_model(path)
    for text in [*problems, f'path={path}']:
      self.assertIn(text, str(error.exception))

  def test_the_server_cannot_answer_either(self):
    x = tf.ones([2, 3]).numpy()
    with cpp_loader.CppLoader() as loader:
      self.assertAllEqual(
          loader.run(self._save(_double), 'served', {'x': x})['y'], 2 * x)
      for case in _UNANSWERED:
        path = self._save(*_BAD[case][:2])
        with self.subTest(case), self.assertRaises(RuntimeError):
          loader.run(path, 'served', {'x': x})

  def test_whole_function_that_must_be_compiled(self):
    path = self._save(tf.function(_double, jit_compile=True))
    self.assertLen(lint.lint_saved_model(path), 1)

  @parameterized.parameters(
      _double,
      tf.function(_double, jit_compile=False),
      lambda x: {'y': x + tf.random.stateless_normal([3], [1, 2])},
      lambda x: {'y': tf.map_fn(tf.exp, x), 'n': tf.cast(x[:, 0], tf.int64)})
  def test_nothing_to_say(self, function):
    path = self._save(function)
    self.assertEqual(lint.lint_saved_model(path), [])
    lint.check_saved_model(path)

  def test_random_function_that_no_signature_reaches(self):
    module = tf.Module()
    module.noise = tf.function(lambda: tf.random.normal([3]),
                               input_signature=[])
    module.double = tf.function(_double, input_signature=[_ROWS])
    path = self.create_tempdir().full_path
    tf.saved_model.save(module, path, signatures=module.double)
    self.assertEqual(lint.lint_saved_model(path), [])

  def test_each_problem_of_each_signature(self):
    path = self._save(
        lambda x: {'y': tf.reduce_sum(tf.cast(x, tf.float16)),
                   'z': tf.ones([1, 3])})
    # In each signature y has a bad type and no rows, and z has one row.
    self.assertLen(lint.lint_saved_model(path), 6)

  def test_missing_signatures(self):
    [problem] = lint.lint_saved_model(self._save(_double, names=()))
    self.assertIn('no signatures', problem)
    [problem] = lint.lint_saved_model(self._save(_double, names=['encode']))
    self.assertIn("'serving_default'", problem)
    self.assertIn("'encode'", problem)

  def test_no_saved_model(self):
    path = self.create_tempdir().full_path
    with self.assertRaisesRegex(ValueError, f'cannot be read.*path={path}'):
      lint.lint_saved_model(path)
    with open(os.path.join(path, 'saved_model.pb'), 'wb') as file:
      file.write(b'not a protobuf')
    with self.assertRaisesRegex(ValueError, f'cannot be read.*path={path}'):
      lint.lint_saved_model(path)
    with open(os.path.join(path, 'saved_model.pb'), 'wb'):
      pass
    with self.assertRaisesRegex(ValueError, f'no graph.*path={path}'):
      lint.lint_saved_model(path)


if __name__ == '__main__':
  tf.test.main()
