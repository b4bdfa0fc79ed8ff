"""One HTML file that holds all it shows: nothing is fetched, names are text, and no script but ours can run."""

import base64
import functools
import hashlib
import json
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from neurometa._version import __version__
from neurometa.errors import InputError
from neurometa.report import claims, episodes, facts, members, parameters, pictures, words
from neurometa.report.source import Source, find
from neurometa.results import MissingError
from neurometa.storage import write_text

SHOWN = 15  # rows of a table at once


def write_report(run: Path, out: Path | None = None) -> Path:
    """Write a run's report: what was run, what it learned, did and fitted, and a few episodes trial by trial.

    Parameters
    ----------
    run : Path
        A run folder, trained or imported, or a ``.nc`` file that keeps the contract.
    out : Path, optional
        The file; by default ``report.html`` in the folder, or beside the file under its name.

    Returns
    -------
    Path
        The file written: one HTML page that needs no network.

    Raises
    ------
    InputError
        There is nothing to report of, a file is damaged, or the page cannot be written.
    """
    source = find(Path(run))
    path = source.page if out is None else Path(out)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the file, e.g. {path / 'report.html'}.")
    write_text(path, html_page(source))
    return path


def html_page(source: Source) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    source : Source
        As `find` opens it.
    """
    return render(contents(source))


def contents(source: Source) -> dict[str, Any]:
    """Gather all that the page tells, in words, numbers and pictures; what is not there is empty or None."""
    curve, curve_note = pictures.learning_curve(source)
    figures, notes = pictures.of_behaviour(source)
    fits, fit_notes = _fits(source)
    compared, group_notes = members.groups(source)
    decided, undecided = claims.rows(source)
    tiles = facts.tiles(source)
    if decided:
        held = sum(one["verdict"] == "reproduced" for one in decided)
        more = f"{len(undecided)} more need other runs or results" if undecided else "all that are of such a run"
        tiles.append({"label": "claims reproduced", "value": f"{held} of {len(decided)}", "note": more})
    return {
        "name": source.name,
        "lead": facts.lead(source),
        "tiles": tiles,
        "rows": facts.rows(source),
        "settings": facts.settings(source),
        "imported": facts.imported(source),
        "curve": curve,
        "curve_note": curve_note,
        "figures": figures,
        "notes": notes,
        "fits": fits,
        "fit_notes": fit_notes,
        "compared": compared,
        "group_notes": group_notes,
        "decided": decided,
        "undecided": undecided,
        "scrubber": episodes.of_source(source),
    }


def render(told: dict[str, Any]) -> str:
    """Turn `contents` into HTML: text stays text, and what the page may load or run is stated in its first lines."""
    style, script = (Markup(_text(name)) for name in ("style.css", "script.js"))
    tables = {fit["table"].key: _data(fit["table"]) for fit in told["fits"]}
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template("page.html")
        .render(
            **told,
            data=_json({"tables": tables, "scrubber": told["scrubber"]}),
            style=style,
            script=script,
            policy=policy,
            made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            version=__version__,
            shown=SHOWN,
        )
    )


def _fits(source: Source) -> tuple[list[dict[str, Any]], list[str]]:
    """Each table of fits with its figures, and what is to be said of those that could not be read."""
    found, notes = [], []
    for name in parameters.fit_names(source):
        try:
            fitted = source.result(name)
        except MissingError as missing:
            notes.append(str(missing))
            continue
        table = parameters.table(fitted, name.removesuffix(".nc"))
        if table is None:
            notes.append(f"{name} holds no fitted parameter.")
            continue
        names = parameters.parameter_names(fitted)
        by_volatility, scores = pictures.volatility(fitted), members.associations(fitted, names)
        figures = [*([by_volatility] if by_volatility else []), *pictures.of_fit(fitted, names)]
        found.append({"table": table, "figures": figures, "scores": scores})
    return found, notes


def _data(table: parameters.Table) -> dict[str, Any]:
    return {"columns": table.columns, "rows": table.rows, "file": f"{table.key}.csv", "shown": SHOWN}


def _json(x: Any) -> Markup:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(x, separators=(",", ":"), allow_nan=False)  # ASCII: line separators are escaped too
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _text(name: str) -> str:
    return (resources.files("neurometa.report") / name).read_text()


@functools.cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = words.number
    return made
