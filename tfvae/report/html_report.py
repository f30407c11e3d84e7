"""The HTML report: one page with pictures and figures of a trained model."""

from collections.abc import Callable, Mapping, Sequence
import html
import types
from typing import Any

import numpy as np

from tfvae import evaluation
from tfvae.files import replacing
from tfvae.graph import GraphicalModel
from tfvae.models import LatentVariableModel
from tfvae.report.arguments import check_by_latent
from tfvae.report.arguments import check_inputs
from tfvae.report.content import Content
from tfvae.report.page import read
from tfvae.report.page import Section
from tfvae.report.page import template
from tfvae.report.sections import data as data_sections
from tfvae.report.sections import figures as figure_sections
from tfvae.report.sections import latents as latent_sections
from tfvae.report.sections import measures as measure_sections
from tfvae.report.sections import model as model_sections
from tfvae.report.sections import pictures as picture_sections
from tfvae.report.sections import rows as row_sections

Make = Callable[[Content], Section | None]


def _by_kind(pictures: Make, rows: Make) -> Make:
  """Returns a section of pictures, and for a table one of rows."""
  return lambda content: (rows if content.walk.columns else pictures)(content)


_SECTIONS = (
    figure_sections.warnings,
    data_sections.of_report,
    model_sections.graphs,
    model_sections.learning_curves,
    model_sections.elbo,
    _by_kind(picture_sections.reconstructions, row_sections.reconstructions),
    picture_sections.inpaintings,
    _by_kind(picture_sections.samples, row_sections.samples),
    _by_kind(picture_sections.interpolations, row_sections.interpolations),
    _by_kind(picture_sections.traversals, row_sections.traversals),
    latent_sections.latent_map,
    _by_kind(picture_sections.manifold, lambda content: None),
    latent_sections.explorer,
    model_sections.kl_per_dimension,
    figure_sections.table,
)


def write_report(
    path: str,
    model: LatentVariableModel,
    inputs: Any,
    labels: Any = None,
    *,
    graph: GraphicalModel | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    metrics: Mapping[str, Any] | None = None,
    title: str = 'A variational autoencoder',
    command: str = '',
    warnings: Sequence[str] | None = None,
    kl_per_dimension: Mapping[str, np.ndarray] | None = None,
    active: Mapping[str, np.ndarray] | None = None,
    rank_histograms: Mapping[str, np.ndarray] | None = None,
    class_names: Sequence[str] = (),
    seed: int = 0,
    data: Mapping[str, Any] | None = None,
    first_batch: Sequence[np.ndarray] = (),
    batch_caption: str = '',
    known: Any = None,
    more: Mapping[str, evaluation.Section] = types.MappingProxyType({}),
):
  """Writes a page with pictures, charts and figures of a trained model.

  The page is a single file with its images, style and script, and loads nothing
  from the network. It works on phones, in dark mode, with a keyboard and with a
  screen reader. Sections without data are left out.

  Args:
    path: Path of the HTML file, which is replaced atomically.
    model: Trained model of images.
    inputs: Test images as the model takes them, `[n, h, w, c]`, or a dictionary
      of images 'x' and one-hot labels 'y'. The map and estimates use the first
      2,000.
    labels: Labels that color the map: integers `[n]`, −1 for an unlabeled
      image, whole floats, booleans, strings, or one-hot rows `[n, classes]`.
    graph: Factorization; that of the model by default.
    history: Row for each epoch with the keys 'epoch', 'elbo', 'reconstruction'
      and 'kl', and the last three also with the prefix 'val_', as in
      `history.csv`.
    metrics: Nested figures as in `metrics.json`, or from `evaluation.evaluate`.
      They provide the parts of the ELBO, the KL of each dimension, the active
      units and the sections of measures; missing figures are estimated from
      `inputs`, and the page says so.
    title: Title of the page.
    command: Command that repeats the run.
    warnings: Sentences for the top of the page, for example that the posterior
      has collapsed; by default those of the measures in the metrics.
    kl_per_dimension: KL of each dimension in nats by latent, `[size]`, in place
      of that of the metrics.
    active: Whether each dimension is active by latent, `[size]`; by default
      whether its posterior mean has a variance above 0.01.
    rank_histograms: Counts of the ranks of simulation-based calibration by
      latent, `[size, bins]`, in place of those of the metrics.
    class_names: Names of the labels 0, 1, …
    seed: Seed of the draws.
    data: Description of the data, `tfvae.data.describe(data).to_dict()`, for
      the first section.
    first_batch: Forms of x of the first training batch, `[n, ...]` each.
    batch_caption: Sentence about that batch.
    known: Inputs with the values that a run hides at random from the model, of
      which the pictures of inpainting hide others; by default the inputs.
    more: Descriptions of further sections, by their identifiers.

  Raises:
    ValueError: If inputs or labels are not as described, or an array does not
      have the size of its latent.
  """
  check_inputs(model, inputs)
  content = Content(
      model, inputs, labels, graph, history, metrics or {}, title, command,
      warnings, kl_per_dimension or {}, active or {}, rank_histograms or {},
      class_names, seed, data, first_batch, batch_caption, known)
  sizes = {name: z.shape[1] for name, z in content.walk.means.items()}
  check_by_latent('kl_per_dimension', content.kl_per_dimension, sizes)
  check_by_latent('active', content.active, sizes)
  check_by_latent('rank_histograms', content.rank_histograms, sizes, rank=2)
  made = [section for make in _SECTIONS if (section := make(content))]
  repeat = figure_sections.repeat(content)
  made += measure_sections.sections(
      content, [*(section.id for section in made), 'repeat'])
  made += [measure_sections.rendered(name, part) for name, part in more.items()]
  made += [repeat] if repeat else []
  page = template(
      'report.html', title=html.escape(title), style=read('report.css'),
      header=model_sections.header(content), script=read('report.js'),
      nav=''.join(f'<li><a href="#{section.id}">{section.short}</a></li>'
                  for section in made if section.short),
      main='\n'.join(section.html for section in made),
      data=latent_sections.explorer_data(content))
  with (replacing(path) as temporary,
        open(temporary, 'w', encoding='utf-8') as file):
    file.write(page)
