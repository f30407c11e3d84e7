"""Description of the machine, and the peak memory of a benchmark."""

import importlib.metadata
import os
import pathlib
import platform
import resource
import sys


def setting() -> dict[str, object]:
  """Returns the machine and the versions."""
  cpu = platform.processor() or platform.machine()
  info = pathlib.Path('/proc/cpuinfo')
  if info.exists():
    names = [line for line in info.read_text().splitlines()
             if line.startswith('model name')]
    cpu = names[0].split(':')[1].strip() if names else cpu
  return {
      'machine': {'cpu': cpu, 'cores': os.cpu_count(),
                  'load_average_at_start': os.getloadavg()[0]},
      'versions': {'python': platform.python_version()} | {
          name: importlib.metadata.version(name)
          for name in ('tensorflow', 'tf_keras', 'tensorflow-probability',
                       'numpy')}}


def peak_mebibytes() -> float:
  """Returns the peak resident memory of this process so far."""
  unit = 1 if sys.platform == 'darwin' else 1024  # Bytes on macOS, or KiB.
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
