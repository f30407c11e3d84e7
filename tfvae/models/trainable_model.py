"""Training and evaluation of a latent variable model in Keras."""

import types
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from tfvae import objectives
from tfvae import regularizers
from tfvae.inference import LatentVariableModel
from tfvae.inference import unpack_batch
from tfvae.models.checks import keras_objects
from tfvae.models.stepped_model import SteppedModel
from tfvae.models.steps import global_batch
from tfvae.models.steps.compiled_execution import compiled_execution
from tfvae.models.steps.execution import execution

tfd = tfp.distributions

# Step at which each schedule has reached its final value.
_LAST_STEP = 2**31 - 1


class TrainableModel(LatentVariableModel, SteppedModel):
  """A latent variable model that trains θ and φ jointly in Keras.

  `fit` minimizes the mean of an objective over the batch, by default

    −log p(x|z) + weight · KL, z ~ q(z|x),

  plus any other regularizers of the networks: exactly −ELBO at weight 1, under
  every strategy. `fit` and `evaluate` report `loss`, `elbo` (always at weight
  1), `reconstruction` (E_q[log p(x|z)]) and `kl`, means over the examples.

  `evaluate` draws z, since it estimates the ELBO; for the same data it draws
  the same noise each time. `predict`, and calling with `training` false, are
  deterministic: they return the likelihood (its mean) at the posterior mean.

  Data are batches of x, or pairs (x, target) where p(x|z) explains a target
  that differs from the encoder's input (a denoising autoencoder). For a
  conditional model x is a dictionary of 'x' and the one-hot label 'y'. Where
  the graph infers the label, rows of y that are zeros or NaN are missing, and
  all of them without 'y'; `predict` then takes the most probable class.

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
    # In a namespace, which Keras does not track: their priors are tracked where
    # they are used.
    self._kl = types.SimpleNamespace(**kl_regularizers)
    self._initialize_steps(seed)
    self._compile_arguments = None
    self._set_built()

  def _set_built(self):
    self.built = all(part.built for part in self.submodules
                     if isinstance(part, tf_keras.Model))

  @property
  def kl_regularizers(self) -> dict[str, regularizers.KLDivergenceRegularizer]:
    """Regularizer of each latent, by name."""
    return vars(self._kl)

  def posterior_layers(self) -> dict[str, tf_keras.layers.Layer]:
    """Returns the posterior layer of each latent by name, where it is known."""
    # No property, for Keras would save the layers' weights under its name.
    raise NotImplementedError

  def compile(self, optimizer: Any = 'adam', jit_compile: bool | None = None,
              objective: objectives.Objective | str | None = None,
              kl_schedule: Any = None,
              batch_fn: global_batch.BatchFn | None = None,
              check_data: bool = True, **kwargs):
    """Configures training.

    Args:
      optimizer: A `tf_keras` optimizer or its name.
      jit_compile: Whether to compile the training step with XLA; under a
        strategy of replicas, even of one, the part inside each of them, since
        XLA cannot compile the all-reduce. Evaluations run without XLA. Free
        bits and capacities of several replicas need an all-reduce in between,
        and run without XLA.
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
    chosen.check_label(self.graph)
    chosen.check_model(self.graph, self.posterior_layers())
    chosen.check_mixtures(self.graph, self.posterior_layers())
    chosen.check_kl_controls(self.kl_regularizers, kl_schedule)
    strategy = self.distribute_strategy
    is_whole = global_batch.is_on_one_device(strategy)
    # Without `weighted_metrics`, Keras warns of sample weights.
    super().compile(optimizer, jit_compile=bool(jit_compile and is_whole),
                    weighted_metrics=[], **kwargs)
    keras_objects.check_half_precision(self.submodules, self.optimizer)
    self._objective, self._kl_schedule = chosen, kl_schedule
    self._compile_in_replica(bool(jit_compile and not is_whole and not (
        strategy.num_replicas_in_sync > 1 and self._compares_batch())))
    self._final_kl_factor = 1.0 if kl_schedule is None else float(
        kl_schedule(tf.constant(_LAST_STEP, tf.int64)))
    self._batch_fn, self._reads_rows = batch_fn, batch_fn is not None
    self._checks_data = check_data
    self._compile_arguments = kwargs | {
        'jit_compile': jit_compile,
        # The default is None in files, too.
        'objective': None if chosen == objectives.ELBO() else chosen,
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
      inputs = self.completed(inputs)
      latents, _ = self.draw_posterior(inputs, tfd.Distribution.mean)
      return self.decode(latents, inputs)
    if self.graph.infers_label:
      raise ValueError(
          'A model that infers its label sums over the classes, and so emits '
          'no single p(x|z) in training: train it by its own `fit`. Received: '
          f'{self.graph}')
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
    steps = self._num_steps_on_one_device()
    if steps == 1:
      return super()._make_step_function(force)
    if self._batch_fn and self.jit_compile:
      return compiled_execution(self, steps)
    return execution(
        self, self.train_step, self._train_counter, self.jit_compile)

  def _make_evaluation_function(self, force: bool) -> Any:
    """Returns the function of evaluation steps, which XLA never compiles.

    It would compile the last batch of each data set again, has no gradients to
    speed up, and would draw other noise.
    """
    if self._needs_loop_of_keras():
      return super()._make_evaluation_function(force)
    return execution(
        self, self.test_step, self._test_counter, jit_compile=False)

  def _num_steps_on_one_device(self) -> int:
    """Returns `steps_per_execution`, 1 where Keras has to make the loop."""
    return 1 if self._needs_loop_of_keras() else (
        self._steps_per_execution.numpy().item())

  def _needs_loop_of_keras(self) -> bool:
    return bool(
        self.run_eagerly or self.autotune_steps_per_execution
        or self._steps_per_execution is None
        or not global_batch.is_on_one_device(self.distribute_strategy))

  def predict_step(self, data: Any) -> tf.Tensor:
    """Returns E[x|z] at the posterior mean of z, `[b, *event_shape]`."""
    x, _ = unpack_batch(data)
    return self(x, training=False).mean()

  def _compares_batch(self) -> bool:
    """Returns whether the loss needs the KLs of all replicas.

    XLA compiles no sum over replicas, so such a step runs without it.
    """
    return self._objective.uses_kl_penalty and any(
        regularizer.compares_batch
        for regularizer in self.kl_regularizers.values())

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
