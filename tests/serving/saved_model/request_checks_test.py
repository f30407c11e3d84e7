"""Wrong requests through the C++ loader, which compares no shapes itself."""

import os
import shutil
import tempfile

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tests.serving.cpp_loader import CppLoader
from tfvae import models
from tfvae import serving
from tfvae.graph import GraphicalModel
from tfvae.serving.saved_model.signatures import input_shapes

_IMAGE = (8, 8, 1)
_GRAPHS = {
    'plain': ('z:2',),
    'conditional': ('z:2', 'z|x,y', 'z; x|z,y'),
    'two_latents': ('z1:2,z2:4', 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1,z2')}

# Graph, input, shapes that it does not take, and the one that it does.
_WRONG_SHAPES = (
    ('plain', 'x', [(8, 8, 1), (1, 64), (2, 8, 4, 1), (2, 8, 8), (64,), ()],
     '[?,8,8,1]'),
    ('plain', 'seed', [(3,), (3, 3), (2,), (3, 2, 1), ()], '[?,2]'),
    ('plain', 'z', [(2, 3), (2,), (2, 2, 2)], '[?,2]'),
    ('plain', 'examples', [(2, 1), ()], '[?]'),
    ('conditional', 'x', [(3, 64)], '[?,8,8,1]'),
    ('conditional', 'y', [(3, 4), (3,), (3, 1)], '[?,3]'),
    ('two_latents', 'z2', [(3, 2)], '[?,4]'))

# Graph, signature, and numbers of rows by input.
_WRONG_ROWS = (
    ('plain', 'score', {'x': 3, 'seed': 2}),
    ('plain', 'score', {'x': 3, 'seed': 1}),
    ('plain', 'score', {'x': 1, 'seed': 3}),
    ('conditional', 'serving_default', {'x': 3, 'y': 2}),
    ('conditional', 'reconstruct', {'x': 1, 'y': 3}),
    ('conditional', 'encode', {'x': 3, 'y': 1}),
    ('conditional', 'decode', {'z': 3, 'y': 2}),
    ('conditional', 'generate', {'seed': 3, 'y': 2}),
    ('conditional', 'generate', {'seed': 2, 'y': 0}),
    ('conditional', 'score', {'x': 3, 'y': 3, 'seed': 2}),
    ('conditional', 'score', {'x': 3, 'y': 2, 'seed': 3}),
    ('conditional', 'score', {'x': 2, 'y': 3, 'seed': 3}),
    ('two_latents', 'decode', {'z1': 3, 'z2': 2}))


def _example(size):
  """Returns a serialized `tf.Example` with that many floats for x."""
  return tf.train.Example(features=tf.train.Features(feature={
      'x': tf.train.Feature(float_list=tf.train.FloatList(value=[1.0] * size))
  })).SerializeToString()


def _array(name, shape):
  """Returns an input of a shape, whose content any signature takes."""
  if name == 'examples':
    array = np.empty(shape, object)
    array[...] = _example(64)
    return array
  return np.ones(shape, np.int32 if name == 'seed' else np.float32)


class RequestChecksTest(tf.test.TestCase, parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    directory = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, directory)
    cls.loader = cls.enterClassContext(CppLoader())
    cls.paths, cls.shapes = {}, {}
    for name, graph in _GRAPHS.items():
      model = models.image_vae(
          GraphicalModel.parse(*graph), _IMAGE, 'mlp', (4,), (4,),
          num_classes=3)
      cls.paths[name] = os.path.join(directory, name)
      cls.shapes[name] = input_shapes(model)
      tf.saved_model.save(serving.ServedModel(model), cls.paths[name],
                          signatures=serving.signatures(model))

  def _run(self, graph, signature, rows=3, **replaced):
    """Calls a signature with valid inputs, except for the replaced ones."""
    return self.loader.run(self.paths[graph], signature, {
        name: _array(name, (rows, *shape))
        for name, shape in self.shapes[graph][signature].items()} | replaced)

  @parameterized.parameters(*_WRONG_SHAPES)
  def test_names_the_input_and_both_shapes(self, graph, name, shapes, expected):
    takers = [signature for signature, takes in self.shapes[graph].items()
              if name in takes]
    self.assertNotEmpty(takers)
    for signature in takers:
      for shape in shapes:
        received = str(list(shape)).replace(' ', '')
        with self.subTest(f'{signature}: {received}'):
          with self.assertRaises(RuntimeError) as error:
            self._run(graph, signature, **{name: _array(name, shape)})
          message = str(error.exception)
          self.assertIn('INVALID_ARGUMENT', message)
          self.assertIn(f'check_shape_of_{name}', message)
          self.assertIn(
              f'{received} is not compatible with expected shape {expected}',
              message)

  @parameterized.parameters(*_WRONG_ROWS)
  def test_says_how_many_rows_each_input_has(self, graph, signature, rows):
    inputs = {name: _array(name, (count, *self.shapes[graph][signature][name]))
              for name, count in rows.items()}
    with self.assertRaisesRegex(
        RuntimeError, 'INVALID_ARGUMENT.*the same number of rows') as error:
      self._run(graph, signature, **inputs)
    for name, count in rows.items():
      self.assertIn(f'[{name}:] [{count}]', str(error.exception))

  @parameterized.parameters(0.5, 255.0, -1.0, np.nan)
  def test_score_of_data_outside_the_support(self, value):
    x = np.zeros([2, *_IMAGE], np.float32)
    x[1, 2, 3, 0] = value
    self._run('plain', 'reconstruct', 2, x=x)  # Has no use for p(x|z).
    for signature in ('score', 'contributions', 'log_likelihood'):
      with self.assertRaisesRegex(
          RuntimeError,
          f'INVALID_ARGUMENT.*{signature} takes data that are 0 or 1, on which '
          'IndependentBernoulli'):
        self._run('plain', signature, 2, x=x)

  def test_wrong_length_of_a_feature(self):
    for size in (0, 63, 65):
      examples = np.array([_example(64), _example(size)], object)
      with self.assertRaisesRegex(RuntimeError, 'INVALID_ARGUMENT.*Key: x'):
        self._run('plain', 'parse_example', examples=examples)

  @parameterized.parameters(0, 1, 5)
  def test_right_requests_are_answered(self, rows):
    for graph, signatures in self.shapes.items():
      for signature in signatures:
        if graph != 'conditional' or signature != 'parse_example':
          for output in self._run(graph, signature, rows).values():
            self.assertLen(output, rows)


if __name__ == '__main__':
  tf.test.main()
