"""The subject of measures: a trained model with the examples to measure."""

from collections.abc import Callable, Sequence
import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import autograph
from tfvae.evaluation.bounds import Elbo
from tfvae.evaluation.bounds import elbo
from tfvae.evaluation.running.examples import as_dataset
from tfvae.layers import SeededSample
from tfvae.models import LatentVariableModel


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
  """Examples in a fixed order, with their labels and factors.

  Attributes:
    batches: Function from a number of examples to batches of the first ones, of
      all for 0. A batch is x, a dictionary of 'x' and one-hot 'y', or a pair of
      one of them and a target.
    count: Number of examples n.
    labels: Int `[n]`, −1 for an unlabeled example; or None.
    factors: Factors of variation, int `[n, f]`; or None.
    factor_names: Names of the factors.
    known_batches: Function like `batches`, of the same examples with the values
      that a run hides at random; None if none are hidden.
  """

  batches: Callable[[int], tf.data.Dataset]
  count: int
  labels: np.ndarray | None = None
  factors: np.ndarray | None = None
  factor_names: Sequence[str] = ()
  known_batches: Callable[[int], tf.data.Dataset] | None = None

  @classmethod
  def of(cls, data: Any, **known: Any) -> 'Examples':
    """Returns examples from batches or arrays.

    Args:
      data: Batches as `fit` takes them, or arrays; see `running.examples`.
      **known: Further attributes, such as `labels`.
    """
    dataset = as_dataset(data)
    sizes = [len(tf.nest.flatten(batch)[0]) for batch in dataset]

    def batches(count: int) -> tf.data.Dataset:
      return dataset.unbatch().take(count).batch(sizes[0]) if count else dataset

    return cls(batches, sum(sizes), **known)

  def first(self, count: int = 0) -> tf.data.Dataset:
    """Returns batches of the first `count` examples; 0 means all."""
    return self.batches(count if count < self.count else 0)

  def first_known(self, count: int = 0) -> tf.data.Dataset:
    """Returns batches as `first` does, with all values that are known."""
    return (self.known_batches or self.batches)(
        count if count < self.count else 0)

  @functools.cached_property
  def spec(self) -> Any:
    """Spec of a batch of x, or of a dictionary of 'x' and 'y'."""
    spec = self.first().element_spec
    return spec[0] if isinstance(spec, tuple) else spec

  def conditions(self, count: int = 0) -> np.ndarray | None:
    """Returns the labels that the model is given, one-hot `[n, classes]`.

    Args:
      count: Examples to take, the first ones; 0 means all.

    Returns:
      The 'y' of the batches; None where they have no 'y'.
    """
    if not isinstance(self.spec, dict) or 'y' not in self.spec:
      return None
    inputs = (batch[0] if isinstance(batch, tuple) else batch
              for batch in self.first(count))
    return np.concatenate([batch['y'].numpy() for batch in inputs])


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
  """A trained model, and the data that measures may use.

  Attributes:
    model: Trained model.
    test: Examples that the model is measured on.
    train: Examples that classifiers of the latents learn from; or None.
    seed: Seed of all draws.
    jit_compile: Whether XLA pays off for the model.
    verbose: Whether to show progress.
  """

  model: LatentVariableModel
  test: Examples
  train: Examples | None = None
  seed: int = 0
  jit_compile: bool = False
  verbose: bool = False
  _shared: dict[Any, Any] = dataclasses.field(default_factory=dict, init=False)

  def shared(self, compute: Callable[..., Any], *arguments: Any) -> Any:
    """Returns `compute(subject, *arguments)`, computed once for all measures.

    Args:
      compute: Function of a module, not a lambda.
      *arguments: Hashable arguments.
    """
    key = (compute, *arguments)
    if key not in self._shared:
      self._shared[key] = compute(self, *arguments)
    return self._shared[key]

  @functools.cached_property
  def elbo(self) -> Elbo:
    """The ELBO of each test example, with one draw of z."""
    return elbo(self.model, self.test.first(), num_samples=1, seed=self.seed)

  @functools.cached_property
  def posterior_kinds(self) -> dict[str, type]:
    """Class of each latent's posterior distribution, by name.

    The encoder is traced, and nothing is computed, so that it may be untrained.
    """
    kinds = {}

    def trace(inputs: Any):
      inference = self.model.infer(inputs, SeededSample(tf.constant([0, 0])))
      kinds.update({name: type(q) for name, q in inference.posteriors.items()})

    autograph.function(trace).get_concrete_function(self.test.spec)
    return kinds

  def conditions(self, side: str) -> list[str]:
    """Returns the variables of one side of the graph that have the parent y.

    Args:
      side: 'inference' or 'generative'.
    """
    return [factor.variable for factor in getattr(self.model.graph, side)
            if 'y' in factor.parents]
