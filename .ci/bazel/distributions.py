"""Writes a Bazel package for each distribution that constraints.txt pins.

  python distributions.py constraints.txt

In the current directory, `tf_keras/site/` gets links to the files of tf-keras
alone, as this Python has them installed. The library `//tf_keras` puts that
directory on `sys.path`, and with it those of the distributions that tf-keras
requires. As with `pip.parse` of rules_python, the extras of a requirement are
dropped (bazel-contrib/rules_python issue 4168).
"""

import collections
import importlib.metadata
import pathlib
import re
import sys

from packaging.requirements import Requirement

_BUILD = '''py_library(
    name = "{name}",
    data = ["site"],
    imports = ["site"],
    visibility = ["//visibility:public"],
    deps = {deps},
)
'''


def _normal(name):
  """Returns the name of a distribution's package, as rules_python writes it."""
  return re.sub(r'[-_.]+', '_', name).lower()


def _installed(constraints):
  """Returns the pinned distributions that are installed, by normal name."""
  text = pathlib.Path(constraints).read_text(encoding='utf-8')
  pinned = set(map(_normal, re.findall(r'^([\w.-]+)==', text, re.MULTILINE)))
  found = {_normal(d.name): d for d in importlib.metadata.distributions()}
  return {name: found[name] for name in sorted(pinned & found.keys())}


def _deps(distribution):
  """Returns the labels of the distributions that this one requires."""
  requirements = map(Requirement, distribution.requires or ())
  return sorted({f'//{_normal(requirement.name)}'
                 for requirement in requirements if not requirement.marker
                 or requirement.marker.evaluate({'extra': ''})})


def _paths(distribution):
  """Returns each file to import below its directories, as parts of its path."""
  for file in distribution.files:
    if file.parts[0] not in ('..', '__pycache__') and file.suffix != '.pth':
      yield [file.parts[:i + 1] for i in range(len(file.parts))]


def main(constraints):
  """Writes the packages into the current directory."""
  distributions = _installed(constraints)
  owners = collections.defaultdict(set)
  for name, distribution in distributions.items():
    for path in _paths(distribution):
      for parts in path:
        owners[parts].add(name)
  for name, distribution in distributions.items():
    # What no other has a part in: `numpy/`, but `google/protobuf/`.
    for parts in {next(parts for parts in path if owners[parts] == {name})
                  for path in _paths(distribution)}:
      link = pathlib.Path(name, 'site', *parts)
      link.parent.mkdir(parents=True, exist_ok=True)
      link.symlink_to(distribution.locate_file('/'.join(parts)))
    pathlib.Path(name, 'BUILD').write_text(
        _BUILD.format(name=name, deps=_deps(distribution)), encoding='utf-8')


if __name__ == '__main__':
  main(*sys.argv[1:])
