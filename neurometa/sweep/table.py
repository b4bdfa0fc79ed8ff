"""The table of draws: written before anything is trained, and the truth of a sweep from then on."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from neurometa import settings
from neurometa.errors import InputError
from neurometa.storage import only_writer, read_json, write_json
from neurometa.training import Linear, Training

TABLE = "draws.json"


@dataclasses.dataclass(frozen=True)
class Draw:
    """How one setting is drawn.

    Parameters
    ----------
    field : str
        A field of the settings, e.g. ``"optimizer.step_size"``, ``"step_size"`` or ``"task.n_trials"``: see
        `settings.locate`. Of a schedule its larger end is drawn, so that a step size still falls to 0;
        ``"discount.start"`` names an end.
    low, high : float
        Range, ends included; of a whole-numbered field, whole numbers.
    log : bool
        Draw the logarithm uniformly, as suits a step size.

    Raises
    ------
    InputError
        The range is upside down, not finite, or logarithmic and not above 0.
    """

    field: str
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        told = f"The range of {self.field} is {self.low:g}:{self.high:g}"
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise InputError(f"{told}; both ends must be finite.")
        if self.low >= self.high:
            raise InputError(f"{told}; its low end must be below its high end, as in {self.high:g}:{self.low:g}.")
        if self.log and self.low <= 0:
            raise InputError(f"{told}, drawn by its logarithm; both ends must be above 0.")

    @classmethod
    def of(cls, text: str) -> "Draw":
        """Read ``field=low:high`` or ``field=low:high:log``.

        Raises
        ------
        InputError
            It is written otherwise, or the range is not allowed.
        """
        field, _, span = text.partition("=")
        low, _, rest = span.partition(":")
        high, _, scale = rest.partition(":")
        try:
            ends, log = (float(low), float(high)), {"": False, "log": True}[scale.strip()]
        except (ValueError, KeyError) as error:
            raise InputError(f"{text!r} is not field=low:high or field=low:high:log, e.g. discount=0:1.") from error
        return cls(field.strip(), *ends, log=log)


# Mnih et al. 2016 drew step sizes log-uniformly between these ends; Wang et al. 2016 drew the discount as well, and do
# not say from which range.
DEFAULT_DRAWS = (Draw("step_size", 1e-4, 1e-2, log=True), Draw("discount", 0.0, 1.0))


def make_table(
    experiment: str,
    config: Training,
    draws: tuple[Draw, ...] = DEFAULT_DRAWS,
    *,
    n_draws: int = 100,
    n_seeds: int = 1,
    n_episodes: int = 300,
) -> dict[str, Any]:
    """Draw the rows of a sweep.

    Each draw has random numbers of its own, so that a longer table begins with the shorter one.

    Parameters
    ----------
    experiment : str
        Name of the experiment.
    config : Training
        Of any algorithm: what the rows have in common; its seed fixes the table.
    draws : tuple of Draw
        What is drawn.
    n_draws : int
        How many settings.
    n_seeds : int
        Rows of each setting, which differ in their seed.
    n_episodes : int
        Evaluation episodes of each row; the best are picked on the first half. 300 in Wang et al. 2016.

    Returns
    -------
    dict
        Plain values, as `begin` writes them: ``experiment``, ``config``, ``draws``, ``n_episodes`` and ``rows``,
        each with its ``draw``, ``seed`` and ``values`` by field.

    Raises
    ------
    InputError
        A field does not exist or takes no such value, is drawn twice, or a number is too small.
    """
    if not draws:
        raise InputError("Nothing is drawn; give at least one range, e.g. step_size=1e-4:1e-2:log.")
    for name, number, least in (("n_draws", n_draws, 1), ("n_seeds", n_seeds, 1), ("n_episodes", n_episodes, 4)):
        if number < least:
            raise InputError(f"{name} is {number}; it must be at least {least}.")
    ends = [_end(config, draw) for draw in draws]
    places = [settings.locate(config, path) for path in ends]
    twice = [path for i, path in enumerate(ends) if places[i] in places[:i]]
    if twice:
        raise InputError(f"{twice[0]} is drawn twice; give each field one range.")
    rows = []
    for i in range(n_draws):
        rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(i,)))
        values = {path: _drawn(config, path, draw, rng.random()) for path, draw in zip(ends, draws, strict=True)}
        rows += [{"draw": i, "seed": int(rng.integers(2**31)), "values": values} for _ in range(n_seeds)]
    return {
        "experiment": experiment,
        "n_episodes": n_episodes,
        "config": settings.to_json(config),
        "draws": [dataclasses.asdict(draw) | {"sets": path} for draw, path in zip(draws, ends, strict=True)],
        "rows": rows,
    }


def begin(folder: Path, table: dict[str, Any]) -> None:
    """Write the table of a sweep, or make sure that the one there agrees with it.

    A table that begins with all rows of the one there takes its place, so that a sweep can be made longer.

    Raises
    ------
    InputError
        The folder holds a sweep with another table; the first difference is named.
    """
    with only_writer(folder):
        if (folder / TABLE).exists():
            before = open_table(folder)
            _agree(before, table, folder)
            if len(table["rows"]) == len(before["rows"]):
                return
        elif any(folder.glob("*/config.json")) or (folder / "config.json").exists():
            raise InputError(f"{folder} holds runs that belong to no sweep; choose another folder.")
        write_json(folder / TABLE, table)


def open_table(folder: Path) -> dict[str, Any]:
    """Read the table of a sweep, as plain values.

    Raises
    ------
    InputError
        There is no sweep, or its table is damaged.
    """
    path = Path(folder) / TABLE
    if not path.exists():
        raise InputError(f"{folder} holds no sweep; make one with: neurometa sweep EXPERIMENT --out {folder}")
    found = read_json(path)
    try:
        _ = [found[key] for key in ("experiment", "n_episodes", "config", "draws")]
        _ = [(row["draw"], row["seed"], row["values"]) for row in found["rows"]]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error!r}); begin the sweep anew in another folder.") from error
    return found | {"config": settings.modern(found["config"])}


def row_folder(folder: Path, row: int) -> Path:
    """Run folder of a row."""
    return Path(folder) / f"{row:03}"


def row_config(table: dict[str, Any], row: int) -> Training:
    """Settings of a row.

    Raises
    ------
    InputError
        There is no such row, or its settings are not allowed.
    """
    rows = table["rows"]
    if not 0 <= row < len(rows):
        raise InputError(f"row is {row}; the sweep has the rows 0 to {len(rows) - 1}.")
    shared = settings.from_json([Training], table["config"], f"{TABLE}: config")  # type: ignore[type-abstract]
    drawn = [f"{path}={json.dumps(value)}" for path, value in rows[row]["values"].items()]
    return settings.replace(shared, [*drawn, f"seed={rows[row]['seed']}"])


def _end(config: Training, draw: Draw) -> str:
    """The field that a draw sets: itself, or the larger end of its schedule; both ends of the range are tried."""
    path, found = draw.field, _value(config, draw.field)
    if isinstance(found, Linear):
        path += ".start" if found.start >= found.end else ".end"
    for share in (0.0, 1.0):
        settings.replace(config, [f"{path}={json.dumps(_drawn(config, path, draw, share))}"])
    return path


def _drawn(config: Training, path: str, draw: Draw, share: float) -> float | int:
    """The value at `share`, in [0, 1], of the range; whole where the field is."""
    found = _value(config, path)
    if isinstance(found, int) and not isinstance(found, bool):
        low, high = math.ceil(draw.low), math.floor(draw.high)
        value = low + share * (high + 1 - low) if not draw.log else low * ((high + 1) / low) ** share
        return min(int(value), high)
    if draw.log:
        return float(draw.low * (draw.high / draw.low) ** share)
    return float(draw.low + share * (draw.high - draw.low))


def _value(config: Training, path: str) -> Any:
    try:
        return settings.find(config, settings.locate(config, path))
    except (InputError, KeyError):  # `replace` says what is wrong with the path
        return None


def _agree(before: dict[str, Any], table: dict[str, Any], folder: Path) -> None:
    def differs(what: str, there: Any, here: Any) -> InputError:
        return InputError(
            f"{folder} holds a sweep with another table: {what} is {there} there and {here} here. "
            "Go on with it by giving no settings, or choose another folder."
        )

    for key in ("experiment", "n_episodes"):
        if before[key] != table[key]:
            raise differs(key, before[key], table[key])
    for name, there, here in settings.differences(before["config"], table["config"]):
        raise differs(name or "the algorithm", there, here)
    if before["draws"] != table["draws"]:
        raise differs("what is drawn", _ranges(before), _ranges(table))
    if len(table["rows"]) < len(before["rows"]):
        raise differs("the number of rows", len(before["rows"]), len(table["rows"]))
    for i, (there, here) in enumerate(zip(before["rows"], table["rows"], strict=False)):
        if there != here:
            raise differs(f"row {i}", there, here)


def _ranges(table: dict[str, Any]) -> str:
    return ", ".join(f"{d['field']}={d['low']:g}:{d['high']:g}{':log' if d['log'] else ''}" for d in table["draws"])
