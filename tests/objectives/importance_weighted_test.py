"""The importance-weighted bound in float64, and its two gradients."""

from absl.testing import parameterized
import numpy as np
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfvae
from tfvae.objectives import ImportanceWeighted

tfd = tfp.distributions

_IMAGE, _LATENT, _HIDDEN, _SEED = (2, 3, 1), 3, (5,), [7, 4]


def _model(prior=None, use_exact_kl=None,
           head=tfvae.layers.MultivariateNormalDiag):
  tf_keras.utils.set_random_seed(1)
  prior = prior or tfvae.priors.StandardNormal(_LATENT)
  return tfvae.VAE(
      tf_keras.Sequential([
          tf_keras.layers.Flatten(input_shape=_IMAGE),
          tf_keras.layers.Dense(*_HIDDEN, 'tanh'),
          tf_keras.layers.Dense(head.params_size(_LATENT)),
          head(
              _LATENT, activity_regularizer=tfvae.KLDivergenceRegularizer(
                  prior, use_exact_kl=use_exact_kl))]),
      tf_keras.Sequential([
          tf_keras.layers.Dense(*_HIDDEN, 'tanh', input_shape=[_LATENT]),
          tf_keras.layers.Dense(6, kernel_initializer='random_normal'),
          tfvae.layers.IndependentBernoulli(_IMAGE)]))


def _graph_model(preset):
  tf_keras.utils.set_random_seed(2)
  graph = tfvae.graph.PRESETS[preset] | {'latents': 'z1:3,z2:2'}
  return tfvae.models.image_vae(
      tfvae.graph.GraphicalModel.parse(**graph), _IMAGE, 'mlp', _HIDDEN,
      factor_units=[4])


def _data(n):
  rng = np.random.default_rng(n)
  return (rng.random((n, *_IMAGE)) < 0.4).astype(np.float32)


def _values(objective, model, x, seed=_SEED):
  """Returns the values of each example, float64."""
  values = objective(model, x, x, tf.constant(seed), 1.0, False)
  return {name: np.float64(value) for name, value in values.items()}


def _noise(position, shape):
  """The standard normals of the latent drawn at a position."""
  seed = tf.random.experimental.stateless_fold_in(_SEED, position, alg='philox')
  seed = tfp.random.sanitize_seed(seed, salt='normal_diag')
  return np.float64(tf.random.stateless_normal(shape, seed, alg='philox'))


class _Normal:
  """N(μ, diag σ²) in float64, from a network's output (μ, log σ²)."""

  def __init__(self, params):
    self.loc, self.log_variance = np.split(params, 2, axis=-1)

  def draw(self, noise):
    return self.loc + np.exp(self.log_variance / 2) * noise

  def log_prob(self, z):
    return -0.5 * np.sum(
        (z - self.loc)**2 * np.exp(-self.log_variance) + self.log_variance
        + np.log(2 * np.pi), axis=-1)

  def kl(self, other):
    # ½ Σ (σ_q² + (μ_q − μ_p)²) / σ_p² − 1 − log σ_q² / σ_p²
    difference = self.log_variance - other.log_variance
    return 0.5 * np.sum(
        np.exp(difference) - 1 - difference
        + (self.loc - other.loc)**2 * np.exp(-other.log_variance), axis=-1)


def _perceptron(layers, h):
  """The tanh perceptron of Dense layers, linear at the end, in float64."""
  weights = [[np.float64(w) for w in layer.get_weights()]
             for layer in layers if layer.get_weights()]
  for index, (kernel, bias) in enumerate(weights):
    h = h @ kernel + bias
    h = np.tanh(h) if index < len(weights) - 1 else h
  return h


def _standard_normal(size):
  return _Normal(np.zeros(2 * size))


def _log_bernoulli(x, logits):
  x = np.float64(x).reshape(len(x), -1)
  # log p(x|z) = Σ x l − log(1 + exp l)
  return np.sum(x * logits - np.logaddexp(0, logits), axis=-1)


def _one_layer(model, x, k):
  """log p(x|z), log p(z) − log q(z|x) and the KL of K draws, `[K, b]`."""
  q = _Normal(_perceptron(
      model.encoder.layers, np.float64(x).reshape(len(x), -1)))
  p, z = _standard_normal(_LATENT), q.draw(_noise(0, [k, len(x), _LATENT]))
  log_likelihood = _log_bernoulli(x, _perceptron(model.decoder.layers, z))
  return log_likelihood, p.log_prob(z) - q.log_prob(z), q.kl(p)


def _two_layer(model, x, k, is_ladder):
  """The same for the presets `two_layer` and `ladder`."""
  kernel, bias = (np.float64(w) for w in model.features.get_weights())
  h = np.tanh(np.float64(x).reshape(len(x), -1) @ kernel + bias)

  def factor(part, parents):
    return _Normal(_perceptron(part.network, parents))

  q = model.inference_factors
  if is_ladder:  # z2|x; z1|z2,x
    q2 = factor(q['z2'], h)
    z2 = q2.draw(_noise(0, [k, len(x), 2]))
    copies = np.broadcast_to(h, (k, *h.shape))
    q1 = factor(q['z1'], np.concatenate([z2, copies], axis=-1))
    z1 = q1.draw(_noise(1, [k, len(x), 3]))
  else:  # z1|x; z2|z1
    q1 = factor(q['z1'], h)
    z1 = q1.draw(_noise(0, [k, len(x), 3]))
    q2 = factor(q['z2'], z1)
    z2 = q2.draw(_noise(1, [k, len(x), 2]))
  p2, p1 = _standard_normal(2), factor(model.priors['z1'], z2)
  log_ratio = (p2.log_prob(z2) - q2.log_prob(z2)
               + p1.log_prob(z1) - q1.log_prob(z1))
  # Below the prior z1|z2, the KL of z1 is exact where z2 was drawn before it.
  kl = q2.kl(p2) + (
      q1.kl(p1) if is_ladder else q1.log_prob(z1) - p1.log_prob(z1))
  logits = _perceptron(model.decoder.layers[0].layers, z1)
  return _log_bernoulli(x, logits), log_ratio, kl


class BoundTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      kind=['one_layer', 'doubly', 'two_layer', 'ladder'], k=[1, 6])
  def test_bound_and_elbo_equal_float64(self, kind, k):
    x = _data(9)
    if kind in ('two_layer', 'ladder'):
      model = _graph_model(kind)
      log_likelihood, log_ratio, kl = _two_layer(
          model, x, k, is_ladder=kind == 'ladder')
    else:
      model = _model()
      log_likelihood, log_ratio, kl = _one_layer(model, x, k)
    # L_K = log (1/K) Σ_k w_k
    bound = scipy.special.logsumexp(
        log_likelihood + log_ratio, axis=0) - np.log(k)
    reconstruction = log_likelihood.mean(0)
    kl = kl.mean(0) if kl.ndim > 1 else kl
    expected = {'objective': -bound, 'reconstruction': reconstruction,
                'kl': kl, 'elbo': reconstruction - kl}
    actual = _values(ImportanceWeighted(k, kind == 'doubly'), model, x)
    self.assertEqual(actual.keys(), expected.keys())
    for name, value in expected.items():
      self.assertEqual(value.shape, (9,))
      self.assertAllClose(actual[name], value, rtol=1e-5, atol=1e-5, msg=name)

  def test_one_draw_is_the_elbo_on_the_same_draw(self):
    # With the log-ratio for the KL, as the regularizer estimates it.
    model, x, histories = _model(use_exact_kl=False), _data(9), []
    for objective in (None, ImportanceWeighted(1)):
      model.compile(tf_keras.optimizers.SGD(0.), objective=objective,
                    run_eagerly=True)
      history = model.fit(x, batch_size=4, shuffle=False, verbose=0).history
      histories.append(history)
    self.assertAllClose(*histories, rtol=1e-5)
    self.assertAllClose(histories[1]['loss'], -np.array(histories[1]['elbo']))

  def test_bound_rises_with_the_samples(self):
    model, x = _model(), np.repeat(_data(5), 2000, axis=0)
    bounds = [-_values(ImportanceWeighted(k), model, x)['objective']
              for k in (1, 3, 10)]
    for lower, upper in zip(bounds[:-1], bounds[1:], strict=True):
      error = np.hypot(lower.std(), upper.std()) / np.sqrt(len(x))
      self.assertGreater(upper.mean() - lower.mean(), 3 * error)
    elbo = _values(ImportanceWeighted(1), model, x)['elbo']
    error = np.hypot(elbo.std(), bounds[0].std()) / np.sqrt(len(x))
    self.assertLess(abs(elbo.mean() - bounds[0].mean()), 3 * error)


def _exact_model(latent, scale):
  """p(z) = N(0, I), p(x|z) = N(Wz, σ²I), and q(z|x) = p(z|x) exactly."""
  rng = np.random.default_rng(0)
  loadings = rng.normal(size=(latent, 4))
  # Σ_z|x = (I + W Wᵀ/σ²)⁻¹ is diagonal for orthogonal loadings.
  loadings = np.linalg.svd(loadings, full_matrices=False)[2] * 1.5
  variance = 1 / (1 + np.sum(loadings**2, axis=1) / scale**2)
  encoder = tf_keras.Sequential([
      tf_keras.layers.Dense(2 * latent, input_shape=[4]),
      tfvae.layers.MultivariateNormalDiag(
          latent, activity_regularizer=tfvae.KLDivergenceRegularizer(
              tfvae.priors.StandardNormal(latent)))])
  encoder.set_weights([
      np.concatenate(  # μ = Σ Wᵀx / σ²
          [(loadings * variance[:, np.newaxis]).T / scale**2,
           np.zeros((4, latent))], axis=1),
      np.concatenate([np.zeros(latent), np.log(variance)])])
  decoder = tf_keras.Sequential([
      tf_keras.layers.Dense(4, use_bias=False, input_shape=[latent]),
      tfvae.layers.IndependentNormal([4], scale=scale)])
  decoder.set_weights([loadings])
  return tfvae.VAE(encoder, decoder), loadings


class ExactPosteriorTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1, 8)
  def test_bound_is_log_p_of_x_and_the_gradient_vanishes(self, k):
    model, loadings = _exact_model(2, 0.7)
    x = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    # log N(x; 0, WᵀW + σ²I)
    expected = scipy.stats.multivariate_normal(
        cov=loadings.T @ loadings + 0.49 * np.eye(4)).logpdf(x)
    sizes = {}
    for doubly in (False, True):
      objective = ImportanceWeighted(k, doubly_reparameterized=doubly)
      with tf.GradientTape() as tape:
        values = objective(model, x, x, tf.constant(_SEED), 1.0, True)
        loss = tf.reduce_mean(values['objective'])
      self.assertAllClose(-values['objective'], expected, atol=1e-5)
      gradients = tape.gradient(loss, model.encoder.trainable_variables)
      sizes[doubly] = max(np.abs(g).max() for g in gradients)
    # Each ∂log w_k/∂z_k is 0 there; the plain gradient only is on average.
    self.assertLess(sizes[True], 1e-4)
    self.assertGreater(sizes[False], 1e-2)


def _conditional_model():
  """q(z|x,y) with the prior p(z|y)."""
  tf_keras.utils.set_random_seed(2)
  model = tfvae.models.image_vae(
      tfvae.graph.GraphicalModel.parse('z:3', 'z|x,y', 'z|y; x|z'),
      _IMAGE, 'mlp', _HIDDEN, factor_units=[4], num_classes=2)
  prior = model.priors['z']
  prior.set_weights([2 * w for w in prior.get_weights()])
  return model


def _flow_model():
  """An IAF that has left the normal it begins as."""
  model = _model(head=tfvae.layers.InverseAutoregressiveFlow)
  rng = np.random.default_rng(0)
  flow = model.encoder.layers[-1]
  flow.set_weights(
      [w + 0.2 * rng.normal(size=w.shape) for w in flow.get_weights()])
  return model


_OTHER_MODELS = {
    'normal_tril': lambda: _model(head=tfvae.layers.MultivariateNormalTriL),
    'iaf': _flow_model,
    'vamp_prior': lambda: _model(
        tfvae.priors.VampPrior(_LATENT, 3, _IMAGE)),
    'conditional_prior': _conditional_model,
}


def _variables(model):
  """φ, of what makes q(z|x), and θ; a VampPrior shares φ."""
  phi = (model.encoder.trainable_variables if hasattr(model, 'encoder') else [
      *model.features.trainable_variables,
      *model.inference_factors['z'].trainable_variables])
  # The encoder's layer tracks the prior that it is regularized with.
  phi = [v for v in phi if 'pseudo_inputs' not in v.name]
  ours = {v.ref() for v in phi}
  return phi, [v for v in model.trainable_variables if v.ref() not in ours]


def _gradients(model, x, objective, count, copies=100, jit_compile=True):
  """Gradients with respect to φ and θ, `count` means over `copies`."""
  phi, theta = _variables(model)
  x = tf.nest.map_structure(lambda part: np.repeat(part, copies, axis=0), x)
  target = x['x'] if isinstance(x, dict) else x

  @tf.function(jit_compile=jit_compile)
  def gradients(seed):
    with tf.GradientTape() as tape:
      values = objective(model, x, target, seed, 1.0, True)
      loss = tf.reduce_mean(values['objective'])
    both = tape.gradient(loss, [phi, theta])
    return [tf.concat([tf.reshape(g, [-1]) for g in part], 0) for part in both]

  draws = [gradients(tf.constant([3, index])) for index in range(count)]
  return [np.float64(tf.stack(part)) for part in zip(*draws, strict=True)]


class DoublyReparameterizedTest(tf.test.TestCase, parameterized.TestCase):

  def test_gradient_agrees_and_has_less_variance(self, k=16, count=100):
    model, x = _model(), np.concatenate([_data(4), 1 - _data(4)])
    plain, plain_theta = _gradients(model, x, ImportanceWeighted(k), count)
    doubly, theta = _gradients(model, x, ImportanceWeighted(k, True), count)
    # On the same draws, the gradient with respect to θ is the same.
    self.assertAllClose(theta, plain_theta, rtol=1e-4, atol=1e-5)
    difference = plain - doubly
    scores = difference.mean(axis=0) / (difference.std(axis=0) / count**0.5)
    # Along one direction fixed beforehand, and each of the coordinates.
    along = difference @ np.random.default_rng(0).normal(size=plain.shape[1])
    score = along.mean() / (along.std() / count**0.5)
    variances = [g.var(axis=0).sum() for g in (plain, doubly)]
    signals = [np.linalg.norm(g.mean(axis=0)) for g in (plain, doubly)]
    print(f'K={k}: difference {score:.2f} standard errors along a direction, '
          f'at most {np.abs(scores).max():.2f} of {len(scores)}; variance '
          f'{variances[0] / variances[1]:.1f} times less; signal-to-noise of '
          f'{signals[0] / variances[0]**.5:.2f} and '
          f'{signals[1] / variances[1]**.5:.2f}')
    self.assertLess(abs(score), 3)
    self.assertLess(np.abs(scores).max(), 5)
    self.assertLess(variances[1], 0.5 * variances[0])

  @parameterized.parameters(*_OTHER_MODELS)
  def test_gradient_agrees_for_other_families(self, kind, count=40):
    """Means within 5 standard errors, and the same for θ on the same draws."""
    model, x = _OTHER_MODELS[kind](), _data(4)
    for variable in _variables(model)[0]:  # Further from the prior.
      variable.assign(2 * variable)
    if kind == 'conditional_prior':
      x = {'x': x, 'y': np.eye(2, dtype=np.float32)[[0, 1, 1, 0]]}
    plain, plain_theta = _gradients(
        model, x, ImportanceWeighted(5), count, jit_compile=False)
    doubly, theta = _gradients(
        model, x, ImportanceWeighted(5, True), count, jit_compile=False)
    self.assertAllClose(theta, plain_theta, rtol=1e-4, atol=1e-5)
    # Of the paired differences. The floor is float32 where both vanish.
    difference = plain - doubly
    error = difference.std(axis=0, ddof=1) / count**0.5 + 1e-7
    self.assertAllLess(np.abs(difference.mean(axis=0)) / error, 5)
    # Errors small enough to see a gradient that is off by a tenth.
    signal = np.linalg.norm(doubly.mean(axis=0))
    self.assertLess(np.linalg.norm(error), 0.1 * signal)

  def test_a_learned_prior_gets_the_gradient_of_the_bound(self):
    prior, x = tfvae.priors.LearnedNormal(_LATENT), _data(5)
    prior.set_weights(np.array([[.3, -.2, .1], [.2, .1, -.4]]))
    model, gradients = _model(prior), []
    for doubly in (False, True):
      objective = ImportanceWeighted(4, doubly)
      with tf.GradientTape() as tape:
        loss = objective(model, x, x, tf.constant(_SEED), 1.0, True)
      gradients.append(
          tape.gradient(loss['objective'], prior.trainable_variables))
    self.assertAllClose(*gradients, rtol=1e-4, atol=1e-5)
    self.assertGreater(np.abs(gradients[0][0]).min(), 1e-3)

  def test_takes_several_latents_side_by_side(self):
    tf_keras.utils.set_random_seed(2)
    model = tfvae.models.image_vae(
        tfvae.graph.GraphicalModel.parse(
            'z1:3,z2:2', 'z1|x; z2|x', 'z2; z1|z2; x|z1'),
        _IMAGE, 'mlp', _HIDDEN, factor_units=[4])
    x = _data(4)
    plain, doubly = (
        _values(ImportanceWeighted(3, d), model, x) for d in (False, True))
    self.assertAllClose(plain, doubly, rtol=1e-5)

  @parameterized.parameters(0, -1, 2.5)
  def test_refuses_a_number_of_samples(self, k):
    with self.assertRaisesRegex(ValueError, f'num_samples={k}'):
      ImportanceWeighted(k)

  def test_takes_the_config_of_earlier_files(self):
    earlier = {'num_samples': 3, 'doubly_reparameterized': True}
    objective = ImportanceWeighted.from_config(earlier)
    self.assertEqual(objective.get_config(),
                     earlier | {'reparameterized_priors': False})

  def test_refuses_to_reparameterize_the_prior_alone(self):
    with self.assertRaisesRegex(
        ValueError, 'set `doubly_reparameterized=True`.*priors=True$'):
      ImportanceWeighted(3, reparameterized_priors=True)


if __name__ == '__main__':
  tf.test.main()
