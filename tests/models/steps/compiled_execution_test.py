"""Executions that XLA compiles whole, against the steps of Keras's loop."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae import data
from tfvae.models import image_vae
from tfvae.models.steps.global_batch import GlobalBatch

_IMAGES = np.random.default_rng(0).integers(
    0, 2, [11, 3, 3, 1], dtype=np.uint8) * np.uint8(255)


def _model(steps_per_execution, network='mlp', hidden_units=()):
  """Returns a model that is fed with the numbers of rows."""
  tf_keras.utils.set_random_seed(0)
  model = image_vae('z:2', _IMAGES.shape[1:], network, hidden_units)
  read = data.BatchReader(_IMAGES, 'dynamic', 0)

  def batch_fn(element, replica_id):
    del replica_id
    inputs = (element['inputs'] if 'inputs' in element
              else read(element['rows'], element['key']))
    return GlobalBatch(inputs, element['step'], 0, tf.shape(inputs)[0])

  model.compile(tf_keras.optimizers.Adam(.01), jit_compile=True,
                batch_fn=batch_fn, steps_per_execution=steps_per_execution)
  return model


def _read(element):
  """Returns the element with images where it had the numbers of rows."""
  read = data.BatchReader(_IMAGES, 'dynamic', 0)
  return {'inputs': read(element['rows'], element['key']),
          'step': element['step']}


class _Steps(tf_keras.callbacks.Callback):
  """Notes after which steps Python has its turn."""

  def __init__(self):
    super().__init__()
    self.steps = []

  def on_train_batch_end(self, batch, logs=None):
    self.steps.append(batch + 1)


class CompiledExecutionTest(parameterized.TestCase, tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # Batches of 5, 5 and 1 image are an epoch of the data.
    cls.dataset = data.training_steps(len(_IMAGES), 5, 0)
    cls.expected, cls.expected_history, _ = cls.fit(1, cls.dataset)

  @classmethod
  def fit(cls, steps_per_execution, dataset):
    """Trains for two epochs of 7 steps, which begin at different batches."""
    model, noted = _model(steps_per_execution), _Steps()
    history = model.fit(dataset, epochs=2, steps_per_epoch=7,
                        callbacks=[noted], verbose=0).history
    return [*model.get_weights(), model.optimizer.iterations.numpy(),
            model._train_counter.numpy()], history, noted.steps

  @parameterized.named_parameters(('rows', False), ('images', True))
  def test_equals_single_steps(self, is_read):
    weights, history, returns = self.fit(
        4, self.dataset.map(_read) if is_read else self.dataset)
    self.assertEqual(returns, [4, 7, 4, 7])
    self.assertAllClose(history, self.expected_history, 1e-6, 1e-6)
    self.assertAllClose(weights, self.expected, 1e-5, 1e-6)

  def test_one_mirrored_device_equals_none(self):
    # Its steps end with a synchronization, which no compiled loop can contain.
    strategy = tf.distribute.MirroredStrategy(
        ['CPU:0'], tf.distribute.ReductionToOneDevice())
    with strategy.scope():
      weights, history, _ = self.fit(4, self.dataset)
    self.assertAllClose(history, self.expected_history, 1e-6, 1e-6)
    self.assertAllClose(weights, self.expected, 1e-5, 1e-6)

  @parameterized.named_parameters(
      ('perceptron', 'mlp', (), True), ('convolutions', 'conv', (2,), False))
  def test_only_convolutions_are_not_in_a_loop(
      self, network, hidden_units, is_in_loop):
    model = _model(4, network, hidden_units)
    step, graphs = model.take_step, []

    def noted_step(element):
      graphs.append(type(tf.compat.v1.get_default_graph()).__name__)
      return step(element)

    model.take_step = noted_step
    model.make_train_function().get_concrete_function(iter(self.dataset))
    self.assertEqual('WhileBodyFuncGraph' in graphs, is_in_loop)


if __name__ == '__main__':
  tf.test.main()
