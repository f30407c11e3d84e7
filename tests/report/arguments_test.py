"""Labels and inputs of any kind, and what is refused."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from tfvae import models
from tfvae.graph import GraphicalModel
from tfvae.report import arguments

_NUMBERS = [2, 0, 1, 2]


class LabelNumbersTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('list', _NUMBERS), ('int64', np.array(_NUMBERS)),
      ('uint8', np.array(_NUMBERS, np.uint8)),
      ('column', np.array(_NUMBERS)[:, np.newaxis]),
      ('float', np.array(_NUMBERS, np.float32)),
      ('tensor', tf.constant(_NUMBERS)),
      ('one_hot', np.eye(3, dtype=np.float32)[_NUMBERS]),
      ('one_hot_bool', np.eye(3, dtype=bool)[_NUMBERS]))
  def test_numbers(self, labels):
    numbers, names = arguments.label_numbers(labels, 4)
    self.assertAllEqual(numbers, _NUMBERS)
    self.assertEqual(numbers.dtype, np.int64)
    self.assertEqual(names, ['0', '1', '2'])

  def test_booleans(self):
    numbers, names = arguments.label_numbers([True, False], 2)
    self.assertAllEqual(numbers, [1, 0])
    self.assertEqual(names, ['false', 'true'])
    self.assertEqual(
        arguments.label_numbers([True], 1, ('cat', 'dog'))[1], ['cat', 'dog'])

  @parameterized.parameters(
      (['b', 'a', 'b'],), (np.array(['b', 'a', 'b']),),
      (np.array([b'b', b'a', b'b']),), (np.array(['b', 'a', 'b'], object),))
  def test_strings(self, labels):
    numbers, names = arguments.label_numbers(labels, 3)
    self.assertAllEqual(numbers, [1, 0, 1])
    self.assertEqual(names, ['a', 'b'])
    numbers, names = arguments.label_numbers(labels, 3, ('b', 'c', 'a'))
    self.assertAllEqual(numbers, [0, 2, 0])
    self.assertEqual(names, ['b', 'c', 'a'])

  def test_unlabeled(self):
    numbers, names = arguments.label_numbers([-1, 1, -1], 3, ('zero',))
    self.assertAllEqual(numbers, [-1, 1, -1])
    self.assertEqual(names, ['zero', '1'])
    self.assertEmpty(arguments.label_numbers([-1, -1], 2)[1])

  @parameterized.named_parameters(
      ('fraction', [0.5, 1.0], 'one label is 0.5'),
      ('nan', [np.nan, 1.0], 'one label is nan'),
      ('below', [-2, 1], 'one label is -2'),
      ('too_few', [1], 'there are 2 images'),
      ('two_hot', [[1, 1], [0, 1]], r'of shape \(2, 2\)'),
      ('probabilities', [[0.2, 0.8], [0.5, 0.5]], r'of shape \(2, 2\)'),
      ('complex', [1j, 2j], 'complex128'),
      ('objects', np.array([None, 1], object), 'neither strings nor numbers'))
  def test_refuses(self, labels, message):
    with self.assertRaisesRegex(ValueError, f'(?s)one-hot rows.*{message}'):
      arguments.label_numbers(labels, 2)

  def test_refuses_strings_that_are_no_class_names(self):
    with self.assertRaisesRegex(ValueError, "class_names lacks 'c'"):
      arguments.label_numbers(['c', 'b'], 2, ('a', 'b'))


class CheckTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(
      ('flat', np.zeros([3, 20]), r'\[b, 4, 5, 1\].*\[3, 20\]'),
      ('scalars', np.zeros([3]), r'at least one x.*x\.shape=\(3,\)'),
      ('none', np.zeros([0, 4, 5, 1]), r'at least one x.*\(0, 4, 5, 1\)'),
      ('other_size', np.zeros([3, 5, 4, 1]), r'\[b, 4, 5, 1\].*\[3, 5, 4, 1\]'))
  def test_refuses_images(self, x, message):
    model = models.image_vae('z:2', (4, 5, 1), hidden_units=(3,))
    with self.assertRaisesRegex(ValueError, message):
      arguments.check_inputs(model, x)

  def test_refuses_labels_that_are_not_one_hot(self):
    graph = GraphicalModel.parse('z:3', 'z|x,y', 'z; x|z,y')
    model = models.image_vae(graph, (4, 5, 1), hidden_units=(3,), num_classes=3)
    x = np.zeros([2, 4, 5, 1], np.float32)
    arguments.check_inputs(model, {'x': x, 'y': np.eye(3)[:2]})
    with self.assertRaisesRegex(ValueError, 'A conditional model takes'):
      arguments.check_inputs(model, x)
    for y, message in ((np.array([0, 1]), 'one-hot'), (np.eye(2), 'one-hot'),
                       (np.eye(3), 'a row for each image')):
      with self.assertRaisesRegex(ValueError, message):
        arguments.check_inputs(model, {'x': x, 'y': y})

  def test_refuses_arrays_of_another_latent(self):
    arguments.check_by_latent('active', {'z': np.zeros(4)}, {'z': 4})
    for values in ({'z': np.zeros(3)}, {'w': np.zeros(4)}, {'z': 1.0}):
      with self.assertRaisesRegex(ValueError, r"\{'z': 4\}.*active\['.'\]"):
        arguments.check_by_latent('active', values, {'z': 4})


if __name__ == '__main__':
  tf.test.main()
