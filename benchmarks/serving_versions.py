"""Runs what this TensorFlow exports under other versions; servers lag behind.

  python -m benchmarks.serving_versions --venvs=DIR

Each kind of model in the matrix of the tests is exported, and every signature
is run on batches of 64, 3 and 1 rows. They must give the numbers that the
model's functions give here, in one batch of 64. Two things run them, of this
version too: the C++ loader as a server has it, and `tf.saved_model.load` in
Python. The environments of the other versions have `tensorflow` and nothing
else; they are made where they are missing, and stay.
"""

import collections
import itertools
import json
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import venv

from absl import app
from absl import flags
from absl import logging
import numpy as np
import tensorflow as tf

from benchmarks import machine
from benchmarks import saved_model_process
from tests.serving import served_case
from tests.serving.cpp_loader import CppLoader
from tfvae import serving

_VENVS = flags.DEFINE_string(
    'venvs', None, 'directory of the environments', required=True)
_VERSIONS = flags.DEFINE_list(
    'versions', ['2.19', '2.20'], "of TensorFlow, beside this process's")
_MODELS = flags.DEFINE_integer(
    'models', len(served_case.CASES), 'how many kinds')
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/serving_versions.json', 'the result')

# Arrays by name, what a signature takes or returns.
Arrays = dict[str, np.ndarray]
# A SavedModel's path, a signature and its inputs.
Request = tuple[str, str, Arrays]


def environment(version: str) -> str:
  """Returns the Python that has a version of TensorFlow; makes it if needed."""
  directory = pathlib.Path(_VENVS.value) / f'tensorflow-{version}'
  python = str(directory / 'bin' / 'python')
  if not directory.exists():
    venv.create(directory, with_pip=True)
    subprocess.run([python, '-m', 'pip', 'install', '--quiet',
                    f'tensorflow=={version}.*'], check=True)
  return python


def full_version(python: str) -> str:
  """Returns the version of TensorFlow that a Python has."""
  code = 'import importlib.metadata as m; print(m.version("tensorflow"))'
  return subprocess.run([python, '-c', code], check=True, text=True,
                        stdout=subprocess.PIPE).stdout.strip()


def export(case: dict[str, str], path: str) -> list[tuple[Request, Arrays]]:
  """Exports a model; returns requests and what must be the answers."""
  model, rows = served_case.make_model_and_rows(case)
  functions = serving.signatures(model)
  tf.saved_model.save(serving.ServedModel(model), path, signatures=functions)
  pairs = []
  for name, function in functions.items():
    inputs = {key: rows[key] for key in function.structured_input_signature[1]}
    outputs = function(**tf.nest.map_structure(tf.constant, inputs))
    for batch in served_case.BATCHES:
      pairs.append((
          (path, name, {key: value[batch] for key, value in inputs.items()}),
          {key: value[batch].numpy() for key, value in outputs.items()}))
  return pairs


def run_in_cpp(python: str, requests: list[Request]) -> list[Arrays]:
  """Returns the answers of the C++ loader, a process for each model."""
  answers = []
  for _, group in itertools.groupby(requests, lambda request: request[0]):
    with CppLoader(python) as loader:
      answers += [loader.run(*request) for request in group]
  return answers


def run_in_python(python: str, requests: list[Request]) -> list[Arrays]:
  """Returns the answers of `tf.saved_model.load`."""
  return pickle.loads(subprocess.run(
      [python, saved_model_process.__file__], check=True,
      input=pickle.dumps(requests), stdout=subprocess.PIPE).stdout)


def compare(requests: list[Request], answers: list[Arrays],
            expected: list[Arrays]) -> dict[str, float]:
  """Returns the largest relative difference by signature."""
  differences = collections.defaultdict(list)
  for (_, name, _), given, right in zip(
      requests, answers, expected, strict=True):
    if set(given) != set(right):
      raise ValueError(f'{name} must return {set(right)}. Received: '
                       f'{set(given)}')
    differences[name] += [
        served_case.relative_difference(given[key], right[key])
        for key in right]
  return {name: float(np.max(values)) for name, values in differences.items()}


def measure(cases: list[dict[str, str]], directory: str) -> list[dict]:
  """Exports all, and returns a row for each version and loader."""
  pairs, rows = [], []
  for index, case in enumerate(cases):
    pairs += export(case, os.path.join(directory, str(index)))
    print(f'{index + 1} of {len(cases)} models are exported.', flush=True)
  requests, expected = zip(*pairs, strict=True)
  pythons = [sys.executable, *map(environment, _VERSIONS.value)]
  loaders = {'C++': run_in_cpp, 'Python': run_in_python}
  for python, (loader, run) in itertools.product(pythons, loaders.items()):
    differences = compare(requests, run(python, requests), expected)
    rows.append({'tensorflow': full_version(python), 'loader': loader,
                 'calls': len(requests), 'relative_difference': differences})
    print(f'{rows[-1]["tensorflow"]:8}{loader:8}'
          f'{max(differences.values()):.1e}', flush=True)
  return rows


def main(_):
  """Measures, prints and writes the result."""
  logging.set_verbosity(logging.WARNING)  # Each export says a lot.
  result = machine.setting() | {
      'command': 'python -m benchmarks.serving_versions --venvs=DIR'}
  cases = served_case.CASES[:_MODELS.value]
  with tempfile.TemporaryDirectory() as directory:
    rows = measure(cases, directory)
  result |= {'models': cases, 'batch_sizes': [64, 3, 1], 'runs': rows}
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
  app.run(main)
