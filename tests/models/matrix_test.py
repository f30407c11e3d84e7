"""Graphs, priors, likelihoods, objectives and networks, two by two."""

import os

from absl.testing import parameterized
import numpy as np
from sklearn import datasets
import tensorflow as tf
import tf_keras

from tests import model_matrix
from tfvae import models
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.layers import SeededSample
from tfvae.models.choices import SUPPORT


def _digits(support):
  digits = datasets.load_digits()
  levels = np.round(digits.images * 255 / 16)[:50, :, :, np.newaxis]
  x = {'counts': levels, 'binary': levels > 127}.get(support, levels / 255)
  return x.astype(np.float32), np.eye(10, dtype=np.float32)[digits.target[:50]]


class MatrixTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*model_matrix.pairwise())
  def test_trains_saves_loads_and_predicts_the_same(self, **case):
    tf_keras.utils.set_random_seed(0)
    x, y = _digits(SUPPORT[case['likelihood']])
    preset, _, merging = case['graph'].partition(', ')
    graph = GraphicalModel.parse(
        **PRESETS[preset] | {'latents': model_matrix.SIZES[preset]})
    inputs = {'x': x, 'y': y} if graph.is_conditional else x
    model = models.image_vae(
        graph, x.shape[1:], case['network'], (8, 6), (5,), 'tanh', 10,
        case['likelihood'], 2, None, case['prior'], 3, case['posterior'],
        merging or 'network')
    model.compile(  # Adam's variables would take longer to compile.
        tf_keras.optimizers.SGD(1e-3), jit_compile=case['jit_compile'],
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
