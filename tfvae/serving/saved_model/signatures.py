"""Signatures of a served model.

A signature takes and returns tensors by name. They are float32, except for
int32 seeds and the strings of serialized examples and image files, and have a
leading dimension of any size, with one row per example. The outputs are a
function of the inputs: random draws use the seeds of the request, a row of two
integers per example. A request with other shapes, or with different numbers of
rows, fails.

  signature      inputs    outputs
  reconstruct    x         mean: of p(x|z) at the posterior mean
  encode         x         loc, scale_diag: mean and standard deviations of z
                           under q(z|x); of a full covariance L Lᵀ, scale_tril L
  sample_posterior  x, seed  z: a draw from q(z|x), by the name of the latent
  decode         z         mean: of p(x|z)
  generate       seed      z ~ p(z), then mean: of p(x|z), sample: a draw of it
  score          x, seed   elbo, reconstruction = log p(x|z), kl: in nats, with
                           z ~ q(z|x) and elbo = reconstruction − kl
  contributions  x, seed   contributions: −log p(x_d|z) of each element, whose
                           sum is −reconstruction of score, in nats
  log_likelihood x, seed   log_likelihood: of K importance samples, in nats,
                           effective_sample_size: of the samples
  detect         x, seed   p_value, score, is_anomaly: of a calibrated detector,
                           contributions: of the score, in nats
  refine         x, seed   loc, scale_diag: as encode, after k steps for each
                           row, gain: increase of the ELBO, in nats
  impute         x, seed   mean: E[x|x_obs], sample: a draw of p(x|x_obs),
                           lower, upper: ends of the 95 % interval of each
                           value, effective_sample_size: of the draws
  classify       x         probabilities: q(y|x), label: its largest, int32
  parse_example  examples  mean: as reconstruct, x as floats of a `tf.Example`
  parse_image    image     x: of the contents of image files
  encode_image   image     loc, scale_diag: as encode, of image files

`serving_default` is `reconstruct`. The last two exist where an `ImageInput`
describes the images, `detect` where there is a `tfvae.anomaly.Detector`,
`impute` where a NaN in x may be a missing value, `contributions` where the
likelihood is a layer of tfvae, and `refine` where `refine_steps` asks for it. A
conditional model
also takes y. `classify` exists where the graph infers the label: there a row of
zeros in y is a missing label, which is the most probable class in `reconstruct`
and `encode`, a draw from p(y) in `generate`, and summed out in `score`,
`contributions` and `log_likelihood`. Outputs of several latents have their
names, such as `z1_loc`; each latent is computed from the means of its parents.

Where x is the row of a table, there is an input for each column in place of x,
a float32, string or bool `[b]`, and an output for each column in place of mean
and sample: the mean of numbers and the most probable category, or a draw from
`generate`. Those of `impute` end in `_mean`, `_sample`, `_lower` and `_upper`;
`contributions` stays one output `[b, columns]`. `is_anomaly` is a bool. See
`table_rows`.
"""

from collections.abc import Callable, Iterable, Mapping
import functools
import types

import tensorflow as tf
import tf_keras

from tfvae import autograph
from tfvae.anomaly import Detector
from tfvae.evaluation.importance_weighted_measure import SAMPLES
from tfvae.evaluation.imputation.impute import DRAWS
from tfvae.layers import Likelihood
from tfvae.models import LatentVariableModel
from tfvae.models import TrainableModel
from tfvae.serving.images.image_input import check_shape
from tfvae.serving.images.image_input import ImageInput
from tfvae.serving.saved_model import functions
from tfvae.serving.saved_model import request_checks
from tfvae.serving.saved_model.request_checks import Shapes
from tfvae.serving.saved_model.request_checks import Tensors
from tfvae.serving.saved_model.table_rows import TableRows

_DTYPES = {'seed': tf.int32, 'examples': tf.string, 'image': tf.string}
# By signature; the others are computed from these.
_FUNCTIONS = {
    'reconstruct': functions.reconstruct, 'encode': functions.encode,
    'sample_posterior': functions.sample_posterior,
    'decode': functions.decode, 'generate': functions.generate,
    'score': functions.score, 'contributions': functions.contributions,
    'log_likelihood': functions.log_likelihood, 'detect': functions.detect,
    'refine': functions.refine, 'impute': functions.impute,
    'classify': functions.classify}


class ServedModel(tf.Module):
  """The variables of a model without its Keras objects.

  ```python
  tf.saved_model.save(ServedModel(model), path, signatures=signatures(model))
  ```
  """

  def __init__(self, model: LatentVariableModel):
    """Initializes the module.

    Args:
      model: Model, whose variables are all kept.
    """
    super().__init__()
    self.weights = list(model.variables)


def signatures(
    model: LatentVariableModel, names: Iterable[str] | None = None,
    by_column: bool = True, image_input: ImageInput | None = None,
    imputation_draws: int = DRAWS.default,
    importance_samples: int = SAMPLES.default,
    detector: Detector | None = None, refine_steps: int = 0,
) -> dict[str, tf.types.experimental.ConcreteFunction]:
  """Returns the functions of a served model by name.

  Args:
    model: `VAE` or `GraphVAE`, at any stage of training.
    names: Names of the functions to trace; by default all of them.
    by_column: Whether the row of a table is an input for each column, in place
      of the codes x.
    image_input: Conversion of image files to x, for `parse_image` and
      `encode_image`; None for neither of them.
    imputation_draws: Draws of z for each example of `impute`.
    importance_samples: K, draws of z for each example of `log_likelihood`.
    detector: Detector that was calibrated with this model, for `detect`; None
      for no such function.
    refine_steps: Steps k of `refine`, for which the posteriors must be
      Gaussian; 0 for no such function.

  Returns:
    Functions of keyword tensors that return tensors by name: `reconstruct`,
    also as `serving_default`, `encode`, `sample_posterior`, `decode`,
    `generate`, `score`, `contributions`, `log_likelihood`, `parse_example` and,
    with a detector, `detect`, with `refine_steps` `refine`, if x may have
    missing values, `impute`, and of an inferred label `classify`. They use the
    variables of the model, which must be kept.

  Raises:
    ValueError: If the model is of another class, the shape of its inputs is
      unknown, there is no function of a name, `image_input` is given and x is
      no image, the detector was calibrated with other weights, or
      `refine_steps` is below 0, or at least 1 and a posterior is not Gaussian.
  """
  shapes = input_shapes(model)
  if detector is not None:
    detector.check_model(model)
    shapes['detect'] = shapes['score']
  if image_input is not None:
    check_shape(shapes['reconstruct']['x'])
    y = {name: shape for name, shape in shapes['encode'].items()
         if name != 'x'}
    shapes |= {'parse_image': {'image': ()}, 'encode_image': {'image': ()} | y}
  if refine_steps:
    shapes |= {'refine': shapes['score']}
  names = tuple(shapes if names is None else names)
  table = TableRows.of(model) if by_column else TableRows()
  if not shapes.keys() >= set(names):
    raise ValueError(f'`names` must be among {", ".join(shapes)}. '
                     f'Received: names={names}')

  @functools.cache
  def traced(name):
    if name == 'serving_default':
      return traced('reconstruct')
    if name == 'parse_example':
      inputs = shapes['reconstruct']
      return _trace(functools.partial(
          functions.parse_example, traced('reconstruct'), table.shapes(inputs),
          table.dtypes(inputs)), shapes[name])
    if name == 'parse_image':
      return _trace(functools.partial(
          functions.parse_image, model, image_input,
          shapes['reconstruct']['x']), shapes[name])
    if name == 'encode_image':
      return _trace(functools.partial(
          functions.encode_image, traced('parse_image'), traced('encode')),
                    shapes[name])
    settings = {'impute': (imputation_draws,),
                'log_likelihood': (importance_samples,),
                'detect': (detector,),
                'refine': (refine_steps,)}.get(name, ())
    function = table.by_column(
        functools.partial(_FUNCTIONS[name], model, *settings), shapes[name])
    return _trace(function, table.shapes(shapes[name]),
                  table.dtypes(shapes[name]))

  return {name: traced(name) for name in names}


def input_shapes(model: LatentVariableModel) -> dict[str, Shapes]:
  """Returns the shape of one row of each input, by signature and by input.

  The row of a table is one input here, x.

  Args:
    model: `VAE` or `GraphVAE`.

  Raises:
    ValueError: If the model is of another class, or the shape of its inputs is
      unknown.
  """
  if not isinstance(model, TrainableModel):
    raise ValueError('Only a VAE or a GraphVAE can be served. Received: '
                     f'model={model!r}')
  _shape_of(model.decoder)  # Raises if the model is not built.
  graph, y = model.graph, {'y': (model.num_classes,)}
  sizes = dict(graph.latents) | {'y': model.num_classes}
  x = {'x': _shape_of(model.inference_network())} | (
      y if graph.is_conditional else {})
  z = {name: (sizes[name],) for name in graph.parents('generative', 'x')}
  given = y if graph.infers_label or any(
      'y' in f.parents for f in graph.generative) else {}
  seed = {'seed': (2,)}
  found = {'serving_default': x, 'reconstruct': x, 'encode': x,
           'sample_posterior': x | seed, 'decode': z,
           'generate': seed | given, 'score': x | seed}
  if isinstance(model.likelihood_layer(), Likelihood):
    found['contributions'] = x | seed
  found |= {'log_likelihood': x | seed, 'parse_example': {'examples': ()}}
  if model.allow_missing:
    found['impute'] = x | seed
  if graph.infers_label:
    found['classify'] = {'x': x['x']}
  return found


def _shape_of(network: tf_keras.Model) -> tuple[int, ...]:
  """Returns the shape of one example in the input of a network."""
  spec = network.save_spec()  # None before it is built.
  shape = getattr(spec[0][0], 'shape', None) if spec else None
  if shape is None or not shape[1:].is_fully_defined():
    raise ValueError(
        f'The network {network.name!r} must take one tensor whose shape is '
        'known: start it with an Input, or call the model on a batch first. '
        f'Received: save_spec()={spec}')
  return tuple(shape[1:])


def _trace(function: Callable[..., Tensors], shapes: Shapes,
           dtypes: Mapping[str, tf.DType] = types.MappingProxyType({})
           ) -> tf.types.experimental.ConcreteFunction:
  """Returns a function as a graph for rows of these shapes and dtypes."""
  dtypes = _DTYPES | dict(dtypes)

  @autograph.function
  def with_float_outputs(**inputs):
    outputs = function(**request_checks.checked_inputs(inputs, shapes))
    return {name: tf.cast(value, tf.float32) if value.dtype.is_floating
            else value for name, value in outputs.items()}

  return with_float_outputs.get_concrete_function(**{
      name: tf.TensorSpec([None, *shape], dtypes.get(name, tf.float32), name)
      for name, shape in shapes.items()})
