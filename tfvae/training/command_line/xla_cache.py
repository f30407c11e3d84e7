"""Keeps what XLA compiles for later processes."""

import hashlib
import os
import pathlib
import platform

import tensorflow as tf

from tfvae.files import replacing

XLA_CACHE_HELP = (
    'directory in which XLA keeps what it compiles, so that the next run of '
    'the same model, or a resumed one, starts some seconds earlier. It has a '
    'part for each version of TensorFlow and kind of CPU, grows by megabytes '
    'for each model, and can be removed at any time')


def use_xla_cache(directory: str):
  """Makes XLA keep what it compiles, from the first compilation on.

  Args:
    directory: Path of the cache.

  Raises:
    ValueError: If no file can be written there, or the path has a space.
  """
  # An executable of another version or for another CPU may not run.
  path = os.path.join(os.path.abspath(os.path.expanduser(directory)),
                      f'{tf.__version__}-{_cpu_digest()}')
  received = f'Received: xla_cache_dir={directory}'
  if path.split() != [path]:
    raise ValueError('`xla_cache_dir` must have no space, which would end it '
                     f'in TF_XLA_FLAGS. {received}')
  try:
    os.makedirs(path, exist_ok=True)
    with replacing(os.path.join(path, 'writable')) as temporary:
      pathlib.Path(temporary).touch()
  except OSError as error:
    raise ValueError('`xla_cache_dir` must be a directory that can be written; '
                     f'choose another one. {received} ({error.strerror})'
                     ) from error
  os.environ['TF_XLA_FLAGS'] = ' '.join(filter(None, (
      os.environ.get('TF_XLA_FLAGS'),
      f'--tf_xla_persistent_cache_directory={path}')))


def _cpu_digest() -> str:
  """Returns a digest of the instructions of the CPU."""
  text = f'{platform.machine()} {platform.processor()}'
  try:
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    text += next((line for line in lines if line.startswith('flags')), '')
  except OSError:  # Not Linux.
    pass
  return hashlib.sha256(text.encode()).hexdigest()[:12]
