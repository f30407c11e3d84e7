"""Outputs of encoders and decoders, compared in another process."""

import json
import os
import subprocess
import sys

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tests import fresh_process

tfd = tfp.distributions

# The start of a program. For each `.npz` in the directories of its arguments,
# with inputs 'in_…' and outputs 'out_…', it calls `load(path without .npz)`,
# which returns a function of the inputs by name, and prints the differences of
# the function's outputs: absolute, or relative to the largest value above 1.
_COMPARE = """
import glob, json, sys
import numpy as np

def compare(load):
  differences = {}
  for directory in sys.argv[1:]:
    for path in sorted(glob.glob(directory + '/*.npz')):
      arrays = np.load(path)
      inputs = {key[3:]: arrays[key] for key in arrays if key[:3] == 'in_'}
      expected = {key[4:]: arrays[key] for key in arrays if key[:4] == 'out_'}
      received = load(path[:-4])(inputs)
      assert received.keys() == expected.keys(), (path, received.keys())
      for key, value in expected.items():
        received_value = np.asarray(received[key])
        assert received_value.shape == value.shape, (path, key)
        differences[path[:-4] + ' ' + key] = float(
            np.max(np.abs(received_value - value))
            / max(1, np.max(np.abs(value))))
  print(json.dumps(differences))
"""


def inputs_and_outputs(model, rows):
  """Returns inputs and outputs of 'encode' and 'decode', both by name.

  Args:
    model: A `GraphVAE`.
    rows: Rows of x and y, by name.
  """
  x, y = (tf.constant(rows[name]) for name in ('x', 'y'))
  of_q = {'x': x, 'y': y} if any(
      'y' in factor.parents for factor in model.graph.inference) else {'x': x}
  inputs = {'x': x, 'y': y} if model.graph.is_conditional else x
  inference = model.infer(inputs, tfd.Distribution.mean)
  moments = {}
  for name, q in inference.posteriors.items():
    prefix = f'{name}_' if len(inference.posteriors) > 1 else ''
    moments |= {prefix + 'loc': q.mean(), prefix + 'scale_diag': q.stddev()}
    if isinstance(q, tfd.MultivariateNormalTriL):
      moments[prefix + 'scale_tril'] = q.scale.to_dense()
  values = dict(inference.latents) | {'y': y}
  parents = {name: values[name]
             for name in model.graph.parents('generative', 'x')}
  mean = model.decode(inference.latents, inputs).mean()
  return {'encode': (of_q, moments), 'decode': (parents, {'mean': mean})}


def save(directory, name, inputs, outputs):
  """Writes the inputs and outputs that a program compares; see `_COMPARE`."""
  os.makedirs(directory, exist_ok=True)
  np.savez(os.path.join(directory, f'{name}.npz'),
           **{f'in_{key}': value for key, value in inputs.items()},
           **{f'out_{key}': value for key, value in outputs.items()})


def differences(program, directories, **environment):
  """Returns the differences that a program prints, in a separate process.

  Args:
    program: Code that calls `compare`.
    directories: Arguments of the program.
    **environment: Variables that must be set before TensorFlow is imported.
  """
  arguments = ['-c', _COMPARE + program, *directories]
  process = subprocess.run(
      [sys.executable, *arguments],
      env=os.environ | {'PYTHONPATH': os.pathsep.join(sys.path)} | environment,
      capture_output=True, text=True, check=False
  ) if environment else fresh_process.run(arguments)
  if process.returncode:
    raise AssertionError(process.stderr)
  return json.loads(process.stdout.splitlines()[-1])
