"""Configuration of the documentation site; CONTRIBUTING.md has the command."""

import os
import pathlib
import sys

_DOCS = pathlib.Path(__file__).parent
sys.path[:0] = [str(_DOCS / '_extensions'), str(_DOCS.parent)]
# The kernels of the notebooks get these: this tfvae, TFDS's data where the site
# is built, and none of TensorFlow's start-up messages.
os.environ['PYTHONPATH'] = os.pathsep.join(
    [str(_DOCS.parent), os.environ.get('PYTHONPATH', '')])
os.environ['TFDS_DATA_DIR'] = str(_DOCS / '_build' / 'tfds')
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'

import tfvae  # noqa: E402

project = 'tfvae'
copyright = 'the authors of tfvae'
version = release = tfvae.__version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.mathjax',
    'sphinx.ext.napoleon',
    'docstrings',
    'notebooks',
    'public_names',
    'repository_pages',
]
exclude_patterns = ['_build']
smartquotes_action = 'D'  # Dashes; `'mean'` in a docstring is Python's.

autoclass_content = 'both'
autodoc_inherit_docstrings = False
autodoc_member_order = 'bysource'
autodoc_preserve_defaults = True
autodoc_typehints_format = 'short'
autosummary_generate = False
maximum_signature_line_length = 76
napoleon_custom_sections = [('Call arguments', 'params_style')]
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = 'hide'

# The guides are GitHub's Markdown: its math blocks and its anchors.
myst_enable_extensions = ['html_image']
myst_fence_as_directive = ['math']
myst_heading_anchors = 4

nb_execution_mode = 'force'
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
# Warnings of libraries and progress bars; an error ends the build.
nb_output_stderr = 'remove'

html_theme = 'furo'
html_title = 'tfvae'
html_show_sphinx = False
html_static_path = ['_static']
html_css_files = ['site.css']
