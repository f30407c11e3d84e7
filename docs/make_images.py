"""Program that makes the pictures of README.md and the guides.

  python train_main.py --flagfile=configs/mnist.flags
  python train_main.py --workdir=runs/mnist --mode=evaluate \
      --evaluations=calibration
  python docs/make_images.py --workdir=runs/mnist

`tfvae.report.draw_graph` draws the graphs, the overview is a file of the run,
and headless Chromium takes the pictures of its report, which needs `selenium`,
`chromium` and `chromedriver`. Without --workdir the program makes only the
graphs.
"""

import argparse
import base64
import os
import pathlib
import shutil

from matplotlib import patches
from matplotlib import pyplot

from tfvae import report
from tfvae.graph import GraphicalModel
from tfvae.graph import PRESETS

IMAGES = pathlib.Path(__file__).parent / 'images'

GRAPHS = {f'graph_{name}.png': strings for name, strings in PRESETS.items()} | {
    'graph_readme.png': {
        'latents': 'z1:16,z2:8', 'inference': 'z1|x; z2|z1',
        'generative': 'z2; z1|z2; x|z1'},
    'graph_missing_label.png': {
        'latents': 'z:50', 'inference': 'y|x; z|x,y',
        'generative': 'z; y; x|z,y'},
    'graph_skip.png': {
        'latents': 'z1:32,z2:16,z3:8', 'inference': 'z3|x; z2|z3,x; z1|z2,x',
        'generative': 'z3; z2|z3; z1|z2; x|z1,z3'}}

OVERVIEW = 'mnist.png'

# From the top to the bottom; `data` is drawn next to them. A room imports rooms
# of lower lines only: tests/architecture_test.py compares the imports.
ROOMS = (
    ('__main__', 'pipelines'), ('training',), ('report', 'prediction'),
    ('serving',), ('anomaly',), ('evaluation',), ('models',), ('objectives',),
    ('inference',),
    ('priors', 'regularizers', 'losses'), ('layers',), ('graph', 'schedules'),
    ('settings', 'tables'),
    ('registry', 'files', 'lock', 'streaming', 'lazy', 'autograph'))
_COLUMN = 74  # Percent of the width.

# CSS selector of the part of the report that each file shows.
PARTS = {
    'report_map.png': '#map .card',
    'report_explorer.png': '#explorer .card',
    'report_traversals.png': '#traversals .card',
    'report_dimensions.png': '#dimensions figure',
    'report_calibration.png': '#calibration .card',
}

# Returns the position of a part on the page, or null.
_BOX = """
const part = document.querySelector(arguments[0]);
if (!part) return null;
const {x, y, width, height} = part.getBoundingClientRect();
return {x: x + scrollX, y: y + scrollY, width, height};
"""

_WIDTH, _SCALE = 1100, 1.5  # Width of the window in CSS pixels; pixel ratio.


def make_graphs(directory: str | os.PathLike[str]):
  """Draws the graphical models of docs/models.md."""
  for name, strings in GRAPHS.items():
    report.save_figure(
        os.path.join(directory, name),
        report.draw_graph(GraphicalModel.parse(**strings)))


def make_architecture(directory: str | os.PathLike[str]):
  """Draws the rooms of docs/architecture.md, each above those it imports."""
  axes = pyplot.figure(figsize=(7.4, 5.8)).add_axes((0, 0, 1, 1))
  axes.set(xlim=(0, 100), ylim=(-len(ROOMS), 0))
  axes.axis('off')
  for line, rooms in enumerate(ROOMS):
    is_wide = line < 2 or line > len(ROOMS) - 3  # Above or below `data`.
    width = (99 if is_wide else _COLUMN) / len(rooms)
    for i, room in enumerate(rooms):
      _draw_room(axes, room, i * width + 2, -line - 0.86, width - 3, 0.72)
    if line:
      _draw_arrow(axes, _COLUMN / 2, -line)
  # Between the room above it and the foundation.
  _draw_room(axes, 'data', _COLUMN + 2, 2 - len(ROOMS) + 0.14,
             96 - _COLUMN, len(ROOMS) - 4.28)
  for line in (2, len(ROOMS) - 2):
    _draw_arrow(axes, _COLUMN + 13, -line)
  figure = axes.figure
  figure.savefig(os.path.join(directory, 'architecture.png'), dpi=130)
  pyplot.close(figure)


def _draw_arrow(axes, x, y):
  axes.annotate('', (x, y - 0.16), (x, y + 0.15),
                arrowprops={'arrowstyle': '-|>', 'color': '#667085'})


def _draw_room(axes, room, x, y, width, height):
  axes.add_patch(patches.FancyBboxPatch(
      (x, y), width, height, boxstyle='round,pad=0,rounding_size=0.7',
      mutation_aspect=0.12, facecolor='#eef4f8', edgecolor='#1f6f9f'))
  axes.text(x + width / 2, y + height / 2, room, ha='center', va='center',
            fontsize=10, family='monospace')


def make_overview(workdir: str, directory: str | os.PathLike[str]):
  """Copies the picture of reconstructions and samples of a run."""
  shutil.copyfile(os.path.join(workdir, 'report', 'overview.png'),
                  os.path.join(directory, OVERVIEW))


def make_parts(workdir: str, directory: str | os.PathLike[str]):
  """Takes pictures of parts of the report of a run.

  Raises:
    ValueError: If the report lacks a part because the evaluation that fills it
      was not run.
  """
  page = pathlib.Path(workdir, 'report', 'index.html').resolve()
  browser = _browser()
  try:
    browser.get(page.as_uri())
    for name, selector in PARTS.items():
      box = browser.execute_script(_BOX, selector)
      if not box:
        raise ValueError(
            f'The report has no {selector}; run the evaluation that fills it '
            f'with --mode=evaluate. Received: workdir={workdir}')
      # Screenshots of WebDriver scroll, and time out with smooth scrolling.
      shot = browser.execute_cdp_cmd('Page.captureScreenshot', {
          'clip': box | {'scale': 1}, 'captureBeyondViewport': True})
      pathlib.Path(directory, name).write_bytes(base64.b64decode(shot['data']))
  finally:
    browser.quit()


def _browser():
  """Returns headless Chromium."""
  from selenium import webdriver  # Not needed for graphs.

  options = webdriver.ChromeOptions()
  for argument in ('--headless=new', '--no-sandbox', '--disable-gpu',
                   '--disable-dev-shm-usage', '--hide-scrollbars',
                   f'--window-size={_WIDTH},900',
                   f'--force-device-scale-factor={_SCALE}'):
    options.add_argument(argument)
  driver = shutil.which('chromedriver')
  return webdriver.Chrome(options, webdriver.ChromeService(driver))


def main():
  """Makes the pictures that the command line selects."""
  parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
  parser.add_argument(
      '--workdir', help='workdir of a run of configs/mnist.flags')
  workdir = parser.parse_args().workdir
  make_graphs(IMAGES)
  make_architecture(IMAGES)
  if workdir:
    make_overview(workdir, IMAGES)
    make_parts(workdir, IMAGES)


if __name__ == '__main__':
  main()
