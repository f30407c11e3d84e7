"""Models in which the choices that may affect each other meet in pairs.

`tests/model_matrix.py` lists these pairs, and says why others cannot interact.
Every choice occurs, and every kind of prior and objective meets every kind of
graph and of posterior that it may be combined with.
"""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tf_keras

from tests import model_matrix
from tfvae.layers import SeededSample


class MatrixTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*model_matrix.pairwise(seed=5))
  def test_trains_saves_loads_and_predicts_the_same(self, **case):
    tf_keras.utils.set_random_seed(0)
    x, y = model_matrix.digits(case['likelihood'], 50)
    model = model_matrix.make_model(case, x.shape[1:])
    inputs = {'x': x, 'y': y} if model.graph.is_conditional else x
    # Eagerly: compiling takes longer, and the parts have tests under XLA.
    model.compile(
        tf_keras.optimizers.SGD(0.1, clipnorm=1.0), run_eagerly=True,
        objective=model_matrix.OBJECTIVES[case['objective']])
    before = [w.numpy() for w in model.trainable_weights]
    history = model.fit(inputs, batch_size=25, verbose=0).history
    self.assertTrue(np.isfinite(list(history.values())).all())
    for old, new in zip(before, model.trainable_weights, strict=True):
      self.assertNotAllEqual(old, new, msg=new.name)
    path = os.path.join(self.get_temp_dir(), 'model.keras')
    model.save(path)
    loaded = tf_keras.models.load_model(path)
    self.assertEqual(loaded.graph, model.graph)
    self.assertAllClose(
        loaded(inputs).mean(), model(inputs).mean(), rtol=1e-6)
    inference, again = (
        part.infer(inputs, SeededSample([0, 1])) for part in (model, loaded))
    elbo, loaded_elbo = (
        part.log_likelihood(drawn.latents, x, inputs) + drawn.log_ratio()
        for part, drawn in ((model, inference), (loaded, again)))
    self.assertAllClose(loaded_elbo, elbo, rtol=1e-5)
    # The inverse of a flow, in float32, differs from what was drawn.
    log_q = sum(inference.posteriors[name].log_prob(z)
                for name, z in inference.latents.items())
    self.assertAllClose(
        model.log_posterior(inference.latents, inputs), log_q, atol=0.02)
    self.assertAllClose(
        model.log_prior(inference.latents, inputs) - log_q,
        inference.log_ratio(), atol=0.02)


if __name__ == '__main__':
  tf.test.main()
