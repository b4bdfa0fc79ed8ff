"""Markov decision processes drawn at random, to be explored and then exploited (Duan et al. 2016, section 3.2)."""

import dataclasses

import torch
from torch import Tensor

from neurometa.dataset import Variable
from neurometa.errors import InputError
from neurometa.memory import check_memory
from neurometa.streams import normal, uniform
from neurometa.tasks.base import Task

REWARD_MEAN, REWARD_SD, NOISE_SD = 1.0, 1.0, 1.0  # of the rewards of states and actions, and of each payment


@dataclasses.dataclass(frozen=True)
class TabularMDP(Task):
    r"""A new Markov decision process in every episode, returned to its first state again and again.

    Of each state s and action a the mean reward is drawn, :math:`r_{sa} \sim N(1, 1)`, and so are the probabilities
    of the next state, :math:`p_{sa} \sim \mathrm{Dirichlet}(1, \ldots, 1)`. An action pays
    :math:`N(r_{sa}, 1)`. After `horizon` steps the process is in state 0 again (Duan et al. 2016, section 3.2, after
    Osband et al. 2013).

    RL² has the words the other way round: its *trial*, one process that is met for n episodes, is our episode, and its
    *episode*, `horizon` steps from the first state, is our trial. A trial has no single choice, so that ``action`` is
    what is logged. What is shown is the state, one-hot, and last a flag that is 1 where the step before was the last of
    its trial; the state that this last step would have led to is never seen.

    Parameters
    ----------
    n_trials : int
        Visits to the process in an episode: n of Duan et al. 2016, Table 2.
    n_states, n_actions : int
        States, and actions in each.
    horizon : int
        Steps in a trial.
    shows_last : bool
        Show, after the flag, the state in which the last action was taken too, one-hot (state 0 before the first). It
        tells nothing new, but spares a network to hold it for a step; Duan et al. did not show it.

    Raises
    ------
    InputError
        A size is too small, or an episode does not fit in memory.
    """

    n_trials: int = 10
    n_states: int = 10
    n_actions: int = 5
    horizon: int = 10
    shows_last: bool = False

    choice_step = None
    latents = {
        "transition_prob": Variable(("episode", "state", "option", "next_state"), "transition probability"),
        "mean_reward": Variable(("episode", "state", "option"), "mean reward", "reward"),
        "visited_state": Variable(("step",), "state in which the action was taken"),
    }

    def __post_init__(self) -> None:
        for name, least in (("n_trials", 1), ("n_states", 1), ("n_actions", 2), ("horizon", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        table = self.n_states * self.n_actions * (self.n_states + 1)
        told = ", ".join(f"{field.name} is {getattr(self, field.name)}" for field in dataclasses.fields(self))
        steps = self.n_trials * self.horizon * (6 + self.n_actions + self.n_states)
        check_memory(f"{told}: a single episode", 4 * (2 * table + steps))

    @property
    def steps(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the steps in a trial: "1", "2", ..."""
        return tuple(str(step) for step in range(1, self.horizon + 1))

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """The states, the flag, and the states again if the last one is shown."""
        return self.n_states + 1 + self.shows_last * self.n_states

    def begin(self, n_episodes, rng):
        """Draw a process for each episode, which begins in state 0."""
        n = (n_episodes, self.n_states, self.n_actions)
        exponential = -torch.log1p(-uniform(rng, *n, self.n_states))  # in proportion, they have the Dirichlet law
        reached = exponential.cumsum(-1)
        total = reached[..., -1:].clamp(min=1e-30)
        now = torch.zeros(n_episodes, dtype=torch.int64, device=rng.device)
        return {
            "transition_prob": exponential / total,
            "reached_prob": reached / total,  # of this or an earlier next state
            "mean_reward": REWARD_MEAN + REWARD_SD * normal(rng, *n),
            "visited_state": now.to(torch.int16),
            "now": now,
            "ended": now > 0,
        }

    def observe(self, state, step):
        """Show the state one-hot, whether the step before ended a trial, and where that was if it is asked for."""
        one_hot = torch.eye(self.n_states, device=state["now"].device)
        shown = [one_hot[state["now"]], state["ended"][:, None]]
        if self.shows_last:
            shown.append(one_hot[state["visited_state"].long()])
        return torch.cat(shown, -1)

    def step(self, state, action, step, rng):
        """Pay for the state and action, and move on; after the last step of a trial, to state 0."""
        here, now = torch.arange(len(action), device=rng.device), state["now"]
        luck, noise = uniform(rng, len(action)), normal(rng, len(action))
        made, taken = action >= 0, action.clamp(min=0)
        paid = (state["mean_reward"][here, now, taken] + NOISE_SD * noise) * made
        ended = step == self.steps[-1]
        after = {"visited_state": now.to(torch.int16), "ended": torch.full_like(made, ended)}
        return paid, state | after | {"now": torch.zeros_like(now) if ended else self._next(state, taken, made, luck)}

    def _next(self, state: dict[str, Tensor], action: Tensor, made: Tensor, luck: Tensor) -> Tensor:
        """The state that each action leads to, (episode,); without an action the process stays where it is."""
        here = torch.arange(len(action), device=action.device)
        passed = state["reached_prob"][here, state["now"], action, :-1] <= luck[:, None]
        return torch.where(made, passed.sum(-1), state["now"])
