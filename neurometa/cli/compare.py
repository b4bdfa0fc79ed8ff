"""The command that sets runs beside the papers, claim by claim: compare. It needs no torch."""

import dataclasses
import html
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import interval, number, say, say_json, table

EXAMPLE = "neurometa compare w16_fig4c --runs runs"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Published beside ours</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse }} td, th {{ text-align: left; vertical-align: top; padding: .35rem .6rem }}
tr {{ border-bottom: 1px solid #ddd }} .reproduced {{ color: #006b4f }} .not-reproduced {{ color: #a33e00 }}
.not-run {{ color: #666 }} small {{ color: #555 }}
</style></head><body><h1>Published beside ours</h1><p>{summary}</p>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


def compare(
    which: Annotated[
        str | None, typer.Argument(metavar="[PAPER|RECORD|CLAIM]", help="E.g. w16, w18_fig1d.", show_default="all")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Run folder, or a folder of them.", show_default="runs, if it is there")
    ] = None,
    page: Annotated[Path | None, typer.Option("--html", help="Write the table as one page as well.")] = None,
    as_json: JSON = False,
) -> None:
    """Set published claims beside what the runs show.

    Of each: published, ours, verdict. A claim is reproduced if its bounds hold in every agent (of eight or
    more, in seven eighths), or in their mean where it is of a mean; runs of one experiment that differ in
    nothing but the seed are pooled. The interval is over what stands below it.
    """
    from neurometa.compare import compare as set_beside
    from neurometa.storage import write_text

    found = set_beside(which, runs)
    if page is not None:
        write_text(page, _page(found))
    if as_json:
        say_json({"claims": [dataclasses.asdict(one) for one in found]})
        return
    rows = [[one.claim, f"{number(one.published)}\n{_must_be(one)}", _told(one), _verdict(one)] for one in found]
    table(["claim", "published,\nmust be", "ours, 95 %\ninterval over\nagents x episodes", "verdict"], rows)
    say(_summary(found))
    if needed := dict.fromkeys(one.note.split(" (")[0] for one in found if one.note.startswith("Needs: neurometa")):
        first = next(iter(needed)).removeprefix("Needs: ").split(" Left out")[0]
        say(f"Next: {first if len(found) > 1 else found[0].note.removeprefix('Needs: ')}")
    if len(found) == 1:
        say(f"{found[0].statement} ({found[0].paper}, {found[0].where}).\n{found[0].note}".rstrip())
    else:
        say("Why, claim by claim: neurometa compare CLAIM, --json or --html FILE.")


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


def _summary(found: list[Any]) -> str:
    """How many of each verdict, a statistic and bound that two claims share counting once; and on how many agents."""
    ids = {one.claim for one in found}
    once = [one for one in found if one.same_as not in ids]
    counts = Counter(one.verdict for one in once)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("reproduced", "not reproduced", "not run"))
    twice = f", {len(found) - len(once)} of them said twice" if len(once) < len(found) else ""
    alone = sum(one.agents == 1 for one in once)
    rest = f"\n{alone} rest{'s' if alone == 1 else ''} on one agent." if alone else ""
    return f"{len(once)} claim{'s' if len(once) != 1 else ''}{twice}: {told}.{rest}"


def _page(found: list[Any]) -> str:
    """One page that stands alone; whatever a record or a folder is called, it is text."""
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
    return PAGE.format(summary=html.escape(_summary(found)), head=columns, rows="\n".join(rows))
