"""Prediction of labels from latents: a linear map and nearest neighbors."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.evaluation.running.compiled import compiled
from tfvae.evaluation.running.examples import examples
from tfvae.models import LatentVariableModel

tfd = tfp.distributions


def posterior_means(
    model: LatentVariableModel,
    dataset: Any,
    jit_compile: bool = True,
    verbose: bool = False,
) -> dict[str, np.ndarray]:
  """Returns the posterior mean of each latent for every example.

  As when the model is called: a latent whose parents in q are latents has its
  mean given theirs, and an inverse autoregressive flow estimates it.

  Args:
    model: a trained model.
    dataset: Batches as `fit` takes them, or arrays; see `examples.as_dataset`.
    jit_compile: whether XLA compiles the encoder.
    verbose: whether to show progress.

  Returns:
    By name, arrays `[n, size]`.
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
  """Returns how well labels are predicted from posterior means.

  A linear probe (Alain and Bengio, Understanding Intermediate Layers Using
  Linear Classifier Probes, 2017) sees the means standardized, so that its
  penalty weighs every dimension alike. The neighbors are those of the latent
  space itself: standardized, the dimensions that the model does not use would
  count as much as the others.

  Args:
    train_means: Float array `[n, size]`, to learn from.
    train_labels: Integer array `[n]`, at least 0, of two classes or more.
    test_means: Float array `[m, size]`.
    test_labels: Integer array `[m]`, at least 0.
    num_neighbors: Neighbors that vote, from 1 to n.

  Returns:
    The shares of the test labels predicted, between 0 and 1:
    'linear_probe_accuracy' and 'knn_accuracy'.

  Raises:
    ValueError: if the shapes do not agree, or labels cannot be learned; see
      `why_not`.
  """
  shapes = [np.shape(array) for array in (
      train_means, train_labels, test_means, test_labels)]
  if (shapes[1] != shapes[0][:1] or shapes[3] != shapes[2][:1]
      or shapes[0][1:] != shapes[2][1:] or len(shapes[0]) != 2):
    raise ValueError('Means must be [n, size] and labels [n], of one size. '
                     f'Received: shapes={shapes}')
  reason = why_not(train_labels, num_neighbors) or _missing(test_labels)
  if reason:
    raise ValueError(reason)
  classifiers = {
      'linear_probe_accuracy': make_pipeline(
          StandardScaler(), LogisticRegression(max_iter=1000)),
      'knn_accuracy': KNeighborsClassifier(num_neighbors)}
  return {name: float(classifier.fit(train_means, train_labels).score(
      test_means, test_labels)) for name, classifier in classifiers.items()}


def why_not(train_labels: np.ndarray, num_neighbors: int = 10) -> str | None:
  """Returns why labels cannot be learned from, or None.

  Args:
    train_labels: Integer array `[n]`.
    num_neighbors: see `representation_accuracy`.
  """
  train_labels = np.asarray(train_labels)
  missing = _missing(train_labels)
  if missing:
    return missing
  if not 1 <= num_neighbors <= len(train_labels):
    return ('num_neighbors must be from 1 to the number of training examples, '
            f'{len(train_labels)}. Received: num_neighbors={num_neighbors}')
  if (train_labels == train_labels[0]).all():
    return ('training labels must be of two classes or more. Received: '
            f'{train_labels[0]} for all {len(train_labels)} examples')
  num_classes = len(np.unique(train_labels))
  if 2 * num_classes > len(train_labels):
    return ('classes must have two training examples each, on average. '
            f'Received: {len(train_labels)} examples of {num_classes} classes')
  return None


def _missing(labels: np.ndarray) -> str | None:
  """Returns why not, where labels are missing: −1 in TFDS."""
  count = int(np.sum(np.less(labels, 0)))
  if not count:
    return None
  return ('labels must be at least 0; leave out examples without a label. '
          f'Received: {count} of {len(labels)} labels below 0')
