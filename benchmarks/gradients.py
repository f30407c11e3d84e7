"""Benchmark of the variance of gradient estimators, by graph.

  python -m benchmarks.gradients

It trains one model of the digits for each graph on the ELBO, and computes the
gradients of the weights of q, and of those of the priors, from 100 seeds: by
IWAE, DReG and GDReG at each K, and by the ELBO and STL. A variance is the sum
of those of the weights.
"""

from collections.abc import Callable, Mapping
from typing import Any

from absl import app
from absl import flags
import numpy as np
import tensorflow as tf
import tf_keras

from benchmarks import processes
from tfvae import data
from tfvae import models
from tfvae import objectives
from tfvae import priors
from tfvae.graph import GraphicalModel

_EPOCHS = flags.DEFINE_list(
    'epochs', ['5', '100'], 'epochs after which gradients are compared')
_SAMPLES = flags.DEFINE_list('samples', ['5', '50'], 'K of the bounds')
_SEEDS = flags.DEFINE_integer('seeds', 100, 'gradients per estimator', 2)
_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets')
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/gradients.json', 'file of the result')

_TWO = 'z1:6,z2:3'
_LADDER = _TWO, 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1'
GRAPHS = {
    'one layer, learned normal prior': (
        ('z:6', 'z|x', 'z; x|z'), {'prior': priors.LearnedNormal()}),
    'one layer, VampPrior': (
        ('z:6', 'z|x', 'z; x|z'),
        {'prior': priors.VampPrior(num_components=10)}),
    'two layers': ((_TWO, 'z1|x; z2|z1', 'z2; z1|z2; x|z1'), {}),
    'ladder': (_LADDER, {}),
    'ladder, precision-weighted': (
        _LADDER, {'merging': 'precision_weighted'}),
    'conditional': (('z:6', 'z|x,y', 'z|y; x|z'), {}),
}
_BATCH = 64


def estimators() -> dict[str, objectives.Objective]:
  """Returns objectives by the names of their estimators of the gradient."""
  result = {'elbo': objectives.ELBO(), 'stl': objectives.StickingTheLanding()}
  for samples in map(int, _SAMPLES.value):
    result |= {
        f'iwae, K={samples}': objectives.ImportanceWeighted(samples),
        f'dreg, K={samples}': objectives.ImportanceWeighted(samples, True),
        f'gdreg, K={samples}': objectives.ImportanceWeighted(
            samples, True, True)}
  return result


def gradient_fn(model: tf_keras.Model, inputs: Any,
                objective: objectives.Objective) -> Callable[..., Any]:
  """Returns a function from a seed to the gradients of q and of the priors.

  Args:
    model: Model whose weights may change between the calls.
    inputs: Batch of inputs.
    objective: Objective whose gradient is taken.
  """
  of_p = [v.ref() for prior in model.priors.values()
          for v in prior.trainable_variables]
  of_x = [v.ref() for v in model.decoder.trainable_variables]
  weights = {'q': [v for v in model.trainable_variables
                   if v.ref() not in of_p + of_x],
             'prior': [v for v in model.trainable_variables
                       if v.ref() in of_p]}
  x = inputs['x'] if isinstance(inputs, dict) else inputs

  @tf.function(jit_compile=True)
  def gradients(seed):
    with tf.GradientTape() as tape:
      loss = tf.reduce_mean(
          objective(model, inputs, x, seed, 1.0, True)['objective'])
    return {name: tf.concat([tf.reshape(g, [-1]) for g in part], axis=0)
            for name, part in tape.gradient(loss, weights).items()}

  return gradients


def ratios(functions: Mapping[str, Callable[..., Any]]) -> dict[str, float]:
  """Returns variances divided by those of IWAE, and of the ELBO for STL.

  Args:
    functions: Functions of `gradient_fn` by the name of the estimator.
  """
  variances = {}
  for name, gradients in functions.items():
    draws = [gradients(tf.constant([3, seed])) for seed in range(_SEEDS.value)]
    variances[name] = {part: float(np.var(
        [draw[part] for draw in draws], axis=0).sum()) for part in draws[0]}
  result = {'stl, q': variances['stl']['q'] / variances['elbo']['q']}
  for name in functions:
    if 'dreg' in name:
      plain = variances[f'iwae, {name.split(", ")[1]}']
      result |= {f'{name}, {part}': value / plain[part]
                 for part, value in variances[name].items()}
  return result


def main(argv):
  """Prints the ratios and writes `results/gradients.json`."""
  del argv
  train = data.load('digits', _DATA_DIR.value).train
  x = np.float32(train.images > 127)
  y = np.eye(10, dtype=np.float32)[train.labels]
  rows = []
  for name, (text, settings) in GRAPHS.items():
    tf_keras.utils.set_random_seed(0)
    graph = GraphicalModel.parse(*text)
    model = models.image_vae(
        graph, x.shape[1:], 'mlp', (64,), factor_units=[32], num_classes=10,
        **settings)
    model.compile(tf_keras.optimizers.Adam(2e-3), jit_compile=True)
    inputs, done = {'x': x, 'y': y} if graph.is_conditional else x, 0
    batch = tf.nest.map_structure(lambda part: part[:_BATCH], inputs)
    functions = {estimator: gradient_fn(model, batch, objective)
                 for estimator, objective in estimators().items()}
    for epochs in map(int, _EPOCHS.value):
      model.fit(inputs, batch_size=100, epochs=epochs - done, verbose=0)
      done = epochs
      rows.append({'graph': name, 'epochs': epochs} | ratios(functions))
      print(rows[-1], flush=True)
  processes.write(_OUTPUT.value, processes.result(
      'gradients', {'seeds': _SEEDS.value, 'batch_size': _BATCH})
                  | {'gradients': rows})


if __name__ == '__main__':
  app.run(main)
