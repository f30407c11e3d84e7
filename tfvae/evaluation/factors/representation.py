"""Prediction of labels from latents: a linear map and nearest neighbors."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import examples
from tfvae.lazy import LazyModule
from tfvae.models import LatentVariableModel

linear_model = LazyModule('sklearn.linear_model')
neighbors = LazyModule('sklearn.neighbors')
pipeline = LazyModule('sklearn.pipeline')
preprocessing = LazyModule('sklearn.preprocessing')

tfd = tfp.distributions


def posterior_means(
    model: LatentVariableModel,
    dataset: Any,
    jit_compile: bool = True,
    verbose: bool = False,
) -> dict[str, np.ndarray]:
  """Returns the posterior mean of each latent for every example.

  The means are those that the model uses when it is called: the mean of a
  latent with latent parents in q is conditional on theirs, and that of an
  inverse autoregressive flow is an estimate.

  Args:
    model: Trained model.
    dataset: Batches as `fit` takes them, or arrays; see `examples.as_dataset`.
    jit_compile: Whether XLA compiles the encoder.
    verbose: Whether to show progress.

  Returns:
    Float arrays `[n, size]` by name.
  """
  encode = compiled(model, _means, jit_compile=jit_compile)
  parts = [tf.nest.map_structure(np.array, encode(inputs))
           for _, inputs in examples(
               model, dataset, 'Posterior means', verbose)]
  return {name: np.concatenate([part[name] for part in parts])
          for name in parts[0]}


def _means(model: LatentVariableModel, inputs: Any) -> dict[str, tf.Tensor]:
  return dict(model.infer(inputs, tfd.Distribution.mean).latents)


def representation_accuracy(
    train_means: np.ndarray,
    train_labels: np.ndarray,
    test_means: np.ndarray,
    test_labels: np.ndarray,
    num_neighbors: int = 10,
) -> dict[str, float]:
  """Returns the accuracy of label predictions from posterior means.

  A linear probe (Alain and Bengio, Understanding Intermediate Layers Using
  Linear Classifier Probes, 2017) takes standardized means, so that its penalty
  is the same for every dimension. Nearest neighbors take the means without
  standardization, which would give dimensions that the model does not use the
  same weight as the others.

  Args:
    train_means: Training means, float `[n, size]`.
    train_labels: Training labels, integers `[n]`, at least 0, of two classes or
      more.
    test_means: Test means, float `[m, size]`.
    test_labels: Test labels, integers `[m]`, at least 0.
    num_neighbors: Number of neighbors that vote, from 1 to n.

  Returns:
    The fractions of test labels that are predicted correctly:
    'linear_probe_accuracy' and 'knn_accuracy'.

  Raises:
    ValueError: If the shapes do not agree, or the labels are unsuitable; see
      `why_not`.
  """
  shapes = [np.shape(array) for array in (
      train_means, train_labels, test_means, test_labels)]
  if (shapes[1] != shapes[0][:1] or shapes[3] != shapes[2][:1]
      or shapes[0][1:] != shapes[2][1:] or len(shapes[0]) != 2):
    raise ValueError('Means must be [n, size] and labels [n], with the same '
                     f'size for training and test. Received: shapes={shapes}')
  reason = why_not(train_labels, num_neighbors) or _missing(test_labels)
  if reason:
    raise ValueError(reason)
  classifiers = {
      'linear_probe_accuracy': pipeline.make_pipeline(
          preprocessing.StandardScaler(),
          linear_model.LogisticRegression(max_iter=1000)),
      'knn_accuracy': neighbors.KNeighborsClassifier(num_neighbors)}
  return {name: float(classifier.fit(train_means, train_labels).score(
      test_means, test_labels)) for name, classifier in classifiers.items()}


def why_not(train_labels: np.ndarray, num_neighbors: int = 10) -> str | None:
  """Returns why training labels are unsuitable, or None.

  Args:
    train_labels: Integer array `[n]`.
    num_neighbors: See `representation_accuracy`.
  """
  train_labels = np.asarray(train_labels)
  missing = _missing(train_labels)
  if missing:
    return missing
  if not 1 <= num_neighbors <= len(train_labels):
    return ('`num_neighbors` must be from 1 to the number of training '
            f'examples, {len(train_labels)}. Received: num_neighbors='
            f'{num_neighbors}')
  if (train_labels == train_labels[0]).all():
    return ('training labels must be of two classes or more. Received: '
            f'{train_labels[0]} for all {len(train_labels)} examples')
  num_classes = len(np.unique(train_labels))
  if 2 * num_classes > len(train_labels):
    return ('classes must have two training examples each, on average. '
            f'Received: {len(train_labels)} examples of {num_classes} classes')
  return None


def _missing(labels: np.ndarray) -> str | None:
  """Returns a reason if labels are missing, which TFDS marks by −1."""
  count = int(np.sum(np.less(labels, 0)))
  if not count:
    return None
  return ('labels must be at least 0; leave out examples without a label. '
          f'Received: {count} of {len(labels)} labels below 0')
