"""Committed benchmark results, compared with what the guides claim."""

import json
import re
import subprocess
import sys

from absl.testing import parameterized
import numpy as np
from scipy import stats
import tensorflow as tf
import tf_keras

from benchmarks import tables
from benchmarks.peers import hand_written
from benchmarks.peers import process
from benchmarks.peers.score import score


def _numbers(line):
  """The numbers of a table's line."""
  return [float(text.replace(',', ''))
          for text in re.findall(r'(?<= )[\d,]+(?:\.\d+)?(?= )', line)]


class PageTest(parameterized.TestCase, tf.test.TestCase):

  def test_tables_are_those_of_the_results(self):
    text = tables.PAGE.read_text('utf-8')
    self.assertEqual(tables.render(text), text, 'Run benchmarks.tables.')

  def test_every_table_has_its_place(self):
    self.assertCountEqual(
        re.findall(r'<!-- table: (\w+) -->', tables.PAGE.read_text('utf-8')),
        tables.TABLES)

  @parameterized.parameters('training', 'scaling')
  def test_speeds_are_those_measured(self, name):
    result = tables.load(name)
    if result is None:
      self.skipTest('It was not run yet.')
    text = tables.PAGE.read_text('utf-8')
    block = text.split(f'<!-- table: {name} -->')[1].split('<!-- end')[0]
    shown = [number for line in block.splitlines() if line.startswith('| ')
             for number in _numbers(line)]
    for row in result[name]:
      # Three significant digits.
      self.assertLessEqual(
          min(abs(number / row['images_per_second'] - 1) for number in shown),
          0.005)

  def test_a_table_of_samples_has_ranges_and_no_figure_that_was_not_measured(
      self):
    row = {'data': 'wine', 'rows': {'train': 1500, 'test': 20}, 'epochs': 7.}
    for name, limits in (
        ('test_overall', [0.5, 0.75]), ('test_shapes', [0.625, 0.625]),
        ('test_trends', [0.6, 0.7]), ('test_trends_common_bins', [0.6, 0.7]),
        ('rounded_overall', [0.6, 0.7]), ('train_overall', [0.6, 0.7])):
      row |= {name: 0.625, f'{name}_range': limits}
    text = tables.table_samples({
        'trainings': 3, 'versions': dict.fromkeys(
            ('ctgan', 'sdmetrics', 'torch'), '9.8'),
        'table_samples': [row | {'method': method}
                          for method in tables._METHODS]})
    self.assertIn('wine, 1,500 training rows and 20 test rows', text)
    self.assertIn('| TVAE, 300 epochs | 0.625 (0.500-0.750) | 0.625 |', text)
    self.assertIn('| – | 7 | – |', text)  # No NLL, and no seconds.

  def test_a_table_of_detectors_has_medians_and_a_mean_of_splits(self):
    result = tables.load('anomalies')
    if result is None:
      self.skipTest('It was not run yet.')
    for entry in result['anomalies']:
      name, found = max(
          entry['by_round'][0].items(), key=lambda pair: pair[1]['auroc'])
      median = np.median([
          own[name]['auroc'] for own in entry['by_round']])
      self.assertRegex(
          tables.anomalies(result | {'anomalies': [entry]}),
          rf'\| {re.escape(tables._DETECTORS[name])} \| {median:.3f}')
    for row in result['random_splits']:
      low, high = row['mean_interval']
      # The variance of a beta-binomial distribution, over the splits.
      n, m = row['calibration_rows'], row['test_rows']
      alarms = np.floor(row['rate'] * (n + 1))
      p = alarms / (n + 1)
      variance = p * (1 - p) / m * (n + 1 + m) / (n + 2)
      self.assertAllClose(
          [low, high],
          stats.norm(p, (variance / row['splits'])**0.5).interval(0.95),
          rtol=0.01)
      self.assertBetween(row['mean'], low, high)


class PeersTest(parameterized.TestCase, tf.test.TestCase):

  def test_the_table_names_every_peer_or_says_that_it_was_left_out(self):
    row = {'peer': 'jax', 'model': 'mlp', 'batch_size': 100,
           'importance_samples': 1, 'images_per_second': 1., 'kl': 1.,
           'cpu_microseconds_per_image': 1., 'peak_mebibytes': 1.,
           'first_step_seconds': 1., 'negative_bound': 1.}
    self.assertCountEqual(process.PEERS, tables._PEERS)
    alone = tables.training({
        'training': [row], 'peer_versions': {'jax': {'jax': '9.8'}}})
    self.assertIn('Versions: jax 9.8.', alone)
    left_out, = (line for line in alone.splitlines() if 'Left out' in line)
    self.assertEqual([name for peer, name in tables._PEERS.items()
                      if name not in left_out], [tables._PEERS['jax']])
    self.assertNotIn('Left out', tables.training(
        {'training': [row | {'peer': peer} for peer in process.PEERS]}))

  def test_what_other_environments_import_takes_numpy_alone(self):
    absent = dict.fromkeys(('absl', 'keras', 'tensorflow', 'tf_keras', 'tfvae',
                            'tensorflow_datasets', 'tensorflow_probability'))
    subprocess.run(
        [sys.executable, '-c', f'import sys; sys.modules.update({absent})\n'
         'from benchmarks.peers import mnist, process, score, watch'],
        check=True, cwd=tables.PAGE.parents[1])

  @parameterized.parameters(
      ([], []),
      ([f'--peers_python={sys.executable}'],
       [('mlp', 'jax'), ('mlp', 'torch'), ('mlp', 'torch_compile'),
        ('mlp', 'pythae'), ('conv', 'torch'), ('conv', 'torch_compile')]))
  def test_peers_of_another_environment_train_the_networks_they_have(
      self, arguments, expected):
    # Another process, because programs of this repository share flag names.
    cases = json.loads(subprocess.run(
        [sys.executable, '-c', 'import json, sys\nfrom absl import flags\n'
         'from benchmarks import training\nflags.FLAGS(sys.argv)\n'
         'print(json.dumps(training.cases("")))',
         *arguments, '--batch_sizes=100'],
        check=True, cwd=tables.PAGE.parents[1], stdout=subprocess.PIPE).stdout)
    self.assertEqual(
        [(case['model'], case['peer']) for case in cases
         if case['peer'] in ('jax', 'torch', 'torch_compile', 'pythae')],
        expected)
    self.assertEqual(
        [case['python'] for case in cases if 'python' in case],
        [sys.executable] * len(expected))


class ScoreTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    # z has one dimension, and the logits of x are linear in it.
    self.slopes, self.x = rng.normal(size=3), np.array([[1, 0, 1], [0, 0, 1]])
    self.loc = np.array([[0.3], [-0.4]])

  def _score(self, scale, num_samples=1, copies=1):
    x = np.repeat(self.x, copies, axis=0)
    return score(
        x, lambda x: (np.repeat(self.loc, copies, axis=0),
                      np.repeat(scale, copies, axis=0)),
        lambda z: z * self.slopes, num_samples)

  def _log_likelihood(self, z):
    """log p(x|z) on a grid of z, `[2, n]`."""
    p = 1 / (1 + np.exp(-z[:, np.newaxis] * self.slopes))
    return stats.bernoulli.logpmf(self.x[:, np.newaxis], p).sum(-1)

  def test_elbo_is_that_of_quadrature(self):
    scale, z = np.array([[0.5], [0.8]]), np.linspace(-9, 9, 2001)
    q = stats.norm.pdf(z, self.loc, scale)
    log_ratio = stats.norm.logpdf(z) - np.log(np.maximum(q, 1e-300))
    kl = -np.trapezoid(q * log_ratio, z).mean()
    elbo = np.trapezoid(q * self._log_likelihood(z), z).mean() - kl
    given = self._score(scale, copies=250)
    self.assertAllClose(given['kl'], kl, rtol=1e-6)
    # One draw an image: four standard errors of 500 of them.
    self.assertAllClose(given['negative_bound'], -elbo, atol=4 * 0.6 / 500**0.5)

  def test_a_triangular_scale_has_the_kl_of_its_covariance(self):
    scale = np.array([[[0.5, 0], [0.3, 0.8]]])
    covariance = scale[0] @ scale[0].T
    given = score(np.ones([1, 3]), lambda x: (np.array([[1., -2]]), scale),
                  lambda z: z @ np.ones([2, 3]))
    self.assertAllClose(given['kl'], 0.5 * (
        np.trace(covariance) + 5 - 2 - np.log(np.linalg.det(covariance))))

  def test_bound_of_many_draws_is_the_evidence(self):
    z = np.linspace(-9, 9, 2001)
    evidence = np.trapezoid(
        stats.norm.pdf(z) * np.exp(self._log_likelihood(z)), z)
    given = self._score(np.array([[0.9], [0.9]]), num_samples=4000)
    # Each weight varies by less than its mean.
    self.assertAllClose(given['negative_bound'], -np.log(evidence).mean(),
                        atol=4 / 4000**0.5)


class HandWrittenTest(tf.test.TestCase):

  def test_an_epoch_is_adam_on_the_loss_of_its_batches(self):
    images = tf.constant(
        np.random.default_rng(0).choice([0, 255], (12, 784)), tf.uint8)
    networks = hand_written._mlp(784, 50)
    weights = hand_written._initial_weights(networks.shapes)
    state = [tf.Variable(value) for value in (
        *weights, *(np.zeros_like(w) for w in 2 * weights))]
    expected = [tf.Variable(w) for w in weights]
    optimizer = tf_keras.optimizers.Adam(1e-3)
    order, losses = np.random.default_rng(1).permutation(12), []
    for step in range(3):
      # Black and white are not left to chance.
      x = tf.gather(images, order[4 * step:4 * step + 4]) // 255
      with tf.GradientTape() as tape:
        loss = self._loss(expected, tf.cast(x, tf.float32), step)
      optimizer.apply_gradients(zip(
          tape.gradient(loss, expected), expected, strict=True))
      losses.append(loss.numpy())
    epoch = hand_written.make_epoch(networks, images, state, 4, 1, False)
    mean = epoch(tf.constant(order, tf.int32), tf.constant(0))
    self.assertAllClose(mean, np.mean(losses), rtol=1e-5)
    for given, right in zip(state, expected, strict=False):
      self.assertAllClose(given, right, atol=1e-5)

  def _loss(self, weights, x, step):
    """The −ELBO by Keras and TensorFlow's own functions."""
    def perceptron(pairs, h):
      for i in range(0, len(pairs), 2):
        h = tf.tanh(h) if i else h
        h = tf.nn.bias_add(tf.matmul(h, pairs[i]), pairs[i + 1])
      return h

    params = perceptron(weights[:6], x)
    loc, scale = params[:, :50], tf.exp(params[:, 50:] / 2)
    z = loc + scale * tf.random.stateless_normal(
        [1, 4, 50], [2, step], alg='philox')[0]
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(
        labels=x, logits=perceptron(weights[6:], z))
    kl = tf.reduce_sum(
        (scale**2 + loc**2 - 1) / 2 - tf.math.log(scale), axis=-1)
    return tf.reduce_mean(kl + tf.reduce_sum(cross_entropy, axis=-1))


if __name__ == '__main__':
  tf.test.main()
