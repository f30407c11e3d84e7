"""Example that trains classifiers with few labels on a trained encoder.

  python train_main.py --flagfile=configs/digits.flags
  python docs/few_labels.py --workdir=runs/digits --dataset=digits

A classifier is a linear map of the posterior mean or of the features before it.
The encoder is first frozen and then fine-tuned. For comparison, another
classifier has the layers of the features with new weights. All train on the
same number of labels per class, drawn again in each repetition. The program
prints the mean test accuracies over the repetitions with their standard errors.
See docs/reuse.md.
"""

import argparse
import os

import numpy as np
import tf_keras

import tfvae
from tfvae import data
from tfvae.models import encoder_model

_BATCH, _STEPS = 20, 300


def bodies(model: tfvae.models.GraphVAE) -> dict[str, tf_keras.Model]:
  """Returns models for the inputs of a classifier, with shared weights."""
  encoder = encoder_model(model)
  return {'posterior mean': tf_keras.Model(
      encoder.input, encoder.output['loc']), 'features': model.features}


def classifier(body: tf_keras.Model, num_classes: int,
               is_new: bool = False) -> tf_keras.Model:
  """Returns a linear classifier on a copy of a body.

  Args:
    body: Model from x to `[b, n]`.
    num_classes: Number of logits.
    is_new: Whether the copy has new weights.
  """
  copy = tf_keras.models.clone_model(body)
  if not is_new:
    copy.set_weights(body.get_weights())
  return tf_keras.Sequential([copy, tf_keras.layers.Dense(num_classes)])


def fit(model: tf_keras.Model, x: np.ndarray, y: np.ndarray,
        learning_rate: float, steps: int = _STEPS):
  """Trains a classifier with the cross-entropy and Adam."""
  model.compile(
      tf_keras.optimizers.Adam(learning_rate),
      tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
      ['accuracy'])
  model.fit(x, y, batch_size=_BATCH, epochs=steps * _BATCH // len(x),
            verbose=0)


def accuracies(parts: dict[str, tf_keras.Model], train, test,
               num_classes: int) -> dict[str, float]:
  """Returns the test accuracy of each classifier, by name.

  Args:
    parts: Models that `bodies` returned.
    train: Training images and labels.
    test: Test images and labels.
    num_classes: Number of classes.
  """
  results = {}
  for name, body in parts.items():
    model = classifier(body, num_classes)
    model.layers[0].trainable = False
    fit(model, *train, learning_rate=1e-2)
    results[f'{name}, frozen'] = _accuracy(model, test)
    model.layers[0].trainable = True
    fit(model, *train, learning_rate=1e-3)
    results[f'{name}, fine-tuned'] = _accuracy(model, test)
  model = classifier(parts['features'], num_classes, is_new=True)
  fit(model, *train, learning_rate=1e-3, steps=2 * _STEPS)
  return results | {'new weights': _accuracy(model, test)}


def _accuracy(model, test) -> float:
  return model.evaluate(*test, batch_size=500, verbose=0)[1]


def few(labels: np.ndarray, per_class: int, seed: int) -> np.ndarray:
  """Returns the indices of `per_class` examples of each class."""
  rng = np.random.default_rng(seed)
  return np.concatenate([
      rng.choice(np.flatnonzero(labels == label), per_class, replace=False)
      for label in np.unique(labels)])


def main():
  """Trains the classifiers of each repetition and prints the table."""
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('--workdir', required=True)
  parser.add_argument('--dataset', default='digits')
  parser.add_argument('--data_dir')
  parser.add_argument('--labels', type=int, nargs='+', default=[20, 100])
  parser.add_argument('--repetitions', type=int, default=10)
  arguments = parser.parse_args()
  images = data.load(arguments.dataset, arguments.data_dir)
  train, test = (
      (np.float32(split.images) / 255, split.labels)
      for split in (images.train, images.test))
  parts = bodies(tf_keras.models.load_model(
      os.path.join(arguments.workdir, 'model.keras')))
  for count in arguments.labels:
    results = []
    for seed in range(arguments.repetitions):
      tf_keras.utils.set_random_seed(seed)
      chosen = few(train[1], count // images.num_classes, seed)
      results.append(accuracies(
          parts, [array[chosen] for array in train], test,
          images.num_classes))
    print(f'{count} labels')
    for name in results[0]:
      values = [result[name] for result in results]
      error = np.std(values, ddof=1) / np.sqrt(len(values))
      print(f'  {name:28}{np.mean(values):7.1%} ± {error:.1%}')


if __name__ == '__main__':
  main()
