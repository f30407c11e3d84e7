"""Optimizers and schedules, against float64 NumPy."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

import tfvae
from tfvae.schedules import BurdaStaircase
from tfvae.schedules import WarmUp
from tfvae.training import TrainingConfig
from tfvae.training.callbacks.averaging import averaged
from tfvae.training.fit.optimization import make_learning_rate
from tfvae.training.fit.optimization import make_optimizer


def _rates(schedule, steps):
  return [float(schedule(tf.constant(step, tf.int64))) for step in steps]


class ScheduleTest(parameterized.TestCase, tf.test.TestCase):

  def test_burda_of_as_many_steps_as_theirs(self):
    # Σ_i 3^i = 3280 passes, written down one by one.
    expected = np.repeat(.01 * 10.0**(-np.arange(8) / 7), 3**np.arange(8))
    schedule = BurdaStaircase(.01, 3280)
    chosen = [*range(14), 39, 40, 120, 121, 363, 364, 1092, 1093, 3279]
    self.assertAllClose(_rates(schedule, chosen), expected[chosen], rtol=1e-6)

  @parameterized.parameters(1, 7, 1000, 3 * 10**9)
  def test_burda_stretched(self, num_steps):
    def share(step):  # Of 3280, where the step begins: exact in integers.
      return step * 3280 // num_steps

    starts = [(3**i - 1) // 2 for i in range(8)]
    steps = np.unique(np.clip([
        start * num_steps // 3280 + offset
        for start in starts for offset in (-1, 0, 1, 2)], 0, num_steps - 1))
    expected = [10.0**(-(np.searchsorted(starts, share(int(step)), 'right') - 1)
                       / 7) for step in steps]
    self.assertAllClose(
        _rates(BurdaStaircase(1., num_steps), steps), expected, rtol=1e-6)

  @parameterized.parameters('constant', 'cosine', 'burda')
  def test_warm_up_comes_before(self, name):
    settings = dict(learning_rate=.02, learning_rate_schedule=name)
    schedule = make_learning_rate(
        TrainingConfig(learning_rate_warm_up_steps=5, **settings), 30)
    alone = make_learning_rate(TrainingConfig(**settings), 25)
    after = ([.02] * 25 if name == 'constant' else
             [float(alone(step)) for step in range(25)])
    self.assertAllClose(
        _rates(schedule, range(30)),
        [.02 * (t + 1) / 5 for t in range(5)] + after, rtol=1e-6)

  def test_are_saved(self):
    # Without `tfvae.training`, which is not imported by `import tfvae`.
    self.assertEqual(WarmUp.__module__, tfvae.schedules.__name__)
    schedule = WarmUp(BurdaStaircase(.1, 50), 10)
    copy = tf_keras.optimizers.schedules.deserialize(
        tf_keras.optimizers.schedules.serialize(schedule))
    steps = range(0, 60, 7)
    self.assertAllEqual(_rates(copy, steps), _rates(schedule, steps))

  def test_warm_up_longer_than_the_training(self):
    with self.assertRaisesRegex(
        ValueError, 'below the number of .* 12; .*steps=12'):
      make_learning_rate(TrainingConfig(learning_rate_warm_up_steps=12), 12)


def _float64(name, weights, gradients, decay=.004, clip=None):
  """Returns the weights after each of the gradients: Kingma and Ba, 2015."""
  w, rate, b1, b2 = np.float64(weights), .1, .9, .999
  m, v, history = np.zeros_like(w), np.zeros_like(w), []
  for t, g in enumerate(np.float64(gradients), 1):
    if clip:
      g = g * min(1, clip / np.sqrt(np.sum(g**2)))
    if name == 'adamw':  # Loshchilov and Hutter, 2019.
      w = w - rate * decay * w
    m = b1 * m + (1 - b1) * g
    if name == 'adamax':
      v = np.maximum(b2 * v, np.abs(g))
      w = w - rate / (1 - b1**t) * m / (v + 1e-7)
    else:
      v = b2 * v + (1 - b2) * g**2
      w = w - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + 1e-7)
    history.append(w)
  return history


class OptimizerTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.parameters(
      ('adam', {}), ('adamw', {}), ('adamax', {}),
      ('adamw', dict(weight_decay=.5)), ('adam', dict(clip_norm=.5)))
  def test_steps(self, name, settings):
    optimizer = make_optimizer(
        TrainingConfig(optimizer=name, learning_rate=.1, **settings), 100)
    start = np.float32([1., -2., .5])
    gradients = np.float32([[.3, -1., 2.], [-.1, .2, .1], [3., 0., -1.]])
    variable = tf.Variable(start)
    for gradient in gradients:
      optimizer.apply_gradients([(tf.constant(gradient), variable)])
    expected = _float64(
        name, start, gradients, settings.get('weight_decay', .004),
        settings.get('clip_norm'))
    self.assertAllClose(variable, expected[-1], rtol=2e-5)

  def test_average(self):
    start, gradients = np.float32([1., -2.]), np.float32([[1., -1.]] * 4)
    model = tf_keras.Sequential([tf_keras.layers.Dense(
        2, use_bias=False, kernel_initializer=lambda *a, **k: start[None])])
    model.build([None, 1])
    model.compile(make_optimizer(
        TrainingConfig(ema_decay=.75, learning_rate=.1), 100))
    average = np.float64(start)
    for weights in (history := _float64('adam', start, gradients)):
      average = .75 * average + .25 * weights
    for gradient in gradients:
      model.optimizer.apply_gradients(
          [(tf.constant(gradient)[tf.newaxis], model.trainable_variables[0])])
    own = model.get_weights()[0]
    self.assertAllClose(own, history[-1][None], rtol=1e-5)
    with averaged(model):
      self.assertAllClose(model.get_weights()[0], average[None], rtol=1e-5)
    self.assertAllEqual(model.get_weights()[0], own)

  def test_no_average(self):
    model = tf_keras.Sequential([tf_keras.layers.Dense(2)])
    model.build([None, 1])
    model.compile(make_optimizer(TrainingConfig(), 100))
    before = model.get_weights()[0]
    with averaged(model):
      self.assertAllEqual(model.get_weights()[0], before)

  def test_loss_scale_where_it_is_needed(self):
    for precision in ('float32', 'bfloat16', 'float16'):
      optimizer = make_optimizer(TrainingConfig(precision=precision), 100)
      self.assertEqual(hasattr(optimizer, 'loss_scale'),
                       precision == 'float16')


if __name__ == '__main__':
  tf.test.main()
