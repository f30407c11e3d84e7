"""Python programs in fresh processes, without six seconds of imports each.

They are forked from a process that has imported TensorFlow and the libraries
that build on it, has initialized none of them, and has not imported tfvae.
"""

import atexit
from collections.abc import Mapping, Sequence
import gc
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
    arguments: Arguments of Python: a file, '-m' and a module, or '-c' and code,
      then the arguments of the program.
    output: File that standard output is appended to.
    errors: File that standard error is appended to; by default `output`.
    **environment: Additional environment variables.

  Returns:
    The process. The caller must `kill` and `join` it.
  """
  errors = errors or output
  for path in (output, errors):
    pathlib.Path(path).touch()  # So that readers need not wait.
  process = _CONTEXT.Process(target=_run, args=(
      list(map(str, arguments)), output, errors, os.environ | environment,
      os.getcwd()))
  process.start()
  return process


def run(arguments: Sequence[str], timeout: float = 300,
        **environment: str) -> subprocess.CompletedProcess:
  """Runs a program to its end, with the arguments of `start`."""
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
  """Runs a program as `python` would with these arguments."""
  os.environ.clear()
  os.environ.update(environment)
  os.chdir(directory)
  for descriptor, path in ((1, output), (2, errors)):
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, descriptor)
    os.close(file)
  gc.freeze()  # What is imported stays; see conftest.py.
  gc.set_threshold(50_000, 20, 20)
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
    atexit._run_exitfuncs()  # multiprocessing skips these.
