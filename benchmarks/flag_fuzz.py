"""Fuzz test of command lines: each must train or end with a clear error.

python -m benchmarks.flag_fuzz --combinations=300 --seed=0
"""

import argparse
import collections
import contextlib
import functools
import gc
import io
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
import traceback
from unittest import mock

from absl import flags
import tensorflow as tf
import tf_keras

from benchmarks import flag_draws
from benchmarks import machine
from tfvae import training
from tfvae.training import train
from tfvae.training.fit import fitting

_ROOT = pathlib.Path(__file__).parents[1]
# Share of the command lines that run through the report and a resume.
_WHOLE = 0.03
TRAINED, WHOLE = 'trained', 'trained, evaluated and resumed'
NOT_PARSED, REFUSED = 'refused by the flags', 'refused with an error'
NOT_FINITE, FAILED = 'stopped as not finite', 'failed'


def run(arguments: list[str], workdir: str,
        whole: bool = False) -> tuple[str, str]:
  """Runs a command line in this process, up to the end of its training.

  The run is `train_and_evaluate`, by default without the parts after the last
  epoch.

  Args:
    arguments: Flags, without --workdir.
    workdir: Directory of the run.
    whole: Whether to evaluate, export and report, and then to resume from the
      checkpoint before the last.

  Returns:
    The ending, and the text of an error or, after a failure, the traceback.
  """
  values, errors = flags.FlagValues(), io.StringIO()
  training.define_flags(values)
  try:
    with contextlib.redirect_stderr(errors):
      training.parse_flags(['fuzz', *arguments], values)
  except SystemExit as error:
    lines = errors.getvalue().splitlines()
    is_clear = error.code == 2 and len(lines) == 2  # With 'Try --help.'.
    return NOT_PARSED if is_clear else FAILED, errors.getvalue()
  try:
    _train(training.config_from_flags(values), workdir, whole)
  except Exception as error:  # The test decides which errors are clear.
    return _ending(error)
  return WHOLE if whole else TRAINED, ''


def _train(config: training.Config, workdir: str, whole: bool):
  if not whole:
    with (mock.patch.object(train, '_evaluate', return_value={}),
          mock.patch.object(fitting, 'TensorBoard', _NoPictures)):
      train.train_and_evaluate(config, workdir)
    return
  train.train_and_evaluate(config, workdir)
  os.remove(os.path.join(workdir, 'metrics.json'))
  checkpoints = os.path.join(workdir, 'checkpoints')
  shutil.rmtree(os.path.join(
      checkpoints, max(os.listdir(checkpoints), key=int)))
  train.train_and_evaluate(config, workdir)


class _NoPictures(tf_keras.callbacks.Callback):
  """Replaces `TensorBoard`, whose pictures take as long as the training."""

  def __init__(self, *args):
    super().__init__()

  def flush(self):
    """Does nothing."""

  def close(self):
    """Does nothing."""


def _ending(error: Exception) -> tuple[str, str]:
  """Returns the ending: an error of tfvae with the value, or a failure."""
  innermost = traceback.extract_tb(error.__traceback__)[-1].filename
  is_ours = pathlib.Path(innermost).is_relative_to(_ROOT / 'tfvae')
  text = str(error)
  if is_ours and 'Received:' in text:
    if isinstance(error, FloatingPointError):
      return NOT_FINITE, text
    if isinstance(error, ValueError):
      return REFUSED, text
  return FAILED, ''.join(traceback.format_exception(error))


def fuzz(combinations: int, seed: int, data_dir: str, whole: float = _WHOLE,
         first: int = 0, minutes: float = float('inf')) -> dict[str, object]:
  """Runs random command lines, each drawn from its number and the seed.

  Args:
    combinations: Number of command lines.
    seed: Seed of the draws.
    data_dir: Directory in which digits is prepared, and which receives folders
      of images, arrays and tables.
    whole: Share of the command lines that run to the end.
    first: Number of the first command line.
    minutes: Time after which no further command line starts.

  Returns:
    The count of each ending, and `failures`, the flags and the error of each.
  """
  flag_draws.write_sources(data_dir)
  counts, failures = collections.Counter(), []
  end = time.monotonic() + 60 * minutes
  for i in range(first, first + combinations):
    rng = random.Random(f'{seed},{i}')
    arguments = flag_draws.command_line(rng, data_dir)
    is_whole = rng.random() < whole
    start = time.monotonic()
    if start > end:
      break
    # Drawn paths are relative.
    with (tempfile.TemporaryDirectory() as here, contextlib.chdir(here),
          mock.patch.object(tf.distribute, 'MirroredStrategy', _mirrored)):
      ending, text = run(arguments, os.path.join(here, 'run'), is_whole)
    counts[ending] += 1
    shown = ' '.join(a for a in arguments if a not in flag_draws.base(data_dir))
    print(f'{i}: {ending}, {time.monotonic() - start:.1f} s: {shown}\n'
          f'    {text if ending == FAILED else text[:300]}', flush=True)
    if ending == FAILED:
      failures.append({'flags': shown, 'error': text})
    tf_keras.backend.clear_session()
    gc.collect()
  return {'endings': dict(sorted(counts.items())), 'failures': failures}


# One per process: a second strategy would restart the numbering of its sums
# over the CPUs, and TensorFlow would mistake them for those of the first.
_mirrored = functools.cache(tf.distribute.MirroredStrategy)


def main():
  """Prints every ending and writes `results/flag_fuzz.json`."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--combinations', type=int, default=300)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--first', type=int, default=0,
                      help='number of the first command line')
  parser.add_argument('--minutes', type=float, default=float('inf'))
  arguments = parser.parse_args()
  # Two devices for --strategy=mirrored, on a machine without GPUs.
  tf.config.set_logical_device_configuration(
      tf.config.list_physical_devices('CPU')[0],
      [tf.config.LogicalDeviceConfiguration()] * 2)
  # Each graph runs only a few times, so optimizing it costs more than it saves.
  tf.config.optimizer.set_experimental_options({'disable_meta_optimizer': True})
  with tempfile.TemporaryDirectory() as data_dir:
    result = fuzz(arguments.combinations, arguments.seed, data_dir,
                  first=arguments.first, minutes=arguments.minutes)
  failures = result.pop('failures')
  for failure in failures:
    print(f'FAILED: {failure["flags"]}\n  '
          f'{failure["error"].strip().splitlines()[-1]}')
  result = {'combinations': sum(result['endings'].values()),
            'seed': arguments.seed} | result | machine.setting()
  print(result)
  if not arguments.first:
    path = pathlib.Path(__file__).parent / 'results' / 'flag_fuzz.json'
    path.write_text(json.dumps(result, indent=2) + '\n')
  sys.exit(bool(failures))


if __name__ == '__main__':
  main()
