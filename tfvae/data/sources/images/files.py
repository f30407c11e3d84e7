"""Image files of a folder: parts, classes and files that are left out."""

from collections.abc import Iterator
import dataclasses
import itertools
import os

# Extensions of the formats that are read, in lower case.
EXTENSIONS = ('.bmp', '.gif', '.jfif', '.jpeg', '.jpg', '.png', '.tif',
              '.tiff', '.webp')
# Names of folders that are parts of the data set, by the name of the part.
_PARTS = {
    'train': ('train', 'training'),
    'validation': ('validation', 'valid', 'val', 'dev'),
    'test': ('test', 'testing'),
}
_NO_PARTS = {'train': ('',)}


@dataclasses.dataclass(frozen=True)
class FoundFiles:
  """Image files below a folder.

  Attributes:
    paths: Paths of the images relative to the folder, with '/', in the order of
      the rows: sorted within each part.
    parts: Number of images of each part, by name, in the order of the rows.
    class_names: Names of the classes in alphabetical order; None without
      classes.
    labels: Class of each image, or None.
  """

  paths: tuple[str, ...]
  parts: dict[str, int]
  class_names: tuple[str, ...] | None
  labels: tuple[int, ...] | None


def find_files(folder: str) -> FoundFiles:
  """Finds the image files of a folder.

  A folder has images, or one subfolder for each class, or subfolders 'train',
  'validation' and 'test' (also 'val' and 'valid') of either. Images in deeper
  folders belong to the part or class that they are in. Hidden files, folders
  whose name begins with '.' or '__', and files of other types are ignored.

  Args:
    folder: Path of the folder.

  Raises:
    ValueError: If there are no images, the classes of the parts differ, or an
      image lies outside the parts.
  """
  num_ignored: dict[str, int] = {}
  roots = _part_folders(folder)
  if roots != _NO_PARTS:
    _check_outside(folder, roots)
  found = {part: sorted(_images(folder, names, num_ignored))
           for part, names in roots.items()}
  found = {part: paths for part, paths in found.items() if paths}
  if not found:
    raise ValueError(_no_images(folder, num_ignored))
  depth = 0 if roots == _NO_PARTS else 1
  names = _class_names(found.get('train') or next(iter(found.values())), depth)
  if names:
    for part, part_paths in found.items():
      _check_classes(folder, part, part_paths, depth, names)
  paths = tuple(path for part in found.values() for path in part)
  index = {name: i for i, name in enumerate(names or ())}
  return FoundFiles(
      paths, {part: len(part_paths) for part, part_paths in found.items()},
      names, tuple(index[path.split('/')[depth]] for path in paths)
      if names else None)


def _part_folders(folder: str) -> dict[str, tuple[str, ...]]:
  """Returns the subfolders of each part; without parts, all is 'train'."""
  with os.scandir(folder) as entries:
    present = {entry.name for entry in entries if entry.is_dir()}
  found = {part: tuple(name for name in names if name in present)
           for part, names in _PARTS.items()}
  found = {part: names for part, names in found.items() if names}
  # Without training images, 'test' and 'val' are classes of that name.
  return found if 'train' in found else _NO_PARTS


def _images(folder: str, roots: tuple[str, ...],
            num_ignored: dict[str, int]) -> Iterator[str]:
  """Yields the image files below subfolders, and counts the other files."""
  visited = set()  # Links may lead in a circle.
  for root in roots:
    for directory, subfolders, names in os.walk(
        os.path.join(folder, root), followlinks=True):
      subfolders[:] = [name for name in subfolders
                       if not _is_hidden(name)]
      if os.path.realpath(directory) in visited:
        subfolders[:] = []
        continue
      visited.add(os.path.realpath(directory))
      for name in names:
        if not _is_image(name):
          kind = os.path.splitext(name)[1].lower() or name
          num_ignored[kind] = num_ignored.get(kind, 0) + 1
          continue
        path = os.path.relpath(os.path.join(directory, name), folder)
        yield path.replace(os.sep, '/')


def _class_names(paths: list[str], depth: int) -> tuple[str, ...] | None:
  """Returns the names of the classes, which are subfolders with images.

  There are classes if no image lies outside them and there are at least two.
  """
  if any(path.count('/') <= depth for path in paths):
    return None
  names = tuple(sorted({path.split('/')[depth] for path in paths}))
  return names if len(names) > 1 else None


def _check_classes(folder: str, part: str, paths: list[str], depth: int,
                   names: tuple[str, ...]) -> None:
  """Raises a ValueError if a part has images outside the classes."""
  for path in paths:
    *_, name = path.split('/')[:depth + 1]
    if path.count('/') <= depth or name not in names:
      raise ValueError(
          f"The part '{part}' needs the classes of the training part, one "
          f'subfolder each: {_listed(names)}. Move the image, or add training '
          f'images of its class. Received: {path!r} in {folder!r}')


def _check_outside(folder: str, roots: dict[str, tuple[str, ...]]) -> None:
  """Raises a ValueError if an image is in none of the parts."""
  parts = {name for names in roots.values() for name in names}
  with os.scandir(folder) as entries:
    others = [entry for entry in entries if entry.name not in parts]
  found = [entry.name for entry in others
           if not entry.is_dir() and _is_image(entry.name)]
  found += list(itertools.islice(_images(folder, tuple(
      entry.name for entry in others
      if entry.is_dir() and not _is_hidden(entry.name)), {}), 1))
  if found:
    raise ValueError(
        f'The folder has the parts {", ".join(sorted(parts))}, and images '
        'outside of them. Move these images into a part, or rename the parts '
        f'if they are classes. Received: {found[0]!r} in {folder!r}')


def _is_image(name: str) -> bool:
  return not name.startswith('.') and (
      os.path.splitext(name)[1].lower() in EXTENSIONS)


def _is_hidden(name: str) -> bool:
  return name.startswith(('.', '__'))


def _listed(names: tuple[str, ...]) -> str:
  return ', '.join(names[:5]) + (', …' if len(names) > 5 else '')


def _no_images(folder: str, num_ignored: dict[str, int]) -> str:
  others = ', '.join(f'{count:,} {kind}' for kind, count in sorted(
      num_ignored.items(), key=lambda item: -item[1])[:5])
  return (f'The folder has no images of a type that is read: '
          f'{", ".join(EXTENSIONS)}. It has '
          f'{"other files: " + others if others else "no files"}. '
          f'Received: name={folder!r}')
