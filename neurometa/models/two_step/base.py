"""How a model of the two-step family is told from the general learner: by what it leaves open, fixes and ties."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from neurometa.models.base import Equations

GENERAL = (  # parameters of the general learner, in the order of the equations
    "inverse_temperature_first",
    "inverse_temperature_second",
    "learning_rate_first",
    "learning_rate_second",
    "eligibility",
    "model_based_weight",
    "stickiness",
    "response_stickiness",
    "p_common",
)
COMMON = 0.7  # Daw et al. 2011: known to the learner, so that it is held
RATE, SLOPE, HABIT = (0.0, 1.0), (0.0, 20.0), (-20.0, 20.0)
BOUNDS = {
    "inverse_temperature": SLOPE,
    "inverse_temperature_first": SLOPE,
    "inverse_temperature_second": SLOPE,
    "learning_rate": RATE,
    "learning_rate_first": RATE,
    "learning_rate_second": RATE,
    "eligibility": RATE,
    "model_based_weight": RATE,
    "stickiness": HABIT,
    "response_stickiness": HABIT,
    "p_common": (COMMON, COMMON),
}


@dataclasses.dataclass(frozen=True)
class TwoStepModel(Equations):
    """A learner of the two-step task; its parameters are those of the general learner, or fix or tie them.

    Attributes
    ----------
    tied : mapping of str to str or float
        For each parameter of the general learner that the model has not by that name: which of its own
        stands for it, or at what number it is fixed.
    """

    tied: ClassVar[Mapping[str, str | float]] = {}

    def general(self) -> tuple[Any, ...]:
        """Return the parameters of the general learner, in the order of `GENERAL`."""
        sources = [self.tied.get(name, name) for name in GENERAL]
        return tuple(getattr(self, source) if isinstance(source, str) else source for source in sources)


def limits(*names: str) -> dict[str, tuple[float, float]]:
    """Bounds of these parameters, in this order."""
    return {name: BOUNDS[name] for name in names}
