"""Pairs of graphs, priors, likelihoods, objectives and networks.

Several tests run on these models.
"""

import itertools

import numpy as np
from sklearn import datasets

from tfvae import models
from tfvae import objectives
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS
from tfvae.layers import LIKELIHOODS
from tfvae.layers import POSTERIORS
from tfvae.priors import PRIORS

# Latents of each preset.
SIZES = {'vae': 'z:4', 'two_layer': 'z1:4,z2:3', 'ladder': 'z1:4,z2:3',
         'conditional': 'z:4'}
OBJECTIVES = {
    'elbo': None, 'iwae': objectives.ImportanceWeighted(3),
    'dreg': objectives.ImportanceWeighted(3, doubly_reparameterized=True),
    'gdreg': objectives.ImportanceWeighted(3, True, True),
    'stl': objectives.StickingTheLanding(),
    'beta_tc': objectives.BetaTC(2.0, 50),
    'info_vae': objectives.InfoVAE(0.5, 5.0)}
FACTORS = {
    # That of tables needs their columns.
    'likelihood': [name for name in LIKELIHOODS if name != 'columns'],
    'prior': list(PRIORS),
    # The other merging is another factorization of q.
    'graph': [*PRESETS, 'ladder, precision_weighted'],
    'posterior': list(POSTERIORS),
    'objective': list(OBJECTIVES),
    'network': list(models.NETWORKS),
}
# Factors whose values may affect each other. A likelihood depends on the output
# of the decoder, not on the latents, and the latents depend on the features
# that a network returns, not on its kind. An objective uses the log density,
# the draws and the KL divergence of a prior, which `priors_test.py` compares.
_RELATED = (
    ('likelihood', 'network'), ('prior', 'graph'), ('prior', 'posterior'),
    ('graph', 'posterior'), ('graph', 'objective'), ('posterior', 'objective'))
# Values that meet the other factors through the same code as another value:
# each occurs, but its pairs are those of the other.
_SAME = {
    ('prior', 'learned_normal'): 'standard_normal',
    ('prior', 'maf'): 'realnvp', ('prior', 'spline'): 'realnvp',
    ('posterior', 'iaf_tril'): 'iaf', ('posterior', 'spline'): 'iaf',
    ('network', 'resnet'): 'conv',
    ('graph', 'ladder, precision_weighted'): 'ladder',
    ('objective', 'gdreg'): 'dreg'}


def _is_possible(case):
  """Whether a model accepts these values; other tests show the errors."""
  graph, posterior = case.get('graph', ''), case.get('posterior', 'normal_diag')
  hierarchical = graph.startswith(('two_layer', 'ladder'))
  is_diagonal = posterior == 'normal_diag'
  return not (
      # The density of each dimension of the one latent is needed.
      (case.get('objective') == 'beta_tc' and (
          hierarchical or not is_diagonal))
      or ('precision' in graph and not is_diagonal)
      # Draws from each component are for a single latent, by the objective.
      or (posterior == 'mixture' and (hierarchical or case.get(
          'objective', 'elbo') not in ('elbo', 'stl', 'iwae')))
      # The latent without parents in p is not q(z|x) alone.
      or (case.get('prior') == 'vamp'
          and graph in ('two_layer', 'conditional')))


# Values that take the longest to trace or to train.
_SLOW = {'resnet', 'conv', 'realnvp', 'maf', 'vamp', 'iaf', 'iaf_tril',
         'spline'}


def _covered(case):
  """Returns the values and the related pairs of a case, as sets of items."""
  values = {name: _SAME.get((name, value), value)
            for name, value in case.items()}
  return {frozenset([item]) for item in case.items()} | {
      frozenset([(a, values[a]), (b, values[b])])
      for a, b in _RELATED if {a, b} <= case.keys()}


def pairwise(factors=FACTORS, seed=20):
  """Yields cases with every value, and every possible pair that may interact.

  The search is greedy, and prefers values that are quick to train.

  Args:
    factors: Values by name.
    seed: Seed of the search. Some seeds need fewer cases than others.
  """
  missing = set().union(*(
      _covered({a: x, b: y}) for a, b in itertools.combinations(factors, 2)
      for x in factors[a] for y in factors[b] if _is_possible({a: x, b: y})))
  rng = np.random.default_rng(seed)
  while missing:
    best, value = None, -np.inf
    required = dict(min(missing, key=sorted))
    for _ in range(200):
      case = {name: values[rng.integers(len(values))]
              for name, values in factors.items()} | required
      if _is_possible(case):
        worth = (len(_covered(case) & missing)
                 - 0.3 * len(_SLOW & set(case.values())))
        best, value = max((best, value), (case, worth), key=lambda f: f[1])
    missing -= _covered(best)
    yield best


def make_model(case, image_shape):
  """Returns the untrained model of a case, for labels in ten classes.

  Args:
    case: A value of each factor; `objective` is not used.
    image_shape: Height, width and channels of the images.
  """
  preset, _, merging = case['graph'].partition(', ')
  graph = GraphicalModel.parse(**PRESETS[preset] | {'latents': SIZES[preset]})
  return models.image_vae(
      graph, image_shape, case['network'], (8, 6), (5,), 'tanh', 10,
      case['likelihood'], 2, None, case['prior'], 3, case['posterior'],
      merging or 'network')


def digits(likelihood, n):
  """Returns n images `[n, 8, 8, 1]` that a likelihood takes, and labels."""
  digits = datasets.load_digits()
  levels = np.round(digits.images * 255 / 16)[:n, :, :, np.newaxis]
  x = {'counts': levels, 'binary': levels > 127}.get(
      LIKELIHOODS[likelihood].support, levels / 255)
  return x.astype(np.float32), np.eye(10, dtype=np.float32)[digits.target[:n]]
