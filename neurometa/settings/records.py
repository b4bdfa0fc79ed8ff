"""Frozen settings to JSON and back, and ``field=value`` from the command line.

A record is saved under the name of its class and of the public module that holds it: ``a2c.Config``,
``tasks.TwoStep``, ``agents.LSTM``. Of a class that a subpackage offers, the subpackage is the module, so
that a file may be moved within it; of any other, the file. So every algorithm has a ``Config`` of its own,
and names stay as short as one says them. A class of somebody else's is saved as ``module:Class``, as entry
points are, and can never be taken for one of these.
"""

import contextlib
import dataclasses
import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from neurometa.errors import InputError, nearest
from neurometa.settings.older import MOVED, modern
from neurometa.settings.places import fields_of, locate

PACKAGE = "neurometa"
Settings = TypeVar("Settings")


def name_of(kind: type) -> str:
    """Return the name under which settings of a class are saved, e.g. ``"tasks.TwoStep"``."""
    package, *below = kind.__module__.split(".")
    if package != PACKAGE or not below:
        return f"{kind.__module__}:{kind.__qualname__}"
    offered = getattr(sys.modules[f"{package}.{below[0]}"], kind.__name__, None) is kind
    return f"{below[0] if offered else below[-1]}.{kind.__name__}"


def to_json(settings: Any) -> Any:
    """Return frozen settings as plain dicts and lists; a dict names its class under ``type``, as of `name_of`.

    Raises
    ------
    InputError
        A setting is a function.
    """
    if dataclasses.is_dataclass(settings):
        fields = {
            field.name: to_json(getattr(settings, field.name)) for field in dataclasses.fields(settings) if field.init
        }
        return {"type": name_of(type(settings))} | fields
    if isinstance(settings, tuple | list):
        return [to_json(item) for item in settings]
    if callable(settings):
        raise InputError(
            f"{settings} is a function, which no file can hold; with gymnasium, register it and give its id."
        )
    return settings


def from_json(kinds: Sequence[type[Settings]], data: Any, name: str = "config") -> Settings:
    """Build settings from what `to_json` of this or an older version made of them.

    Parameters
    ----------
    kinds : sequence of type
        Classes allowed here, and all that derive from them; the data's ``type`` says which.
    data : dict
        What `to_json` returned, e.g. read from ``config.json``.
    name : str
        What to call the data in an error.

    Raises
    ------
    InputError
        An unknown type or field, a missing field, or a value of the wrong type.
    """
    data = modern(data)
    if not isinstance(data, dict):
        raise InputError(f"{name} is {data!r}; it must be an object with a 'type'.")
    kind = _kind_of(kinds, data.get("type"), name)
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    given = {key: value for key, value in data.items() if key != "type"}
    for key in given:
        _known_field(key, list(fields), name)
    unset = dataclasses.MISSING
    missing = [key for key, f in fields.items() if key not in given and f.default is f.default_factory is unset]
    if missing:
        raise InputError(f"{name} lacks {missing}.")
    return kind(**{key: _convert(hints[key], value, f"{name}.{key}") for key, value in given.items()})


def _kind_of(kinds: Sequence[type[Settings]], named: Any, name: str) -> type[Settings]:
    """The class that a saved name stands for, of those allowed and those that derive from them."""
    known = {name_of(kind): kind for kind in _concrete(kinds)}
    if isinstance(named, str) and named not in known and not {".", ":"} & set(named):
        known |= {kind.__name__: kind for kind in known.values()}  # somebody else's, as version 0.1.0 saved it
    if not isinstance(named, str) or named not in known:
        own = isinstance(named, str) and ":" in named
        why = f" Import {named.split(':')[0]}, which it is of, before this is opened." if own else ""
        raise InputError(f"{name} has type {named!r}, which is no class here.{why} Allowed are {sorted(known)}.")
    return known[named]


def _concrete(kinds: Sequence[type[Settings]]) -> list[type[Settings]]:
    every = [each for kind in kinds for each in (kind, *_below(kind))]
    return [kind for kind in dict.fromkeys(every) if not inspect.isabstract(kind)]


def replace(settings: Settings, assignments: Sequence[str]) -> Settings:
    """Return settings with ``field=value`` applied, e.g. ``["network.n_units=32", "task.n_trials=50"]``.

    A part may be left out where only one has such a field: ``"n_units=32"``; see `locate`. A part is exchanged by
    the name of its class, ``"network=GRU"``, and keeps the fields that both have.

    Raises
    ------
    InputError
        No ``=``, an unknown field (the nearest is named), or a value of the wrong type.
    """
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise InputError(f"{assignment!r} is not field=value, e.g. n_units=32 or task.n_trials=50.")
        name = path.strip()
        older = _as_older(settings, name, value.strip())
        if older is not None:
            settings = older
            continue
        place = _locate(settings, name)
        settings = _replace(settings, place.split("."), value.strip(), name)
    return settings


def _as_older(settings: Settings, name: str, value: str) -> Settings | None:
    """Return settings with ``task.fixation=true`` and its like, which older versions had, applied; else None."""
    *path, field = name.split(".")
    if not path:
        return None
    try:
        whole = record = to_json(settings)
        for part in path:
            record = record[part]
        record[field] = _read(value)
    except (InputError, KeyError, TypeError):  # no place of today's, or what no file can hold
        return None
    today = modern(whole)
    return None if today == whole else from_json([type(settings)], today, name)


def _locate(settings: Any, name: str) -> str:
    """The full path of a field; of one that only another kind of its part has, but for the task, say which."""
    try:
        return locate(settings, name)
    except InputError as error:
        asked, _, field = MOVED.get(name, name).rpartition(".")
        for part, hint in typing.get_type_hints(type(settings)).items():
            for kind in _records_in(hint) if part != "task" and asked in ("", part) else []:
                if field in [each.name for each in dataclasses.fields(kind)]:
                    raise InputError(f"{name} is a setting of {part}={kind.__name__}; set that first.") from error
        raise


def _replace(settings: Any, path: list[str], value: str, name: str) -> Any:
    head, *rest = path
    hints = typing.get_type_hints(type(settings))
    _known_field(head, fields_of(settings), type(settings).__name__)
    inner = getattr(settings, head)
    if rest:
        if not dataclasses.is_dataclass(inner):
            raise InputError(f"{name}: {head} is {inner!r} and has no fields of its own.")
        return dataclasses.replace(settings, **{head: _replace(inner, rest, value, name)})
    return dataclasses.replace(settings, **{head: _convert(hints[head], _read(value), name, before=inner)})


def _known_field(name: str, fields: list[str], where: str) -> None:
    if name not in fields:
        hint = nearest(name, fields)
        raise InputError(f"{where} has no field {name!r}.{hint} Allowed: {', '.join(fields)}.")


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return float(text) if re.fullmatch(r"[+-]?(\.\d+|\d+\.)(e[+-]?\d+)?", text, re.IGNORECASE) else text


def _convert(hint: Any, value: Any, name: str, *, before: Any = None) -> Any:
    """Turn a JSON value into what a field's annotation asks for, or say what it must be.

    `before` is what the field holds until now.
    """
    kinds = _records_in(hint)
    if kinds and (isinstance(value, str | dict) or not isinstance(hint, types.UnionType)):
        return _record(hint, kinds, value, name, before)
    if isinstance(hint, types.UnionType):
        for kind in hint.__args__:
            if kind not in kinds:
                with contextlib.suppress(InputError):
                    return _convert(kind, value, name)
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
    raise InputError(f"{name} is {value!r}; it must be {_say(hint)}.")


def _records_in(hint: Any) -> list[type]:
    """The classes of settings that a field's annotation allows."""
    every = hint.__args__ if isinstance(hint, types.UnionType) else (hint,)
    return _concrete([kind for kind in every if inspect.isclass(kind) and dataclasses.is_dataclass(kind)])


def _record(hint: Any, kinds: list[type], value: Any, name: str, before: Any) -> Any:
    """One of the records that a field allows: from a JSON object, or as it is written at the shell."""
    if not isinstance(value, str):
        try:
            return from_json(kinds, value, name)
        except InputError:
            if isinstance(hint, types.UnionType) and len(kinds) == 1:
                raise InputError(f"{name} is {value!r}; it must be {_say(hint)}.") from None
            raise
    by_name = {kind.__name__.lower(): kind for kind in kinds}
    if value.lower() in by_name:  # the other fields stay as they are
        kind = by_name[value.lower()]
        kept = {each.name for each in dataclasses.fields(kind)} & set(fields_of(before))
        return kind(**{field: getattr(before, field) for field in kept})
    for kind in kinds:
        if ":" in value and hasattr(kind, "FORM"):  # start:end:over, as a schedule is written
            with contextlib.suppress(TypeError, ValueError):
                return kind.of(value)  # type: ignore[attr-defined]
    raise InputError(f"{name} is {value!r}; it must be {_say(hint)}.{nearest(value.lower(), list(by_name))}")


def _below(kind: type) -> list[type]:
    found: list[type] = []
    children: list[type] = kind.__subclasses__()
    for child in children:
        found += [child, *_below(child)]
    return found


def _say(hint: Any) -> str:
    kinds = _records_in(hint)
    if kinds:
        plain = [kind for kind in getattr(hint, "__args__", ()) if not dataclasses.is_dataclass(kind)]
        forms = [getattr(kind, "FORM", kind.__name__) for kind in kinds]
        return " or ".join([*map(_say, plain), *forms])
    if isinstance(hint, types.UnionType):
        return " or ".join(_say(kind) for kind in hint.__args__)
    if typing.get_origin(hint) is tuple:
        return "a list"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", types.NoneType: "null"}
    return words.get(hint, f"a {getattr(hint, '__name__', hint)}")
