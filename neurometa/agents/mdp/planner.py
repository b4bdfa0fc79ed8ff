"""What all planners of tabular Markov decision processes share: counts, and a plan made before each trial."""

import abc
import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, Segment, State, greedy
from neurometa.agents.mdp import kernels
from neurometa.errors import InputError


@dataclasses.dataclass(frozen=True)
class MDPPrior:
    r"""What a planner holds of a process before it has seen any of it; the defaults are how `TabularMDP` draws them.

    Of each state and action the mean reward is :math:`N(\mu_0, 1/\tau_0)`, payments having unit noise, and the
    probabilities of the next state are Dirichlet, all with the concentration :math:`\alpha_0`.

    Parameters
    ----------
    mean : float
        :math:`\mu_0`, in units of reward.
    precision : float
        :math:`\tau_0`, in payments that it is worth, > 0.
    concentration : float
        :math:`\alpha_0`, in transitions to each state that it is worth, >= 0; 0 is the mode under a flat prior.

    Raises
    ------
    InputError
        A value is outside its range.
    """

    mean: float = 1.0
    precision: float = 1.0
    concentration: float = 1.0

    def __post_init__(self) -> None:
        if not abs(self.mean) < float("inf"):
            raise InputError(f"mean is {self.mean}; it must be finite.")
        if not 0 < self.precision < float("inf"):
            raise InputError(f"precision is {self.precision}; it must be above 0, and finite.")
        if not 0 <= self.concentration < float("inf"):
            raise InputError(f"concentration is {self.concentration}; it must be 0 or more, and finite.")

    @property
    def values(self) -> tuple[float, float, float]:
        """Mean, precision and concentration."""
        return float(self.mean), float(self.precision), float(self.concentration)


class Belief(NamedTuple):
    """What was counted, arrays as of `neurometa.agents.mdp.kernels`."""

    counts: np.ndarray
    visits: np.ndarray
    earned: np.ndarray


class Planner(Agent):
    """Count what a process does, and before each trial plan its steps; ties are broken at random.

    Its value is what the plan promises for the rest of the trial. The steps of a trial are learned from when the next
    one begins, which plans cannot tell from learning at once. Runs on the CPU.

    Parameters
    ----------
    n_states, n_actions : int
        Of the process.
    horizon : int
        Steps in a trial.
    prior : MDPPrior, optional
        By default the distribution that `neurometa.tasks.TabularMDP` draws from.

    Raises
    ------
    InputError
        A size is below 1; when played, trials have another length, or observations are not of so many states.
    """

    prior: MDPPrior

    def __init__(
        self, n_states: int = 10, n_actions: int = 5, *, horizon: int = 10, prior: MDPPrior | None = None
    ) -> None:
        super().__init__()
        for name, least, x in (("n_states", 1, n_states), ("n_actions", 2, n_actions), ("horizon", 1, horizon)):
            if x < least:
                raise InputError(f"{name} is {x}; it must be at least {least}.")
        self.n_states, self.n_actions, self.horizon = n_states, n_actions, horizon
        self.prior = prior or MDPPrior()
        self.records = {"planned_loss": ("state", "option"), "action_loss": ("option",)}

    @abc.abstractmethod
    def plan(self, belief: Belief, trial: np.ndarray, seed: np.ndarray, worth: np.ndarray) -> None:
        """Fill `worth` (episode, step, state, action) by what is known before a trial (episode,), counted from 1.

        All chance comes from `seed` (episode,), a whole number below 2**31 that no other trial has.
        """

    def begin(self, n_episodes: int) -> State:
        """Nothing has been seen; ``luck`` (episode,) fixes what is drawn, and who plays the agent may fill it in."""
        table = torch.zeros(n_episodes, self.n_states, self.n_actions)
        steps = torch.zeros(n_episodes, self.horizon, dtype=torch.int64)
        return {
            "counts": table[..., None].repeat(1, 1, 1, self.n_states),
            "visits": table,
            "earned": table,
            "worth": table[:, None].expand(-1, self.horizon, -1, -1),
            "seen": steps,
            "taken": steps,
            "paid": steps.float(),
            "step": torch.full((n_episodes,), -1),
            "trial": torch.zeros(n_episodes, dtype=torch.int64),
            "luck": torch.arange(n_episodes),
        }

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` holds what each action would lose by the plan, 0 or below: here and everywhere.

        These are ``action_loss`` (episode, option), and ``planned_loss`` (episode, state, option).
        """
        now, ended = self._seen(observation)
        state = self._note(action, reward, state)
        n_steps = int(state["step"][0])  # as in all other episodes, for trials have one length
        if bool((ended != (n_steps == self.horizon)).any()):
            when = "are longer" if n_steps == self.horizon else f"end after {n_steps}"
            raise InputError(f"The agent plans trials of {self.horizon} steps, but those of the task {when}.")
        if n_steps in (-1, self.horizon):
            state = self._plan(state)
        here = torch.arange(len(now))
        seen = state["seen"].clone()
        seen[here, state["step"]] = now
        plan = state["worth"][here, state["step"]]
        worth, lost = plan[here, now], plan - plan.amax(-1, keepdim=True)
        return Output(self.policy(worth), worth.amax(-1), state | {"seen": seen}, _losses(lost, lost[here, now]))

    def sequence(self, segment: Segment, state: State, log: tuple[str, ...] = ()) -> Output:
        """Answer a segment of whole trials, each in one piece; see `Agent.sequence`."""
        now, ended = self._seen(segment.observation)
        begins, n_steps = torch.arange(len(now)) % self.horizon == 0, int(state["step"][0])
        begins[0] = n_steps >= 0
        if len(now) % self.horizon or n_steps not in (-1, self.horizon - 1) or bool((ended != begins[:, None]).any()):
            return super().sequence(segment, state, log)
        state = self._note(segment.action_before, segment.reward_before, state)
        here, plans = torch.arange(now.shape[1]), []
        for steps in torch.arange(len(now)).split(self.horizon):
            state = self._plan(state)
            seen, taken, paid = (x[steps].T.contiguous() for x in (now, segment.action, segment.reward))
            played = {"seen": seen, "taken": taken, "paid": paid, "step": state["step"] + self.horizon}
            plans.append(state["worth"].movedim(1, 0))
            before, state = state, state | played
        plan = torch.cat(plans)
        time = torch.arange(len(now))[:, None]
        worth, lost = plan[time, here, now], plan - plan.amax(-1, keepdim=True)
        record = _losses(lost, lost[time, here, now])
        for name in ("taken", "paid"):  # of the last step they are told by the next
            state[name][:, -1] = before[name][:, -1]
        state = state | {"step": state["step"] - 1}
        return Output(self.policy(worth), worth.amax(-1), state, {name: record[name] for name in log})

    def policy(self, worth: Tensor) -> Tensor:
        """Logits (episode, option) by what each action is worth."""
        return greedy(worth)

    def _seen(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """The state, and whether the step before ended a trial."""
        if observation.shape[-1] not in (self.n_states + 1, 2 * self.n_states + 1):
            raise InputError(
                f"The task shows {observation.shape[-1]} numbers; an agent for {self.n_states} states is shown "
                f"{self.n_states + 1}, the state one-hot and whether the step before ended a trial."
            )
        return observation[..., : self.n_states].argmax(-1), observation[..., self.n_states] > 0

    def _note(self, action: Tensor, reward: Tensor, state: State) -> State:
        """Write down the action of the step before, -1 where there was none, and what it paid."""
        step = int(state["step"][0])
        if step < 0:
            return state
        taken, paid = state["taken"].clone(), state["paid"].clone()
        taken[:, step] = torch.where(action.any(-1), action.argmax(-1), -1)
        paid[:, step] = reward
        return state | {"taken": taken, "paid": paid, "step": state["step"] + 1}

    def _plan(self, state: State) -> State:
        """Learn from the trial that is over, if one is, and plan the next."""
        belief = Belief(*(state[name].numpy().copy() for name in Belief._fields))
        trial, luck, n_steps = (state[name].numpy() for name in ("trial", "luck", "step"))
        seen, taken, paid = (state[name].numpy() for name in ("seen", "taken", "paid"))
        kernels.learn(*belief, seen, taken, paid, n_steps)
        worth = np.empty((len(trial), self.horizon, self.n_states, self.n_actions), np.float32)
        self.plan(belief, trial + 1, (luck ^ ((trial + 1) * 2654435761)) & (2**31 - 1), worth)
        now = belief._asdict() | {"worth": worth, "trial": trial + 1, "step": np.zeros_like(trial)}
        return state | {name: torch.from_numpy(x) for name, x in now.items()}


def _losses(everywhere: Tensor, here: Tensor) -> State:
    """Record of what actions would lose by the plan."""
    return {"planned_loss": everywhere, "action_loss": here}
