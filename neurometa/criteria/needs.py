"""The parts of a criterion, whether they make sense, and which files of which agents they need."""

import dataclasses
import inspect
from typing import Any

from neurometa import dataset, reference, results
from neurometa.criteria.measures import MEASURES, SHARES
from neurometa.errors import InputError, nearest

AGENTS = ("experiment", "ablated", "config")  # what tells one kind of agents from another
PLACE = (*AGENTS, "on", "file", "options")  # where a quantity is found, and how that file is made


@dataclasses.dataclass(frozen=True)
class Need:
    """A file that a claim is decided on, and the agents whose run folders must hold it.

    Parameters
    ----------
    experiment : str
        Of the agents, e.g. ``"two-step"``.
    file : str
        Name in a run folder, e.g. ``"behaviour.nc"`` or ``"lesion-reset_rpe.nc"``; `results.command_for` names the
        command that makes it.
    options : str
        What that command must be given, e.g. ``"--encoding miller --lags 5 --penalty ridge"``.
    settings : tuple of str
        Settings of training other than the experiment's own, as ``--set`` takes them, e.g. ``("recurrent=false",)``.
    episodes : int
        The least number of test episodes.
    """

    experiment: str
    file: str
    options: str = ""
    settings: tuple[str, ...] = ()
    episodes: int = 1


def needs(claim: dict[str, Any]) -> list[Need]:
    """Return what a claim is decided on, trials before the results made of them; nothing for a claim of exact theory.

    Parameters
    ----------
    claim : dict
        As a record's ``claim`` lists it (`reference.record`).

    Examples
    --------
    >>> needs({"criterion": {"measure": "value", "experiment": "two-step", "file": "rpe.nc", "of": "x", "min": 0.3}})[1]
    Need(experiment='two-step', file='rpe.nc', options='', settings=(), episodes=1)
    """
    criterion = claim["criterion"]
    found: dict[Need, None] = {}
    for quantity in quantities(criterion):
        settings = tuple(results.settings(quantity.get("ablated", False), quantity.get("config")))
        file, least = file_of(quantity), criterion.get("episodes", 1)
        trials = results.trials_of(file)
        found[Need(quantity["experiment"], trials, "", settings, least)] = None
        if file != trials:
            found[Need(quantity["experiment"], file, quantity.get("options", ""), settings, least)] = None
    return list(found)


def quantities(criterion: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is worked out of runs: a criterion's quantity, and those that it is set beside."""
    if "exact" in criterion:
        return []
    first = quantity_of(criterion)
    found = [first]
    for how in ("minus", "over"):
        if how in criterion and "exact" not in criterion[how]:
            found.append(first | criterion[how])
    if "untrained" in criterion:
        found += [before_training(each) for each in found]
    return [*(stage for each in found for stage in stages_of(each, criterion)), *found]


def quantity_of(criterion: dict[str, Any]) -> dict[str, Any]:
    """Return where a criterion's quantity is found, its measure and the arguments, without what decides."""
    return {name: x for name, x in criterion.items() if name not in reference.DECIDES}


def of_others(criterion: dict[str, Any]) -> dict[str, Any] | None:
    """Return the quantity of other agents, of another experiment or training, that a criterion is set beside."""
    one = quantity_of(criterion)
    other = one | criterion.get("minus", {})
    return None if all(other.get(field) == one.get(field) for field in AGENTS) else other


def stages_of(quantity: dict[str, Any], criterion: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the quantity in agents trained for less, stage by stage; the last stage is the experiment's own."""
    settings = {name: x for name, x in criterion.get("stages", {}).items() if name != "statistic"}
    return [quantity | {"config": {name: each}} for name, values in settings.items() for each in values]


def before_training(quantity: dict[str, Any]) -> dict[str, Any]:
    """Return the same quantity of the same agents before they were trained."""
    file = file_of(quantity)
    trials = results.UNTRAINED
    return quantity | {"file": trials if file == dataset.BEHAVIOUR else f"{trials.removesuffix('.nc')}_{file}"}


def file_of(quantity: dict[str, Any]) -> str:
    """Return the file of a run folder in which a quantity is found."""
    file = results.file_on(quantity["experiment"], quantity.get("on", ""))
    return quantity.get("file", file) if file == dataset.BEHAVIOUR else file


def is_share(criterion: dict[str, Any]) -> bool:
    """Say whether a criterion is of a share in [0, 1], and of no difference or ratio of shares."""
    if {"minus", "over", "stages"} & criterion.keys() or "exact" in criterion:
        return False
    contrast = criterion["measure"] == "stay" and criterion.get("of", "stay_probability") != "stay_probability"
    return criterion["measure"] in SHARES and not contrast


def check(claim: dict[str, Any]) -> None:
    """Raise unless the measures of a claim are there and take the arguments that it gives.

    Raises
    ------
    InputError
        One is unknown, an argument is unknown or lacks, or a ratio is asked for of two kinds of agents; the message
        names the claim.
    """
    if of_others(claim["criterion"]) is not None and "untrained" in claim["criterion"]:
        raise InputError(f"The claim {claim['id']!r} is of two kinds of agents; 'untrained' is of one.")
    if set(AGENTS) & claim["criterion"].get("over", {}).keys():
        raise InputError(f"The claim {claim['id']!r} is 'over' other agents; a ratio is of one agent: take 'minus'.")
    for quantity in quantities(claim["criterion"]):
        where, name = f"The claim {claim['id']!r}", str(quantity.get("measure"))
        if name not in MEASURES:
            hint = nearest(name, list(MEASURES))
            raise InputError(f"{where} asks for the measure {name!r}.{hint} There are: {', '.join(MEASURES)}.")
        allowed = dict(list(inspect.signature(MEASURES[name]).parameters.items())[1:])
        allowed.pop("played", None)
        given = arguments(quantity)
        if unknown := sorted(given.keys() - allowed.keys()):
            raise InputError(
                f"{where} gives {unknown[0]!r} to {name!r}, which takes {', '.join(allowed) or 'nothing'}."
            )
        lacking = [each for each, about in allowed.items() if about.default is about.empty and each not in given]
        if lacking:
            raise InputError(f"{where} does not give {lacking[0]!r}, which {name!r} needs.")


def arguments(quantity: dict[str, Any]) -> dict[str, Any]:
    """Return what a quantity gives to its measure."""
    return {each: x for each, x in quantity.items() if each not in (*PLACE, "measure")}
