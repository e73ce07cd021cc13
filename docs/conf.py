"""What makes a site of these pages, which is read without a network: `make docs`."""

import gan1d

project = "gan1d"
author = "the gan1d authors"
copyright = author
version = release = gan1d.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "gan1d"
html_copy_source = False  # the pages lie in the repository
html_static_path = ["_static"]
html_css_files = ["wide.css"]

myst_heading_anchors = 3
nb_execution_mode = "off"  # a notebook is run by its test

default_role = "code"  # docstrings write `name`
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
