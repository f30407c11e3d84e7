"""The HTML page that describes data before a model is trained on them."""

from collections.abc import Mapping, Sequence
import html
from typing import Any

import numpy as np

from tfvae.files import replacing
from tfvae.report.page import read
from tfvae.report.page import section
from tfvae.report.page import template
from tfvae.report.sections import data as data_sections


def write_data_page(path: str, facts: Mapping[str, Any],
                    examples: Sequence[np.ndarray] = (), caption: str = ''):
  """Writes a page with the splits, values and first examples of data.

  Args:
    path: Path of the HTML file, which is replaced atomically.
    facts: Description of the data, `tfvae.data.describe(data).to_dict()`.
    examples: Forms of x of the first training batch, `[n, ...]` each, such as
      gray levels and the bits drawn from them.
    caption: Sentence about the examples.
  """
  made = [section(part.name, part.short, part.title, part.lead, part.body,
                  css='data')
          for part in data_sections.parts(facts, examples, caption)]
  page = template(
      'report.html', title=html.escape(facts['name']),
      style=read('report.css'), header=_header(facts), script='',
      nav=''.join(f'<li><a href="#{part.id}">{part.short}</a></li>'
                  for part in made),
      main='\n'.join(part.html for part in made), data='null')
  with (replacing(path) as temporary,
        open(temporary, 'w', encoding='utf-8') as file):
    file.write(page)


def _header(facts: Mapping[str, Any]) -> str:
  tiles = [(name, f'{split["examples"]:,}', 'examples')
           for name, split in facts['splits'].items()]
  if facts['classes']:
    tiles.append(('classes', f'{len(facts["classes"]):,}', 'in the labels'))
  tiles.append(('x', '×'.join(map(str, facts['shape'])), facts['dtype']))
  return (f'<p class="model">{data_sections.lead(facts)}</p>'
          '<dl class="headline">' + ''.join(
              f'<div><dt>{html.escape(name)}</dt><dd>{value}'
              f'<small>{note}</small></dd></div>'
              for name, value, note in tiles) + '</dl>')
