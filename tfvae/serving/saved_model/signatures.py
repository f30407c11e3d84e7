"""What a trained model answers where it is served, function by function.

A signature takes and returns tensors by name: float32, but for int32 seeds and
the strings of serialized examples. Each has a leading dimension of any size,
one row an example. The outputs are a function of the inputs: nothing is drawn
but from the client's seeds, a row of two integers for each example. A request
whose shapes or numbers of rows do not fit fails (`serving.request_checks`).

  signature      inputs    outputs
  reconstruct    x         mean: of p(x|z) at the posterior mean
  encode         x         loc, scale_diag: mean and standard deviations of z
                           under q(z|x); of a full covariance L Lᵀ, scale_tril L
  decode         z         mean: of p(x|z)
  generate       seed      z ~ p(z), then mean: of p(x|z), sample: a draw of it
  score          x, seed   elbo, reconstruction = log p(x|z), kl: in nats, with
                           z ~ q(z|x) and elbo = reconstruction − kl
  parse_example  examples  mean: as reconstruct, x as floats of a `tf.Example`

`serving_default` is `reconstruct`. A conditional model takes y as well. Several
latents go by their names, `z1_loc` for example, each given its parents' means.
"""

from collections.abc import Callable, Iterable
import functools
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae.layers.base import conversion
from tfvae.layers.likelihoods.likelihood import Likelihood
from tfvae.models import LatentVariableModel
from tfvae.models import TrainableModel
from tfvae.serving.saved_model import request_checks
from tfvae.serving.saved_model.request_checks import Shapes
from tfvae.serving.saved_model.request_checks import Tensors
from tfvae.serving.saved_model.row_draws import RowSeededSample

tfd = tfp.distributions

_DTYPES = {'seed': tf.int32, 'examples': tf.string}


class ServedModel(tf.Module):
  """The variables of a model without its Keras objects.

  ```python
  tf.saved_model.save(ServedModel(model), path, signatures=signatures(model))
  ```
  """

  def __init__(self, model: LatentVariableModel):
    """Initialises the module with every variable of the model."""
    super().__init__()
    self.weights = list(model.variables)


def signatures(
    model: LatentVariableModel, names: Iterable[str] | None = None,
) -> dict[str, tf.types.experimental.ConcreteFunction]:
  """Returns the functions that a server offers, by name.

  Args:
    model: a `VAE` or a `GraphVAE`, at any stage of training.
    names: of the functions to trace; None is all of them.

  Returns:
    Functions of keyword tensors that return tensors by name; see the head of
    this module. They use the model's variables, which must outlive them.

  Raises:
    ValueError: if the model is of another class, does not know the shape of its
      inputs, or has no function of a name.
  """
  shapes = input_shapes(model)
  names = tuple(shapes if names is None else names)
  if not shapes.keys() >= set(names):
    raise ValueError(
        f'The signatures are {", ".join(shapes)}. Received: names={names}')

  @functools.cache
  def traced(name):
    if name == 'serving_default':
      return traced('reconstruct')
    if name == 'parse_example':
      function = functools.partial(
          _parse_example, traced('reconstruct'), shapes['reconstruct'])
    else:
      function = functools.partial(_FUNCTIONS[name], model)
    return _trace(function, shapes[name])

  return {name: traced(name) for name in names}


def input_shapes(model: LatentVariableModel) -> dict[str, Shapes]:
  """Returns the shape of one row of each input, by signature and by input.

  Args:
    model: a `VAE` or a `GraphVAE`.

  Raises:
    ValueError: as `signatures` does.
  """
  if not isinstance(model, TrainableModel):
    raise ValueError('Only a VAE or a GraphVAE can be served. Received: '
                     f'model={model!r}')
  _shape_of(model.decoder)  # Raises before it is built.
  graph, y = model.graph, {'y': (model.num_classes,)}
  sizes = dict(graph.latents) | {'y': model.num_classes}
  x = {'x': _shape_of(model.inference_network())} | (
      y if graph.is_conditional else {})
  z = {name: (sizes[name],) for name in graph.parents('generative', 'x')}
  given = y if any('y' in f.parents for f in graph.generative) else {}
  seed = {'seed': (2,)}
  return {'serving_default': x, 'reconstruct': x, 'encode': x, 'decode': z,
          'generate': seed | given, 'score': x | seed,
          'parse_example': {'examples': ()}}


def _shape_of(network: tf_keras.Model) -> tuple[int, ...]:
  """Returns the shape of one example of a network's input."""
  spec = network.save_spec()  # None before it is built.
  shape = getattr(spec[0][0], 'shape', None) if spec else None
  if shape is None or not shape[1:].is_fully_defined():
    raise ValueError(
        f'The network {network.name!r} must take one tensor whose shape is '
        'known: begin it with an Input, or call the model on a batch first. '
        f'Received: save_spec()={spec}')
  return tuple(shape[1:])


def _trace(function: Callable[..., Tensors],
           shapes: Shapes) -> tf.types.experimental.ConcreteFunction:
  """Returns the function as a graph of rows of these shapes."""
  @tf.function(autograph=False)
  def with_float_outputs(**inputs):
    outputs = function(**request_checks.checked_inputs(inputs, shapes))
    return {name: tf.cast(value, tf.float32) for name, value in outputs.items()}

  return with_float_outputs.get_concrete_function(**{
      name: tf.TensorSpec([None, *shape], _DTYPES.get(name, tf.float32), name)
      for name, shape in shapes.items()})


def _reconstruct(model: LatentVariableModel, **inputs) -> Tensors:
  latents, _ = model.draw_posterior(_given(inputs), tfd.Distribution.mean)
  return {'mean': _likelihood(model, latents, inputs).mean()}


def _encode(model: LatentVariableModel, **inputs) -> Tensors:
  latents, posteriors = model.draw_posterior(
      _given(inputs), tfd.Distribution.mean)
  outputs = {}
  for name, posterior in posteriors.items():
    prefix = f'{name}_' if len(posteriors) > 1 else ''
    outputs |= {prefix + 'loc': latents[name],
                prefix + 'scale_diag': posterior.stddev()}
    if isinstance(posterior, tfd.MultivariateNormalTriL):
      outputs[prefix + 'scale_tril'] = posterior.scale.to_dense()
  return outputs


def _decode(model: LatentVariableModel, **inputs) -> Tensors:
  latents = {name: z for name, z in inputs.items() if name != 'y'}
  return {'mean': _likelihood(model, latents, inputs).mean()}


def _generate(model: LatentVariableModel, seed: tf.Tensor,
              **inputs) -> Tensors:
  draw = RowSeededSample(seed)
  latents = model.draw_prior(draw, _given(inputs))
  likelihood = _likelihood(model, latents, inputs)
  return {'mean': likelihood.mean(), 'sample': draw(likelihood)}


def _score(model: LatentVariableModel, seed: tf.Tensor, **inputs) -> Tensors:
  layer = model.likelihood_layer()
  if model.checks_data and isinstance(layer, Likelihood):
    inputs['x'] = request_checks.checked_support(inputs['x'], layer)
  inference = model.infer(_given(inputs), RowSeededSample(seed))
  with conversion.convert_with(tfd.Distribution.mean):
    reconstruction = model.log_likelihood(
        inference.latents, inputs['x'], _given(inputs))
  return inference.elbo_parts(reconstruction).per_example()


def _parse_example(reconstruct: Callable[..., Tensors], shapes: Shapes,
                   examples: tf.Tensor) -> Tensors:
  return reconstruct(**tf.io.parse_example(examples, {
      name: tf.io.FixedLenFeature(shape, tf.float32)
      for name, shape in shapes.items()}))


# By signature; the others are made of `reconstruct`.
_FUNCTIONS = {'reconstruct': _reconstruct, 'encode': _encode,
              'decode': _decode, 'generate': _generate, 'score': _score}


def _given(inputs: Tensors) -> Any:
  """Returns what is observed as models take it: without y, x itself or None."""
  given = {name: inputs[name] for name in ('x', 'y') if name in inputs}
  return given if 'y' in given else given.get('x')


def _likelihood(model: LatentVariableModel, latents: Tensors,
                inputs: Tensors) -> tfd.Distribution:
  # The layer makes a tensor of it, too, which is not used: of its mean, since
  # a draw would be an operation without a seed.
  with conversion.convert_with(tfd.Distribution.mean):
    return model.decode(latents, _given(inputs))
