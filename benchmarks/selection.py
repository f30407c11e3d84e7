"""Benchmark of the rules of --select_by, by trained objective.

python -m benchmarks.selection --epochs=80

It trains one model of the digits per objective and KL control. The history of a
run determines the epochs that the three rules keep, with their validation
figures.
"""

import csv
import os
import tempfile

from absl import app
from absl import flags
import numpy as np

from benchmarks import processes
from tfvae.training import Config
from tfvae.training import train_and_evaluate

_EPOCHS = flags.DEFINE_integer('epochs', 80, 'epochs of each run', 2)
_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets')

_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/selection.json', 'file of the result')

# Trained objectives and KL controls; the first is the default.
SETTINGS = {
    'ELBO': {},
    'β = 0.1': dict(kl_weight=0.1),
    'β = 4': dict(kl_weight=4.0),
    'linear warm-up': dict(kl_warm_up='linear', kl_warm_up_epochs=40),
    'cyclical warm-up': dict(kl_warm_up='cyclical', kl_warm_up_epochs=60),
    'free bits, λ = 12': dict(free_bits=12.0),
    'free bits, λ = 0.5 a dimension': dict(
        free_bits=0.5, free_bits_per='dimension'),
    'capacity, C = 12': dict(kl_capacity=12.0, kl_weight=10.0),
    'IWAE, K = 5': dict(objective='iwae'),
    'DReG, K = 5': dict(objective='dreg'),
    'β-TCVAE, β = 6': dict(objective='beta_tc'),
    'InfoVAE, α = 0, λ = 100': dict(objective='info_vae'),
    'MMD-VAE, α = 1, λ = 1000': dict(
        objective='info_vae', info_alpha=1.0, info_lambda=1000.0),
}


def main(argv):
  """Prints the result and writes `results/selection.json`."""
  del argv
  rows = []
  with tempfile.TemporaryDirectory() as directory:
    for index, (name, settings) in enumerate(SETTINGS.items()):
      rows.append(_run(name, settings, os.path.join(directory, str(index))))
      print(rows[-1], flush=True)
  processes.write(_OUTPUT.value, processes.result(
      'selection', {'epochs': _EPOCHS.value}) | {'selection': rows})


def _run(name: str, settings: dict, workdir: str) -> dict:
  """Returns the epoch that each rule keeps, and its validation figures."""
  config = Config(
      dataset='digits', data_dir=_DATA_DIR.value, latents='z:16',
      epochs=_EPOCHS.value, learning_rate_schedule='cosine', export=False,
      evaluations=('importance_weighted',), eval_importance_samples=1,
      eval_importance_examples=1, **settings)
  metrics = train_and_evaluate(config, workdir)
  with open(os.path.join(workdir, 'history.csv'), encoding='utf-8') as file:
    epochs = list(csv.DictReader(file))
  column = lambda key: np.array([float(row[f'val_{key}']) for row in epochs])
  loss, elbo = column('loss'), column('elbo')
  kept = {'objective': int(np.argmin(loss)), 'elbo': int(np.argmax(elbo)),
          'last': len(epochs) - 1}
  if metrics['best_epoch'] != kept['objective'] + 1:
    raise RuntimeError(f'{name} kept epoch {metrics["best_epoch"]} instead of '
                       f'{kept["objective"] + 1}.')
  return {'name': name} | {rule: {
      'epoch': epoch + 1, 'objective': loss[epoch], 'elbo': elbo[epoch],
      'reconstruction': column('reconstruction')[epoch],
      'kl': column('kl')[epoch]} for rule, epoch in kept.items()}


if __name__ == '__main__':
  app.run(main)
