"""Runs of the recipes in docs/extending.md, each in a process of its own."""

import json
import os
import pathlib
import re
import textwrap

from tests import fresh_process

_PAGE = pathlib.Path(__file__).parents[2] / 'docs' / 'extending.md'
_SETTINGS = dict(
    epochs=1, hidden_units=(8,), jit='false', eval_importance_samples=2,
    eval_importance_examples=20,
    evaluations=('importance_weighted', 'latent_space'))
_PROGRAM = """
import json
import runpy
import numpy as np
import tensorflow as tf

recipe = runpy.run_path({path!r})
metrics = recipe['main']({workdir!r}, data_dir={workdir!r}, **{settings!r})
facts = {{}}
{check}
print('facts', json.dumps({{'metrics': metrics, **facts}}))
"""


def write(name, directory):
  """Writes the code of a recipe to a file, and returns its path.

  Args:
    name: Name of the recipe in the comment above its code.
    directory: Directory of the file, outside the package.
  """
  code, = re.findall(
      rf'<!-- recipe: {name} -->\n```python\n(.*?)^```$',
      _PAGE.read_text(encoding='utf-8'), re.MULTILINE | re.DOTALL)
  path = os.path.join(directory, f'{name}.py')
  pathlib.Path(path).write_text(code, encoding='utf-8')
  return path


def run(name, workdir, check='', **settings):
  """Runs the `main` of a recipe, and then a check.

  Args:
    name: Name of the recipe.
    workdir: Directory of the run and of the data.
    check: Program that adds to a dictionary `facts` of plain data.
    **settings: Settings of the run.

  Returns:
    The facts, and the metrics of the run as 'metrics'.
  """
  done = fresh_process.run(['-c', _PROGRAM.format(
      path=write(name, workdir), workdir=workdir,
      settings=_SETTINGS | settings, check=textwrap.dedent(check))])
  if done.returncode:
    raise AssertionError(done.stderr)
  line, = [line for line in done.stdout.splitlines()
           if line.startswith('facts ')]
  return json.loads(line.removeprefix('facts '))
