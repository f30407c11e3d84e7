"""Program that trains tfvae on a table, and writes rows that it generates.

  python -m benchmarks.peers.table_tfvae '{"workdir": …, "settings": {…}}'

The argument is a case with these keys: `workdir`, a directory; and `settings`,
those of `Config` by name. It trains as `train_main.py` does, samples as
`--mode=sample` does, and prints the time of `fit`, which includes compiling,
and the NLL of the test rows.
"""

import json
import os
import sys
import time
from typing import Any


def main():
  """Trains, generates rows and prints."""
  case = json.loads(sys.argv[1])
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  import tf_keras

  from tfvae import training
  record = {'seconds': 0.0, 'cpu_seconds': 0.0}
  tf_keras.Model.fit = _timed(
      tf_keras.Model.fit, tf_keras.callbacks.LambdaCallback, record)
  config = training.Config(**{
      name: tuple(value) if isinstance(value, list) else value
      for name, value in case['settings'].items()})
  metrics = training.train_and_evaluate(config, case['workdir'])
  training.sample_run(config, case['workdir'])
  test = metrics['test']
  print(json.dumps(record | {
      'best_epoch': metrics['best_epoch'], 'nll': test['iwae_nll'],
      'nll_standard_error': test['iwae_nll_standard_error']}), flush=True)


def _timed(fit: Any, callback: type, record: dict[str, float]) -> Any:
  """Returns a `fit` that adds its time, and that of its first epoch.

  Args:
    fit: `tf_keras.Model.fit`.
    callback: `LambdaCallback` of the same Keras.
    record: Record of the times.
  """

  def timed(*args, callbacks=(), **kwargs):
    start, cpu_start = time.perf_counter(), time.process_time()

    def end_epoch(epoch, logs):
      del epoch, logs
      record.setdefault(
          'first_epoch_cpu_seconds', time.process_time() - cpu_start)

    history = fit(*args, callbacks=[
        *callbacks, callback(on_epoch_end=end_epoch)], **kwargs)
    record['seconds'] += time.perf_counter() - start
    record['cpu_seconds'] += time.process_time() - cpu_start
    return history

  return timed


if __name__ == '__main__':
  main()
