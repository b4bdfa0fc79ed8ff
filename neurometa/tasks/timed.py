"""Tasks whose trials last as long as the agent takes, such as a maze or a choice that has to be walked to."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from neurometa.dataset import Variable
from neurometa.tasks.base import State, Task

EVENT = "event"  # what is logged of a step after it; all else is logged as it was when the agent looked


@dataclasses.dataclass(frozen=True)
class TimedTask(Task):
    """A task of at most `n_trials` trials and at most `n_steps` steps, whichever comes first, in whatever proportion.

    Its state holds ``valid`` (bool, whether a step is still to come), ``trial_index`` (int64, the trial that it belongs
    to) and ``event`` (int64, what the last step led to: its place in `events`).

    Attributes
    ----------
    events : tuple of str
        What a step can lead to; the first is nothing.
    ends : tuple of str
        The events with which a trial reaches its end; one that has none of them is censored.
    choices : tuple of str
        The events that are a choice, in the order of the options; a trial has at most one. Empty where it has none.
    action_names : tuple of str
        What the actions are called; empty where they have no names.
    latents : dict of str to Variable or tuple of str
        As of `Task`, but of three kinds, by what their dims begin with: ``time``, logged at every step as it was when
        the agent looked; ``trial``, of every trial, drawn when the episode begins; neither, of the whole episode.
        `observe` needs nothing of a state but these, so that what was seen can be shown again.
    """

    steps = ("step",)
    choice_step = None
    curve_counts = "step"
    events: ClassVar[tuple[str, ...]]
    ends: ClassVar[tuple[str, ...]]
    choices: ClassVar[tuple[str, ...]] = ()
    action_names: ClassVar[tuple[str, ...]] = ()

    @property
    def n_options(self) -> int:
        """Events that are a choice."""
        return len(self.choices)

    @property
    def schedule(self) -> list[tuple[int, str]]:
        """As many steps as there are at most; to which trial each belongs only the state knows."""
        return [(0, self.steps[0])] * self.n_steps

    def derived(self, state: State) -> dict[str, tuple[Variable, Tensor]]:
        """Return what follows from the latents of a step and is worth logging, (episode,); by default nothing."""
        return {}


TIMED: Mapping[str, tuple[str, ...]] = {"valid": ("time",), "trial_index": ("time",), EVENT: ("time",)}
