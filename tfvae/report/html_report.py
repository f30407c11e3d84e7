"""The report: one page that shows what a model learned, for people."""

from collections.abc import Mapping, Sequence
import html
import os
from typing import Any

import numpy as np

from tfvae.graph import GraphicalModel
from tfvae.models import LatentVariableModel
from tfvae.report import figure_sections
from tfvae.report import latent_sections
from tfvae.report import model_sections
from tfvae.report import picture_sections
from tfvae.report.content import Content
from tfvae.report.page import read
from tfvae.report.page import template

_SECTIONS = (
    figure_sections.warnings,
    model_sections.graphs,
    model_sections.learning_curves,
    model_sections.elbo,
    picture_sections.reconstructions,
    picture_sections.samples,
    picture_sections.interpolations,
    picture_sections.traversals,
    latent_sections.latent_map,
    picture_sections.manifold,
    latent_sections.explorer,
    model_sections.kl_per_dimension,
    figure_sections.table,
    figure_sections.calibration,
    figure_sections.repeat,
)


def write_report(
    path: str,
    model: LatentVariableModel,
    inputs: Any,
    labels: np.ndarray | None = None,
    *,
    graph: GraphicalModel | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    metrics: Mapping[str, Any] | None = None,
    title: str = 'A variational autoencoder',
    command: str = '',
    warnings: Sequence[str] = (),
    kl_per_dimension: Mapping[str, np.ndarray] | None = None,
    active: Mapping[str, np.ndarray] | None = None,
    rank_histograms: Mapping[str, np.ndarray] | None = None,
    class_names: Sequence[str] = (),
    seed: int = 0,
):
  """Writes a page of pictures, charts and figures of a trained model.

  The page is one file that asks nothing of the network: images, style and
  script are inside. It suits a phone, a dark room, a keyboard and a screen
  reader. Sections that nothing is given for are left out.

  Args:
    path: of the HTML file, which is replaced whole.
    model: a trained model of images.
    inputs: test images as the model takes them, `[n, h, w, c]`, or a dictionary
      of them as 'x' and one-hot labels as 'y'. A few are shown; of the first
      2,000 come the map and the ELBO's parts.
    labels: integers `[n]`, to colour the map by.
    graph: the factorisation; the model's own by default.
    history: a row an epoch with the keys 'epoch', 'elbo', 'val_elbo' and
      likewise 'reconstruction' and 'kl', as `history.csv` has.
    metrics: nested figures, as `metrics.json` has.
    title: of the page.
    command: repeats the run.
    warnings: sentences for the top of the page, such as that the posterior has
      collapsed.
    kl_per_dimension: by latent, nats `[size]`; by default those in closed form.
    active: by latent, whether each dimension is active, `[size]`; by default
      those whose posterior mean has a variance above 0.01.
    rank_histograms: by latent, counts `[size, bins]` of the ranks of
      simulation-based calibration.
    class_names: of the labels 0, 1, …
    seed: of the draws.

  Raises:
    ValueError: if the data are no images.
  """
  content = Content(
      model, inputs, labels, graph, history, metrics or {}, title, command,
      warnings, kl_per_dimension or {}, active or {}, rank_histograms or {},
      class_names, seed)
  made = [section for make in _SECTIONS if (section := make(content))]
  page = template(
      'report.html', title=html.escape(title), style=read('report.css'),
      header=model_sections.header(content), script=read('report.js'),
      nav=''.join(f'<li><a href="#{section.id}">{section.short}</a></li>'
                  for section in made if section.short),
      main='\n'.join(section.html for section in made),
      data=latent_sections.explorer_data(content))
  temporary = f'{path}.tmp'
  with open(temporary, 'w', encoding='utf-8') as file:
    file.write(page)
  os.replace(temporary, path)
