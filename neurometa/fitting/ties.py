"""What makes no difference: likelihoods that are equal, or differ by no more than rounding."""

import numpy as np

EQUAL = 1e-9  # nats: maxima that differ by less are equal
ROUNDING = 1e-12  # of a log-likelihood: less may depend on how many columns are summed side by side


def replaced(weights: np.ndarray, k: int, value: np.ndarray) -> np.ndarray:
    """Weights (feature, column) of which one is another."""
    other = weights.copy()
    other[k] = value
    return other


def alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether two log-likelihoods are equal, in nats."""
    return np.abs(one - other) < EQUAL * (1 + np.abs(other))
