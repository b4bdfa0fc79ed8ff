"""Numbers and names as a reader sees them."""

import math
from typing import Any


def number(x: Any, digits: int = 3) -> str:
    """Write a number to so many significant digits, with a real minus sign; a dash where there is none."""
    if isinstance(x, bool):
        return "yes" if x else "no"
    if x is None or (isinstance(x, float) and not math.isfinite(x)):
        return "–"
    if isinstance(x, int):
        return f"{x:,}".replace("-", "−")
    if x == 0:
        return "0"
    if 1e-3 <= abs(x) < 1e5:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(x))))
        return f"{x:,.{decimals}f}".replace("-", "−")
    return f"{x:.{digits - 1}e}".replace("-", "−").replace("e−0", "e−").replace("e+0", "e")


def interval(lower: float, upper: float) -> str:
    """Write an interval as [lower, upper]; nothing where there is none."""
    return f"[{number(lower)}, {number(upper)}]" if math.isfinite(lower) and math.isfinite(upper) else ""


def told(x: Any) -> str:
    """Write a setting: numbers short, lists by commas, a schedule in words."""
    if isinstance(x, dict):
        if set(x) == {"type", "start", "end", "over"}:
            return f"{told(x['start'])} to {told(x['end'])} over {x['over']:.0%} of training"
        return ", ".join(f"{key} {told(item)}" for key, item in x.items())
    if isinstance(x, list | tuple):
        return ", ".join(f"({told(item)})" if isinstance(item, list) else told(item) for item in x)
    if x is None:
        return "none"
    if isinstance(x, bool):
        return "yes" if x else "no"
    return f"{x:.4g}" if isinstance(x, float) else f"{x:,}" if isinstance(x, int) else str(x)


def plural(n: int, noun: str) -> str:
    """Write a count with its noun, e.g. ``"1,000 episodes"``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
