"""Benchmark of the caches for decoded images: --cache=memory, disk and none.

  python -m benchmarks.caches --data_dir=DIR
  python -m benchmarks.caches --data_dir=DIR --gibibytes=1
  python -m benchmarks.caches --data_dir=DIR --folder=100000
  python -m benchmarks.caches --data_dir=DIR --table=5000000

The first command reads MNIST. The others create data in DIR: a data set of
64x64x3 images, with the given size in GiB when decoded; a folder of 100,000 PNG
files of 28x28 gray pixels in ten classes; a Parquet file of 5,000,000 rows of
ten columns. Each cache is measured in a separate process: the seconds until the
data are loaded, the first time and again; the training images or rows per
second and the CPU time of each, in batches of 100; and the increase in resident
memory during this and one evaluation pass. It needs Linux, which can report the
peak memory of a part of a program.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from absl import app
from absl import flags
import numpy as np
import pandas as pd
from PIL import Image
import pyarrow as pa
from pyarrow import parquet as pq
import tensorflow_datasets as tfds

from benchmarks import machine
from tfvae import data

_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, 'directory of TensorFlow Datasets')
_GIBIBYTES = flags.DEFINE_float(
    'gibibytes', 0, 'size of the created data set; 0 uses MNIST')
_FOLDER = flags.DEFINE_integer('folder', 0, 'number of files of the folder')
_TABLE = flags.DEFINE_integer('table', 0, 'number of rows of the table')
_IMAGES = flags.DEFINE_integer(
    'images', 200_000, 'maximum number of images per measurement')
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/caches.json', 'file of the result')
_CACHE = flags.DEFINE_enum(
    'cache', None, data.CACHES, 'only measure this cache, and print the result')

_SHAPE = (64, 64, 3)
_BATCH_SIZE = 100
_ROW_GROUP = 500_000
_CACHE_DIRECTORY = 'benchmark_cache'


class BenchmarkImages(tfds.core.GeneratorBasedBuilder):
  """Squares of random colors, small as PNG; the config name is the size."""

  VERSION = tfds.core.Version('1.0.0')

  def __init__(self, gibibytes: float = 1, **kwargs):
    """Initializes the builder for this size of decoded images."""
    self._num_images = int(gibibytes * 2**30 / np.prod(_SHAPE))
    super().__init__(config=tfds.core.BuilderConfig(name=f'{gibibytes:g}gib'),
                     **kwargs)

  def _info(self):
    return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict(
            {'image': tfds.features.Image(shape=_SHAPE)}))

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples(0, self._num_images),
            'test': self._generate_examples(self._num_images, 500)}

  def _generate_examples(self, start, count):
    for i in range(start, start + count):
      squares = np.random.default_rng(i).integers(0, 256, [16, 16, 3], np.uint8)
      yield i, {'image': squares.repeat(4, 0).repeat(4, 1)}


def write_folder(directory: str, count: int):
  """Writes PNG files of random gray pixels, as many of each of ten classes."""
  for label in range(10):
    os.makedirs(os.path.join(directory, str(label)), exist_ok=True)
  for i in range(count):
    pixels = np.random.default_rng(i).integers(
        256, size=[7, 7], dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    Image.fromarray(pixels).save(
        os.path.join(directory, str(i % 10), f'{i}.png'))


def write_table(path: str, count: int):
  """Writes a Parquet file of numbers, categories, flags and dates."""
  schema, writer = None, None
  for start in range(0, count, _ROW_GROUP):
    rng, n = np.random.default_rng(start), min(_ROW_GROUP, count - start)
    days = np.datetime64('2020-01-01') + rng.integers(1500, size=n)
    frame = pd.DataFrame({
        **{f'real_{i}': rng.normal(i, 1 + i, n) for i in range(3)},
        'price': rng.lognormal(3., 1., n), 'visits': rng.poisson(5., n),
        'flag': rng.random(n) < 0.3,
        'color': np.array(['red', 'green', 'blue'])[rng.integers(3, size=n)],
        'city': np.array([f'city {i}' for i in range(40)])[
            rng.integers(40, size=n)],
        'grade': rng.integers(1, 6, n), 'day': days.astype('datetime64[ms]')})
    part = pa.Table.from_pandas(frame, schema, preserve_index=False)
    if writer is None:
      schema, writer = part.schema, pq.ParquetWriter(path, part.schema)
    writer.write_table(part)
  writer.close()


def measure(cache: str) -> dict[str, float]:
  """Returns the seconds, the images per second and the memory of a cache."""
  cache_dir = os.path.join(_DATA_DIR.value, _CACHE_DIRECTORY)
  kwargs = {'cache': cache}
  if cache == 'disk':
    shutil.rmtree(cache_dir, ignore_errors=True)
    kwargs['cache_dir'] = cache_dir
  data.load_images('digits', _DATA_DIR.value)  # Starts TensorFlow.
  before = _restarted_peak()
  seconds = []
  for _ in range(2):
    images = None  # One copy at a time.
    start = time.monotonic()
    images = data.load_images(_name(), _DATA_DIR.value, **kwargs)
    seconds.append(time.monotonic() - start)
  row = {'cache': cache, 'images': len(images.train.images),
         'mebibytes': int(np.prod(images.train.images.shape)) * np.dtype(
             images.train.images.dtype).itemsize / 2**20,
         'first_seconds': seconds[0], 'again_seconds': seconds[1]}
  row |= _speed(images.train.images, cache)
  for _ in data.evaluation_batches(
      images.train.images, 200, 0, _binarization()):
    pass
  row['rise_mebibytes'] = _resident('VmHWM') - before
  if cache == 'disk':
    row['disk_mebibytes'] = sum(
        path.stat().st_size for path in pathlib.Path(cache_dir).iterdir()
    ) / 2**20
    shutil.rmtree(cache_dir)
  return row


def _speed(images: data.Images, cache: str) -> dict[str, float]:
  make = data.streamed_batches if cache == 'none' else data.training_batches
  batches = iter(make(images, _BATCH_SIZE, 0, _binarization()))
  next(batches)  # Excludes the tracing.
  steps = min(_IMAGES.value // _BATCH_SIZE,
              2 * data.steps_per_epoch(len(images), _BATCH_SIZE))
  start, cpu = time.monotonic(), time.process_time()
  taken = sum(len(next(batches)) for _ in range(steps))
  return {'images_per_second': taken / (time.monotonic() - start),
          'cpu_microseconds_per_image':
              1e6 * (time.process_time() - cpu) / taken}


def _name() -> str:
  if _FOLDER.value:
    return os.path.join(_DATA_DIR.value, f'folder_{_FOLDER.value}')
  if _TABLE.value:
    return os.path.join(_DATA_DIR.value, f'table_{_TABLE.value}.parquet')
  return (f'benchmark_images/{_GIBIBYTES.value:g}gib' if _GIBIBYTES.value
          else 'mnist')


def _binarization() -> str:
  return 'none' if _TABLE.value else 'dynamic'


def _write():
  """Writes the data, unless an earlier run has."""
  if _GIBIBYTES.value:
    BenchmarkImages(_GIBIBYTES.value,
                    data_dir=_DATA_DIR.value).download_and_prepare()
  elif (_FOLDER.value or _TABLE.value) and not os.path.exists(_name()):
    whole = f'{_name()}.incomplete'
    if _FOLDER.value:
      write_folder(whole, _FOLDER.value)
    else:
      write_table(whole, _TABLE.value)
    os.rename(whole, _name())


def _restarted_peak() -> float:
  """Resets the peak of the resident memory to its current value; returns it."""
  pathlib.Path('/proc/self/clear_refs').write_text('5', encoding='utf-8')
  return _resident('VmRSS')


def _resident(field: str) -> float:
  """Returns a field of /proc/self/status in MiB."""
  status = pathlib.Path('/proc/self/status').read_text(encoding='utf-8')
  return int(re.search(rf'{field}:\s+(\d+) kB', status)[1]) / 1024


def main(_):
  """Measures, prints and writes the result."""
  _write()
  if _CACHE.value:
    print(json.dumps(measure(_CACHE.value)))
    return
  setting = machine.setting()
  rows = [json.loads(subprocess.run(
      [sys.executable, '-m', 'benchmarks.caches', *sys.argv[1:],
       f'--cache={cache}'],
      check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
      for cache in data.CACHES]
  print('| cache | first s | again s | images/s | CPU µs | memory MiB |')
  for row in rows:
    print(f'| {row["cache"]} | {row["first_seconds"]:.1f} '
          f'| {row["again_seconds"]:.1f} | {row["images_per_second"]:,.0f} '
          f'| {row["cpu_microseconds_per_image"]:.1f} '
          f'| {row["rise_mebibytes"]:.0f} |')
  arguments = [re.sub('^--?data_dir=.*', '--data_dir=DIR', argument)
               for argument in sys.argv[1:] if 'output=' not in argument]
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(setting | {
      'command': ' '.join(['python -m benchmarks.caches', *arguments]),
      'batch_size': _BATCH_SIZE, 'rows': rows}, indent=2) + '\n',
      encoding='utf-8')


if __name__ == '__main__':
  app.run(main)
