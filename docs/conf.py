"""How Sphinx builds the site: ``make docs``. What is made from the code is in ``generated.py``."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

project = "Earmark"
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "generated"]
templates_path = ["_templates"]

# A reference that leads nowhere fails the build. Packages below, and other libraries, have no page.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"ml_backend\.store\..*|(?!ml_backend\.).*")]

myst_heading_anchors = 3
smartquotes = False  # "--labels" is no dash

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_validation_checks = {"GL06", "GL07", "PR02", "PR03", "PR10"}

html_theme = "pydata_sphinx_theme"
html_title = "Earmark"
html_logo = html_favicon = "../ml_backend/web/static/earmark.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"**": ["pages"]}
html_show_sourcelink = False
html_theme_options = {
    "navbar_center": [],
    "footer_start": [],
    "footer_end": [],
    "logo": {"text": "Earmark"},
    "show_toc_level": 2,
}
