"""What every latent variable model has: training, evaluation, samples."""

from collections.abc import Mapping
import functools
import types
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae import regularizers
from tfvae.layers.base import conversion
from tfvae.layers.base.noise import part_of_batch
from tfvae.losses import NegativeLogLikelihood
from tfvae.models.checks import batches as batch_checks
from tfvae.models.checks import keras_objects
from tfvae.models.checks.batches import unpack_batch
from tfvae.models.guarded_model import GuardedModel
from tfvae.models.inference import Draw
from tfvae.models.inference import Inference
from tfvae.models.steps import global_batch
from tfvae.models.steps.compiled_execution import compiled_execution
from tfvae.models.steps.finite_steps import FiniteSteps

tfd = tfp.distributions

# Two streams of stateless seeds, so that an evaluation between two training
# steps draws noise of its own and leaves theirs alone.
_TRAINING, _EVALUATION = 0, 1

# Schedules have reached their final value there.
_LAST_STEP = 2**31 - 1


class LatentVariableModel(GuardedModel):
  """Trains θ and φ jointly by the ELBO, whatever the factorisation.

    ELBO(x) = E_q(z|x;φ)[log p(x|z;θ)] − KL(q(z|x;φ) ‖ p(z;θ)), in nats.

  Kingma and Welling, Auto-Encoding Variational Bayes, 2014. `fit` minimises

    loss = mean over the batch of −log p(x|z) + weight · KL, z ~ q(z|x),

  plus whatever other regularizers the networks have: exactly −ELBO at weight
  1. Each replica's share of the loss is weighted by its share of the global
  batch, so the objective is the same under every strategy and for a batch that
  does not divide. `fit` and `evaluate` report `loss`, `elbo` (always at weight
  1), `reconstruction` (E_q[log p(x|z)]) and `kl`, means over the examples.

  `evaluate` draws z, since it estimates the ELBO; with the same data it draws
  the same noise each time. `predict`, and calling with `training` false, are
  deterministic: posterior mean in, likelihood mean out.

  Data are batches of x, or pairs (x, target) where p(x|z) is to explain
  something else than what the encoder sees (a denoising autoencoder). For a
  conditional model x is a dictionary of 'x' and the one-hot label 'y'.

  A subclass has `infer`, `draw_posterior`, `decode`, `draw_prior`,
  `sample_prior`, `log_prior` and `log_posterior`, and calls `_finish` once its
  networks are made.
  """

  def _finish(self, kl_regularizers: dict[str, Any], seed: int):
    """Sets what every kind of model has, once its networks are there."""
    self.seed = seed
    # In namespaces, which Keras does not track: their layers and variables are
    # tracked where they are used, and metrics are no weights.
    self._kl = types.SimpleNamespace(**kl_regularizers)
    self._nll = NegativeLogLikelihood()
    self._trackers = types.SimpleNamespace(**{
        name: _Mean(name=name)
        for name in ('loss', 'elbo', 'reconstruction', 'kl')})
    # Neither are these counts, but checkpoints hold them.
    self._steps = types.SimpleNamespace(finite=FiniteSteps())
    self._track_trackable(self._steps.finite, 'finite_steps')
    self._compile_in_replica(False)
    self._objective, self._kl_schedule = _elbo, None
    self._final_kl_factor = 1.0
    self._batch_fn, self._compile_arguments = None, None
    self._set_built()

  def _set_built(self):
    self.built = all(part.built for part in self.submodules
                     if isinstance(part, tf_keras.Model))

  @property
  def _regularizers(self) -> dict[str, regularizers.KLDivergenceRegularizer]:
    return vars(self._kl)

  @property
  def finite_steps(self) -> FiniteSteps:
    """The counts of the training steps that were skipped."""
    return self._steps.finite

  @property
  def skipped_steps(self) -> tf.Variable:
    """How many training steps were skipped, NaN or infinite, int64."""
    return self.finite_steps.skipped

  @property
  def metrics(self) -> list[tf_keras.metrics.Metric]:
    """The means that Keras resets at the start of an epoch."""
    return list(vars(self._trackers).values())

  def compile(self, optimizer: Any = 'adam', jit_compile: bool | None = None,
              objective: Any = None, kl_schedule: Any = None,
              batch_fn: global_batch.BatchFn | None = None,
              check_data: bool = True, **kwargs):
    """Configures training.

    Args:
      optimizer: A `tf_keras` optimizer or its name.
      jit_compile: True compiles the step with XLA; with several replicas, the
        part inside each of them, since XLA cannot compile the all-reduce. Free
        bits and capacities of several replicas need one in between, and run
        without XLA.
      objective: One of `tfvae.objectives`; None is the ELBO.
      kl_schedule: A `tf_keras` learning-rate schedule whose value at the step
        multiplies the KL's weight in training, such as
        `PolynomialDecay(0., steps, 1.)`, a linear warm-up; None is 1.
        `evaluate` takes its final value.
      batch_fn: Function that makes a `GlobalBatch` of an element of the data
        sets that `fit` and `evaluate` are given, inside the compiled step; None
        is for data sets of batches. It reads data, so a saved model is without
        it, and it is responsible for what it reads. The data set of `fit` is
        endless, or ends where an execution does.
      check_data: Whether the values of the first batch of each pass must be
        finite and in the support of the likelihood, which then also adapts to
        their scale where it needs to.
      **kwargs: `run_eagerly` and `steps_per_execution` of
        `tf_keras.Model.compile`.

    Raises:
      ValueError: If a loss or metrics are given, which an objective has; the
        objective leaves a KL control without effect; an argument is of Keras
        3; or networks compute in float16 and the optimizer scales no loss.
    """
    kwargs = {name: value for name, value in kwargs.items()
              if value is not None}  # `loss=None` is no loss.
    unknown = set(kwargs) - {'run_eagerly', 'steps_per_execution'}
    if unknown:
      raise ValueError('VAE has its own loss and metrics; compile takes '
                       'optimizer, jit_compile, objective, kl_schedule, '
                       'check_data, run_eagerly and steps_per_execution. '
                       f'Received: {sorted(unknown)}')
    keras_objects.check_is_tf_keras(
        optimizer=optimizer, kl_schedule=kl_schedule)
    if objective is not None:
      objective.check_kl_controls(self._regularizers, kl_schedule)
    replicas = self.distribute_strategy.num_replicas_in_sync
    super().compile(optimizer, jit_compile=bool(jit_compile and replicas == 1),
                    **kwargs)
    keras_objects.check_half_precision(self.submodules, self.optimizer)
    self._compile_in_replica(bool(
        jit_compile and replicas > 1 and not self._compares_batch(objective)))
    self._objective, self._kl_schedule = objective or _elbo, kl_schedule
    self._final_kl_factor = 1.0 if kl_schedule is None else float(
        kl_schedule(tf.constant(_LAST_STEP, tf.int64)))
    self._batch_fn, self._reads_rows = batch_fn, batch_fn is not None
    self._checks_data = check_data
    self._compile_arguments = kwargs | {
        'jit_compile': jit_compile, 'objective': objective,
        'kl_schedule': kl_schedule, 'check_data': check_data}

  def infer(self, inputs: Any, draw: Draw,
            training: bool = False) -> Inference:
    """Draws the latents from q(z|x).

    Args:
      inputs: a batch of x, or a dictionary of 'x' and 'y'.
      draw: from a posterior to a draw of it, such as `layers.SeededSample`.
      training: passed on to the networks.

    Returns:
      An `Inference`.
    """
    raise NotImplementedError

  def draw_posterior(
      self, inputs: Any, draw: Draw, training: bool = False,
  ) -> tuple[dict[str, tf.Tensor], dict[str, tfd.Distribution]]:
    """Draws the latents as `infer` does, without priors and divergences.

    Args:
      inputs: a batch of x, or a dictionary of 'x' and 'y'.
      draw: from a posterior to a draw of it, as `infer` takes it.
      training: passed on to the networks.

    Returns:
      The draws by name, and the posteriors they are from.
    """
    raise NotImplementedError

  def decode(self, latents: Mapping[str, tf.Tensor], inputs: Any = None,
             training: bool = False) -> tfd.Distribution:
    """Returns p(x|z), batch shape `[b]`.

    Args:
      latents: by name, tensors `[b, size]`.
      inputs: what `infer` takes; needed where x has the parent y.
      training: passed on to the networks.
    """
    raise NotImplementedError

  def draw_prior(self, draw: Draw, inputs: Any = None) -> dict[str, tf.Tensor]:
    """Draws the latents from p(z), each after its parents there.

    Args:
      draw: from a prior to a draw of it: batch shape `[]` where the latent has
        no parents, else that of their draws.
      inputs: what `infer` takes; needed where a latent has the parent y in p.

    Returns:
      Draws by name.
    """
    raise NotImplementedError

  def sample_prior(self, n: int, seed: tf.Tensor,
                   inputs: Any = None) -> dict[str, tf.Tensor]:
    """Returns draws of p(z) by name, `[n, size]`; see `sample`."""
    raise NotImplementedError

  def log_prior(self, latents: Mapping[str, tf.Tensor],
                inputs: Any = None) -> tf.Tensor:
    """Returns log p(z) in nats, `[*sample_shape, b]`.

    Args:
      latents: by name, tensors `[*sample_shape, b, size]`.
      inputs: what `infer` takes; needed where a latent has the parent y in p.
    """
    raise NotImplementedError

  def log_posterior(self, latents: Mapping[str, tf.Tensor],
                    inputs: Any) -> tf.Tensor:
    """Returns log q(z|x) in nats, `[*sample_shape, b]`.

    Args:
      latents: by name, tensors `[*sample_shape, b, size]`, any values.
      inputs: what `infer` takes.
    """
    raise NotImplementedError

  def log_likelihood(self, latents: Mapping[str, tf.Tensor], target: tf.Tensor,
                     inputs: Any = None, training: bool = False) -> tf.Tensor:
    """Returns log p(x|z) in nats, `[*sample_shape, b]`.

    Args:
      latents: by name, tensors `[*sample_shape, b, size]`.
      target: x, `[b, *event_shape]`.
      inputs: what `infer` takes.
      training: passed on to the networks.
    """
    shape = tf.shape(next(iter(latents.values())))[:-1]
    if next(iter(latents.values())).shape.rank > 2:
      copies = tf.reduce_prod(shape[:-1])
      latents = {name: tf.reshape(z, [-1, z.shape[-1]])
                 for name, z in latents.items()}
      inputs, target = tf.nest.map_structure(
          lambda rows: _repeat(rows, copies), (inputs, target))
    likelihood = self.decode(latents, inputs, training)
    return tf.reshape(-self._nll.call(target, likelihood), shape)

  def call(self, inputs: Any, training: bool | None = None):
    """Returns p(x|z), z a draw from q(z|x) in training, else its mean.

    In training it adds the KL as its regularizers weigh it to the losses, so
    that a model that is a layer of another one trains on −ELBO, with
    `NegativeLogLikelihood` as the loss of the other.
    """
    if not training:
      latents, _ = self.draw_posterior(inputs, tfd.Distribution.mean)
      return self.decode(latents, inputs)
    inference = self.infer(inputs, tfd.Distribution.sample, training=True)
    penalty = self.kl_penalty(inference)
    count = tf.cast(tf.size(penalty), penalty.dtype)
    self.add_loss(tf.math.divide_no_nan(tf.reduce_sum(penalty), count))
    return self.decode(inference.latents, inputs, training=True)

  def build_from_batch(self, spec: Any):
    """Makes the weights of networks that did not know the shape of x."""
    inputs, _ = unpack_batch(spec)
    rows = tf.nest.map_structure(
        lambda part: tf.zeros([1, *part.shape[1:]], part.dtype), inputs)
    with self.distribute_strategy.scope():
      self(rows)
    self._set_built()
    self.optimizer.build(self.trainable_variables)

  def _make_step_function(self, force: bool) -> Any:
    """Returns the train function, whose steps XLA may compile as one.

    It makes the optimizer's variables first: a step that made them would be
    traced twice, with them and without.
    """
    if self.built:
      self.optimizer.build(self.trainable_variables)
    steps = 1
    if self._batch_fn and self.jit_compile and not self.run_eagerly:
      steps = self._steps_per_execution.numpy().item()
    if steps == 1:
      return super()._make_step_function(force)
    return compiled_execution(self, steps)

  def train_step(self, data: Any) -> dict[str, tf.Tensor]:
    """Takes one gradient step; see `tf_keras.Model.train_step`.

    Where loss or gradient is not finite, nothing changes but
    `skipped_steps`.
    """
    iterations = self.optimizer.iterations
    kept = [tf.identity(v) for v in self.non_trainable_variables]
    kl_factor = (1.0 if self._kl_schedule is None else tf.cast(
        self._kl_schedule(iterations), tf.float32))
    share = global_batch.share(data) if self._batch_fn is None else 1.0
    gradients, values = self._loss_and_gradients_fn(
        data, global_batch.replica_id(), iterations.read_value(), kl_factor,
        share)
    is_taken = self.finite_steps.take(self, values['loss'], gradients, kept)
    return self._update_metrics(values, is_taken)

  def test_step(self, data: Any) -> dict[str, tf.Tensor]:
    """Estimates the ELBO of one batch; see `tf_keras.Model.test_step`."""
    # The examples seen in this pass number its batches, and need no state.
    step = self._trackers.elbo.count.read_value()
    return self._update_metrics(
        self._evaluation_values_fn(data, global_batch.replica_id(), step))

  def predict_step(self, data: Any) -> tf.Tensor:
    """Returns E[x|z] at the posterior mean of z, `[b, *event_shape]`."""
    x, _ = unpack_batch(data)
    return self(x, training=False).mean()

  def sample(self, n: int, seed: int | None = None, mean: bool = False,
             inputs: Any = None) -> tf.Tensor:
    """Draws from the model: z ~ p(z), then x ~ p(x|z).

    Args:
      n: Number of samples, at least 1.
      seed: Integer that makes the draws reproducible.
      mean: Whether to return E[x|z] in place of a draw of x; pictures are
        clearer so.
      inputs: For a conditional model a dictionary with the one-hot labels 'y',
        `[n, classes]`.

    Returns:
      A tensor `[n, *event_shape]`.

    Raises:
      ValueError: If `n` is not a positive integer, the labels are not one-hot
        rows for each sample, or the networks have no weights yet.
    """
    self._check_sample(n, inputs)
    seed = tfp.random.sanitize_seed(None if seed is None else [seed, 0])
    z_seed, x_seed = tfp.random.split_seed(seed, n=2)
    likelihood = self.decode(self.sample_prior(n, z_seed, inputs), inputs)
    return likelihood.mean() if mean else likelihood.sample(seed=x_seed)

  def _values(self, inputs, target, seed, kl_factor, training=False):
    """Returns the loss, a scalar, and the ELBO's parts, `[b]` each."""
    self._clear_losses()  # Those of a call from outside have no part in it.
    values = self._objective(self, inputs, target, seed, kl_factor, training)
    nats = values.pop('objective')
    count = tf.cast(tf.size(nats), nats.dtype)
    others = [tf.cast(part, nats.dtype) for part in self.losses]
    values['loss'] = tf.add_n(
        [tf.math.divide_no_nan(tf.reduce_sum(nats), count), *others])
    return values

  def kl_penalty(self, inference: Inference) -> tf.Tensor:
    """Returns Σ_j of what the regularizers make of KL_j, in nats.

    Args:
      inference: what `infer` returned.

    Returns:
      A tensor `[*sample_shape, b]`.
    """
    return tf.add_n([
        self._regularizers[name].penalty(
            kl, inference.posteriors[name], inference.priors[name])
        for name, kl in inference.kl.items()])

  def _check_sample(self, n: int, inputs: Any):
    if not tf.is_tensor(n) and (
        not isinstance(n, int | np.integer) or n < 1):
      raise ValueError('sample draws a positive whole number of x. Received: '
                       f'n={n!r}')
    if not self.built:
      raise ValueError(
          'The networks have no weights yet: begin them with an Input, or call '
          f'fit or predict first. Received: {self.name!r}, which is not built')
    observed = {'y': self.observed_shapes['y']} if (
        'y' in self.observed_shapes) else {}
    given = dict(inputs) if isinstance(inputs, dict) else {}
    if inputs is not None and (
        not isinstance(inputs, dict) or set(given) - {'x'} - set(observed)):
      raise ValueError(
          'inputs is a dictionary with the one-hot labels y of a conditional '
          "model, {'y': tf.one_hot(labels, classes)}, and None for others. "
          f'Received: inputs={batch_checks.describe(inputs)}')
    if 'y' in given:
      batch_checks.check_observed({'y': given['y']}, observed)

  def _compares_batch(self, objective: Any) -> bool:
    """Returns whether a loss needs the KLs of all replicas.

    XLA compiles no sum over replicas, so such a step runs without it.
    """
    uses_penalty = objective is None or objective.uses_kl_penalty
    return uses_penalty and any(
        regularizer.compares_batch
        for regularizer in self._regularizers.values())

  def _compile_in_replica(self, jit_compile: bool):
    """Sets what each replica computes by itself, compiled by XLA or not."""
    compiled = (functools.partial(
        tf.function, jit_compile=True, reduce_retracing=True) if jit_compile
                else lambda function: function)
    self._loss_and_gradients_fn = compiled(self._loss_and_gradients)
    self._evaluation_values_fn = compiled(self._evaluation_values)

  def _evaluation_values(self, data, replica_id, step):
    batch = self._part(data, replica_id, step)
    with part_of_batch(batch.start, batch.size):
      return self._values(
          *unpack_batch(batch.inputs), self._seed(batch.step, _EVALUATION),
          self._final_kl_factor)

  def _loss_and_gradients(self, data, replica_id, step, kl_factor, share):
    batch = self._part(data, replica_id, step)
    x, target = unpack_batch(batch.inputs)
    if batch.size is not None:
      share = global_batch.num_rows(target) / tf.cast(batch.size, tf.float32)
    with part_of_batch(batch.start, batch.size), tf.GradientTape() as tape:
      values = self._values(x, target, self._seed(batch.step, _TRAINING),
                            kl_factor, training=True)
      loss = share * values['loss']
    pairs = self.optimizer.compute_gradients(
        loss, self.trainable_variables, tape)
    return [gradient for gradient, _ in pairs], values

  def _part(self, data, replica_id, step) -> global_batch.GlobalBatch:
    """Returns the replica's batch: of data as they come, one all its own."""
    if self._batch_fn is not None:
      return self._batch_fn(data, replica_id)
    return global_batch.own_batch(data, replica_id, step)

  def _seed(self, step: tf.Tensor, stream: int) -> tf.Tensor:
    """Returns a stateless seed, another for each step and stream."""
    return tf.stack([self.seed, 2 * tf.cast(step, tf.int32) + stream])

  def _update_metrics(self, values, is_taken=True) -> dict[str, tf.Tensor]:
    weight = tf.cast(is_taken, tf.float32)
    count = tf.cast(tf.size(values['elbo']), tf.float32)
    for name, tracker in vars(self._trackers).items():
      tracker.update_state(
          # Not by the weight alone: a NaN times 0 is a NaN.
          tf.where(is_taken, values[name], tf.zeros_like(values[name])),
          sample_weight=weight * count if name == 'loss' else weight)
    return {tracker.name: tracker.result() for tracker in self.metrics}

  def get_compile_config(self) -> dict[str, Any] | None:
    """Returns the arguments of `compile` as plain data, if it was called."""
    if self._compile_arguments is None:
      return None
    serialize = tf_keras.saving.serialize_keras_object
    return self._compile_arguments | {
        'optimizer': serialize(self.optimizer),
        'objective': serialize(self._compile_arguments['objective']),
        'kl_schedule': serialize(self._compile_arguments['kl_schedule'])}

  def compile_from_config(self, config: dict[str, Any]):
    """Compiles the model with what `get_compile_config` returned."""
    config = dict(config)
    for part in ('optimizer', 'objective', 'kl_schedule'):
      config[part] = tf_keras.saving.deserialize_keras_object(config[part])
    self.compile(**config)
    self.optimizer.build(self.trainable_variables)


class _Mean(tf_keras.metrics.Mean):
  """A mean that is NaN, not 0, of nothing: where no step was finite."""

  def result(self):
    return self.total / self.count


def _elbo(model, inputs, target, seed, kl_factor, training):
  """The objective −ELBO, with the KL as its regularizers weigh it."""
  inference = model.infer(inputs, conversion.SeededSample(seed), training)
  reconstruction = model.log_likelihood(
      inference.latents, target, inputs, training)
  kl = tf.add_n(list(inference.kl.values()))
  # −E_q[log p(x|z)] + Σ_j penalty(KL_j)
  objective = kl_factor * model.kl_penalty(inference) - reconstruction
  return {'objective': objective, 'elbo': reconstruction - kl,
          'reconstruction': reconstruction, 'kl': kl}


def _repeat(rows: tf.Tensor | None, copies: tf.Tensor) -> tf.Tensor | None:
  """Returns `copies` copies of the rows, one after the other."""
  if rows is None:
    return None
  return tf.tile(rows, tf.concat(
      [[copies], tf.ones([tf.rank(rows) - 1], tf.int32)], axis=0))
