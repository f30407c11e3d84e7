"""Benchmark of the pipeline `tfvae.pipelines.encode` with one and two workers.

  python -m benchmarks.pipelines

Writes Parquet files of ten columns and PNG files of 28x28 gray pixels, exports
models with random weights, which do not affect the time, and encodes the files
by Beam's local runner, with workers in processes of their own. Runs with one
and two workers take turns. A short run, of few rows, has the time of the
start; the figures per row are those of the difference between both runs. The
result has every run, and the CPU time that other processes of the machine took
meanwhile, in cores: rows per second are valid only where this is near zero. It
needs Linux and `pip install 'tfvae[beam]'`.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from absl import app
from absl import flags
from absl import logging
import numpy as np
from PIL import Image
import pyarrow as pa
from pyarrow import parquet
import tf_keras

from benchmarks import machine
from tfvae import models
from tfvae import serving
from tfvae.layers import IndependentColumns
from tfvae.tables import Column

_ROWS = flags.DEFINE_integer('rows', 1_000_000, 'number of rows of the table')
_IMAGES = flags.DEFINE_integer('images', 20_000, 'number of image files')
_ROUNDS = flags.DEFINE_integer('rounds', 3, 'number of runs of each variant')
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/pipelines.json', 'file of the result')

_SHORT = 1000  # Rows of a short run.
_FILES = 10  # Parquet files.
_WORKERS = (1, 2)
# The runner of DirectRunner that needs no download.
_RUNNER = 'apache_beam.runners.portability.fn_api_runner.FnApiRunner'
_COLUMNS = (
    *(Column(f'real_{i}', 'real', loc=i, scale=1. + i) for i in range(4)),
    *(Column(f'positive_{i}', 'positive') for i in range(2)),
    Column('count', 'count'),
    Column('flag', 'binary', 'boolean', (False, True)),
    Column('city', 'categorical', 'string',
           tuple(f'city {i}' for i in range(40))),
    Column('grade', 'ordinal', 'number', (1, 2, 3, 4, 5)))


def write_tables(directory: str, rows: int, files: int):
  """Writes Parquet files of random rows, with integer ids."""
  os.makedirs(directory)
  for index in range(files):
    rng, n = np.random.default_rng(index), rows // files
    parquet.write_table(pa.table({
        'id': np.arange(n) + index * n,
        **{f'real_{i}': rng.normal(i, 1 + i, n) for i in range(4)},
        **{f'positive_{i}': rng.lognormal(size=n) for i in range(2)},
        'count': rng.poisson(5., n), 'flag': rng.random(n) < 0.3,
        'city': np.array([f'city {i}' for i in range(40)])[
            rng.integers(40, size=n)],
        'grade': rng.integers(1, 6, n)}),
                        os.path.join(directory, f'{index}.parquet'))


def write_images(directory: str, count: int):
  """Writes PNG files of random gray pixels."""
  os.makedirs(directory)
  for index in range(count):
    pixels = np.random.default_rng(index).integers(
        256, size=[7, 7], dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    Image.fromarray(pixels).save(os.path.join(directory, f'{index}.png'))


def write_inputs(directory: str) -> dict[str, list[str]]:
  """Writes models and files; returns the flags of each kind of data."""
  tf_keras.utils.set_random_seed(0)
  table = serving.export_saved_model(models.image_vae(
      'z:10', (len(_COLUMNS),), likelihood=IndependentColumns(columns=_COLUMNS)
  ), f'{directory}/table')
  image = serving.export_saved_model(
      models.image_vae('z:50', (28, 28, 1)), f'{directory}/image',
      image_input=serving.ImageInput())
  for length, rows, images in (
      ('short', _SHORT, _SHORT), ('long', _ROWS.value, _IMAGES.value)):
    write_tables(f'{directory}/tables_{length}', rows, _FILES)
    write_images(f'{directory}/images_{length}', images)
  return {
      'tables': [f'--model={table}', '--id_key=id', '*.parquet'],
      'images': [f'--model={image}', '*.png']}


def measured_run(directory: str, arguments: list[str], data: str,
                 workers: int) -> dict[str, float]:
  """Returns the wall-clock time and the CPU time of a run, and other load."""
  *arguments, pattern = arguments
  with tempfile.TemporaryDirectory() as parent:
    start, own, busy = time.monotonic(), _own_seconds(), _busy_seconds()
    done = subprocess.run(
        [sys.executable, '-m', 'tfvae.pipelines.encode', *arguments,
         f'--input={directory}/{data}/{pattern}', f'--output={parent}/results',
         f'--runner={_RUNNER}', '--direct_running_mode=multi_processing',
         f'--direct_num_workers={workers}'],
        capture_output=True, text=True, check=False)
    elapsed, own = time.monotonic() - start, _own_seconds() - own
    others = max(0., _busy_seconds() - busy - own)
  if done.returncode or '\n0 rows failed' not in done.stdout:
    raise RuntimeError(done.stdout + done.stderr)
  return {'seconds': elapsed, 'cpu_seconds': own,
          'cores_of_others': others / elapsed}


def _own_seconds() -> float:
  """Returns the CPU time of the runs so far."""
  usage = resource.getrusage(resource.RUSAGE_CHILDREN)
  return usage.ru_utime + usage.ru_stime


def _busy_seconds() -> float:
  """Returns the CPU time of all processes of the machine."""
  user, nice, system, *_ = map(
      int, pathlib.Path('/proc/stat').read_text().split()[1:8])
  return (user + nice + system) / os.sysconf('SC_CLK_TCK')


def measure(directory: str) -> list[dict]:
  """Returns a row for each kind of data and number of workers."""
  rows, counts = [], {'tables': _ROWS.value, 'images': _IMAGES.value}
  for kind, arguments in write_inputs(directory).items():
    runs = {}
    for _ in range(_ROUNDS.value):
      for workers in _WORKERS:
        for length in ('short', 'long'):
          run = measured_run(directory, arguments, f'{kind}_{length}', workers)
          runs.setdefault((workers, length), []).append(run)
          print(kind, workers, length, run, flush=True)
    rows += summarize(kind, counts[kind], runs)
  return rows


def summarize(kind: str, count: int, runs: dict[tuple[int, str], list[dict]]
              ) -> list[dict]:
  """Returns a row for each number of workers.

  Args:
    kind: Kind of the data.
    count: Rows of a long run.
    runs: Results of `measured_run` by workers and 'short' or 'long'.
  """
  rows = []
  for workers in _WORKERS:
    pairs = list(zip(runs[workers, 'short'], runs[workers, 'long'],
                     strict=True))
    cpu = [1e6 * (long['cpu_seconds'] - short['cpu_seconds']) / (count - _SHORT)
           for short, long in pairs]
    start = [short['cpu_seconds'] for short, _ in pairs]
    rows.append({
        'data': kind, 'workers': workers, 'rows': count,
        'cpu_microseconds_per_row': np.median(cpu),
        'cpu_microseconds_per_row_range': [min(cpu), max(cpu)],
        'start_cpu_seconds': np.median(start),
        'rows_per_second': [
            (count - _SHORT) / (long['seconds'] - short['seconds'])
            for short, long in pairs],
        'cores_of_others': [
            max(run['cores_of_others'] for run in pair) for pair in pairs],
        'runs': [{'short': short, 'long': long} for short, long in pairs]})
  return rows


def main(_):
  """Measures, prints and writes the result."""
  logging.set_verbosity(logging.WARNING)
  result = machine.setting() | {
      'command': 'python -m benchmarks.pipelines', 'rounds': _ROUNDS.value}
  with tempfile.TemporaryDirectory() as directory:
    result['pipelines'] = measure(directory)
  for row in result['pipelines']:
    low, high = row['cpu_microseconds_per_row_range']
    print(f'{row["data"]}, {row["workers"]} workers: '
          f'{row["cpu_microseconds_per_row"]:.1f} ({low:.1f}-{high:.1f}) µs of '
          f'CPU per row; rows/s by round: '
          f'{", ".join(f"{rate:,.0f}" for rate in row["rows_per_second"])}; '
          'cores of others: '
          f'{", ".join(f"{cores:.2f}" for cores in row["cores_of_others"])}')
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
  app.run(main)
