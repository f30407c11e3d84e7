"""An HTML page of sections that are described by plain data."""

from collections.abc import Mapping
import html
import os

from tfvae.evaluation.measure import Section
from tfvae.files import replacing
from tfvae.report.page import read
from tfvae.report.page import template
from tfvae.report.sections.measures import rendered


def write_page(path: str | os.PathLike[str], title: str,
               sections: Mapping[str, Section]):
  """Writes a page that is a single file, as the report is.

  Args:
    path: Path of the HTML file, which is replaced atomically.
    title: Title of the page.
    sections: Descriptions of the sections, by their identifiers.
  """
  made = [rendered(name, part) for name, part in sections.items()]
  page = template(
      'report.html', title=html.escape(title), style=read('report.css'),
      header='', script='', data='null', nav=''.join(
          f'<li><a href="#{part.id}">{part.short}</a></li>' for part in made),
      main='\n'.join(part.html for part in made))
  with (replacing(os.fspath(path)) as temporary,
        open(temporary, 'w', encoding='utf-8') as file):
    file.write(page)
