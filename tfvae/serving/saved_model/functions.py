"""Functions of a model that a server runs, from tensors to tensors by name.

All of them are deterministic: random draws depend on the seeds of the request
alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.anomaly import Detector
from tfvae.evaluation.imputation import impute as imputation
from tfvae.inference import importance_weighted
from tfvae.inference import refinement
from tfvae.inference import RowSeededSample
from tfvae.layers.base import conversion
from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.models import LatentVariableModel
from tfvae.serving.images.image_input import ImageInput
from tfvae.serving.saved_model import request_checks
from tfvae.serving.saved_model.request_checks import Shapes
from tfvae.serving.saved_model.request_checks import Tensors

tfd = tfp.distributions


def reconstruct(model: LatentVariableModel, **inputs) -> Tensors:
  """Returns the mean of p(x|z) at the posterior mean."""
  given = model.completed(_given(inputs))
  latents, _ = model.draw_posterior(given, tfd.Distribution.mean)
  return {'mean': _likelihood(model, latents, given).mean()}


def encode(model: LatentVariableModel, **inputs) -> Tensors:
  """Returns the moments of q(z|x), each latent given its parents' means."""
  return _moments(*model.draw_posterior(
      _given(inputs), tfd.Distribution.mean))


def refine(model: LatentVariableModel, steps: int, seed: tf.Tensor,
           **inputs) -> Tensors:
  """Returns the outputs of `encode` after refinement, and what it gained.

  Args:
    model: Model whose posteriors are Gaussian.
    steps: Steps of the refinement.
    seed: Seeds, int32 `[b, 2]`.
    **inputs: x, and y of a conditional model.
  """
  inputs = _checked(model, inputs, 'refine')
  with conversion.convert_with(tfd.Distribution.mean):
    found = refinement.refine(
        model, _given(inputs), steps, RowSeededSample(seed))
  means = {name: q.mean() for name, q in found.posteriors.items()}
  return _moments(means, found.posteriors) | {'gain': found.gain}


def classify(model: LatentVariableModel, **inputs) -> Tensors:
  """Returns q(y|x) of each class, and the number of the most probable one."""
  logits = model.label_posterior(_given(inputs)).logits_parameter()
  return {'probabilities': tf.nn.softmax(logits),
          'label': tf.argmax(logits, axis=-1, output_type=tf.int32)}


def decode(model: LatentVariableModel, **inputs) -> Tensors:
  """Returns the mean of p(x|z)."""
  latents = {name: z for name, z in inputs.items() if name != 'y'}
  given = _given({name: y for name, y in inputs.items() if name == 'y'})
  return {'mean': _likelihood(model, latents, given).mean()}


def generate(model: LatentVariableModel, seed: tf.Tensor, **inputs) -> Tensors:
  """Returns the mean of p(x|z) and a draw from it, for z ~ p(z)."""
  draw = RowSeededSample(seed)
  latents = model.draw_prior(draw, _given(inputs))
  likelihood = _likelihood(model, latents, _given(inputs))
  return {'mean': likelihood.mean(), 'sample': draw(likelihood)}


def score(model: LatentVariableModel, seed: tf.Tensor, **inputs) -> Tensors:
  """Returns the ELBO of each example and its parts, for z ~ q(z|x)."""
  inputs = _checked(model, inputs, 'score')
  inference = model.infer_classes(_given(inputs), RowSeededSample(seed))
  with conversion.convert_with(tfd.Distribution.mean):
    reconstruction = model.log_likelihood(
        inference.latents, inputs['x'], _given(inputs))
  return inference.elbo_parts(reconstruction).per_example()


def contributions(model: LatentVariableModel, seed: tf.Tensor,
                  **inputs) -> Tensors:
  """Returns −log p(x_d|z) of each element, for the z of `score`.

  The sum over the elements is −reconstruction. A missing value has 0 nats.
  """
  inputs = _checked(model, inputs, 'contributions')
  inference = model.infer_classes(_given(inputs), RowSeededSample(seed))
  with conversion.convert_with(tfd.Distribution.mean):
    nats = model.log_likelihood_of_elements(
        inference.latents, inputs['x'], _given(inputs))
  return {'contributions': -inference.over_classes(
      nats, inputs['x'].shape.rank - 1)}


def log_likelihood(model: LatentVariableModel, num_samples: int,
                   seed: tf.Tensor, **inputs) -> Tensors:
  """Returns log p(x) of each example, estimated by importance sampling.

  Args:
    model: Model.
    num_samples: Importance samples K for each example.
    seed: Seeds, int32 `[b, 2]`.
    **inputs: x, and y of a conditional model.
  """
  inputs = _checked(model, inputs, 'log_likelihood')
  with conversion.convert_with(tfd.Distribution.mean):
    found = importance_weighted(
        model, _given(inputs), num_samples, RowSeededSample(seed))
  return {'log_likelihood': found.nats,
          'effective_sample_size': found.effective_sample_size}


def detect(model: LatentVariableModel, detector: Detector, seed: tf.Tensor,
           **inputs) -> Tensors:
  """Returns p-value, score and alarm of each example, and its nats by element.

  Args:
    model: Model with the weights of the detector's.
    detector: Calibrated detector, whose scores become constants of the graph.
    seed: Seeds, int32 `[b, 2]`.
    **inputs: x, and y of a conditional model.
  """
  inputs = _checked(model, inputs, 'detect')
  return detector.tensors(model, _given(inputs), seed)


def impute(model: LatentVariableModel, num_draws: int, seed: tf.Tensor,
           **inputs) -> Tensors:
  """Returns mean, draw and interval of missing values; x where it is observed.

  Args:
    model: Model whose x may have missing values.
    num_draws: Draws of z for each example; see `evaluation.impute`.
    seed: Seeds, int32 `[b, 2]`.
    **inputs: x, NaN where a value is missing, and y of a conditional model.
  """
  def completed(elements):
    row = {name: value[tf.newaxis] for name, value in elements.items()}
    seed = row.pop('seed')[0]
    found = imputation.completed(
        model, num_draws, 1, imputation.INTERVAL, _given(row), seed)
    found['sample'] = found.pop('imputations')[0]
    return {name: value[0] for name, value in found.items()}

  # Row by row, so that neither memory nor results depend on the batch.
  with conversion.convert_with(tfd.Distribution.mean):
    return tf.map_fn(
        completed, inputs | {'seed': seed}, parallel_iterations=2,
        fn_output_signature=dict.fromkeys(
            ('mean', 'sample', 'lower', 'upper'),
            tf.TensorSpec(inputs['x'].shape[1:], tf.float32)) | {
                'effective_sample_size': tf.TensorSpec([], tf.float32)})


def parse_example(function: Callable[..., Tensors], shapes: Shapes,
                  dtypes: Mapping[str, tf.DType],
                  examples: tf.Tensor) -> Tensors:
  """Returns the outputs of a function of serialized `tf.Example`s.

  Args:
    function: Function of keyword tensors.
    shapes: Shape of one row of each input.
    dtypes: Dtype of the inputs that are not float32. An example has booleans as
      integers.
    examples: Serialized examples, string `[b]`.
  """
  dtypes = {name: dtypes.get(name, tf.float32) for name in shapes}
  parsed = tf.io.parse_example(examples, {
      name: tf.io.FixedLenFeature(
          shape, tf.int64 if dtypes[name] == tf.bool else dtypes[name])
      for name, shape in shapes.items()})
  return function(**{
      name: tf.cast(value, tf.bool) if dtypes[name] == tf.bool else value
      for name, value in parsed.items()})


def parse_image(model: LatentVariableModel, image_input: ImageInput,
                shape: tuple[int, ...], image: tf.Tensor) -> Tensors:
  """Returns x of image files, string `[b]`."""
  return {'x': image_input.x(image, model, shape)}


def encode_image(parse: Callable[..., Tensors],
                 function: Callable[..., Tensors], image: tf.Tensor,
                 **inputs) -> Tensors:
  """Returns the outputs of `encode` for x of image files.

  Args:
    parse: Function of image files that returns x.
    function: Function of x and the other inputs.
    image: Image files, string `[b]`.
    **inputs: Other inputs.
  """
  return function(x=parse(image=image)['x'], **inputs)


def _moments(means: Tensors,
             posteriors: Mapping[str, tfd.Distribution]) -> Tensors:
  """Returns the moments of each posterior; of several, with their names."""
  outputs = {}
  for name, posterior in posteriors.items():
    prefix = f'{name}_' if len(posteriors) > 1 else ''
    outputs |= {prefix + 'loc': means[name],
                prefix + 'scale_diag': posterior.stddev()}
    if isinstance(posterior, tfd.MultivariateNormalTriL):
      outputs[prefix + 'scale_tril'] = posterior.scale.to_dense()
  return outputs


def _checked(model: LatentVariableModel, inputs: Tensors,
             signature: str) -> Tensors:
  """Returns inputs whose use depends on a check of x, unless it is disabled."""
  layer = model.likelihood_layer()
  if not model.checks_data or not isinstance(layer, Likelihood):
    return inputs
  return inputs | {'x': request_checks.checked_support(
      inputs['x'], layer, signature)}


def _given(inputs: Tensors) -> Any:
  """Returns the observed inputs of a model: without y, x itself or None."""
  given = {name: inputs[name] for name in ('x', 'y') if name in inputs}
  return given if 'y' in given else given.get('x')


def _likelihood(model: LatentVariableModel, latents: Tensors,
                given: Any) -> tfd.Distribution:
  # The layer also converts the distribution to a tensor, which is not used. The
  # mean is chosen because a draw would be an operation without a seed.
  with conversion.convert_with(tfd.Distribution.mean):
    return model.decode(latents, given)
