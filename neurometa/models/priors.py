"""What is held probable of a parameter before its data: densities for maximum a posteriori fits."""

import dataclasses
import math
from collections.abc import Mapping

from neurometa.errors import InputError
from neurometa.models.base import Equations


@dataclasses.dataclass(frozen=True)
class Uniform:
    """Every value is as probable: the log-density is 0, so that scores stay comparable between bounds."""

    def log_density(self, x: float) -> float:
        """0, in nats, up to a constant."""
        return 0.0

    def slope(self, x: float) -> float:
        """0."""
        return 0.0

    def bend(self, x: float) -> float:
        """0."""
        return 0.0


@dataclasses.dataclass(frozen=True)
class Normal:
    """Gaussian prior.

    Parameters
    ----------
    mean : float
        In the units of the parameter.
    sd : float
        In the units of the parameter, > 0.
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _positive("Normal", sd=self.sd)

    def log_density(self, x: float) -> float:
        """In nats per unit of the parameter."""
        return -0.5 * ((x - self.mean) / self.sd) ** 2 - math.log(self.sd * math.sqrt(2 * math.pi))

    def slope(self, x: float) -> float:
        """Derivative of the log-density, in nats per unit of the parameter."""
        return (self.mean - x) / self.sd**2

    def bend(self, x: float) -> float:
        """Second derivative of the log-density."""
        return -1 / self.sd**2


@dataclasses.dataclass(frozen=True)
class Gamma:
    """Gamma prior of a parameter that is positive.

    Parameters
    ----------
    shape : float
        > 0.
    scale : float
        In the units of the parameter, > 0; the mean is shape times scale.
    """

    shape: float
    scale: float

    def __post_init__(self) -> None:
        _positive("Gamma", shape=self.shape, scale=self.scale)

    def log_density(self, x: float) -> float:
        """In nats per unit of the parameter."""
        constant = -math.lgamma(self.shape) - self.shape * math.log(self.scale)
        return _power(self.shape, x) - x / self.scale + constant

    def slope(self, x: float) -> float:
        """Derivative of the log-density where that is finite, in nats per unit of the parameter."""
        return (self.shape - 1) / x - 1 / self.scale if self.shape != 1 else -1 / self.scale

    def bend(self, x: float) -> float:
        """Second derivative of the log-density where that is finite."""
        return (1 - self.shape) / x**2 if self.shape != 1 else 0.0


@dataclasses.dataclass(frozen=True)
class Beta:
    """Beta prior of a parameter between 0 and 1.

    Parameters
    ----------
    a, b : float
        > 0; the mean is a / (a + b).
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        _positive("Beta", a=self.a, b=self.b)

    def log_density(self, x: float) -> float:
        """In nats per unit of the parameter."""
        constant = math.lgamma(self.a + self.b) - math.lgamma(self.a) - math.lgamma(self.b)
        return _power(self.a, x) + _power(self.b, 1 - x) + constant

    def slope(self, x: float) -> float:
        """Derivative of the log-density where that is finite, in nats per unit of the parameter."""
        low = (self.a - 1) / x if self.a != 1 else 0.0
        return low - (self.b - 1) / (1 - x) if self.b != 1 else low

    def bend(self, x: float) -> float:
        """Second derivative of the log-density where that is finite."""
        low = (1 - self.a) / x**2 if self.a != 1 else 0.0
        return low + (1 - self.b) / (1 - x) ** 2 if self.b != 1 else low


Prior = Uniform | Normal | Gamma | Beta
Priors = Mapping[str, Prior]


def _power(exponent: float, x: float) -> float:
    """``(exponent - 1) log x``, also at and below 0: minus infinity there unless the density is finite."""
    if exponent == 1:
        return 0.0
    return (exponent - 1) * math.log(x) if x > 0 else -math.inf


def _positive(what: str, **numbers: float) -> None:
    for name, x in numbers.items():
        if not (math.isfinite(x) and x > 0):
            raise InputError(f"{name} of the {what} prior is {x}; it must be above 0.")


KOOL: Priors = {  # Kool, Cushman & Gershman 2016, after Gershman 2016; the others are uniform
    "inverse_temperature": Gamma(4.82, 0.88),
    "stickiness": Normal(0.15, 1.42),
    "response_stickiness": Normal(0.15, 1.42),
}
_HALF = Beta(1.1, 1.1)
_SLOPE = Gamma(1.5, 4.0)
_WEAK: Priors = {
    "inverse_temperature": _SLOPE,
    "inverse_temperature_first": _SLOPE,
    "inverse_temperature_second": _SLOPE,
    "learning_rate": _HALF,
    "learning_rate_positive": _HALF,
    "learning_rate_negative": _HALF,
    "learning_rate_first": _HALF,
    "learning_rate_second": _HALF,
    "forgetting_rate": _HALF,
    "kernel_rate": _HALF,
    "associability_rate": _HALF,
    "initial_associability": _HALF,
    "eligibility": _HALF,
    "model_based_weight": _HALF,
    "kernel_weight": Normal(0.0, 3.0),
    "stickiness": Normal(0.0, 1.0),
    "response_stickiness": Normal(0.0, 1.0),
    "magnitude_weight": Normal(0.0, 10.0),
    "risk_preference": Gamma(2.0, 1.0),
}


def weak(model: type[Equations]) -> Priors:
    """Return our own priors of a model: they pull estimates off their bounds, and are little felt beyond many trials.

    Rates and shares are Beta(1.1, 1.1), slopes Gamma(1.5, 4), habits Normal(0, 1) in units of
    reward, a risk preference Gamma(2, 1); what else a model has is uniform.
    """
    return {name: _WEAK[name] for name in model.parameters() if name in _WEAK}
