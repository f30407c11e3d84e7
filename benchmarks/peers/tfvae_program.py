"""tfvae: `train_main.py` with its command line, in this process.

The program is unchanged except for `fit`, which also records the first step and
the CPU time of the epochs. After `fit` the process computes the scores, the
same way as the other peers, and ends. Images per second are a column of
`history.csv`.
"""

import csv
import os
import runpy
import sys
import tempfile
from typing import Any

from benchmarks.peers.watch import Watch
from benchmarks.peers.watch import watched_fit

_PROGRAM = 'train_main.py'
_HISTORY = 'history.csv'
_COLUMN = 'images_per_second'


class _Trained(SystemExit):
  """Exception that ends the program after training and holds the model."""


def flags(case: dict[str, Any], workdir: str) -> list[str]:
  """Returns the command line of a case."""
  images = case['images']
  config = 'mnist' if case['model'] == 'mlp' else 'mnist_conv'
  objective = [] if case['importance_samples'] == 1 else [
      '--objective=iwae', f'--importance_samples={case["importance_samples"]}']
  where = [f'--data_dir={case["data_dir"]}'] if case['data_dir'] else []
  return [
      f'--flagfile=configs/{config}.flags', f'--workdir={workdir}', *where,
      f'--train_split=train[:{images}]',
      '--validation_split=train[57000:57200]', '--test_split=test[:200]',
      f'--batch_size={case["batch_size"]}', f'--epochs={case["epochs"]}',
      '--learning_rate_schedule=constant', '--export=false', *objective,
      *case.get('flags', ())]


def train(case: dict[str, Any], form: None, watch: Watch) -> dict[str, float]:
  """Trains tfvae and returns its speed and its scores; see `process`."""
  del form  # There is one form.
  with tempfile.TemporaryDirectory() as directory:
    workdir = case.get('workdir', os.path.join(directory, 'run'))
    model = _run([_PROGRAM, *flags(case, workdir)], watch, case['images'])
    record = {_COLUMN: images_per_second(workdir)}
  if case.get('scored', True):
    record |= _score(model, case)
  return record


def images_per_second(workdir: str) -> list[float]:
  """Returns the images per second of each epoch in `history.csv`."""
  with open(os.path.join(workdir, _HISTORY), encoding='utf-8') as file:
    return [float(row[_COLUMN]) for row in csv.DictReader(file)]


def _run(argv: list[str], watch: Watch, images: int) -> Any:
  """Runs the program up to the end of `fit` and returns the model."""
  # The same as in the program, before the import of TensorFlow.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
  import tf_keras
  fit = watched_fit(
      tf_keras.Model.fit, tf_keras.callbacks.Callback, watch, images)

  def fit_and_end(model, *args, **kwargs):
    fit(model, *args, **kwargs)
    raise _Trained(model)

  tf_keras.Model.fit = fit_and_end
  sys.argv = argv
  try:
    runpy.run_path(_PROGRAM, run_name='__main__')
  except _Trained as end:
    return end.args[0]
  raise RuntimeError(f'{_PROGRAM} did not train. Received: {argv}')


def _score(model: Any, case: dict[str, Any]) -> dict[str, float]:
  from benchmarks.peers import mnist
  from benchmarks.peers.score import score

  def posterior(x):
    _, posteriors = model.draw_posterior(x, lambda q: q.mean())
    return posteriors['z'].mean(), posteriors['z'].stddev()

  return score(
      mnist.binary_test_images(case), posterior,
      lambda z: model.decode({'z': z}).distribution.logits_parameter(),
      case['importance_samples'])
