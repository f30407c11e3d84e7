"""The served functions against float64, closed forms and the models."""

import os

from absl.testing import parameterized
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tests import linear_gaussian
from tests import model_matrix
import tfvae
from tfvae import layers
from tfvae import models
from tfvae.graph import GraphicalModel
from tfvae.serving.saved_model.signatures import input_shapes
from tfvae.serving.saved_model.signatures import ServedModel
from tfvae.serving.saved_model.signatures import signatures

tfd = tfp.distributions

_ROWS, _SHAPE = 64, (8, 8, 1)
_IMAGE = (None, *_SHAPE)

# Each graph, posterior and network, each prior with weights, and a likelihood
# of each kind of data; row_draws_test.py draws from all of them.
_CASES = [dict(zip(
    ('graph', 'prior', 'posterior', 'likelihood', 'network'), case,
    strict=True)) for case in [
        ('vae', 'vamp', 'iaf', 'bernoulli', 'mlp'),
        ('two_layer', 'mixture', 'normal_tril', 'continuous_bernoulli', 'conv'),
        ('ladder', 'realnvp', 'iaf_tril', 'normal', 'mlp'),
        ('conditional', 'maf', 'normal_diag', 'normal_per_pixel', 'resnet'),
        ('vae', 'spline', 'spline', 'bernoulli', 'mlp'),
        ('conditional', 'standard_normal', 'mixture', 'bernoulli', 'mlp'),
        ('ladder, precision_weighted', 'learned_normal', 'normal_diag',
         'negative_binomial', 'mlp')]]


def _seeds(n, seed=0):
  return np.random.default_rng(seed).integers(
      -2**31, 2**31, size=[n, 2]).astype(np.int32)


def _call(function, rows, of=slice(None)):
  """Calls a signature with what it takes of some rows; returns arrays."""
  inputs = function.structured_input_signature[1]
  outputs = function(**{name: tf.constant(rows[name][of]) for name in inputs})
  return {name: value.numpy() for name, value in outputs.items()}


def _examples(rows):
  """Serializes the rows of x, and of y where it is there."""
  return np.array([tf.train.Example(features=tf.train.Features(feature={
      name: tf.train.Feature(float_list=tf.train.FloatList(
          value=np.ravel(rows[name][i])))
      for name in ('x', 'y') if name in rows})).SerializeToString()
                   for i in range(len(rows['x']))], object)


def _randomize(model):
  """Leaves no weight where it starts, at zero for example."""
  rng = np.random.default_rng(0)
  for weight in model.trainable_weights:
    weight.assign_add(rng.normal(0, 0.1, weight.shape))


class MatrixTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*_CASES)
  def test_signatures_say_what_the_model_does(self, **case):
    tf_keras.utils.set_random_seed(0)
    x, y = model_matrix.digits(case['likelihood'], _ROWS)
    self.model = model_matrix.make_model(case, _SHAPE)
    _randomize(self.model)
    self.functions = signatures(self.model, (
        'serving_default', 'reconstruct', 'parse_example', 'encode', 'decode',
        'generate', 'score'))
    self.is_conditional = self.model.graph.is_conditional
    rng = np.random.default_rng(1)
    self.rows = {'x': x, 'seed': _seeds(_ROWS), **(
        {'y': y} if self.is_conditional else {}), **{
            name: rng.normal(size=[_ROWS, size]).astype(np.float32)
            for name, size in self.model.graph.latents}}
    self.rows['examples'] = _examples(self.rows)
    self._check_means()
    self._check_posteriors()
    self._check_score()
    self._check_samples()

  def _given(self, rows):
    return ({'x': rows['x'], 'y': rows['y']} if self.is_conditional
            else rows['x'])

  def _check_means(self):
    given = self._given(self.rows)
    expected = self.model(given).mean()
    self.assertIs(self.functions['serving_default'],
                  self.functions['reconstruct'])
    for name in ('reconstruct', 'parse_example'):
      self.assertAllClose(
          _call(self.functions[name], self.rows)['mean'], expected, rtol=1e-5)
    self.assertAllClose(
        _call(self.functions['decode'], self.rows)['mean'],
        self.model.decode(self.rows, given).mean(), rtol=1e-5)

  def _check_posteriors(self):
    posteriors = self.model.infer(
        self._given(self.rows), tfd.Distribution.mean).posteriors
    outputs = _call(self.functions['encode'], self.rows)
    for name, posterior in posteriors.items():
      prefix = f'{name}_' if len(posteriors) > 1 else ''
      self.assertAllClose(outputs.pop(prefix + 'loc'), posterior.mean())
      self.assertAllClose(
          outputs.pop(prefix + 'scale_diag'), posterior.stddev(), rtol=1e-5)
      if isinstance(posterior, tfd.MultivariateNormalTriL):
        tril = outputs.pop(prefix + 'scale_tril')
        self.assertAllEqual(tril, np.tril(tril))
        self.assertAllClose(
            tril @ np.swapaxes(tril, 1, 2), posterior.covariance(), rtol=1e-5)
    self.assertEmpty(outputs)

  def _check_score(self):
    """Means over 300 seeds, within 5 standard errors of the model's own."""
    n = 300
    copies = {name: np.repeat(self.rows[name][:1], n, axis=0)
              for name in ('x', 'y') if name in self.rows}
    scores = _call(self.functions['score'], copies | {'seed': _seeds(n, 1)})
    self.assertAllClose(
        scores['elbo'], scores['reconstruction'] - scores['kl'], rtol=1e-5)
    given = self._given(copies)
    inference = self.model.infer(given, layers.SeededSample([1, 2]))
    parts = {'kl': sum(inference.kl.values()), 'reconstruction': (
        self.model.log_likelihood(inference.latents, copies['x'], given))}
    for name, expected in parts.items():
      self._assert_same_mean(scores[name], expected)

  def _check_samples(self):
    n = 300
    labels = {'y': np.resize(self.rows['y'], [n, 10])} if (
        self.is_conditional) else {}
    outputs = _call(self.functions['generate'], labels | {'seed': _seeds(n, 2)})
    likelihood = self.model.sample(n, seed=3, mean=True, inputs=labels or None)
    self._assert_same_mean(*(np.mean(images, axis=(1, 2, 3)) for images in (
        outputs['mean'], likelihood)))
    # x is about its mean given z, whatever z is. The mean of a discretized
    # logistic is off by 0.16 gray levels at most.
    residual = np.mean(outputs['sample'] - outputs['mean'], axis=(1, 2, 3))
    self.assertLess(
        abs(residual.mean()), 5 * residual.std() / n**0.5 + 0.16 / 255)

  def _assert_same_mean(self, one, other):
    """Of independent values, within 5 standard errors."""
    one, other = np.float64(one), np.float64(other)
    error = np.sqrt(np.var(one) / len(one) + np.var(other) / len(other))
    self.assertLess(
        abs(one.mean() - other.mean()), 5 * error + 1e-5 * abs(one.mean()))


class InterfaceTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (('z:2',), {
          'reconstruct': ('x', 'mean'), 'encode': ('x', 'loc scale_diag'),
          'sample_posterior': ('x seed', 'z'),
          'decode': ('z', 'mean'), 'generate': ('seed', 'mean sample'),
          'score': ('x seed', 'elbo reconstruction kl'),
          'contributions': ('x seed', 'contributions'),
          'log_likelihood': ('x seed', 'log_likelihood effective_sample_size'),
          'parse_example': ('examples', 'mean')}),
      (('z1:2,z2:2', 'z2|x; z1|z2,x', 'z2; z1|z2; x|z1,z2'), {
          'encode': ('x', 'z1_loc z1_scale_diag z2_loc z2_scale_diag'),
          'sample_posterior': ('x seed', 'z1 z2'),
          'decode': ('z1 z2', 'mean')}),
      (('z1:2,z2:2', 'z1|x; z2|z1', 'z2; z1|z2; x|z1'), {
          'decode': ('z1', 'mean')}),
      (('z:2', 'z|x,y', 'z; x|z,y'), {
          'reconstruct': ('x y', 'mean'), 'encode': ('x y', 'loc scale_diag'),
          'decode': ('z y', 'mean'), 'generate': ('seed y', 'mean sample'),
          'score': ('x y seed', 'elbo reconstruction kl'),
          'contributions': ('x y seed', 'contributions'),
          'log_likelihood': (
              'x y seed', 'log_likelihood effective_sample_size')}),
      (('z:2', 'z|x,y', 'z|y; x|z'), {
          'decode': ('z', 'mean'), 'generate': ('seed y', 'mean sample')}),
      (('z:2', 'z|x,y', 'z; x|z'), {
          'decode': ('z', 'mean'), 'generate': ('seed', 'mean sample')}),
      (('z:2', 'z|x', 'z; x|z,y'), {
          'encode': ('x y', 'loc scale_diag'), 'decode': ('z y', 'mean')}),
  )
  def test_names_shapes_and_dtypes(self, graph, expected):
    model = models.image_vae(
        GraphicalModel.parse(*graph), _SHAPE, 'mlp', (4,), (4,), num_classes=3)
    if 'parse_example' in expected:
      functions = signatures(model)
      self.assertCountEqual(functions, ['serving_default', *expected])
    else:
      functions = signatures(model, tuple(expected))
    taken = {'x': _IMAGE, 'y': (None, 3), 'seed': (None, 2),
             'examples': (None,)}
    given = dict.fromkeys(('mean', 'sample', 'contributions'), _IMAGE) | (
        dict.fromkeys(('elbo', 'reconstruction', 'kl', 'log_likelihood',
                       'effective_sample_size'), (None,)))
    for name, (inputs, outputs) in expected.items():
      specs = functions[name].structured_input_signature[1]
      self.assertEqual({key: tuple(spec.shape) for key, spec in specs.items()},
                       {key: taken.get(key, (None, 2))
                        for key in inputs.split()})
      for key, spec in specs.items():
        self.assertEqual(spec.dtype, {'seed': tf.int32, 'examples': tf.string}
                         .get(key, tf.float32))
      self.assertEqual(
          {key: (tuple(spec.shape), spec.dtype)
           for key, spec in functions[name].structured_outputs.items()},
          {key: (given.get(key, (None, 2)), tf.float32)
           for key in outputs.split()})
      self.assertEqual(
          {key: tuple(spec.shape)[1:] for key, spec in specs.items()},
          input_shapes(model)[name])

  @parameterized.parameters('mixed_bfloat16', 'mixed_float16')
  def test_mixed_precision_stays_within(self, policy):
    self.addCleanup(
        tf_keras.mixed_precision.set_global_policy, 'float32')
    tf_keras.mixed_precision.set_global_policy(policy)
    model = models.image_vae('z:2', _SHAPE, 'conv', (4,), (4,))
    functions = signatures(model)
    x = np.float32(np.random.default_rng(0).normal(size=[3, *_SHAPE]))
    for function in functions.values():
      for spec in function.structured_outputs.values():
        self.assertEqual(spec.dtype, tf.float32)
    self.assertAllClose(
        _call(functions['reconstruct'], {'x': x})['mean'], model(x).mean(),
        atol=1e-2)

  def test_the_posterior_alone_is_computed_for_encode(self):
    # The density of a flow's mean would be a loop over the dimensions, which
    # runs whether or not its result is used.
    model = models.image_vae(
        'z:2', _SHAPE, 'mlp', (4,), prior='maf', posterior='iaf')
    functions = signatures(model, ('encode', 'generate'))
    for name, loops in (('encode', False), ('generate', True)):
      operations = {operation.type for operation in
                    functions[name].graph.get_operations()}
      self.assertEqual('While' in operations, loops)

  def test_saved_without_keras(self):
    model = models.image_vae(
        GraphicalModel.parse('z:2', 'z|x,y', 'z|y; x|z,y'), _SHAPE, 'mlp',
        (4,), (4,), num_classes=10, prior='vamp')
    _randomize(model)
    functions, path = signatures(model), os.path.join(
        self.get_temp_dir(), 'saved')
    tf.saved_model.save(ServedModel(model), path, signatures=functions)
    del model
    loaded = tf.saved_model.load(path)
    self.assertFalse(os.path.exists(os.path.join(path, 'keras_metadata.pb')))
    with open(os.path.join(path, 'saved_model.pb'), 'rb') as file:
      self.assertNotIn(b'tf_keras', file.read())
    x, y = model_matrix.digits('bernoulli', 5)
    rows = {'x': x, 'y': y, 'seed': _seeds(5), 'z': np.float32(_seeds(5) % 3)}
    rows['examples'] = _examples(rows)
    for name, function in functions.items():
      expected = _call(function, rows)
      outputs = _call(loaded.signatures[name], rows)
      self.assertAllClose(outputs, expected, rtol=1e-6, atol=1e-6)


class ClosedFormTest(tf.test.TestCase):

  def test_linear_gaussian(self):
    linear = linear_gaussian.LinearGaussian(factor=1.2, shift=0.1)
    x = linear.draw(5)
    functions = signatures(
        linear.model, ('parse_example', 'reconstruct', 'encode', 'decode'))
    z = linear.posterior_mean(x) + 0.1
    loc = z @ linear.loadings.T + linear.bias
    outputs = _call(functions['encode'], {'x': x})
    self.assertAllClose(outputs['loc'], z, rtol=1e-5)
    self.assertAllClose(
        outputs['scale_diag'],
        np.tile(1.2 * np.sqrt(linear.variance), [5, 1]), rtol=1e-5)
    for name, rows in (('reconstruct', {'x': x}),
                       ('decode', {'z': np.float32(z)}),
                       ('parse_example', {'examples': _examples({'x': x})})):
      self.assertAllClose(
          _call(functions[name], rows)['mean'], loc, rtol=1e-5, atol=1e-5)

  def test_score_of_linear_gaussian(self):
    linear = linear_gaussian.LinearGaussian(factor=1.2, shift=0.1)
    x, n = linear.draw(5), 2000
    scores = _call(signatures(linear.model, ['score'])['score'], {
        'x': np.repeat(x, n, axis=0), 'seed': _seeds(5 * n)})
    elbo, kl = (scores[name].reshape(5, n) for name in ('elbo', 'kl'))
    expected = linear.kl_per_dimension(x).sum(axis=-1)[:, np.newaxis]
    self.assertAllClose(kl, np.repeat(expected, n, axis=1), rtol=1e-5)
    # Within 4 standard errors, which are small.
    error = elbo.std(axis=1) / n**0.5
    self.assertAllLess(error, 0.05)
    self.assertAllLess(np.abs(elbo.mean(axis=1) - linear.elbo(x)) / error, 4)

  def test_samples_of_linear_gaussian(self):
    linear, n = linear_gaussian.LinearGaussian(), 4000
    outputs = _call(
        signatures(linear.model, ['generate'])['generate'],
        {'seed': _seeds(n)})
    covariance = linear.loadings @ linear.loadings.T
    noise = linear_gaussian.SCALE**2 * np.eye(linear_gaussian.SIZE)
    # E[x] = E[E[x|z]] = b, with covariances W Wᵀ + s² I and W Wᵀ.
    for key, expected in (('sample', covariance + noise), ('mean', covariance)):
      variance = np.diag(expected)
      self.assertAllLess(np.abs(outputs[key].mean(axis=0) - linear.bias)
                         / np.sqrt(variance / n), 4)
      # Var of a product of normals: c_ii c_jj + c_ij².
      error = np.sqrt((np.outer(variance, variance) + expected**2) / n)
      self.assertAllLess(np.abs(np.cov(outputs[key].T) - expected) / error, 4.5)
    residual = outputs['sample'] - outputs['mean']
    self.assertAllClose(np.cov(residual.T), noise, rtol=0,
                        atol=5 * noise[0, 0] * (2 / n)**0.5)

  def test_bernoulli_in_float64(self):
    tf_keras.utils.set_random_seed(0)
    dense, (units, size) = tf_keras.layers.Dense, (4, 6)
    encoder = tf_keras.Sequential([
        dense(units, 'tanh', input_shape=[size]), dense(2),
        layers.MultivariateNormalDiag(
            1, activity_regularizer=tfvae.KLDivergenceRegularizer(
                tfvae.priors.StandardNormal(1)))])
    decoder = tf_keras.Sequential([
        dense(units, 'tanh', input_shape=[1]), dense(size),
        layers.IndependentBernoulli([size], 'sample')])
    model = tfvae.VAE(encoder, decoder)
    _randomize(model)
    a, b, c, d, e, f, g, h = map(np.float64, model.get_weights())

    def mean(z):
      return 1 / (1 + np.exp(-np.tanh(z @ e + f) @ g - h))

    x, n = np.eye(size, dtype=np.float32)[[0, 3]], 2000
    loc, log_variance = np.split(np.tanh(x @ a + b) @ c + d, 2, axis=-1)
    sigma = np.exp(0.5 * log_variance)
    functions = signatures(model)
    rows = {'x': np.repeat(x, n, axis=0), 'seed': _seeds(2 * n)}
    outputs = _call(functions['encode'], rows, [0, n])
    self.assertAllClose(outputs, {'loc': loc, 'scale_diag': sigma}, rtol=1e-5)
    outputs = _call(functions['reconstruct'], rows, [0, n])
    self.assertAllClose(outputs['mean'], mean(loc), rtol=1e-5)
    # E_q[log p(x|z)] by Gauss-Hermite quadrature.
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    probability = mean((loc + sigma * nodes)[..., np.newaxis])
    expected = np.where(
        x[:, np.newaxis] > 0, np.log(probability), np.log1p(-probability)
    ).sum(axis=-1) @ weights / weights.sum()
    kl = 0.5 * (sigma**2 + loc**2 - 1 - log_variance)
    scores = _call(functions['score'], rows)
    self.assertAllClose(scores['kl'], np.repeat(kl, n), rtol=1e-5)
    reconstruction = scores['reconstruction'].reshape(2, n)
    error = reconstruction.std(axis=1) / n**0.5
    self.assertAllLess(
        np.abs(reconstruction.mean(axis=1) - expected) / error, 4)
    # Draws of zeros and ones have the mean that is returned with them.
    outputs = _call(functions['generate'], rows)
    self.assertAllInSet(outputs['sample'], [0, 1])
    p = np.float64(outputs['mean'])
    self.assertAllLess(
        np.abs((outputs['sample'] - p).sum(axis=0))
        / np.sqrt((p * (1 - p)).sum(axis=0)), 4)


class ErrorTest(tf.test.TestCase):

  def _vae(self, **input_shape):
    size = 3
    return tfvae.VAE(
        tf_keras.Sequential([
            tf_keras.layers.Dense(2 * size, **input_shape),
            layers.MultivariateNormalDiag(
                size, activity_regularizer=tfvae.KLDivergenceRegularizer(
                    tfvae.priors.StandardNormal(size)))]),
        tf_keras.Sequential([
            tf_keras.layers.Dense(size, **input_shape),
            layers.IndependentNormal([size])]))

  def test_model_that_was_never_built(self):
    model = self._vae()
    with self.assertRaisesRegex(ValueError, 'call the model on a batch.*None'):
      signatures(model)
    model(np.ones([2, 3]))
    self.assertEqual(input_shapes(model)['reconstruct'], {'x': (3,)})

  def test_shape_that_is_not_known(self):
    with self.assertRaisesRegex(ValueError, r'shape is known.*None, None'):
      signatures(models.VAE(
          tf_keras.Sequential([
              tf_keras.layers.Conv1D(2, 2, input_shape=[None, 1]),
              tf_keras.layers.GlobalMaxPool1D(),
              layers.MultivariateNormalDiag(
                  1, activity_regularizer=tfvae.KLDivergenceRegularizer(
                      tfvae.priors.StandardNormal(1)))]),
          tf_keras.Sequential([
              tf_keras.layers.Dense(3, input_shape=[1]),
              layers.IndependentNormal([3])])))

  def test_model_of_another_class(self):
    with self.assertRaisesRegex(ValueError, 'GraphVAE can be.*Sequential'):
      signatures(tf_keras.Sequential([tf_keras.layers.Dense(1)]))

  def test_signature_that_there_is_not(self):
    with self.assertRaisesRegex(
        ValueError, r"parse_example. Received: names=\('encoder',\)"):
      signatures(self._vae(input_shape=[3]), ['encoder'])


if __name__ == '__main__':
  tf.test.main()
