"""Example that detects outliers with the signature `score`.

  python train_main.py --flagfile=configs/fashion_mnist.flags
  python docs/anomaly_scoring.py --workdir=runs/fashion_mnist --outliers=mnist

The exported SavedModel scores the validation set, the test set and the test set
of another data set. The threshold is the quantile of the validation scores
given by --false_alarms; it does not depend on the test sets. The program prints
the threshold of each score, the rate of alarms on the test set and on the
outliers, and the area under the ROC curve. See docs/serving.md.
"""

import argparse
import os
import pathlib
import zlib

from matplotlib import pyplot as plt
import numpy as np
from sklearn import metrics
import tensorflow as tf

from tfvae import data

PICTURE = pathlib.Path(__file__).parent / 'images' / 'anomaly_roc.png'
_BATCH = 500


def score(export: str, x: np.ndarray, draws: int) -> dict[str, np.ndarray]:
  """Returns the outputs of `score`, as means over draws of z, in nats.

  Args:
    export: Directory of an exported version.
    x: Binary images.
    draws: Number of seeds per image.
  """
  signature = tf.saved_model.load(export).signatures['score']
  parts = []
  for start in range(0, len(x), _BATCH):
    rows = tf.constant(x[start:start + _BATCH], tf.float32)
    index = np.arange(start, start + len(rows))
    # Each image has its own seed, so its score is independent of the others.
    parts.append([
        signature(x=rows, seed=tf.constant(
            np.stack([index, np.full_like(index, draw)], axis=1), tf.int32))
        for draw in range(draws)])
  return {name: np.concatenate([
      np.mean([out[name] for out in outputs], axis=0) for outputs in parts])
          for name in parts[0][0]}


def complexity(x: np.ndarray) -> np.ndarray:
  """Returns the compressed length of each image, in nats.

  Args:
    x: Images, uint8, which zlib compresses with one byte per pixel.
  """
  return np.array([
      8 * np.log(2) * len(zlib.compress(image.tobytes(), 9)) for image in x])


def anomaly_scores(outputs: dict[str, np.ndarray], x: np.ndarray,
                   typical: float) -> dict[str, np.ndarray]:
  """Returns scores that are high for outliers, by name.

  Args:
    outputs: Outputs of `score`.
    x: Images.
    typical: Mean ELBO of the validation set.
  """
  nats = complexity(x)
  return {
      '-elbo': -outputs['elbo'],
      '-reconstruction': -outputs['reconstruction'],
      'kl': outputs['kl'],
      # Nalisnick et al., Detecting Out-of-Distribution Inputs to Deep
      # Generative Models Using Typicality, 2019.
      '|elbo - mean|': np.abs(outputs['elbo'] - typical),
      '-complexity': -nats,
      # Serrà et al., Input Complexity and Out-of-distribution Detection with
      # Likelihood-based Generative Models, 2020.
      '-elbo - complexity': -outputs['elbo'] - nats}


def table(own_validation, own_test, outliers,
          false_alarms: float) -> list[dict[str, float]]:
  """Returns a row per score: threshold, alarm rates, area under the ROC curve.

  Args:
    own_validation: Scores that set the threshold, by name.
    own_test: Scores of test images of the same data set, by name.
    outliers: Scores of images of the other data set, by name.
    false_alarms: Share of the validation images above the threshold.
  """
  return [{
      'score': name,
      'threshold': (cut := np.quantile(values, 1 - false_alarms)),
      'false_alarms': np.mean(own_test[name] > cut),
      'detected': np.mean(outliers[name] > cut),
      'auc': metrics.roc_auc_score(*_labeled(own_test[name], outliers[name]))}
          for name, values in own_validation.items()]


def draw_roc(own_test, outliers, path: str | os.PathLike[str]):
  """Draws the ROC curve of each score."""
  figure, axes = plt.subplots(figsize=(6.4, 4), layout='constrained')
  for name in own_test:
    false, true, _ = metrics.roc_curve(
        *_labeled(own_test[name], outliers[name]))
    axes.plot(false, true, label=f'{name}: {metrics.auc(false, true):.3f}')
  axes.plot([0, 1], [0, 1], color='gray', linewidth=0.8, linestyle=':')
  axes.set(xlabel='false alarms', ylabel='outliers detected')
  figure.legend(title='area under the curve', loc='outside right upper',
                frameon=False)
  figure.savefig(path, dpi=150)
  plt.close(figure)


def _labeled(own, outliers):
  """Returns whether each score is of an outlier, and all scores."""
  return (np.repeat([0, 1], [len(own), len(outliers)]),
          np.concatenate([own, outliers]))


def newest_version(workdir: str) -> str:
  """Returns the path of the newest export of a run."""
  base = os.path.join(workdir, 'export')
  return os.path.join(base, str(max(
      int(name) for name in os.listdir(base) if name.isdecimal())))


def main():
  """Scores the three sets of images, prints the table and draws the curves."""
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('--workdir', required=True)
  parser.add_argument('--dataset', default='fashion_mnist')
  parser.add_argument('--outliers', default='mnist')
  parser.add_argument('--data_dir')
  parser.add_argument('--draws', type=int, default=5)
  parser.add_argument('--false_alarms', type=float, default=0.05)
  parser.add_argument('--picture', default=PICTURE)
  arguments = parser.parse_args()
  own, foreign = (
      data.load(name, arguments.data_dir, validation_fraction=0.05)
      for name in (arguments.dataset, arguments.outliers))
  splits = own.validation, own.test, foreign.test
  binary = [data.fixed_binarization(split.images, seed=0) for split in splits]
  export = newest_version(arguments.workdir)
  outputs = [score(export, x, arguments.draws) for x in binary]
  typical = outputs[0]['elbo'].mean()
  scores = [anomaly_scores(values, x, typical)
            for values, x in zip(outputs, binary, strict=True)]
  print(f'{"score":20}{"threshold":>10}{"false alarms":>14}{"detected":>10}'
        f'{"AUC":>8}')
  for row in table(*scores, arguments.false_alarms):
    print(f'{row["score"]:20}{row["threshold"]:10.1f}'
          f'{row["false_alarms"]:14.1%}{row["detected"]:10.1%}'
          f'{row["auc"]:8.3f}')
  draw_roc(*scores[1:], arguments.picture)


if __name__ == '__main__':
  main()
