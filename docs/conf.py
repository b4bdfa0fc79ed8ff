"""Sphinx settings: `make docs` builds the pages, warnings being errors, and they read offline."""

from neurometa import __version__
from neurometa.dataset import VARIABLES

project = "neurometa"
author = "The neurometa developers"
copyright = "2026, The neurometa developers"
version = release = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.typer",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

autodoc_inherit_docstrings = False  # a task's `step` is described once, in Task
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more: dims, units, ranges
autosummary_ignore_module_all = False
autosummary_imported_members = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
default_role = "py:obj"
mathjax_path = "mathjax/tex-chtml.js"
myst_enable_extensions = ["colon_fence", "dollarmath", "substitution"]
myst_heading_anchors = 3
numpydoc_show_class_members = False

_rows = [f"| `{name}` | {', '.join(v.dims)} | {v.long_name} | {v.units or '–'} |" for name, v in VARIABLES.items()]
myst_substitutions = {
    "variables": "\n".join(["| variable | dims, beside `episode` | meaning | units |", "|---|---|---|---|", *_rows])
}

html_theme = "pydata_sphinx_theme"
html_title = "neurometa"
html_static_path = ["_static"]
html_css_files = ["neurometa.css"]
html_show_sourcelink = False
html_sidebars = {"*": []}  # pages at the top have nothing below them
html_theme_options = {
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}


def setup(app):
    # a NamedTuple's fields are described with its class; Python's own words for them say nothing
    app.connect("autodoc-skip-member", lambda *args: str(args[3].__doc__).startswith("Alias for field") or None)
