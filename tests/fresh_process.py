"""Python programs in fresh processes, without six seconds of imports each.

They are forked from a process that has imported TensorFlow and what builds on
it, but has started none of it, and has nothing of ours.
"""

import atexit
from collections.abc import Mapping, Sequence
import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile

_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload([
    'tensorflow', 'tensorflow_datasets', 'tensorflow_probability', 'tf_keras'])


def start(arguments: Sequence[str], output: str, errors: str | None = None,
          **environment: str) -> multiprocessing.Process:
  """Starts a program.

  Args:
    arguments: of Python: a file, '-m' and a module, or '-c' and a text, and the
      program's own.
    output: file to which its standard output is added.
    errors: that of its standard error; None is the same.
    **environment: variables beside ours.

  Returns:
    The process: `kill` and `join` it.
  """
  errors = errors or output
  for path in (output, errors):
    pathlib.Path(path).touch()  # Whoever reads them need not wait.
  process = _CONTEXT.Process(target=_run, args=(
      list(map(str, arguments)), output, errors, os.environ | environment,
      os.getcwd()))
  process.start()
  return process


def run(arguments: Sequence[str], timeout: float = 300,
        **environment: str) -> subprocess.CompletedProcess:
  """Runs a program to its end; see `start`."""
  with tempfile.TemporaryDirectory() as directory:
    paths = [os.path.join(directory, name) for name in ('output', 'errors')]
    process = start(arguments, *paths, **environment)
    process.join(timeout)
    if process.exitcode is None:
      process.kill()
      process.join()
      raise subprocess.TimeoutExpired(arguments, timeout)
    return subprocess.CompletedProcess(
        arguments, process.exitcode,
        *(pathlib.Path(path).read_text(encoding='utf-8') for path in paths))


def _run(arguments: list[str], output: str, errors: str,
         environment: Mapping[str, str], directory: str):
  """Does what Python does with these arguments."""
  os.environ.clear()
  os.environ.update(environment)
  os.chdir(directory)
  for descriptor, path in ((1, output), (2, errors)):
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, descriptor)
    os.close(file)
  sys.orig_argv = [sys.executable, *arguments]
  kind, *rest = arguments
  sys.argv = arguments if kind[0] != '-' else [kind, *rest[1:]]
  try:
    if kind == '-c':
      exec(compile(rest[0], '<string>', 'exec'), {'__name__': '__main__'})
    elif kind == '-m':
      runpy.run_module(rest[0], run_name='__main__', alter_sys=True)
    else:
      sys.path.insert(0, os.path.dirname(kind))
      runpy.run_path(kind, run_name='__main__')
  finally:
    atexit._run_exitfuncs()  # Which multiprocessing leaves out.
