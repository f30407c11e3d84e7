"""The encoder and the decoder of a model as plain Keras models.

They emit tensors and draw nothing, so they compose with other layers, train and
save like any `tf_keras.Model`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tf_keras

from tfvae.graph import GraphicalModel
from tfvae.inference import LatentVariableModel
from tfvae.layers import DistributionLayer
from tfvae.models.export.moments import LikelihoodMean
from tfvae.models.export.moments import PosteriorMoments
from tfvae.models.factor import Factor

layers = tf_keras.layers


def encoder_model(model: LatentVariableModel) -> tf_keras.Model:
  """Returns x -> mean and standard deviations of q(z|x), sharing the weights.

  Training it trains the model, and freezing it (`trainable = False`) freezes
  the model's encoder. Latent parents in q are set to their means, as when the
  model predicts.

  ```python
  encoder = tfvae.models.encoder_model(model)
  logits = tf_keras.layers.Dense(10)(encoder.output['loc'])
  classifier = tf_keras.Model(encoder.input, logits)
  ```

  Args:
    model: A `GraphVAE` or a `VAE`.

  Returns:
    A functional model from x to a dictionary of 'loc' and 'scale_diag',
    `[b, size]`, and for a full covariance L Lᵀ also 'scale_tril', L,
    `[b, size, size]`; with several latents 'z1_loc', 'z1_scale_diag', …. Where
    q depends on the label it takes a dictionary of 'x' and 'y', which must be
    complete; where the graph infers the label, 'y_probabilities' is q(y|x),
    `[b, classes]`.

  Raises:
    ValueError: If a network does not end in a layer of `tfvae.layers`, or was
      never built.
  """
  return _checked(model).plain_encoder()


def decoder_model(model: LatentVariableModel) -> tf_keras.Model:
  """Returns z -> the mean of p(x|z), sharing the weights.

  Args:
    model: A `GraphVAE` or a `VAE`.

  Returns:
    A functional model from z, `[b, size]`, to `[b, *event_shape]`. Where x has
    several parents it takes a dictionary of them: the latents by name, 'y'.

  Raises:
    ValueError: If the decoder does not end in a likelihood of `tfvae.layers`,
      or was never built.
  """
  return _checked(model).plain_decoder()


def encoder_of_network(encoder: tf_keras.Model) -> tf_keras.Model:
  """Returns x -> the moments of q(z|x), for an encoder that ends in q.

  Args:
    encoder: Network that ends in a distribution layer.
  """
  network, head = _split(encoder)
  moments = PosteriorMoments(head, name='moments')(network.output)
  return tf_keras.Model(network.input, moments, name='encoder')


def decoder_of_network(decoder: tf_keras.Model) -> tf_keras.Model:
  """Returns z -> E[x|z], for a decoder of a single latent.

  Args:
    decoder: Network that ends in a likelihood layer.
  """
  network, head = _split(decoder)
  mean = LikelihoodMean(head, name='mean')(network.output)
  return tf_keras.Model(network.input, mean, name='decoder')


def decoder_of_graph(graph: GraphicalModel, num_classes: int | None,
                     decoder: tf_keras.Model) -> tf_keras.Model:
  """Returns the parents of x in p -> E[x|Pa_p(x)].

  Args:
    graph: Factorization of the model.
    num_classes: Length of the one-hot label.
    decoder: Network from the concatenated parents to the likelihood.
  """
  network, head = _split(decoder)
  mean = LikelihoodMean(head, name='mean')
  sizes = dict(graph.latents) | {'y': num_classes}
  inputs = {name: layers.Input([sizes[name]], name=name)
            for name in graph.parents('generative', 'x')}
  params = network(_joined(list(inputs.values())))
  return tf_keras.Model(_single(inputs), mean(params), name='decoder')


def encoder_of_graph(
    graph: GraphicalModel, num_classes: int | None, features: tf_keras.Model,
    factors: Mapping[str, Factor], priors: Mapping[str, Any],
    seen: Mapping[str, Sequence[str]]) -> tf_keras.Model:
  """Returns x -> the moments of each factor of q, given its parents' means.

  Args:
    graph: Factorization of the model.
    num_classes: Length of the one-hot label.
    features: Network from x to its features.
    factors: Factors of q by name.
    priors: Priors by name.
    seen: Parents in q that the network of each factor sees, by name; the prior
      brings in the others.
  """
  x, = features.inputs
  inputs = {'x': layers.Input(x.shape[1:], dtype=x.dtype, name='x')}
  if any('y' in factor.parents for factor in graph.inference):
    inputs['y'] = layers.Input([num_classes], name='y')
  values = inputs | {'x': features(inputs['x'])}
  outputs = {}
  for name in graph.inference_order:
    factor = factors[name]
    if name == 'y':
      outputs['y_probabilities'] = layers.Softmax(
          dtype='float32', name='y_probabilities')(
              _parameters(factor, values, seen[name]))
      continue
    params = [_parameters(factor, values, seen[name])]
    if len(seen[name]) < len(graph.parents('inference', name)):
      params.append(_parameters(
          priors[name], values, graph.parents('generative', name)))
    moments = PosteriorMoments(factor.head, name=f'{name}_moments')(*params)
    values[name] = moments['loc']
    prefix = f'{name}_' if len(graph.latents) > 1 else ''
    outputs |= {prefix + key: value for key, value in moments.items()}
  return tf_keras.Model(_single(inputs), outputs, name='encoder')


def _parameters(factor: Factor, values: Mapping[str, Any],
                parents: Sequence[str]) -> Any:
  """Returns the parameters of a factor's density given its parents."""
  network = tf_keras.Sequential(
      [layers.Input([factor.input_size]), *factor.network], name=factor.name)
  return network(_joined([values[parent] for parent in parents]))


def _joined(parents: Sequence[Any]) -> Any:
  return layers.Concatenate()(parents) if len(parents) > 1 else parents[0]


def _single(inputs: Mapping[str, Any]) -> Any:
  """Returns the inputs by name, or the only one."""
  return dict(inputs) if len(inputs) > 1 else next(iter(inputs.values()))


def _split(network: tf_keras.Model) -> tuple[tf_keras.Model, DistributionLayer]:
  """Returns a network without its last layer, and that distribution layer."""
  if not getattr(network, 'inputs', None):
    raise ValueError(
        f'The network {network.name!r} must be a Sequential or functional '
        'model with a known input shape: give it an Input. Received: '
        f'{network}')
  head = network.layers[-1]
  if not isinstance(head, DistributionLayer):
    raise ValueError(
        f'The network {network.name!r} must end in a layer of tfvae.layers, '
        'such as MultivariateNormalDiag in an encoder, IndependentBernoulli in '
        f'a decoder. Received: a last layer {head}')
  return tf_keras.Model(
      network.input, head.get_input_at(0), name=network.name), head


def _checked(model: Any) -> Any:
  if not hasattr(model, 'plain_encoder'):
    raise ValueError('Only a VAE or a GraphVAE has a known encoder and '
                     f'decoder. Received: model={model!r}')
  return model
