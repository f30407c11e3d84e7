"""Tests of labels that may be missing, against sums in float64 NumPy."""

from absl.testing import parameterized
import numpy as np
from scipy import special
import tensorflow as tf
import tensorflow_probability as tfp

from tests import label_models
from tests.label_models import CLASSES
from tests.label_models import EVERY_GRAPH
from tests.label_models import EVERY_X
from tests.label_models import WEIGHTS
from tfvae.inference import labels
from tfvae.layers import SeededSample

tfd = tfp.distributions

# Each x twice: rows 0 to 7 are missing, in both ways, the others given.
X = np.concatenate([EVERY_X, EVERY_X])
Y = np.concatenate([np.zeros([8, CLASSES]), np.eye(CLASSES)[np.arange(8) % 3]])


def batch():
  """Returns mixed rows, with NaN for some of those that are missing."""
  y = np.float32(Y)
  y[4:8] = np.nan
  return {'x': tf.constant(X), 'y': tf.constant(y)}


def parts_of(model, inputs):
  """Returns the inference, and its log-likelihood at the nodes."""
  inference = model.infer_classes(inputs, label_models.Quadrature())
  return inference, model.log_likelihood(
      inference.latents, tf.constant(X), inputs)


def over_nodes(nats):
  return np.float64(nats) if nats.shape.rank == 1 else WEIGHTS @ np.float64(
      nats)


class ClassesTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.named_parameters(EVERY_GRAPH)
  def test_elbo_is_the_sum_over_the_classes(self, name):
    model = label_models.label_vae(name)
    reference = label_models.Reference(model)
    inference, log_likelihood = parts_of(model, batch())
    parts = inference.elbo_parts(log_likelihood)
    elbo = over_nodes(parts.elbo)
    self.assertAllClose(elbo, reference.elbo(X, Y), rtol=2e-5, atol=2e-5)
    self.assertAllClose(over_nodes(parts.reconstruction),
                        reference.reconstruction(X, Y), rtol=2e-5, atol=2e-5)
    self.assertEqual(set(parts.kl_by_latent), {'z', 'y'})

  @parameterized.named_parameters(EVERY_GRAPH)
  def test_bounds_hold(self, name):
    model = label_models.label_vae(name)
    joint = label_models.Reference(model).joint(X)
    inference, log_likelihood = parts_of(model, batch())
    exact = np.where(Y.sum(1) > 0, np.sum(joint * Y.T, 0),
                     special.logsumexp(joint, 0))
    # p sums to 1 over every x.
    self.assertAllClose(special.logsumexp(exact[:8]), 0, atol=1e-6)
    elbo = over_nodes(inference.elbo_parts(log_likelihood).elbo)
    self.assertAllLess(elbo - exact, 1e-5)
    # The mean of the importance weights is p(x), or p(x, y).
    log_weights = np.float64(inference.log_weights(log_likelihood))
    self.assertAllClose(
        special.logsumexp(log_weights, 0, b=WEIGHTS[:, np.newaxis]), exact,
        rtol=2e-4, atol=2e-4)

  def test_bound_is_tight_at_the_exact_posterior(self):
    # If x does not depend on z, p(y|x) is linear in x, and p(z|x, y) is p(z).
    model = label_models.label_vae('label_first')
    kernel, bias = model.decoder.layers[0].get_weights()
    kernel[0] = 0
    model.decoder.layers[0].set_weights([kernel, bias])
    factors = {name: factor.network[-1] for name, factor
               in model.inference_factors.items()}
    factors['z'].set_weights(
        [np.zeros_like(weight) for weight in factors['z'].get_weights()])
    # log p(y=c) + Σ_d x_d l_cd − log(1 + exp l_cd)
    logits = kernel[1:] + bias
    factors['y'].set_weights([
        logits.T, model.priors['y'].logits.numpy() - np.sum(
            np.logaddexp(0, logits), 1)])
    inference, log_likelihood = parts_of(model, batch())
    joint = label_models.Reference(model).joint(X)
    self.assertAllClose(
        over_nodes(inference.elbo_parts(log_likelihood).elbo),
        np.where(Y.sum(1) > 0, np.sum(joint * Y.T, 0),
                 special.logsumexp(joint, 0)), rtol=1e-5, atol=1e-5)

  @parameterized.named_parameters(EVERY_GRAPH)
  def test_gradient_is_that_of_the_sum(self, name):
    model = label_models.label_vae(name)
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
      inference, log_likelihood = parts_of(model, batch())
      elbo = inference.elbo_parts(log_likelihood).elbo
      total = tf.reduce_sum(tf.tensordot(
          tf.constant(WEIGHTS, tf.float32), elbo, 1))
    gradients = tape.gradient(total, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
      value = variable.numpy()
      place = np.unravel_index(np.argmax(np.abs(gradient)), value.shape)
      slopes = []
      for step in (1e-2, -1e-2):
        moved = value.copy()
        moved[place] += step
        variable.assign(moved)
        slopes.append(label_models.Reference(model).elbo(X, Y).sum() / 2e-2)
        variable.assign(value)
      # The error of the difference is of second order in the step.
      self.assertAllClose(gradient.numpy()[place], slopes[0] - slopes[1],
                          rtol=3e-3, atol=3e-3, msg=variable.name)

  def test_missing_is_zeros_nan_or_no_label(self):
    model = label_models.label_vae('latent_first')
    missing = [{'x': EVERY_X, 'y': np.full([8, 3], value, np.float32)}
               for value in (0, np.nan)] + [EVERY_X, {'x': EVERY_X}]
    elbos = []
    for inputs in missing:
      inference = model.infer_classes(inputs, SeededSample(tf.constant([1, 2])))
      elbos.append(inference.elbo_parts(model.log_likelihood(
          inference.latents, EVERY_X, inputs)).elbo)
    for elbo in elbos[1:]:
      self.assertAllEqual(elbo, elbos[0])

  def test_completes_by_the_most_probable_class(self):
    model = label_models.label_vae('latent_first')
    reference = label_models.Reference(model)
    kernel, bias = reference._weights['inference', 'z']
    z = (X @ kernel + bias)[:, :1]  # The mean.
    kernel, bias = reference._weights['inference', 'y']
    logits = np.hstack([z, X]) @ kernel + bias
    self.assertAllClose(model.label_posterior(batch()).probs_parameter(),
                        special.softmax(logits, 1), atol=1e-6)
    best = np.eye(CLASSES)[np.argmax(logits, 1)]
    self.assertAllEqual(model.completed(batch())['y'],
                        np.where(Y.sum(1, keepdims=True) > 0, Y, best))
    self.assertAllEqual(model.completed(X)['y'], best)

  def test_draws_missing_labels_from_the_prior(self):
    model = label_models.label_vae('latent_from_label')
    n = 4000
    draws = model.sample_prior(n, tf.constant([0, 1]))
    probs = special.softmax(np.float64(model.priors['y'].logits))
    frequencies = draws['y'].numpy().mean(0)
    errors = np.sqrt(probs * (1 - probs) / n)
    self.assertAllLess(np.abs(frequencies - probs) / errors, 5)
    given = tf.one_hot([2] * 5 + [-1] * 5, CLASSES)
    draws = model.sample_prior(10, tf.constant([0, 1]), {'y': given})
    self.assertAllEqual(draws['y'][:5], given[:5])
    self.assertAllEqual(tf.reduce_sum(draws['y'], 1), np.ones(10))
    self.assertEqual(model.sample(7).shape, (7, 3))
    self.assertEqual(model.sample(2, inputs={'y': given[4:6]}).shape, (2, 3))

  def test_single_class_is_that_of_a_given_label(self):
    model = label_models.label_vae('label_first')
    inputs = {'x': EVERY_X, 'y': np.float32(Y[8:])}
    draw = label_models.Quadrature()
    inference = model.infer(inputs, draw)
    parts = inference.elbo_parts(model.log_likelihood(
        inference.latents, EVERY_X, inputs))
    self.assertAllClose(
        over_nodes(parts.elbo), label_models.Reference(model).elbo(X, Y)[8:],
        rtol=1e-5, atol=1e-5)
    self.assertEqual(set(inference.latents), {'z'})

  def test_log_sum_is_over_allowed_classes(self):
    given = tf.constant([[0., 1.], [0., 0.]])
    classes = labels.ClassSum.of(
        tfd.OneHotCategorical(logits=[[1., 0.], [0., 2.]], dtype=tf.float32),
        given, tfd.Distribution.mean)
    values = tf.constant([[1., 2.], [3., 4.]])  # Classes in the first axis.
    self.assertAllClose(classes.log_sum(values), [
        3, np.logaddexp(2., 4.)])
    self.assertAllClose(classes.mean(values), [
        3, special.softmax([0., 2.]) @ [2, 4]])


if __name__ == '__main__':
  tf.test.main()
