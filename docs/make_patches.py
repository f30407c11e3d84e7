"""Cuts the two pictures that come with scikit-learn into a folder of images.

python docs/make_patches.py
python train_main.py --flagfile=configs/patches.flags

It writes 2,080 patches of 16x16 pixels that do not overlap, as PNG files in a
subfolder for each picture: china and flower.
"""

import argparse
import pathlib

from PIL import Image
from sklearn import datasets

_SIZE = 16


def write_patches(directory: str, size: int = _SIZE):
  """Writes the patches of each picture to a subfolder with its name.

  Args:
    directory: Directory of the subfolders.
    size: Height and width of a patch, in pixels.
  """
  pictures = datasets.load_sample_images()
  for name, pixels in zip(pictures.filenames, pictures.images, strict=True):
    folder = pathlib.Path(directory, pathlib.Path(name).stem)
    folder.mkdir(parents=True, exist_ok=True)
    height, width, _ = pixels.shape
    for top in range(0, height - size + 1, size):
      for left in range(0, width - size + 1, size):
        Image.fromarray(pixels[top:top + size, left:left + size]).save(
            folder / f'{top:03}_{left:03}.png')


def main():
  """Writes the patches to the directory of the command line."""
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('directory', nargs='?', default='runs/patches_of_two')
  write_patches(parser.parse_args().directory)


if __name__ == '__main__':
  main()
