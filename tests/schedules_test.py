"""The KL schedules against tables made in float64 NumPy."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.objectives import CyclicalWarmUp


def _table(steps, cycles, rising, until):
  """The factor of each step, cycle by cycle, from fractions of whole numbers.

  A cycle is steps/cycles long: step t is in cycle ⌊t cycles / steps⌋.
  """
  table = []
  for step in range(until):
    cycle = step * cycles // steps
    position = step * cycles / steps - cycle
    table.append(min(position / rising, 1.0) if step < steps else 1.0)
  return np.array(table)


class CyclicalWarmUpTest(tf.test.TestCase, parameterized.TestCase):

  def test_by_hand(self):
    schedule = CyclicalWarmUp(8, cycles=2, rising=0.5)
    self.assertAllClose(
        [schedule(tf.constant(step)) for step in range(10)],
        [0., .5, 1., 1., 0., .5, 1., 1., 1., 1.])

  @parameterized.product(
      # Cycles of 25, 10/3, 5/3 and 1 steps.
      sizes=[(100, 4), (10, 3), (20, 12), (7, 7)], rising=[0.5, 0.3, 1.0],
      jit_compile=[False, True])
  def test_equals_the_table(self, sizes, rising, jit_compile):
    schedule = tf.function(
        CyclicalWarmUp(*sizes, rising), jit_compile=jit_compile)
    until = sizes[0] + 5
    actual = [schedule(tf.constant(step, tf.int64)) for step in range(until)]
    self.assertAllClose(actual, _table(*sizes, rising, until), atol=1e-6)

  def test_far_steps_are_exact(self):
    steps = 3 * 2**25  # Beyond the whole numbers of float32.
    schedule = CyclicalWarmUp(steps, cycles=3, rising=1.0)
    self.assertEqual(schedule(tf.constant(2**26, tf.int64)), 0.)
    self.assertGreater(schedule(tf.constant(2**26 - 1, tf.int64)), 0.99)

  def test_config_round_trip(self):
    config = {'steps': 90, 'cycles': 3, 'rising': 0.25}
    schedule = CyclicalWarmUp(**config)
    self.assertEqual(schedule.get_config(), config)
    copy = tf_keras.saving.deserialize_keras_object(
        tf_keras.saving.serialize_keras_object(schedule))
    self.assertEqual(copy.get_config(), config)

  @parameterized.parameters(
      dict(steps=0), dict(steps=2.5), dict(steps=9, cycles=0),
      dict(steps=9, rising=0.), dict(steps=9, rising=1.1),
      dict(steps=9, rising=float('nan')))
  def test_refuses(self, **arguments):
    name, value = list(arguments.items())[-1]
    with self.assertRaisesRegex(ValueError, f'Received: .*{name}={value}'):
      CyclicalWarmUp(**arguments)


class LinearWarmUpTest(tf.test.TestCase):

  def test_polynomial_decay_is_the_linear_warm_up(self):
    schedule = tf_keras.optimizers.schedules.PolynomialDecay(0., 40, 1.)
    self.assertAllClose(
        [schedule(tf.constant(step, tf.int64)) for step in range(50)],
        np.minimum(np.arange(50) / 40, 1))


if __name__ == '__main__':
  tf.test.main()
