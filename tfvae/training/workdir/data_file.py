"""Data of a run: digests of its files, and the rows of each part.

A run of own data writes `data.json`, and `splits.npz` with the row numbers of
the parts where a part was held out from another. A run resumes only with the
same data.
"""

from collections.abc import Mapping
import os

import numpy as np

from tfvae.data import ImageData
from tfvae.files import replacing
from tfvae.training.results.json_files import read_json
from tfvae.training.results.json_files import write_json

DATA_FILE = 'data.json'
SPLITS_FILE = 'splits.npz'
_NAMED = 3  # Files that a message names.


def settle_data(workdir: str, images: ImageData, writes: bool):
  """Describes the data of a new run, or checks that they are the same.

  Args:
    workdir: Directory of the run. One of an earlier version has no description,
      and gets one.
    images: Data of the run.
    writes: Whether this process writes files.

  Raises:
    ValueError: If a file or an array was changed, added or removed since the
      description was written.
  """
  path = os.path.join(workdir, DATA_FILE)
  known = read_json(path)
  if known is None:
    if writes:
      _write(workdir, images)
  elif known['content'] != dict(images.content):
    changes = _changes(known['content'], images.content)
    raise ValueError(
        'The data have changed since the run in the workdir began: '
        f'{"; ".join(changes)}. Restore them, or choose another `workdir`. '
        f'Received: dataset {images.name!r}, workdir={workdir}')


def _write(workdir: str, images: ImageData):
  """Writes the rows of each part, then the description."""
  path = os.path.join(workdir, SPLITS_FILE)
  if images.carved and not os.path.exists(path):
    with (replacing(path) as temporary,
          open(temporary, 'wb') as file):
      np.savez_compressed(file, **images.carved)
  if images.content:
    write_json(os.path.join(workdir, DATA_FILE), {
        'name': images.name, 'content': dict(images.content)})


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
  """Returns the differences of two descriptions, as texts."""
  found = {
      'changed': [name for name in new if name in old
                  and old[name] != new[name]],
      'added': [name for name in new if name not in old],
      'removed': [name for name in old if name not in new]}
  return [f'{len(names):,} {kind} ({", ".join(names[:_NAMED])}'
          f'{", …" if len(names) > _NAMED else ""})'
          for kind, names in found.items() if names]
