"""What a label can be read off the latents with: a linear map, neighbours."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.evaluation import progress
from tfvae.models import LatentVariableModel

tfd = tfp.distributions


def posterior_means(
    model: LatentVariableModel,
    dataset: tf.data.Dataset,
    jit_compile: bool = True,
    verbose: bool = False,
) -> dict[str, np.ndarray]:
  """Returns the posterior mean of each latent for every example.

  As when the model is called: a latent whose parents in q are latents has its
  mean given theirs, and an inverse autoregressive flow estimates it.

  Args:
    model: a trained model.
    dataset: batches of x, or of dictionaries of 'x' and 'y'.
    jit_compile: whether XLA compiles the encoder.
    verbose: whether to show progress.

  Returns:
    By name, arrays `[n, size]`.
  """
  encode = tf.function(
      lambda inputs: dict(
          model.infer(inputs, tfd.Distribution.mean).latents),
      jit_compile=jit_compile)
  parts = [tf.nest.map_structure(np.array, encode(inputs))
           for _, inputs in progress.batches(
               dataset, 'Posterior means', verbose)]
  return {name: np.concatenate([part[name] for part in parts])
          for name in parts[0]}


def why_not(train_labels: np.ndarray, num_neighbors: int = 10) -> str | None:
  """Returns why labels cannot be predicted from means, or None if they can.

  Args:
    train_labels: Integer array `[n]`; −1 marks an unlabeled example.
    num_neighbors: Neighbors of the nearest-neighbor classifier.
  """
  labels = np.asarray(train_labels)
  classes = np.unique(labels)
  if len(labels) < num_neighbors:
    return (f'there are {len(labels)} training examples, fewer than the '
            f'{num_neighbors} neighbors of the kNN classifier')
  if classes[0] < 0:
    return (f'{np.count_nonzero(labels < 0)} of {len(labels)} training '
            'examples are unlabeled, their label is −1')
  if len(classes) < 2:
    return 'all training examples have one label'
  if 2 * len(classes) > len(labels):
    return (f'{len(labels)} training examples are fewer than two for each of '
            f'{len(classes)} classes')
  return None


def representation_accuracy(
    train_means: np.ndarray,
    train_labels: np.ndarray,
    test_means: np.ndarray,
    test_labels: np.ndarray,
    num_neighbors: int = 10,
) -> dict[str, float]:
  """Returns how well labels are predicted from posterior means.

  A linear probe (Alain and Bengio, Understanding Intermediate Layers Using
  Linear Classifier Probes, 2017) sees the means standardised, so that its
  penalty weighs every dimension alike. The neighbours are those of the latent
  space itself: standardised, the dimensions that the model does not use would
  count as much as the others.

  Args:
    train_means: float array `[n, size]`, to learn from.
    train_labels: integer array `[n]`.
    test_means: float array `[m, size]`.
    test_labels: integer array `[m]`.
    num_neighbors: of the nearest-neighbour classifier, at most n.

  Returns:
    The shares of the test labels predicted, between 0 and 1:
    'linear_probe_accuracy' and 'knn_accuracy'.

  Raises:
    ValueError: if the shapes do not agree, or there are fewer examples than
      neighbours.
  """
  shapes = [np.shape(array) for array in (
      train_means, train_labels, test_means, test_labels)]
  if (shapes[1] != shapes[0][:1] or shapes[3] != shapes[2][:1]
      or shapes[0][1:] != shapes[2][1:] or len(shapes[0]) != 2):
    raise ValueError('Means must be [n, size] and labels [n], of one size. '
                     f'Received: shapes={shapes}')
  if not 1 <= num_neighbors <= shapes[0][0]:
    raise ValueError('num_neighbors must be from 1 to the number of training '
                     f'examples, {shapes[0][0]}. Received: '
                     f'num_neighbors={num_neighbors}')
  classifiers = {
      'linear_probe_accuracy': make_pipeline(
          StandardScaler(), LogisticRegression(max_iter=1000)),
      'knn_accuracy': KNeighborsClassifier(num_neighbors)}
  return {name: float(classifier.fit(train_means, train_labels).score(
      test_means, test_labels)) for name, classifier in classifiers.items()}
