"""Settings that are ranges: checked once, and drawn from as one."""

import itertools

import torch
from torch import Tensor

from neurometa.errors import InputError

Ranges = tuple[tuple[float, float], ...]


def check_ranges(name: str, ranges: Ranges, top: float = float("inf")) -> None:
    """Raise unless the setting `name` holds disjoint ranges (low, high) between 0 and `top`, at least one."""
    if not ranges:
        raise InputError(f"{name} is empty; give at least one (low, high).")
    below = "" if top == float("inf") else f" <= {top:g}"
    for low, high in ranges:
        if not (0 <= low < high <= top and high < float("inf")):
            raise InputError(f"{name} holds ({low}, {high}); each must be (low, high) with 0 <= low < high{below}.")
    if any(before > low for (_, before), (low, _) in itertools.pairwise(sorted(ranges))):
        raise InputError(f"{name} is {ranges}; the ranges must not overlap.")


def uniform_over(ranges: Ranges, uniform: Tensor) -> Tensor:
    """Map U(0, 1) onto the union of the ranges, each as likely as it is long."""
    place = uniform * sum(high - low for low, high in ranges)
    drawn, passed = torch.zeros_like(place), 0.0
    for low, high in ranges:
        drawn = torch.where(place >= passed, low + place - passed, drawn)
        passed += high - low
    return drawn
