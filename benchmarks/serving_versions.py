"""Test of exports of this TensorFlow under other versions of TensorFlow.

  python -m benchmarks.serving_versions --venvs=DIR

Servers often have an older version of TensorFlow. This program exports each
kind of model in the matrix of the tests and runs every signature on batches of
64, 3 and 1 rows, in the C++ loader of a server and with `tf.saved_model.load`
in Python, for this version too. The results must equal those of the functions
of the model in this process, in one batch of 64. The environments of the other
versions have only `tensorflow`; missing environments are created and kept.
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
    'versions', ['2.19', '2.20'],
    'versions of TensorFlow, in addition to that of this process')
_MODELS = flags.DEFINE_integer(
    'models', len(served_case.CASES), 'number of kinds of model')
_OUTPUT = flags.DEFINE_string(
    'output', 'benchmarks/results/serving_versions.json', 'file of the result')

# Inputs or outputs of a signature: arrays by name.
Arrays = dict[str, np.ndarray]
# The path of a SavedModel, a signature and its inputs.
Request = tuple[str, str, Arrays]


def environment(version: str) -> str:
  """Returns the Python with a version of TensorFlow; installs it if absent."""
  directory = pathlib.Path(_VENVS.value) / f'tensorflow-{version}'
  python = str(directory / 'bin' / 'python')
  if not directory.exists():
    venv.create(directory, with_pip=True)
    subprocess.run([python, '-m', 'pip', 'install', '--quiet',
                    f'tensorflow=={version}.*'], check=True)
  return python


def full_version(python: str) -> str:
  """Returns the version of TensorFlow of a Python."""
  code = 'import importlib.metadata as m; print(m.version("tensorflow"))'
  return subprocess.run([python, '-c', code], check=True, text=True,
                        stdout=subprocess.PIPE).stdout.strip()


def export(case: dict[str, str], path: str) -> list[tuple[Request, Arrays]]:
  """Exports a model; returns requests and their expected outputs."""
  model, rows = served_case.make_model_and_rows(case)
  functions = serving.signatures(model, importance_samples=3)
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
  """Returns the outputs of the C++ loader, with one process per model."""
  answers = []
  for _, group in itertools.groupby(requests, lambda request: request[0]):
    with CppLoader(python) as loader:
      answers += [loader.run(*request) for request in group]
  return answers


def run_in_python(python: str, requests: list[Request]) -> list[Arrays]:
  """Returns the outputs with `tf.saved_model.load`."""
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
  """Exports all models; returns a row for each version and loader."""
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
  logging.set_verbosity(logging.WARNING)  # Hides the log lines of each export.
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
