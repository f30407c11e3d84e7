"""Training and evaluation of a latent variable model in Keras."""

import functools
import types
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae import objectives
from tfvae import regularizers
from tfvae.inference import LatentVariableModel
from tfvae.inference import unpack_batch
from tfvae.layers.base.noise import part_of_batch
from tfvae.models.checked_model import CheckedModel
from tfvae.models.checks import keras_objects
from tfvae.models.steps import global_batch
from tfvae.models.steps.compiled_execution import compiled_execution
from tfvae.models.steps.finite_steps import FiniteSteps

tfd = tfp.distributions

# Streams of stateless seeds, so that an evaluation between two training steps
# does not change their noise.
_TRAINING, _EVALUATION = 0, 1

# Step at which each schedule has reached its final value.
_LAST_STEP = 2**31 - 1


class TrainableModel(LatentVariableModel, CheckedModel):
  """A latent variable model that trains θ and φ jointly in Keras.

  `fit` minimizes the mean of an objective over the batch, by default

    −log p(x|z) + weight · KL, z ~ q(z|x),

  plus any other regularizers of the networks: exactly −ELBO at weight 1. Each
  replica's loss is weighted by its share of the global batch, so the objective
  is the same under every strategy and for a batch that does not divide. `fit`
  and `evaluate` report `loss`, `elbo` (always at weight 1), `reconstruction`
  (E_q[log p(x|z)]) and `kl`, means over the examples.

  `evaluate` draws z, since it estimates the ELBO; for the same data it draws
  the same noise each time. `predict`, and calling with `training` false, are
  deterministic: they return the likelihood (its mean) at the posterior mean.

  Data are batches of x, or pairs (x, target) where p(x|z) explains a target
  that differs from the encoder's input (a denoising autoencoder). For a
  conditional model x is a dictionary of 'x' and the one-hot label 'y'.

  A subclass calls `_initialize` after it has built its networks, and defines
  `posterior_layers`.
  """

  def _initialize(
      self, kl_regularizers: dict[str, regularizers.KLDivergenceRegularizer],
      seed: int):
    """Initializes the state of training.

    Args:
      kl_regularizers: Regularizer of each latent, by name.
      seed: Seed of the noise in training and evaluation.
    """
    self.seed = seed
    # In namespaces, which Keras does not track: their layers and variables are
    # tracked where they are used, and metrics are no weights.
    self._kl = types.SimpleNamespace(**kl_regularizers)
    self._trackers = types.SimpleNamespace(**{
        name: _Mean(name=name)
        for name in ('loss', 'elbo', 'reconstruction', 'kl')})
    # Counts are no weights either, but checkpoints hold them.
    self._steps = types.SimpleNamespace(finite=FiniteSteps())
    self._track_trackable(self._steps.finite, 'finite_steps')
    self._compile_in_replica(False)
    self._objective, self._kl_schedule = objectives.ELBO(), None
    self._final_kl_factor = 1.0
    self._batch_fn, self._compile_arguments = None, None
    self._set_built()

  def posterior_layers(self) -> dict[str, tf_keras.layers.Layer]:
    """Returns the posterior layer of each latent by name, where it is known."""
    # No property, for Keras would save the layers' weights under its name.
    raise NotImplementedError

  def _set_built(self):
    self.built = all(part.built for part in self.submodules
                     if isinstance(part, tf_keras.Model))

  @property
  def kl_regularizers(self) -> dict[str, regularizers.KLDivergenceRegularizer]:
    """Regularizer of each latent, by name."""
    return vars(self._kl)

  @property
  def finite_steps(self) -> FiniteSteps:
    """Counts of the training steps that were skipped."""
    return self._steps.finite

  @property
  def skipped_steps(self) -> tf.Variable:
    """Number of training steps skipped as NaN or infinite, int64."""
    return self.finite_steps.skipped

  @property
  def metrics(self) -> list[tf_keras.metrics.Metric]:
    """Means that Keras resets at the start of an epoch."""
    return list(vars(self._trackers).values())

  def compile(self, optimizer: Any = 'adam', jit_compile: bool | None = None,
              objective: objectives.Objective | str | None = None,
              kl_schedule: Any = None,
              batch_fn: global_batch.BatchFn | None = None,
              check_data: bool = True, **kwargs):
    """Configures training.

    Args:
      optimizer: A `tf_keras` optimizer or its name.
      jit_compile: Whether to compile the step with XLA; with several replicas,
        the part inside each of them, since XLA cannot compile the all-reduce.
        Free bits and capacities of several replicas need an all-reduce in
        between, and run without XLA.
      objective: Objective of `tfvae.objectives`, or its name in `OBJECTIVES`,
        with default settings; None is the ELBO.
      kl_schedule: A `tf_keras` learning-rate schedule whose value at the step
        multiplies the KL's weight in training, such as
        `PolynomialDecay(0., steps, 1.)`, a linear warm-up; None is 1.
        `evaluate` takes its final value.
      batch_fn: Function that makes a `GlobalBatch` of an element of the data
        sets that `fit` and `evaluate` are given, inside the compiled step; None
        is for data sets of batches. A saved model does not include it, and its
        data are not checked. The data set of `fit` must be endless, or end
        where an execution does.
      check_data: Whether the values of the first batch of each pass must be
        finite and in the support of the likelihood, which then also adapts to
        their scale where it needs to.
      **kwargs: `run_eagerly` and `steps_per_execution` of
        `tf_keras.Model.compile`.

    Raises:
      ValueError: If losses or metrics are given, which the objective defines;
        the model does not meet the objective's needs; the objective leaves a
        KL control without effect; an argument is an object of Keras 3; or
        networks compute in float16 and the optimizer does not scale the loss.
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
    chosen = objectives.OBJECTIVES.make(objective) if isinstance(
        objective, str) else objective or objectives.ELBO()
    chosen.check_model(self.graph, self.posterior_layers())
    chosen.check_kl_controls(self.kl_regularizers, kl_schedule)
    replicas = self.distribute_strategy.num_replicas_in_sync
    super().compile(optimizer, jit_compile=bool(jit_compile and replicas == 1),
                    **kwargs)
    keras_objects.check_half_precision(self.submodules, self.optimizer)
    self._objective, self._kl_schedule = chosen, kl_schedule
    self._compile_in_replica(bool(
        jit_compile and replicas > 1 and not self._compares_batch()))
    self._final_kl_factor = 1.0 if kl_schedule is None else float(
        kl_schedule(tf.constant(_LAST_STEP, tf.int64)))
    self._batch_fn, self._reads_rows = batch_fn, batch_fn is not None
    self._checks_data = check_data
    self._compile_arguments = kwargs | {
        'jit_compile': jit_compile,
        # The default is None in files, too.
        'objective': None if type(chosen) is objectives.ELBO else chosen,
        'kl_schedule': kl_schedule, 'check_data': check_data}

  def sample(self, n: int, seed: int | None = None, mean: bool = False,
             inputs: Any = None) -> tf.Tensor:
    """Draws from the model; see `LatentVariableModel.sample`.

    Raises:
      ValueError: If an argument is out of range, or the networks have no
        weights yet.
    """
    if not self.built:
      raise ValueError(
          'The networks have no weights yet: begin them with an Input, or call '
          f'fit or predict first. Received: {self.name!r}, which is not built')
    return super().sample(n, seed, mean, inputs)

  def call(self, inputs: Any, training: bool | None = None):
    """Returns p(x|z), z a draw from q(z|x) in training, else its mean.

    In training it adds the KL, as the regularizers weigh it, to the losses:
    with `NegativeLogLikelihood` as the loss of an outer model that contains
    this one as a layer, the outer model trains on −ELBO.
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
    """Builds the weights of networks that did not know the shape of x."""
    inputs, _ = unpack_batch(spec)
    rows = tf.nest.map_structure(
        lambda part: tf.zeros([1, *part.shape[1:]], part.dtype), inputs)
    with self.distribute_strategy.scope():
      self(rows)
    self._set_built()
    self.optimizer.build(self.trainable_variables)

  def _make_step_function(self, force: bool) -> Any:
    """Returns the train function, whose steps XLA may compile as one.

    It builds the optimizer's variables first, since a step that made them
    would be traced twice, with them and without.
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

    If the loss or the gradient is not finite, nothing changes except
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
    # The count of examples in this pass numbers its batches without state.
    step = self._trackers.elbo.count.read_value()
    return self._update_metrics(
        self._evaluation_values_fn(data, global_batch.replica_id(), step))

  def predict_step(self, data: Any) -> tf.Tensor:
    """Returns E[x|z] at the posterior mean of z, `[b, *event_shape]`."""
    x, _ = unpack_batch(data)
    return self(x, training=False).mean()

  def _values(self, inputs, target, seed, kl_factor, training=False):
    """Returns the loss, a scalar, and the ELBO's parts, `[b]` each."""
    self._clear_losses()  # Those of a call from outside have no part in it.
    values = dict(self._objective(
        self, inputs, target, seed, kl_factor, training))
    nats = values.pop('objective')
    count = tf.cast(tf.size(nats), nats.dtype)
    others = [tf.cast(part, nats.dtype) for part in self.losses]
    values['loss'] = tf.add_n(
        [tf.math.divide_no_nan(tf.reduce_sum(nats), count), *others])
    return values

  def _compares_batch(self) -> bool:
    """Returns whether the loss needs the KLs of all replicas.

    XLA compiles no sum over replicas, so such a step runs without it.
    """
    return self._objective.uses_kl_penalty and any(
        regularizer.compares_batch
        for regularizer in self.kl_regularizers.values())

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
    """Returns the replica's batch; plain data are a batch of their own."""
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
