"""Flagfiles, and their data, that come with tfvae."""

from collections.abc import Sequence
import os
import pathlib

from absl import flags


def with_packaged_flagfiles(argv: Sequence[str]) -> list[str]:
  """Returns `argv` with the paths of the flagfiles that come with tfvae."""
  found = list(argv)
  for i, argument in enumerate(argv):
    name, equals, path = argument.partition('=')
    if argument == '--':  # No flags after this.
      break
    if name in ('--flagfile', '-flagfile'):
      if equals:
        found[i] = f'{name}={_flagfile(path)}'
      elif argv[i + 1:]:
        found[i + 1] = _flagfile(argv[i + 1])
  return found


def packaged_flagfiles() -> dict[str, str]:
  """Returns the path of each flagfile that comes with tfvae, by name."""
  return {path.name: str(path) for path in sorted(_configs().glob('*.flags'))}


def packaged_data(path: str) -> str:
  """Returns a path, or that of data in `configs/` that come with tfvae.

  Args:
    path: Path such as 'configs/penguins.csv', as a packaged flagfile has it.
  """
  directory, name = os.path.split(path)
  packaged = _configs() / name
  if directory == 'configs' and not os.path.exists(path) and packaged.is_file():
    return str(packaged)
  return path


def _configs() -> pathlib.Path:
  package = pathlib.Path(__file__).parents[2]
  directory = package / 'configs'
  # In a clone it is next to the package.
  return directory if directory.exists() else package.parent / 'configs'


def _flagfile(path: str) -> str:
  """Returns a path, or that of the packaged flagfile which it names."""
  directory, name = os.path.split(path)
  packaged = packaged_flagfiles()
  if not path or os.path.exists(os.path.expanduser(path)):
    return path
  if directory in ('', 'configs') and name in packaged:
    return packaged[name]
  raise flags.Error(f'there is no flagfile {path}; those that come with tfvae '
                    f'are {", ".join(packaged)}')
