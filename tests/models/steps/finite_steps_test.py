"""Steps that are not finite, against runs that never saw their batches."""

import re

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tfvae.models import image_vae
from tfvae.models.steps import finite_steps


def _model(optimizer, **settings):
  tf_keras.utils.set_random_seed(0)
  model = image_vae('z:2', (3, 3, 1), hidden_units=())
  # Bad data are what is tested, in the first batch too.
  model.compile(optimizer, check_data=False, **settings)
  return model


def _batches():
  """Returns 4 batches of 8 binary images."""
  return np.random.default_rng(0).integers(
      0, 2, [4, 8, 3, 3, 1]).astype(np.float32)


def _fit(model, batches):
  data = tf.data.Dataset.from_tensor_slices(batches)
  return model.fit(data, verbose=0).history


def _scaled(optimizer, scale):
  return tf_keras.mixed_precision.LossScaleOptimizer(
      optimizer, initial_scale=scale)


class FiniteStepsTest(parameterized.TestCase, tf.test.TestCase):

  @parameterized.named_parameters(
      ('compiled', True, 1, 6), ('mirrored', True, 2, 1))
  def test_bad_batches_leave_no_trace(self, jit, replicas, per_execution):
    # Without collectives, whose keys models of all sizes in a process share.
    strategy = (tf.distribute.MirroredStrategy(
        ['CPU:0', 'CPU:1'], tf.distribute.ReductionToOneDevice())
                if replicas == 2 else tf.distribute.get_strategy())
    with strategy.scope():
      model = _model(tf_keras.optimizers.AdamW(.01, use_ema=True),
                     jit_compile=jit, steps_per_execution=per_execution)
      model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    initial = [variable.numpy() for variable in variables]
    good = _batches()
    bad = np.insert(good, [1, 1], good[0], axis=0)  # Before the second.
    bad[1, 0, 2, 2] = np.nan  # On the first replica.
    bad[2, 7, 0, 0] = np.inf  # On the last.

    expected_means = _fit(model, good)
    expected = [variable.numpy() for variable in variables]
    for variable, value in zip(variables, initial, strict=True):
      variable.assign(value)
    means = _fit(model, bad)

    self.assertNotAllClose(initial[0], expected[0])
    for variable, value in zip(variables, expected, strict=True):
      self.assertAllEqual(variable.numpy(), value)
    self.assertEqual(means, expected_means)
    steps = model.finite_steps
    self.assertEqual([int(count.numpy()) for count in (
        steps.skipped, steps.in_a_row, steps.first)], [2, 0, 2])

  def test_gradient_alone_and_moving_averages(self):
    # √ has the gradient ∞ at 0, where its value is finite.
    model = _model('sgd', run_eagerly=True)
    weight = model.trainable_variables[0]
    weight.assign(tf.zeros_like(weight))
    loss = model._loss_and_gradients_fn
    moved = model.add_weight('moved', [], trainable=False)

    def with_a_root(*args):
      moved.assign_add(1.)
      with tf.GradientTape() as tape:
        root = tf.reduce_sum(tf.sqrt(weight))
      gradients, values = loss(*args)
      return [tape.gradient(root, weight), *gradients[1:]], values

    model._loss_and_gradients_fn = with_a_root
    before = model.get_weights()
    means = _fit(model, _batches()[:1])
    for after, value in zip(model.get_weights(), before, strict=True):
      self.assertAllEqual(after, value)
    self.assertAllEqual(model.skipped_steps, 1)
    # Of no step at all there is no mean.
    self.assertAllEqual(means['loss'], [np.nan])

  @parameterized.parameters((16., 1., 0), (1., 1., 2))
  def test_loss_scale(self, scale, scale_after, in_a_row):
    model = _model(_scaled(tf_keras.optimizers.Adam(), scale),
                   run_eagerly=True)
    batches = np.full_like(_batches(), np.nan)[:4 if scale > 1 else 2]
    before = model.get_weights()
    _fit(model, batches)
    for after, value in zip(model.get_weights(), before, strict=True):
      self.assertAllEqual(after, value)
    self.assertAllEqual(model.optimizer.loss_scale, scale_after)
    self.assertAllEqual(model.optimizer.iterations, 0)
    self.assertAllEqual(model.skipped_steps, len(batches))
    self.assertAllEqual(model.finite_steps.in_a_row, in_a_row)

  @parameterized.named_parameters(
      ('taken', True, False), ('skipped', False, False),
      ('taken_rows', True, True), ('skipped_rows', False, True))
  def test_changes_of_an_optimizer(self, ok, is_sparse):
    gradient = tf.ones([3, 2])
    if is_sparse:
      gradient = tf.IndexedSlices(gradient[:2], [0, 2], [3, 2])
    weights = [tf.Variable(np.float32(np.arange(6).reshape(3, 2)))
               for _ in range(2)]
    optimizers = [tf_keras.optimizers.Adam(.1, use_ema=True) for _ in weights]
    for optimizer, weight in zip(optimizers, weights, strict=True):
      optimizer.build([weight])
    variables = [weights[0], *optimizers[0].variables]

    @tf.function(jit_compile=True, autograph=False)
    def guarded(ok):
      with finite_steps._changed_only_where(ok, variables):
        optimizers[0].apply_gradients([(gradient, weights[0])])

    guarded(tf.constant(ok))
    if ok:
      optimizers[1].apply_gradients([(gradient, weights[1])])
    for variable, expected in zip(
        variables, [weights[1], *optimizers[1].variables], strict=True):
      self.assertAllClose(variable, expected, rtol=1e-6)
    # Outside, the variable changes as before.
    self.assertAllClose(weights[0].assign_add(tf.ones([3, 2])) - 1, weights[1])

  def test_compiled_steps_copy_no_variable(self):
    model = _model('adam', jit_compile=True)
    model.optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=True, autograph=False)
    def loop(batches):
      return tf.while_loop(
          lambda i, _: i < 4,
          lambda i, sums: (i + 1, sums + model.take_step(batches[i])),
          [0, model.no_sums()])[1]

    program = loop.experimental_get_compiler_ir(tf.constant(_batches()))(
        stage='optimized_hlo')
    body = max(re.findall(r'^%\S*body.*?^}', program, re.M | re.S), key=len)
    shapes = {','.join(map(str, v.shape)) for v in model.trainable_variables
              if v.shape.rank == 2}
    self.assertNotEmpty(shapes)
    for shape in shapes:  # Only scalars may be copied.
      self.assertNotRegex(body, rf'= f32\[{shape}\]\S* copy\(')

  def test_norm_that_overflows(self):
    # Each entry of 1e30 is finite, and |g|², by which clipping divides, is not.
    model = _model(tf_keras.optimizers.Adam(global_clipnorm=1.),
                   run_eagerly=True)
    before = model.get_weights()
    model._loss_and_gradients_fn = lambda *args: (
        [tf.fill(v.shape, 1e30) for v in model.trainable_variables],
        {name: tf.zeros([8]) for name in ('elbo', 'reconstruction', 'kl')}
        | {'loss': tf.constant(0.)})
    _fit(model, _batches()[:1])
    self.assertAllEqual(model.skipped_steps, 1)
    self.assertAllEqual(model.get_weights()[0], before[0])


if __name__ == '__main__':
  # Two devices for MirroredStrategy; under pytest, conftest.py makes them.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
