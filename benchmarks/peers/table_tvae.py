"""Program that trains TVAE of ctgan, and writes rows that it generates.

  python -m benchmarks.peers.table_tvae '{"train": "train.csv", …}'

The argument is a case with these keys: `train`, the table to train on;
`samples`, the file to write; `rows`, their number; `seed`; and `cpu_seconds`,
the CPU time of the training, after which it ends with the current epoch. If it
is null, the training takes TVAE's default number of epochs. All other settings
are TVAE's defaults. Columns of text are its discrete columns.

It needs an environment with `table_requirements.txt` in this directory.
"""

from collections.abc import Iterator
import importlib.metadata
import json
import sys
import time
from typing import Any

from ctgan.synthesizers import tvae
import pandas as pd
import torch

_NO_LIMIT = 10**9  # Epochs of a training that ends by its time.
_PACKAGES = ('ctgan', 'rdt', 'sdmetrics', 'torch')


def main():
  """Trains, generates rows and prints the time of the training."""
  case = json.loads(sys.argv[1])
  # PyTorch's threads wait in a spin loop, which costs time on one core.
  torch.set_num_threads(1)
  torch.manual_seed(case['seed'])
  table = pd.read_csv(case['train'])
  limit, epochs = case['cpu_seconds'], {}
  start, cpu_start = time.perf_counter(), time.process_time()

  def until_limit(numbers: range, **kwargs: Any) -> Iterator[int]:
    """Yields the epochs, in place of the progress bar of `fit`."""
    del kwargs  # Those of the bar.
    for number in numbers:
      if limit is not None and time.process_time() - cpu_start >= limit:
        return
      yield number
      epochs['epochs'] = number + 1

  tvae.tqdm = until_limit
  settings = {} if limit is None else {'epochs': _NO_LIMIT}
  model = tvae.TVAE(enable_gpu=False, **settings)
  model.fit(table, list(table.select_dtypes(exclude='number')))
  record = {'seconds': time.perf_counter() - start,
            'cpu_seconds': time.process_time() - cpu_start} | epochs
  model.set_random_state(case['seed'])
  model.sample(case['rows']).to_csv(case['samples'], index=False)
  record['versions'] = {
      name: importlib.metadata.version(name) for name in _PACKAGES}
  print(json.dumps(record), flush=True)


if __name__ == '__main__':
  main()
