"""Where a field stands in nested settings: by its path, by its last name, or by the name that it had."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from neurometa.errors import InputError, nearest
from neurometa.settings.older import MOVED

SCHEDULE = "Linear"  # a record that stands for one number, whose ends are no settings by themselves


def fields_of(settings: Any) -> list[str]:
    """Names of the fields of settings, frozen or as plain values; of anything else none."""
    if dataclasses.is_dataclass(settings):
        return [field.name for field in dataclasses.fields(settings) if field.init]
    return [name for name in settings if name != "type"] if isinstance(settings, dict) else []


def find(settings: Any, place: str) -> Any:
    """Return the value at a full path, e.g. ``"network.n_units"``.

    Raises
    ------
    KeyError
        There is none.
    """
    for name in place.split("."):
        if name not in fields_of(settings):
            raise KeyError(place)
        settings = settings[name] if isinstance(settings, dict) else getattr(settings, name)
    return settings


def locate(settings: Any, name: str) -> str:
    """Return the full path of a field.

    Parameters
    ----------
    settings : dataclass or dict
        Frozen settings, or what `to_json` makes of them.
    name : str
        A path such as ``"network.n_units"``; its last name where only one part has such a field, ``"n_units"``; or
        the name of version 0.1.0, ``"rpe_gain"``. An end of a schedule may follow: ``"step_size.start"``.

    Raises
    ------
    InputError
        There is no such field (the nearest is named), or several parts have one.
    """
    head, *rest = name.split(".")
    places = _places(settings)
    if head in fields_of(settings):
        inside = fields_of(find(settings, head))
        if rest and inside and rest[0] not in inside:
            below = [place for place in _places(find(settings, head)) if place.endswith(f".{rest[0]}")]
            if len(below) == 1:  # of what a wrapper such as `tasks.Fixation` holds
                return ".".join([head, below[0], *rest[1:]])
            elsewhere = [place for place in places if place.endswith(f".{rest[0]}")]
            hint = f" Did you mean {elsewhere[0]!r}?" if elsewhere else nearest(rest[0], inside)
            raise _unknown(find(settings, head), rest[0], hint, inside)
        return name
    found = [place for place in places if place.endswith(f".{head}")]
    if MOVED.get(head) in places:
        found = [MOVED[head]]
    if len(found) == 1:
        return ".".join([found[0], *rest])
    if found:
        raise InputError(f"Several parts have a field {head!r}; say which: {' or '.join(found)}.")
    last = [place.rpartition(".")[2] for place in places]
    raise _unknown(settings, head, nearest(head, list(dict.fromkeys([*fields_of(settings), *last]))), places)


def differences(before: Any, after: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the place and both values of every field in which saved settings differ, of nested ones the innermost."""
    fields = dict.fromkeys([*fields_of(before), *fields_of(after)])
    same_kind = isinstance(before, dict) and isinstance(after, dict) and before.get("type") == after.get("type")
    if before == after:
        return
    if not same_kind or str(after.get("type")).endswith(SCHEDULE):
        yield place, before, after
        return
    for name in fields:
        yield from differences(before.get(name), after.get(name), f"{place}.{name}" if place else name)


def _unknown(settings: Any, name: str, hint: str, allowed: list[str]) -> InputError:
    kind = settings.get("type") if isinstance(settings, dict) else type(settings).__name__
    return InputError(f"{kind} has no field {name!r}.{hint} Allowed: {', '.join(allowed)}.")


def _places(settings: Any) -> list[str]:
    """Fields, and those of the parts among them."""
    found = []
    for name in fields_of(settings):
        part = find(settings, name)
        kind = part.get("type", "") if isinstance(part, dict) else type(part).__name__
        inside = [] if str(kind).endswith(SCHEDULE) else fields_of(part)
        found += [f"{name}.{place}" for place in _places(part)] if inside else [name]
    return found
