"""Executions of several steps, against single steps of Keras."""

import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.models import image_vae

_X = np.float32(np.random.default_rng(0).integers(0, 2, [23, 3, 3, 1]))


def _model(steps_per_execution, jit_compile=False):
  """Returns a model that counts the traces of its steps."""
  tf_keras.utils.set_random_seed(0)
  model = image_vae('z:2', _X.shape[1:], hidden_units=(4,))
  model.compile(tf_keras.optimizers.Adam(.01), jit_compile=jit_compile,
                steps_per_execution=steps_per_execution)
  traces = dict.fromkeys(('train_step', 'test_step'), 0)

  def counting(name, step):
    def call(element):
      traces[name] += 1
      return step(element)
    return call

  for name in traces:
    setattr(model, name, counting(name, getattr(model, name)))
  return model, traces


class ExecutionTest(tf.test.TestCase):

  def test_equals_single_steps_of_keras_and_is_traced_once(self):
    found = []
    # Batches of 5 images and a last one of 3.
    for steps in (1, 4):
      model, traces = _model(steps)
      history = model.fit(_X, batch_size=5, epochs=2, shuffle=False, verbose=0,
                          validation_data=_X).history
      found.append((history, model.evaluate(_X, batch_size=5, verbose=0),
                    [*model.get_weights(), model._train_counter.numpy(),
                     model._test_counter.numpy()]))
    for one, other in zip(*found, strict=True):
      self.assertAllClose(one, other, 1e-5, 1e-6)
    self.assertEqual(traces, {'train_step': 1, 'test_step': 1})

  def test_evaluations_draw_the_same_noise_with_xla(self):
    found = []
    # XLA draws other normals.
    for steps, jit_compile in ((1, False), (1, True), (4, True)):
      model, traces = _model(steps, jit_compile=jit_compile)
      found.append(model.evaluate(_X, batch_size=5, verbose=0))
      self.assertEqual(traces['test_step'], 1)
    self.assertAllClose(found[1], found[0], 1e-5, 1e-6)
    self.assertAllClose(found[2], found[0], 1e-5, 1e-6)


if __name__ == '__main__':
  tf.test.main()
