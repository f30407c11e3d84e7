"""Grids of images and of their reconstructions, as PNG files."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfvae.files import replacing
from tfvae.inference import observed
from tfvae.lazy import LazyModule
from tfvae.models import LatentVariableModel
from tfvae.report.drawing.display import Display

backend_agg = LazyModule('matplotlib.backends.backend_agg')
figures = LazyModule('matplotlib.figure')


def image_grid(images: np.ndarray, columns: int) -> np.ndarray:
  """Tiles images row by row, with one white pixel between them.

  Args:
    images: Images `[n, h, w, c]`; values outside [0, 1] are clipped.
    columns: Number of images in a row.

  Returns:
    An array `[rows * (h + 1) − 1, columns * (w + 1) − 1, c]`; empty places are
    white.
  """
  images = np.clip(images, 0, 1)
  n, height, width, channels = images.shape
  rows = -(-n // columns)
  grid = np.ones((rows * (height + 1), columns * (width + 1), channels))
  for index, image in enumerate(images):
    top = index // columns * (height + 1)
    left = index % columns * (width + 1)
    grid[top:top + height, left:left + width] = image
  return grid[:-1, :-1]


def reconstruction_grid(model: LatentVariableModel, inputs: Any) -> np.ndarray:
  """Tiles rows of originals, each above the row of its reconstructions.

  Args:
    model: Model; reconstructions are E[x|z] at the posterior mean of z.
    inputs: Examples x, `[n, ...]`, or a dictionary of 'x' and 'y'; a row has
      ten of them.

  Returns:
    An array as from `image_grid`.
  """
  x = np.asarray(observed(inputs)['x'])
  display = Display(x)
  columns = min(10, len(x))
  means = model(inputs, training=False).mean().numpy()
  shown = [display(part) for part in (x, means)]
  shape = shown[0].shape[1:]
  # White images complete the last row.
  fill = np.ones((-len(x) % columns, *shape))
  pairs = [np.concatenate([part, fill]).reshape(-1, columns, *shape)
           for part in shown]
  # [rows, originals or reconstructions, columns, h, w, c]
  return image_grid(np.stack(pairs, axis=1).reshape(-1, *shape), columns)


def save_panels(path: str, panels: Sequence[tuple[str, np.ndarray]]):
  """Writes grids side by side, each with its title, as a PNG.

  Args:
    path: Path of the file, which is replaced atomically.
    panels: Pairs of a title and an array `[h, w, c]` in [0, 1] with 1 or 3
      channels; of any other number of channels, only the first is shown.
  """
  figure = figures.Figure(
      figsize=(4.6 * len(panels), 4.8), layout='constrained')
  backend_agg.FigureCanvasAgg(figure)
  for axes, (title, grid) in zip(
      np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
    axes.set_title(title)
    axes.axis('off')
    axes.imshow(grid if grid.shape[-1] == 3 else grid[..., 0], cmap='gray',
                vmin=0, vmax=1, interpolation='nearest')
  save_figure(path, figure)


def save_figure(path: str, figure: 'figures.Figure'):
  """Writes a figure as a PNG file, which is replaced atomically."""
  with replacing(path) as temporary:
    figure.savefig(temporary, format='png', dpi=150, bbox_inches='tight')
