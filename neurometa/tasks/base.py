"""What a task is: a distribution of episodes, played in a batch."""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from neurometa.dataset import VARIABLES, Variable
from neurometa.errors import InputError
from neurometa.memory import check_memory
from neurometa.streams import Rng

State = dict[str, Tensor]  # every tensor is (episode, ...)
Perturb = Callable[[State, Tensor, Tensor], Tensor]  # (state after a choice, action, reward) to what is added
CENTRE = 2  # the action that asks for nothing but to hold still (a_C), beside left (0) and right (1)


@dataclasses.dataclass(frozen=True)
class Task(abc.ABC):
    """A distribution of episodes; every episode has `n_trials` trials of the same named steps.

    Settings are the fields of a frozen dataclass. A state is a dict of tensors whose first
    axis is the episode; nothing is mutated, and randomness and the device come from `rng`.

    Attributes
    ----------
    steps : tuple of str
        Names of the steps in a trial, in order.
    choice_step : str or None
        The step whose action is the trial's choice; None where a trial has no single one, as in a maze.
    latents : dict of str to Variable or tuple of str
        Hidden variables to log: their dims after (episode, trial), label and units. Of a variable of the data contract
        (`neurometa.dataset.VARIABLES`) the dims alone will do. One whose dims begin with ``step`` is logged after every
        step; one whose dims begin with ``episode`` does not change in an episode, and is logged once. ``valid`` says of
        trials, or of steps, whether they were played: what ends early is padded.
    n_features : int
        Length of an observation; 0 if there is nothing to see.
    observation_shape : tuple of int
        Shape of an observation, whose product is `n_features`: (channel, height, width) of frames, as uint8.
    repeats : bool
        Whether every trial of an episode is one more of the same world, with no trace of those before it but what the
        agent has learned: what optimisation by MAML needs.
    n_axes : int
        Axes of a continuous action, which is drawn from a normal distribution along each; 0 where an agent chooses
        among `n_actions`.
    n_actions : int
        Number of actions at every step; 0 where the action is continuous.
    n_options : int
        Number of options at the choice step; an action from there on is logged as no choice.
    reward_levels : tuple of float
        The rewards that can occur, where an agent gets them one-hot; empty for a scalar.
    curve_counts : {"trial", "step"}
        What the rewards of a learning curve are means over: steps, where trials last as long as they take.
    """

    n_trials: int

    steps: ClassVar[tuple[str, ...]] = ("choice",)
    choice_step: ClassVar[str | None] = "choice"
    latents: ClassVar[Mapping[str, Variable | tuple[str, ...]]]
    n_features: ClassVar[int] = 0
    reward_levels: ClassVar[tuple[float, ...]] = ()
    repeats: ClassVar[bool] = False
    curve_counts: ClassVar[str] = "trial"

    @property
    def n_axes(self) -> int:
        """Axes of a continuous action; by default none, and agents choose."""
        return 0

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Shape of an observation: a vector of `n_features`, unless a task shows frames."""
        return (self.n_features,)

    @property
    def n_steps(self) -> int:
        """Steps in an episode."""
        return self.n_trials * len(self.steps)

    @property
    def schedule(self) -> list[tuple[int, str]]:
        """Trial and name of every step of an episode, in order."""
        return [(trial, step) for trial in range(self.n_trials) for step in self.steps]

    @property
    def n_actions(self) -> int:
        """Number of actions at every step: two, unless a task says otherwise or its action is continuous."""
        return 0 if self.n_axes else 2

    @property
    def n_options(self) -> int:
        """Number of options at the choice step: an action from there on is no choice; by default none is."""
        return self.n_actions

    def for_test(self) -> "Task":
        """Return the distribution that a trained agent is tested on; by default the same."""
        return self

    @abc.abstractmethod
    def begin(self, n_episodes: int, rng: Rng) -> State:
        """Draw episodes from the distribution."""

    def observe(self, state: State, step: str) -> Tensor:
        """Return what the agent sees, (episode, feature); by default nothing."""
        first = next(iter(state.values()))
        return first.new_empty((len(first), 0), dtype=torch.float32)

    @abc.abstractmethod
    def step(self, state: State, action: Tensor, step: str, rng: Rng) -> tuple[Tensor, State]:
        """Move the world, then pay: reward (episode,) and the state that paid it.

        A continuous action is (episode, axis). An action (episode,) of -1 is no response: nothing is chosen and nothing
        paid, and the world goes on; it comes only from a task around this one, such as `Fixation`.
        """

    def gaps(self, state: State, step: str) -> Tensor:
        """Return by how much each action is worth less than the best, (episode, option), 0 or below.

        It is Q* - V*, of the task as it was drawn for the episode, which only a simulator knows: an agent never sees
        it, but can be trained by it.

        Raises
        ------
        InputError
            The task does not say, as by default.
        """
        raise InputError(f"{type(self).__name__} does not know what each action is worth; train by reward: of=reward.")

    def perturbation(self, name: str) -> Perturb:
        """Return what a perturbation of this name adds to the prediction error that an agent makes of a choice.

        Raises
        ------
        InputError
            The task has none, as by default, or none of this name.
        """
        raise InputError(f"{type(self).__name__} has no perturbation {name!r}: its prediction errors are left alone.")

    def wait(self, state: State, rng: Rng) -> State:
        """Let a step pass at which nothing is asked of this task, such as a fixation; by default the world stands."""
        return state


def declared(task: Task) -> dict[str, Variable]:
    """Return the latents of a task with their dims after (episode, trial), label and units.

    A label that neither the task nor the data contract has is the name in words.
    """
    found = {}
    for name, latent in task.latents.items():
        if not isinstance(latent, Variable):
            known = VARIABLES.get(name, Variable((), name.replace("_", " ")))
            latent = known._replace(dims=tuple(latent))
        found[name] = latent
    return found


def check_sizes(n_trials: int, n_arms: int = 2, **n_features: int) -> None:
    """Raise unless there are trials and options, and an episode fits in memory.

    Parameters
    ----------
    n_trials, n_arms : int
        Trials in an episode; options to choose from.
    **n_features : int
        Numbers that a trial shows, by the name of the setting that says how many.
    """
    if n_trials < 1:
        raise InputError(f"n_trials is {n_trials}; it must be at least 1.")
    if n_arms < 2:
        raise InputError(f"n_arms is {n_arms}; there is nothing to choose below 2.")
    sizes = {"n_trials": n_trials} | ({"n_arms": n_arms} if n_arms > 2 else {}) | n_features
    told = " and ".join(f"{name} is {size}" for name, size in sizes.items())
    logged = 4 + 2 * n_arms + sum(n_features.values())  # numbers of a trial, of four bytes: see `neurometa.rollout`
    check_memory(f"{told}: a single episode", 4 * n_trials * logged)
