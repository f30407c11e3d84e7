"""Test that repeatedly kills a run and compares it with an uninterrupted run.

python -m benchmarks.kills --kills=20 --signal=KILL
python -m benchmarks.kills --kills=20 --signal=TERM
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from absl import app
from absl import flags
import numpy as np
import tf_keras

import tfvae  # noqa: F401  Registers the layers of the loaded models.

_KILLS = flags.DEFINE_integer('kills', 20, 'number of kills')
_SIGNAL = flags.DEFINE_enum(
    'signal', 'KILL', ['KILL', 'TERM'], 'signal that kills')
_SEED = flags.DEFINE_integer('seed', 0, 'seed of the random times')
_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets')

_ROOT = pathlib.Path(__file__).parents[1]
# 144 steps per epoch, one per execution; a checkpoint every 10 steps.
_FLAGS = ('--latents=z:4', '--hidden_units=32', '--batch_size=9', '--jit=false',
          '--steps_per_execution=1', '--checkpoint_every_steps=10',
          '--eval_importance_samples=2', '--eval_importance_examples=10',
          '--evaluations=importance_weighted', '--export=false',
          '--ema_decay=0.9', '--learning_rate_schedule=cosine')
_MAX_SECONDS = 120


def main(argv):
  """Prints the result and adds it to `results/kills.json`."""
  del argv
  moments = random.Random(_SEED.value)
  with tempfile.TemporaryDirectory() as directory:
    flags_ = (*_FLAGS, f'--epochs={2 + _KILLS.value // 4}')
    if _DATA_DIR.value:
      flags_ += (f'--data_dir={_DATA_DIR.value}',)
    whole, killed = (os.path.join(directory, name)
                     for name in ('whole', 'killed'))
    subprocess.run(_command(whole, flags_), check=True, cwd=_ROOT,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    killed_at = [_kill(killed, flags_, moments) for _ in range(_KILLS.value)]
    subprocess.run(_command(killed, flags_), check=True, cwd=_ROOT,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    equal = all(np.array_equal(a, b) for a, b in zip(
        *map(_weights, (whole, killed)), strict=True))
    same_rows = _rows(whole) == _rows(killed)
  result = {'kills': len(killed_at), 'seed': _SEED.value,
            'after_steps': killed_at, 'weights_bit_identical': equal,
            'history_identical_but_for_times': same_rows}
  print(f'SIG{_SIGNAL.value}: {result}')
  path = pathlib.Path(__file__).parent / 'results' / 'kills.json'
  results = json.loads(path.read_text()) if path.exists() else {}
  results[f'SIG{_SIGNAL.value}'] = result
  path.write_text(json.dumps(results, indent=2) + '\n')
  sys.exit(not (equal and same_rows))


def _command(workdir, flags_):
  return [sys.executable, 'train_main.py', f'--workdir={workdir}', *flags_]


def _kill(workdir: str, flags_, moments: random.Random) -> int:
  """Resumes the run, kills it after a random time; returns the newest step."""
  before = _newest(workdir)
  process = subprocess.Popen(
      _command(workdir, flags_), cwd=_ROOT, stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE, text=True)
  deadline = time.monotonic() + _MAX_SECONDS
  while _newest(workdir) <= before:
    if process.poll() is not None or time.monotonic() > deadline:
      raise RuntimeError(f'The run ended before it was killed: '
                         f'{process.communicate()[1][-2000:]}')
    time.sleep(0.002)
  time.sleep(moments.uniform(0, 0.25))
  process.send_signal(getattr(signal, f'SIG{_SIGNAL.value}'))
  process.communicate()
  expected = -9 if _SIGNAL.value == 'KILL' else tfvae.training.REQUEUE_EXIT_CODE
  if process.returncode != expected:
    raise RuntimeError(f'Exit code {process.returncode}, not {expected}.')
  return _newest(workdir)


def _newest(workdir: str) -> int:
  directory = pathlib.Path(workdir, 'checkpoints')
  if not directory.exists():
    return 0
  return max((int(path.name) for path in directory.iterdir()
              if path.name.isdecimal()), default=0)


def _weights(workdir: str):
  return tf_keras.models.load_model(
      os.path.join(workdir, 'model.keras')).get_weights()


def _rows(workdir: str) -> list[str]:
  lines = pathlib.Path(workdir, 'history.csv').read_text().splitlines()
  return [line.rsplit(',', 2)[0] for line in lines]


if __name__ == '__main__':
  app.run(main)
