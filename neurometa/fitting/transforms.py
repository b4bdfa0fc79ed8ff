"""Where a group is normal: parameters without bounds, and the way back to their natural units."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from neurometa.models import Equations

REACH = 8.0  # of log-odds to either side: rates from .0003 to .9997
DECADES = 9.0  # nepers below the highest slope: 30 down to .004


class Link(NamedTuple):
    """How one parameter is written without bounds.

    Attributes
    ----------
    kind : {"logit", "log", "identity"}
        Log-odds of the way from the lowest to the highest value, the logarithm, or nothing.
    lower, upper : float
        The parameter's bounds, in its own units.
    """

    kind: Literal["logit", "log", "identity"]
    lower: float
    upper: float

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest value without bounds that is considered; the likelihood counts as 0 beyond."""
        if self.kind == "logit":
            return -REACH, REACH
        if self.kind == "log":
            return math.log(self.upper) - DECADES, math.log(self.upper)
        return self.lower, self.upper

    @property
    def centre(self) -> tuple[float, float]:
        """A middling mean of a group, and a wide SD, in values without bounds."""
        if self.kind == "logit":
            return 0.0, 1.5
        if self.kind == "log":
            return min(1.0, math.log(self.upper) - 1.0), 1.5
        return min(max(0.0, self.lower), self.upper), min(5.0, (self.upper - self.lower) / 4)

    def natural(self, z: Any, exp: Callable = np.exp) -> Any:
        """Value of the parameter in its own units; `exp` serves arrays of other libraries."""
        if self.kind == "logit":
            return self.lower + (self.upper - self.lower) / (1 + exp(-z))
        return exp(z) if self.kind == "log" else z

    def rate(self, x: Any) -> Any:
        """Derivative of `natural`, where the parameter is `x` in its own units."""
        if self.kind == "logit":
            return (x - self.lower) * (self.upper - x) / (self.upper - self.lower)
        return x if self.kind == "log" else 1.0


def links(
    model: type[Equations], lower: Mapping[str, float], upper: Mapping[str, float], held: tuple[str, ...] = ()
) -> dict[str, Link]:
    """Links of the parameters that are neither held nor have equal bounds, in the model's order.

    Parameters
    ----------
    model : Model or TwoStepModel class
        Whose parameters.
    lower, upper : mapping of str to float
        Their bounds.
    held : tuple of str
        Parameters that take no part.

    Returns
    -------
    dict of str to Link
        Slopes (from 0 to more than 1) are normal in their logarithm, signed weights as they
        are, and what lies between two other bounds, as rates do, in its log-odds.
    """
    found: dict[str, Link] = {}
    for name in model.parameters():
        low, high = lower[name], upper[name]
        if name not in held and low < high:
            wide = low == 0 and high > 1
            found[name] = Link("log" if wide else "identity" if low < 0 < high else "logit", low, high)
    return found
