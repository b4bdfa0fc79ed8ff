"""Calls to an environment of gymnasium, every answer of which is looked at before it is believed.

What comes from an environment that somebody else wrote goes into a network's input and its losses, where a NaN or a
value outside its space would only show as a training that diverges. Here it is told where it came from.
"""

import re
import reprlib
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

from neurometa.errors import InputError

RESET = "gymnasium asks of reset for (observation, info)"
STEP = "gymnasium asks of step for five, (observation, reward, terminated, truncated, info)"
OWN = " If it is your own, import the module that registers it first (at the shell: neurometa --import MODULE ...)."
UNPACKED = re.compile(r"values to unpack \(expected 5(?:, got (\d+))?\)")  # a wrapper of gymnasium, of what it wraps
LARGEST = float(np.finfo(np.float32).max)  # of a reward


class Place(NamedTuple):
    """Where something came from: the environment's name, the episode and the step, both from 0 (None: its reset)."""

    env: str
    episode: int
    step: int | None

    def __str__(self) -> str:
        when = "at its reset" if self.step is None else f"step {self.step}"
        return f"{self.env}, episode {self.episode}, {when}"


def make(env: Any, name: str) -> Any:
    """Make an environment, of its id or by what makes one, whose spaces a task can have.

    Raises
    ------
    InputError
        It cannot be made, is no environment of gymnasium, or has other actions or observations.
    """
    try:
        made = gymnasium.make(env, disable_env_checker=True) if isinstance(env, str) else env()
    except Exception as error:  # whatever its author's code may raise
        hint = OWN if isinstance(error, gymnasium.error.UnregisteredEnv) else ""
        raise InputError(f"gymnasium cannot make {name}: {told(error)}.{hint}") from error
    actions, seen = getattr(made, "action_space", None), getattr(made, "observation_space", None)
    if not isinstance(actions, spaces.Discrete):
        raise InputError(f"The actions of {name} are {shown(actions)}; they must be Discrete, of gymnasium.")
    if not isinstance(seen, spaces.Space):
        raise InputError(f"The observations of {name} are {shown(seen)}; they must be a space of gymnasium.")
    try:
        spaces.flatdim(seen)
    except (NotImplementedError, ValueError) as error:
        raise InputError(
            f"The observations of {name} are {seen}, which have no fixed length; "
            "wrap the environment so that they are a Box."
        ) from error
    return made


def reset(env: Any, seed: int, place: Place) -> Any:
    """Begin an episode and return what is seen, an element of the environment's space.

    Raises
    ------
    InputError
        The environment raises, or what it returns is not what gymnasium asks for.
    """
    try:
        answer = env.reset(seed=seed)
    except Exception as error:
        raise InputError(f"{place}: it raised {told(error)}.") from error
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)):
        raise InputError(f"{place}: it returned {shown(answer)}; {RESET}.")
    return _seen(env, answer[0], place)


def step(env: Any, action: int, place: Place) -> tuple[Any, float, bool]:
    """Take an action; what is seen then, the reward, and whether the episode goes on.

    After the last step what is seen is not looked at, for no agent gets it.

    Raises
    ------
    InputError
        As of `reset`.
    """
    try:
        answer = env.step(action)
    except Exception as error:
        unpacked = UNPACKED.search(str(error)) if isinstance(error, ValueError) else None
        if unpacked:
            raise InputError(f"{place}: it returned {unpacked[1] or 'too many'} values; {STEP}.") from error
        raise InputError(f"{place}: it raised {told(error)} on action {action}.") from error
    if not (isinstance(answer, tuple) and len(answer) == 5):
        count = f"{len(answer)} values" if isinstance(answer, tuple) else shown(answer)
        raise InputError(f"{place}: it returned {count}; {STEP}.")
    seen, reward, terminated, truncated, _ = answer
    ended = [_flag(x, name, place) for x, name in ((terminated, "terminated"), (truncated, "truncated"))]
    paid = _reward(reward, place)
    return (seen, paid, False) if any(ended) else (_seen(env, seen, place), paid, True)


def _reward(reward: Any, place: Place) -> float:
    try:
        number = np.asarray(reward)
    except (TypeError, ValueError, RuntimeError):  # rows of unequal length, or a tensor that numpy cannot read
        number = np.empty(0)
    if (
        np.ma.is_masked(reward)
        or number.size != 1
        or number.dtype.kind not in "biuf"
        or not abs(float(number.item())) <= LARGEST
    ):  # NaN is not
        raise InputError(f"{place}: its reward is {shown(reward)}; a reward is one finite number.")
    return float(number.item())


def _flag(flag: Any, name: str, place: Place) -> bool:
    value = np.asarray(flag)
    if value.size != 1 or value.item() not in (0, 1):
        raise InputError(f"{place}: {name} is {shown(flag)}; it must be true or false.")
    return bool(value.item())


def _seen(env: Any, seen: Any, place: Place) -> Any:
    wrong = fault(env.observation_space, seen)
    if wrong:
        raise InputError(f"{place}: its observation {wrong}.")
    return seen


def fault(space: spaces.Space, seen: Any) -> str:
    """Return what keeps an observation from being an element of a space, e.g. ``is -1; ...``; empty if nothing does.

    Unlike ``space.contains`` it takes numbers of another precision than the space's, which are cast, and says what is
    wrong.
    """
    if isinstance(space, spaces.Dict):
        if not isinstance(seen, dict) or seen.keys() != space.spaces.keys():
            return f"is {shown(seen)}; it must be a dict of {list(space.spaces)}"
        return _first((name, fault(part, seen[name])) for name, part in space.spaces.items())
    if isinstance(space, spaces.Tuple):
        if not isinstance(seen, tuple | list) or len(seen) != len(space.spaces):
            return f"is {shown(seen)}; it must be a tuple of {len(space.spaces)}"
        return _first((i, fault(part, x)) for i, (part, x) in enumerate(zip(space.spaces, seen, strict=True)))
    if isinstance(space, spaces.Discrete):
        return _array_fault(seen, (), True, space.start, space.start + space.n - 1)
    if isinstance(space, spaces.MultiDiscrete):
        return _array_fault(seen, space.shape, True, space.start, space.start + space.nvec - 1)
    if isinstance(space, spaces.MultiBinary):
        return _array_fault(seen, space.shape, True, 0, 1)
    if isinstance(space, spaces.Box):
        whole = np.issubdtype(space.dtype, np.integer)
        return _array_fault(seen, space.shape, whole, space.low, space.high, space.dtype)
    return "" if space.contains(seen) else f"is {shown(seen)}, which is not in {space}"


def _first(parts: Any) -> str:
    return next((f"at {name!r} {wrong}" for name, wrong in parts if wrong), "")


def _array_fault(seen: Any, shape: Any, whole: bool, low: Any, high: Any, dtype: Any = None) -> str:
    """What is wrong with an array: its kind, its shape, or a value outside ``low`` to ``high``."""
    try:
        values = np.asarray(seen)
    except ValueError:  # rows of unequal length
        return f"is {shown(seen)}, which is no array"
    if values.dtype.kind not in ("biu" if whole else "biuf"):
        return f"is {shown(seen)}; it must be {'whole numbers' if whole else 'numbers'}"
    if values.shape != shape and not (shape == () and values.size == 1):
        return f"has shape {values.shape}; its space has {shape}"
    values = values.reshape(shape)
    near = values.astype(dtype) if dtype is not None and values.dtype.kind == "f" else values
    outside = ~(np.isfinite(near) & (near >= low) & (near <= high))
    if not outside.any():
        return ""
    index = tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(outside)))
    least, most = (np.broadcast_to(bound, values.shape or (1,))[index] for bound in (low, high))
    where = f" at {list(index)}" if values.shape else ""
    value = np.atleast_1d(values)[index]
    must = f"its space goes from {least} to {most}" if np.isfinite(value) else "it must be finite"
    return f"is {value}{where}; {must}"


def shown(x: Any) -> str:
    """Show a value on one line, however large it is."""
    return " ".join(reprlib.repr(x).split())


def told(error: Exception) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {text.rstrip('.')}" if text else type(error).__name__
