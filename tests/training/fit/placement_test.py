"""Each operation of a training step has a kernel for a GPU.

TensorFlow's package for Linux registers the kernels for GPUs also where there
is none, so that this needs no GPU.
"""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import kernels

from tfvae.layers import IndependentColumns
from tfvae.tables import Column
from tfvae.training import Config
from tfvae.training import strategies
from tfvae.training.fit import building
from tfvae.training.fit import fitting
from tfvae.training.fit.batches import TrainingInput
from tfvae.training.fit.images import load_images

# Operations that call functions, or do nothing.
_WITHOUT_KERNEL = ('_Arg', '_Retval', 'NoOp', 'PartitionedCall', 'Placeholder',
                   'StatefulPartitionedCall')


def _nodes(function):
  """Yields the nodes of a graph and of all functions that it calls."""
  graph = function.graph.as_graph_def()
  yield from graph.node
  for called in graph.library.function:
    yield from called.node_def


def _is_of_gpu(kernel, node):
  """Returns whether a kernel takes a node, on a GPU."""
  if kernel.device_type not in ('GPU', 'DEFAULT'):
    return False
  return all(
      node.attr[constraint.name].type in constraint.allowed_values.list.type
      for constraint in kernel.constraint
      if node.attr[constraint.name].WhichOneof('value') == 'type')


def _without_gpu(function):
  """Returns the operations that only a CPU can compute, with their types."""
  found = set()
  for node in _nodes(function):
    if node.op in _WITHOUT_KERNEL:
      continue
    registered = kernels.get_registered_kernels_for_op(node.op).kernel
    if 'CPU' in node.device or not any(
        _is_of_gpu(kernel, node) for kernel in registered):
      found.add((node.op, node.device, *(
          tf.as_dtype(node.attr[name].type).name for name in ('T', 'dtype')
          if node.attr[name].type)))
  return found


def _trace(model, spec):
  if model.built:
    model.optimizer.build(model.trainable_variables)
  return tf.function(model.train_step).get_concrete_function(spec)


class PlacementTest(parameterized.TestCase, tf.test.TestCase):

  def setUp(self):
    super().setUp()
    registered = kernels.get_registered_kernels_for_op('MatMul').kernel
    if all(kernel.device_type != 'GPU' for kernel in registered):
      self.skipTest('This package of TensorFlow has no kernels for GPUs.')

  def test_operations_of_a_cpu_are_found(self):
    function = tf.function(lambda x: tf.strings.length(tf.io.encode_png(
        tf.cast(x, tf.uint8)))).get_concrete_function(
            tf.TensorSpec([8, 8, 1]))
    self.assertIn('EncodePng', {op for op, *_ in _without_gpu(function)})
    function = tf.function(
        lambda x: tf.numpy_function(np.sin, [x], tf.float32)
    ).get_concrete_function(tf.TensorSpec([8]))
    self.assertLen(_without_gpu(function), 1)

  @parameterized.parameters(
      {'network': 'conv', 'hidden_units': (4, 4), 'objective': 'iwae',
       'importance_samples': 3},
      {'network': 'resnet', 'hidden_units': (4, 4), 'precision': 'bfloat16'},
      {'posterior': 'iaf', 'latents': 'z:4', 'prior': 'maf',
       'precision': 'float16'},
      {'posterior': 'spline', 'latents': 'z:4', 'prior': 'spline'},
      {'posterior': 'mixture', 'posterior_components': 2},
      {'posterior': 'normal_tril', 'prior': 'mixture', 'prior_components': 3,
       'objective': 'info_vae'},
      {'preset': 'two_layer', 'likelihood': 'discretized_logistic'},
      {'likelihood': 'negative_binomial', 'prior': 'realnvp',
       'latents': 'z:4'},
      {'likelihood': 'continuous_bernoulli', 'objective': 'beta_tc',
       'optimizer': 'adamw', 'ema_decay': 0.9, 'clip_norm': 1.0})
  def test_models(self, **settings):
    config = Config(**{'hidden_units': (4,)} | (
        {} if 'preset' in settings else {'latents': 'z:2'}) | settings)
    model = building.compiled_model(config, (8, 8, 1), 100)
    self.assertEmpty(_without_gpu(_trace(
        model, tf.TensorSpec([None, 8, 8, 1]))))

  def test_columns_of_every_kind(self):
    columns = (
        Column('real', 'real'), Column('positive', 'positive'),
        Column('count', 'count'), Column('flag', 'binary', categories=(0, 1)),
        Column('city', 'categorical', 'string', ('a', 'b', 'c')),
        Column('grade', 'ordinal', 'number', (1, 2, 3)))
    config = Config(latents='z:2', hidden_units=(4,))
    model = building.compiled_model(
        config, (6,), 100, columns=columns, missing=np.ones(6, bool))
    self.assertIsInstance(model.likelihood_layer(), IndependentColumns)
    # The text of a message, if a value is outside the support.
    self.assertEqual({('Const', '', 'string')}, _without_gpu(_trace(
        model, tf.TensorSpec([None, 6]))))

  def test_images_in_memory_are_gathered_on_the_device(self):
    config = Config(latents='z:2', hidden_units=(4,), binarization='dynamic',
                    likelihood='bernoulli', batch_size=4, dataset='digits',
                    data_dir=self.create_tempdir().full_path)
    images = load_images(config)
    strategy = strategies.make_strategy(config.training)
    inputs = TrainingInput(images, config, strategy)
    # As on a machine with a GPU, whose memory then has the images.
    model = fitting.build(config, images, inputs.batch_fn)
    spec = inputs.dataset(0).element_spec
    self.assertLess(sum(  # Bytes that are copied to the device in a step.
        (part.shape.num_elements() or 4) * part.dtype.size
        for part in tf.nest.flatten(spec)), 100)
    # TensorFlow gathers bytes on the host, unless XLA compiles the step, as it
    # does by default on a GPU.
    self.assertEqual({('GatherV2', '')}, _without_gpu(_trace(model, spec)))


if __name__ == '__main__':
  tf.test.main()
