"""Frozen settings to JSON and back, and ``field=value`` from the command line."""

import contextlib
import dataclasses
import inspect
import json
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from neurometa.errors import InputError, nearest

Settings = TypeVar("Settings")


def to_json(settings: Any) -> Any:
    """Return frozen settings as plain dicts and lists; a dict names its class under ``type``.

    Raises
    ------
    InputError
        A setting is a function.
    """
    if dataclasses.is_dataclass(settings):
        fields = {
            field.name: to_json(getattr(settings, field.name)) for field in dataclasses.fields(settings) if field.init
        }
        return {"type": type(settings).__name__} | fields
    if isinstance(settings, tuple | list):
        return [to_json(item) for item in settings]
    if callable(settings):
        raise InputError(
            f"{settings} is a function, which no file can hold; with gymnasium, register it and give its id."
        )
    return settings


def from_json(kinds: Sequence[type[Settings]], data: Any, name: str = "config") -> Settings:
    """Build settings from what `to_json` made of them.

    Parameters
    ----------
    kinds : sequence of type
        Classes allowed here; the data's ``type`` says which.
    data : dict
        What `to_json` returned, e.g. read from ``config.json``.
    name : str
        What to call the data in an error.

    Raises
    ------
    InputError
        An unknown type or field, a missing field, or a value of the wrong type.
    """
    if not isinstance(data, dict):
        raise InputError(f"{name} is {data!r}; it must be an object with a 'type'.")
    data = _wrapped(data)
    known = {kind.__name__: kind for kind in kinds if not inspect.isabstract(kind)}
    kind = next((kind for named, kind in known.items() if named == data.get("type")), None)
    if kind is None:
        raise InputError(f"{name} has type {data.get('type')!r}; allowed are {sorted(known)}.")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    given = {key: value for key, value in data.items() if key != "type"}
    for key in given:
        _known_field(key, list(fields), name)
    missing = [key for key, f in fields.items() if key not in given and f.default is dataclasses.MISSING]
    if missing:
        raise InputError(f"{name} lacks {missing}.")
    return kind(**{key: _convert(hints[key], value, f"{name}.{key}") for key, value in given.items()})


def _wrapped(record: dict[str, Any]) -> dict[str, Any]:
    """Settings of a task with a fixation, which was a setting of the task itself in version 0.1.0."""
    kind = str(record.get("type")).removeprefix("tasks.")
    if kind in ("Foraging", "RiskySafe") and isinstance(record.get("fixation"), bool):
        task = {name: value for name, value in record.items() if name != "fixation"}
        return {"type": "Fixation", "task": task} if record["fixation"] else task
    if kind == "TwoStep" and record.get("form") == "fixation":
        return {"type": "Fixation", "task": record | {"form": "stages"}}
    return record


def replace(settings: Settings, assignments: Sequence[str]) -> Settings:
    """Return settings with ``field=value`` applied, e.g. ``["n_units=32", "task.n_trials=50"]``.

    Raises
    ------
    InputError
        No ``=``, an unknown field (the nearest is named), or a value of the wrong type.
    """
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise InputError(f"{assignment!r} is not field=value, e.g. n_units=32 or task.n_trials=50.")
        settings = _replace(settings, path.strip().split("."), value.strip(), path.strip())
    return settings


def _replace(settings: Any, path: list[str], value: str, name: str) -> Any:
    head, *rest = path
    hints = typing.get_type_hints(type(settings))
    _known_field(head, [field.name for field in dataclasses.fields(settings)], type(settings).__name__)
    if rest:
        inner = getattr(settings, head)
        if not dataclasses.is_dataclass(inner):
            raise InputError(f"{name}: {head} is {inner!r} and has no fields of its own.")
        return dataclasses.replace(settings, **{head: _replace(inner, rest, value, name)})
    return dataclasses.replace(settings, **{head: _convert(hints[head], _read(value), name)})


def _known_field(name: str, fields: list[str], where: str) -> None:
    if name not in fields:
        hint = nearest(name, fields)
        raise InputError(f"{where} has no field {name!r}.{hint} Allowed: {', '.join(fields)}.")


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _convert(hint: Any, value: Any, name: str) -> Any:
    """Turn a JSON value into what a field's annotation asks for, or say what it must be."""
    if isinstance(hint, types.UnionType):
        for kind in hint.__args__:
            try:
                return _convert(kind, value, name)
            except InputError:
                continue
        raise InputError(f"{name} is {value!r}; it must be {_say(hint)}.")
    if hint is types.NoneType and value is None:
        return None
    if hint is bool or isinstance(value, bool):
        if hint is bool and isinstance(value, bool):
            return value
    elif hint is float and isinstance(value, int | float):
        with contextlib.suppress(OverflowError):  # a whole number beyond the largest float
            return float(value)
    elif hint in (int, str) and isinstance(value, hint):
        return value
    elif typing.get_origin(hint) is tuple:
        items = value.split(",") if isinstance(value, str) else value
        args = typing.get_args(hint)
        if isinstance(items, list | tuple):
            kinds = [args[0]] * len(items) if args[-1] is Ellipsis else list(args)
            if len(kinds) == len(items):
                return tuple(_convert(kind, item, name) for kind, item in zip(kinds, items, strict=True))
    elif dataclasses.is_dataclass(hint):
        return _record(hint, value, name)
    raise InputError(f"{name} is {value!r}; it must be {_say(hint)}.")


def _record(kind: Any, value: Any, name: str) -> Any:
    if isinstance(value, kind):
        return value
    if isinstance(value, str):  # start:end:over, as a schedule is written at the shell
        try:
            return kind(*(float(part) for part in value.split(":")))
        except (TypeError, ValueError) as error:
            raise InputError(f"{name} is {value!r}; it must be {_say(kind)}.") from error
    return from_json([kind, *_below(kind)], value, name)


def _below(kind: type) -> list[type]:
    found: list[type] = []
    children: list[type] = kind.__subclasses__()
    for child in children:
        found += [child, *_below(child)]
    return found


def _say(hint: Any) -> str:
    if isinstance(hint, types.UnionType):
        return " or ".join(_say(kind) for kind in hint.__args__)
    if typing.get_origin(hint) is tuple:
        return "a list"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", types.NoneType: "null"}
    return words.get(hint, "start:end or start:end:over" if hint.__name__ == "Linear" else f"a {hint.__name__}")
