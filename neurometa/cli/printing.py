"""What a person sees: tables, progress bars; and JSON for machines."""

import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

BETWEEN = 3  # blanks between columns of a table


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table that wraps in a narrow terminal, at blanks if that is enough; numbers are aligned right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    console = Console(highlight=False, soft_wrap=False, markup=False)  # [m] is a name here, no markup
    cells = [[column, *(row[i] for row in rows)] for i, column in enumerate(columns)]
    words = [max(len(word) for cell in column for word in cell.split() or [""]) for column in cells]
    whole = max(map(len, cells[0])) - words[0] + sum(words) + BETWEEN * len(columns) <= console.width
    for i, (name, *rest) in enumerate(cells):
        numbers = i > 0 and all(cell[:1] in "-+.0123456789" for cell in rest)
        still = i == 0 or (whole and max(map(len, cells[i])) == words[i])  # where breaking at blanks gains nothing
        drawn.add_column(name, justify="right" if numbers else "left", no_wrap=still, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    console.print(drawn)


def say(text: str) -> None:
    """Print a line without colour or markup."""
    print(text)


def say_json(record: dict[str, Any]) -> None:
    """Print one JSON object; numbers that are not finite become null."""
    print(json.dumps(_plain(record), indent=1))


def _plain(x: Any) -> Any:
    if isinstance(x, dict):
        return {str(key): _plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_plain(item) for item in x]
    if hasattr(x, "item"):
        x = x.item()
    return None if isinstance(x, float) and not math.isfinite(x) else x


@contextlib.contextmanager
def bar(what: str, total: int, unit: str, *, quiet: bool = False) -> Iterator[Callable[[int, str], None]]:
    """Show progress with rate and time left on the terminal; nothing where nobody watches.

    Yields a function of the amount done so far and a short note.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)  # this one, wherever a step that runs meanwhile sends its words
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    ]
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        shown = progress.add_task(what, total=total, rate="", note="")

        def update(done: int, note: str = "") -> None:
            speed = progress.tasks[0].speed
            rate = f"{_short(speed)} {unit}/s" if speed and unit else ""
            progress.update(shown, completed=done, rate=rate, note=note)

        yield update


def _short(x: float) -> str:
    return f"{x / 1e6:.2f} M" if x >= 1e6 else f"{x / 1e3:.0f} k" if x >= 1e4 else f"{x:.0f}"


def number(x: float, digits: int = 3) -> str:
    """Write a number to so many significant digits, without exponents where they can be spared."""
    if not math.isfinite(x):
        return "-"
    if x == 0 or 1e-3 <= abs(x) < 1e5:
        decimals = max(0, digits - 1 - (math.floor(math.log10(abs(x))) if x else 0))
        return f"{x:.{decimals}f}"
    return f"{x:.{digits - 1}g}"


def interval(lower: float, upper: float, digits: int = 3) -> str:
    """Write an interval as [lower, upper], or a dash if there is none."""
    if math.isnan(lower) and math.isnan(upper):
        return "-"
    return f"[{number(lower, digits)}, {number(upper, digits)}]"


def reasons(reason: Any) -> dict[str, int]:
    """Count the reasons why there is no estimate, in the order in which they come."""
    every = [str(each) for each in reason.values.ravel()]
    return {each: every.count(each) for each in dict.fromkeys(every) if each}


def tell_reasons(reasons: dict[str, int], what: str) -> None:
    """Say for each reason how often it is one."""
    for reason, n in reasons.items():
        say(f"{what} {n}: {reason}.")


def numbers(found: Any, names: Sequence[str]) -> list[str]:
    """Write one number of a dataset for each name; counts without decimals."""
    values = {name: float(found[name]) for name in names}
    return [f"{x:.0f}" if name == "n" or name.startswith("n_") else number(x) for name, x in values.items()]
