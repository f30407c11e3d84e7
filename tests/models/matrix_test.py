"""Graphs, priors, likelihoods, objectives and networks, two by two."""

import itertools
import os

from absl.testing import parameterized
import numpy as np
from sklearn import datasets
import tensorflow as tf
import tf_keras

from tfvae import models
from tfvae import objectives
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.layers import SeededSample
from tfvae.models.choices import LIKELIHOODS
from tfvae.models.choices import POSTERIORS
from tfvae.models.choices import PRIORS
from tfvae.models.choices import SUPPORT

_SIZES = {'vae': 'z:4', 'two_layer': 'z1:4,z2:3', 'ladder': 'z1:4,z2:3',
          'conditional': 'z:4'}
_OBJECTIVES = {
    'elbo': None, 'iwae': objectives.ImportanceWeighted(3),
    'dreg': objectives.ImportanceWeighted(3, doubly_reparameterized=True),
    'beta_tc': objectives.BetaTC(2.0, 50),
    'info_vae': objectives.InfoVAE(0.5, 5.0)}
_FACTORS = {
    'likelihood': list(LIKELIHOODS),
    'prior': list(PRIORS),
    # Another merging is another factorisation of q.
    'graph': [*PRESETS, 'ladder, precision_weighted'],
    'posterior': list(POSTERIORS),
    'objective': list(_OBJECTIVES),
    'network': list(models.NETWORKS),
    'jit_compile': [False, True],
}


def _is_possible(case):
  """Pairs that are refused, which other tests show."""
  graph, posterior = case.get('graph', ''), case.get('posterior', 'normal_diag')
  hierarchical = graph.startswith(('two_layer', 'ladder'))
  is_diagonal = posterior == 'normal_diag'
  return not (
      # q has latents among the parents of latents.
      (case.get('objective') == 'dreg' and hierarchical)
      # The density of each dimension of the one latent is needed.
      or (case.get('objective') == 'beta_tc' and (
          hierarchical or not is_diagonal))
      or ('precision' in graph and not is_diagonal)
      # The latent without parents in p is not q(z|x) alone.
      or (case.get('prior') == 'vamp'
          and graph in ('two_layer', 'conditional')))


def _pairwise():
  """Cases in which every possible pair of values occurs, found greedily.

  XLA, which takes ten seconds to compile, only where it makes a new pair.
  """
  names = list(_FACTORS)
  pairs = {(a, x, b, y) for a, b in itertools.combinations(names, 2)
           for x in _FACTORS[a] for y in _FACTORS[b]
           if _is_possible({a: x, b: y})}
  rng = np.random.default_rng(0)
  while pairs:
    best, gain, value = None, set(), -9
    a, x, b, y = min(pairs, key=str)
    for _ in range(200):
      case = {name: values[rng.integers(len(values))]
              for name, values in _FACTORS.items()} | {a: x, b: y}
      if _is_possible(case):
        covered = {(m, case[m], n, case[n])
                   for m, n in itertools.combinations(names, 2)} & pairs
        worth = len(covered) - 2 * case['jit_compile']
        best, gain, value = max(
            (best, gain, value), (case, covered, worth), key=lambda f: f[2])
    pairs -= gain
    yield best


def _digits(support):
  digits = datasets.load_digits()
  levels = np.round(digits.images * 255 / 16)[:50, :, :, np.newaxis]
  x = {'counts': levels, 'binary': levels > 127}.get(support, levels / 255)
  return x.astype(np.float32), np.eye(10, dtype=np.float32)[digits.target[:50]]


class MatrixTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_pairwise())
  def test_trains_saves_loads_and_predicts_the_same(self, **case):
    tf_keras.utils.set_random_seed(0)
    x, y = _digits(SUPPORT[case['likelihood']])
    preset, _, merging = case['graph'].partition(', ')
    graph = GraphicalModel.parse(
        **PRESETS[preset] | {'latents': _SIZES[preset]})
    inputs = {'x': x, 'y': y} if graph.is_conditional else x
    model = models.image_vae(
        graph, x.shape[1:], case['network'], (8, 6), (5,), 'tanh', 10,
        case['likelihood'], 2, None, case['prior'], 3, case['posterior'],
        merging or 'network')
    model.compile(
        'adam', jit_compile=case['jit_compile'],
        objective=_OBJECTIVES[case['objective']])
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
