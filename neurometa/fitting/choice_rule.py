"""From what an arm is worth to the probability of choosing it: the one place that knows a softmax from a probit."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from neurometa.models import Softmax

OTHER = np.array([1, 0])


def log_policy(
    model: Softmax | type[Softmax],
    logits: Any,
    log_softmax: Callable = special.log_softmax,
    log_ndtr: Callable = special.log_ndtr,
) -> Any:
    """Log-probability of choosing each arm, (..., arm), from `Softmax.logits`; the functions serve other arrays."""
    if model.choice_rule == "probit":
        return log_ndtr(logits - logits[..., OTHER])
    return log_softmax(logits, axis=-1)


def probit(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logarithm of the normal distribution function, its slope, and minus its curvature, >= 0."""
    value = special.log_ndtr(z)
    slope = np.exp(-0.5 * z * z - value - 0.5 * math.log(2 * math.pi))
    return value, slope, np.maximum(slope * (slope + z), 0.0)
