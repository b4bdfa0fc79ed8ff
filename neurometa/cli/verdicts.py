"""Verdicts as a person reads them: a table in the terminal, or one page."""

import base64
import html
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neurometa.cli.printing import interval, number, say, table

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Published beside ours</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse }} td, th {{ text-align: left; vertical-align: top; padding: .35rem .6rem }}
tr {{ border-bottom: 1px solid #ddd }} .reproduced {{ color: #006b4f }} .not-reproduced {{ color: #a33e00 }}
.not-run {{ color: #666 }} small {{ color: #555 }}
img {{ max-width: 100% }} figure {{ margin: 2rem 0 }}
</style></head><body><h1>Published beside ours</h1>{summary}
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table>{figures}</body></html>
"""


def print_verdicts(found: list[Any]) -> None:
    """Print claims with what was published, ours and the verdict, and count the verdicts."""
    rows = [[one.claim, f"{number(one.published)}\n{_must_be(one)}", _told(one), _verdict(one)] for one in found]
    table(["claim", "published,\nmust be", "ours, 95 %\ninterval over\nagents x episodes", "verdict"], rows)
    say(summary(found))


def _ours(one: Any) -> str:
    if one.lower != one.lower:  # NaN: no interval
        return number(one.ours)
    return f"{number(one.ours)}\n{interval(one.lower, one.upper)}"


def _told(one: Any) -> str:
    if one.verdict == "not run":
        return "-"
    over = one.over.removesuffix(" episodes").replace("s x", " x").replace(" and ", ", ")
    over = over.replace(" agent x", " x")
    before = [f"untrained {number(one.untrained)}"] if one.untrained == one.untrained else []
    return "\n".join([_ours(one), over, *before])


def _must_be(one: Any) -> str:
    return one.criterion.replace(" and ", "\nand ")


def _verdict(one: Any) -> str:
    return f"{one.verdict}\n(said twice)" if one.same_as else one.verdict


def summary(found: list[Any]) -> str:
    """How many of each verdict, a statistic and bound that two claims share counting once; and on how many agents."""
    ids = {one.claim for one in found}
    once = [one for one in found if one.same_as not in ids]
    counts = Counter(one.verdict for one in once)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("reproduced", "not reproduced", "not run"))
    twice = f", {len(found) - len(once)} of them said twice" if len(once) < len(found) else ""
    alone = sum(one.agents == 1 for one in once)
    rest = f"\n{alone} rest{'s' if alone == 1 else ''} on one agent." if alone else ""
    return f"{len(once)} claim{'s' if len(once) != 1 else ''}{twice}: {told}.{rest}"


def page_of(found: list[Any], figures: Sequence[Path] = (), notes: Sequence[str] = ()) -> str:
    """Make one page that stands alone; whatever a record or a folder is called, it is text.

    Parameters
    ----------
    found : list of Comparison
        As `neurometa.compare.compare` returns them.
    figures : sequence of Path
        PNG files to show below the table.
    notes : sequence of str
        Sentences to show above it.
    """
    head = ("claim", "published", "must be", "ours, 95 % interval", "over", "seeds", "steps", "verdict", "note")
    rows = []
    for one in found:
        about = f"<b>{html.escape(one.statement)}</b><br><small>{html.escape(f'{one.claim}: {one.where}')}</small>"
        seeds = ", ".join(map(str, one.seeds))
        cells = (number(one.published), one.criterion, _ours(one), one.over or "-", seeds, f"{one.budget or '-'}")
        plain = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        verdict = f'<td class="{one.verdict.replace(" ", "-")}">{one.verdict}</td>'
        rows.append(f"<tr><td>{about}</td>{plain}{verdict}<td>{html.escape(one.note)}</td></tr>")
    columns = "".join(f"<th>{name}</th>" for name in head)
    told = "".join(f"<p>{html.escape(note)}</p>" for note in (summary(found), *notes))
    drawn = "".join(_figure(file) for file in figures)
    return PAGE.format(summary=told, head=columns, rows="\n".join(rows), figures=drawn)


def _figure(file: Path) -> str:
    image, name = base64.b64encode(file.read_bytes()).decode(), html.escape(file.stem)
    return f'<figure><img src="data:image/png;base64,{image}" alt="{name}"><figcaption>{name}</figcaption></figure>'
