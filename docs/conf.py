"""Sphinx settings: `make docs` builds the pages, warnings being errors, and they read offline."""

import hashlib
import os
import tempfile
from pathlib import Path

from neurometa import __version__, compare, plotting
from neurometa.dataset import VARIABLES
from neurometa.share import folder

os.environ["OMP_NUM_THREADS"] = "1"  # of the kernels that run the notebooks, too

BUILT = Path(__file__).parent / "_build"
GALLERY = BUILT / "gallery"
FIGURES = sorted(path.stem for path in folder("figures").glob("*.py") if "table" not in path.stem)  # pages have those
EPISODES, MORE = 1000, {"w16_fig2": 3000, "w18_fig1": 3000}  # as many as the most demanding claim asks for


def _verdicts(runs):
    """One table per figure: its claims, published beside ours."""
    head = "| claim | published | must be | ours, 95 % interval | verdict |\n|---|---|---|---|---|\n"
    found = compare.compare(runs=runs)
    for figure in FIGURES:
        rows = []
        for one in found:
            if figure == one.record[: len(figure)]:
                between = "" if one.lower != one.lower else f" [{one.lower:.3g}, {one.upper:.3g}]"
                ours = "–" if one.ours != one.ours else f"{one.ours:.3g}{between}"
                published = "–" if one.published != one.published else f"{one.published:g}"
                about = f"{one.statement} (`{one.claim}`)"
                rows.append(f"| {about} | {published} | {one.criterion} | {ours} | {one.verdict} |")
        yield figure, head + "\n".join(rows)


def _make_gallery():
    """Draw every figure, and judge every claim, with the trained agents that come with neurometa."""
    from neurometa import pretrained

    with tempfile.TemporaryDirectory() as place:
        scripts = {figure: plotting.load_figure(figure.replace("_", "-")) for figure in FIGURES}
        # those that read activity come first: the others can read what these let play
        for figure in sorted(FIGURES, key=lambda one: not hasattr(scripts[one], "ACTIVITY")):
            how = {"n_episodes": MORE.get(figure, EPISODES), "activity": hasattr(scripts[figure], "ACTIVITY")}
            pretrained.prepare(scripts[figure].NEEDS, Path(place), **how)
            plotting.save_figure(figure.replace("_", "-"), [Path(place)], GALLERY)
        for figure, table in _verdicts(Path(place)):
            (GALLERY / f"{figure}.md").write_text(table)


if not all((GALLERY / f"{figure}.md").exists() for figure in FIGURES):  # minutes; `make clean` has it made anew
    _make_gallery()


def _of_this_code():
    """Name the outputs of notebooks by the package and agents that they were made with, so that no others are shown."""
    package = Path(__file__).parents[1]
    files = sorted([*package.glob("neurometa/**/*.py"), *package.glob("data/agents/*/*/*")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


project = "neurometa"
author = "The neurometa developers"
copyright = "2026, The neurometa developers"
version = release = __version__

extensions = [
    "myst_nb",
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
nb_execution_cache_path = str(BUILT / "notebooks" / _of_this_code())
nb_execution_in_temp = True  # nothing is left beside the pages
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300  # seconds for a cell; they take ten, on a machine that others leave alone
nb_merge_streams = True
numpydoc_show_class_members = False

_rows = [f"| `{name}` | {', '.join(v.dims)} | {v.long_name} | {v.units or '–'} |" for name, v in VARIABLES.items()]
myst_substitutions = {
    "variables": "\n".join(["| variable | dims, beside `episode` | meaning | units |", "|---|---|---|---|", *_rows])
} | {figure: (GALLERY / f"{figure}.md").read_text() for figure in FIGURES}

html_theme = "pydata_sphinx_theme"
html_title = "neurometa"
html_static_path = ["_static"]
html_css_files = ["neurometa.css"]
html_show_search_summary = False  # it is fetched from other pages, which browsers refuse to pages on a disk
html_show_sourcelink = False
html_sidebars = {"index": []}
html_theme_options = {
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_align": "left",
    "header_links_before_dropdown": 4,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}


def setup(app):
    # a NamedTuple's fields are described with its class; Python's own words for them say nothing
    app.connect("autodoc-skip-member", lambda *args: str(args[3].__doc__).startswith("Alias for field") or None)
