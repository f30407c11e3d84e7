"""Models of every pair of graph, prior, likelihood, objective and network."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tests import model_matrix
from tfvae.layers import SeededSample


class MatrixTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*model_matrix.pairwise(seed=2))
  def test_trains_saves_loads_and_predicts_the_same(self, **case):
    tf_keras.utils.set_random_seed(0)
    x, y = model_matrix.digits(case['likelihood'], 50)
    model = model_matrix.make_model(case, x.shape[1:])
    inputs = {'x': x, 'y': y} if model.graph.is_conditional else x
    model.compile(  # Adam's variables would take longer to compile.
        tf_keras.optimizers.SGD(1e-3),
        run_eagerly=case['execution'] == 'eager',
        jit_compile=case['execution'] == 'xla',
        objective=model_matrix.OBJECTIVES[case['objective']])
    before = [w.numpy() for w in model.trainable_weights]
    history = model.fit(inputs, batch_size=25, verbose=0).history
    self.assertTrue(np.isfinite(list(history.values())).all())
    for old, new in zip(before, model.trainable_weights, strict=True):
      self.assertNotAllEqual(old, new, msg=new.name)
    path = os.path.join(self.get_temp_dir(), 'model.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)
    # Eagerly: three more compilations a case would take most of the time.
    self.assertAllClose(
        loaded(inputs).mean(), model(inputs).mean(), rtol=1e-6)
    elbo, loaded_elbo = (
        (m.log_likelihood(inference.latents, x, inputs)
         + inference.log_ratio()).numpy()
        for m in (model, loaded)
        for inference in [m.infer(inputs, SeededSample([0, 1]))])
    self.assertAllClose(loaded_elbo, elbo, rtol=1e-5)


if __name__ == '__main__':
  tf.test.main()
