"""Axes of a chart as inline SVG, colored by the page's style sheet.

The page has a light and a dark mode, so elements have classes instead of
colors; `report.css` defines the colors of the classes.
"""

from collections.abc import Sequence
import dataclasses
import html

import numpy as np

from tfvae.lazy import LazyModule

ticker = LazyModule('matplotlib.ticker')

# Lines that `report.css` gives a color of their own.
_NAMED_LINES = ('training', 'validation', 'means', 'prior')


def number(value: float, digits: int = 4) -> str:
  """Returns a number as text: `−22.92`, `116,096`, `0.5069`."""
  if not np.isfinite(value):
    return 'not a number' if np.isnan(value) else '∞' if value > 0 else '−∞'
  if isinstance(value, int | np.integer) or abs(value) >= 10**digits:
    text = f'{value:,.0f}'
  else:  # −23.90, but 0.5 if the value has no more digits.
    text = min(f'{value:#.{digits}g}'.rstrip('.'), str(value), key=len)
  return text.replace('-', '−')


def tag(name: str, content: str = '', **attributes: object) -> str:
  """Returns an element; `class_` and `text_anchor` are written as in SVG."""
  pairs = ''.join(
      f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
      for key, value in attributes.items() if value not in (None, ''))
  return f'<{name}{pairs}>{content}</{name}>'


def picture(width: float, height: float, alt: str, content: str,
            css: str = '', left: float = 0) -> str:
  """Returns an `<svg>` with alternative text.

  Args:
    width: Width of the view box.
    height: Height of the view box.
    alt: Alternative text.
    content: Elements inside.
    css: Names of classes.
    left: Left edge of the view box.
  """
  box = f'{left:g} 0 {width:g} {height:g}'
  return (f'<svg viewBox="{box}" class="{css}" role="img" '
          f'aria-label="{html.escape(alt)}">{content}</svg>')


def line_class(name: str, index: int) -> str:
  """Returns the class that colors a line.

  Args:
    name: Name of the line; a few names have a color of their own.
    index: Number of the line in its chart.
  """
  return name if name in _NAMED_LINES else f'c{index % 10}'


def path(points: np.ndarray) -> str:
  """Returns the `d` of a line through points `[n, 2]`."""
  return 'M' + 'L'.join(f'{x:.1f} {y:.1f}' for x, y in points)


@dataclasses.dataclass(frozen=True)
class Axes:
  """Frame of a picture with linear scales.

  Attributes:
    x_range: Values at the left and at the right of the frame.
    y_range: Values at the bottom and at the top of the frame.
    width: Width of the picture in SVG units, about CSS pixels.
    height: Height of the picture.
    left: Left margin, for the labels.
    bottom: Bottom margin, for the labels.
    right: Right margin.
    top: Top margin.
    whole: Whether x has ticks at whole numbers only.
  """

  x_range: tuple[float, float]
  y_range: tuple[float, float]
  width: float = 360
  height: float = 240
  left: float = 46
  bottom: float = 40
  right: float = 10
  top: float = 10
  whole: bool = False

  def place(self, points: np.ndarray) -> np.ndarray:
    """Returns the picture's coordinates of points `[..., 2]`."""
    (x0, x1), (y0, y1) = self.x_range, self.y_range
    x = (points[..., 0] - x0) / (x1 - x0)
    y = (points[..., 1] - y0) / (y1 - y0)
    return np.stack([
        self.left + x * (self.width - self.left - self.right),
        self.height - self.bottom - y * (self.height - self.bottom - self.top),
    ], axis=-1)

  def frame(self, x_label: str, x_ticks: bool = True) -> str:
    """Returns grid lines, ticks and a label."""
    right, bottom = self.width - self.right, self.height - self.bottom
    parts = []
    for value in _ticks(*self.y_range):
      _, y = self.place(np.array([self.x_range[0], value]))
      parts.append(f'<path class="grid" d="M{self.left:g} {y:.1f}H{right:g}"/>')
      parts.append(tag('text', _tick_label(value), class_='tick',
                       x=self.left - 6, y=f'{y + 4:.1f}', text_anchor='end'))
    for value in _ticks(*self.x_range, self.whole) if x_ticks else ():
      x, _ = self.place(np.array([value, self.y_range[0]]))
      parts.append(tag('text', _tick_label(value), class_='tick',
                       x=f'{x:.1f}', y=bottom + 15, text_anchor='middle'))
    parts.append(tag(
        'text', html.escape(x_label), class_='label', y=self.height - 6,
        x=(self.left + right) / 2, text_anchor='middle'))
    return ''.join(parts)

  def clip(self, content: str) -> str:
    """Returns content that is clipped to the frame."""
    box = (self.left, 0, self.width - self.left, self.height - self.bottom)
    return tag('svg', content, x=box[0], y=box[1], width=box[2], height=box[3],
               viewBox=' '.join(f'{part:g}' for part in box))


def padded(values: Sequence[float], part: float = 0.06) -> tuple[float, float]:
  """Returns the range of the finite values, with a margin."""
  values = np.asarray(values, np.float64)
  values = values[np.isfinite(values)]
  if not len(values):
    return 0., 1.
  low, high = values.min(), values.max()
  margin = part * (high - low) or 0.5
  return float(low - margin), float(high + margin)


def _ticks(low, high, whole=False):
  locator = ticker.MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=whole)
  values = locator.tick_values(low, high)
  return values[(values >= low) & (values <= high)]


def _tick_label(value):
  value = 0.0 if abs(value) < 1e-12 else value
  return f'{value:,g}'.replace('-', '−')
