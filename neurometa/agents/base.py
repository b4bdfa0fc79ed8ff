"""What an agent is: something that carries a state from step to step and answers with a policy."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from neurometa.errors import InputError, nearest

TIES = ("random", "first")  # which of the best options is taken
NEGLIGIBLE = 1e-15  # probability; arithmetic on much smaller numbers is many times slower
State = dict[str, Tensor]  # every tensor is (episode, ...)


class Output(NamedTuple):
    """What an agent answers at one step.

    Attributes
    ----------
    logits : Tensor (episode, option)
        Policy before the softmax; ``-inf`` for an action that is never taken. Where the task asks for a continuous
        action, mean and log SD of each axis, (episode, 2 * axis): see `neurometa.policies`.
    value : Tensor (episode,)
        What the agent expects: for networks the critic's estimate of the discounted
        return, for learners and observers the expected reward of the trial.
    state : dict of Tensor (episode, ...)
        What it carries to the next step.
    record : dict of Tensor (episode, ...)
        What can be logged of it, by the names of the data contract.
    """

    logits: Tensor
    value: Tensor
    state: State
    record: dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class Segment:
    """Some steps of a batch of episodes as they were played, time first.

    Attributes
    ----------
    observation : Tensor (time, episode, ...)
        What the task showed; frames as uint8.
    action : Tensor (time, episode), int64, or (time, episode, axis)
        What was done: choices, or continuous actions.
    reward : Tensor (time, episode)
        What it brought.
    valid : Tensor (time, episode), bool
        False on padding, after the end of an episode that ended early.
    logits : Tensor (time, episode, option)
        Policy of the agent that played, as of `Output`.
    value : Tensor (time, episode)
        What it expected.
    record : dict of Tensor (time, episode, ...)
        What was logged of it.
    latents : dict of Tensor (trial, episode, ...)
        Hidden variables of the task on the trials that ended in this segment; over (time, episode, ...) where their
        dims begin with ``step``, and over (episode, ...) where they do not change in an episode.
    state : dict of Tensor (episode, ...)
        The agent's state before the first step.
    action_before : Tensor (episode, option)
        One-hot action of the step before the first, or the continuous one (episode, axis); all zero at the beginning
        of an episode.
    reward_before : Tensor (episode,)
        Reward of that step.
    drawn : tuple of str
        Names of the latents that are over (episode, ...).
    gaps : Tensor (time, episode, option) or None
        By how much each action was worth less than the best, where `rollout.segments` was asked for it.
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    valid: Tensor
    logits: Tensor
    value: Tensor
    record: dict[str, Tensor]
    latents: dict[str, Tensor]
    state: State
    action_before: Tensor
    reward_before: Tensor
    drawn: tuple[str, ...] = ()
    gaps: Tensor | None = None

    @property
    def previous_action(self) -> Tensor:
        """Action of the step before each, one-hot (time, episode, option), all zero after none (-1), or continuous."""
        if self.action.is_floating_point():
            return torch.cat([self.action_before[None], self.action[:-1]])
        option = torch.arange(self.action_before.shape[-1], device=self.action.device)
        taken = (self.action[:-1, :, None] == option).to(self.action_before.dtype)
        return torch.cat([self.action_before[None], taken])

    @property
    def previous_reward(self) -> Tensor:
        """Reward of the step before each, (time, episode)."""
        return torch.cat([self.reward_before[None], self.reward[:-1]])

    def of(self, episode: Tensor) -> "Segment":
        """Return the same steps of some of the episodes, by their numbers (int64), without the latents of the task."""
        steps = ("observation", "action", "reward", "valid", "logits", "value")
        return Segment(
            **{name: getattr(self, name)[:, episode] for name in steps},
            record={name: x[:, episode] for name, x in self.record.items()},
            latents={name: x[episode] if name in self.drawn else x[:, episode] for name, x in self.latents.items()},
            drawn=self.drawn,
            state={name: x[episode] for name, x in self.state.items()},
            action_before=self.action_before[episode],
            reward_before=self.reward_before[episode],
            gaps=None if self.gaps is None else self.gaps[:, episode],
        )


class Agent(nn.Module, abc.ABC):
    """Anything that acts: networks, learning models, ideal observers.

    They differ only in what their state holds, so that one `unroll` plays them all.

    Attributes
    ----------
    records : mapping of str to tuple of str
        What it can be asked to log that has dims beyond (episode, trial, step), and those dims.
    kept : tuple of str
        What of its record spares `sequence` work where a segment holds it, e.g. what a frozen encoder saw.
    """

    records: Mapping[str, tuple[str, ...]] = {}
    kept: tuple[str, ...] = ()

    @abc.abstractmethod
    def begin(self, n_episodes: int) -> State:
        """State before the first step of `n_episodes` fresh episodes.

        Who draws at random besides its actions has ``noise`` (episode, ...) in its state: whoever plays it puts
        standard normal numbers there before each step.
        """

    @abc.abstractmethod
    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step.

        Parameters
        ----------
        observation : Tensor (episode, feature)
            What the task shows now.
        action : Tensor (episode, option)
            One-hot action of the previous step, or the continuous one (episode, axis); all zero at the first step of
            an episode and after a missed trial, where nothing is to be learned.
        reward : Tensor (episode,)
            Reward of the previous step; zero at the first.
        state : dict of Tensor
            What `begin` or the previous step returned.
        """

    def sequence(self, segment: Segment, state: State, log: tuple[str, ...] = ()) -> Output:
        """Answer every step of a segment again, with gradients.

        By default a loop over `forward`; networks answer in one call.

        Parameters
        ----------
        segment : Segment
            What was played.
        state : dict of Tensor
            The state before its first step: what `begin` returns, so that a learned start gets its gradient, or
            ``segment.state`` where an episode goes on.
        log : tuple of str
            What of the record to answer too.

        Returns
        -------
        Output
            Its logits, value and record are those of all steps, time first; its state is that after the last.
        """
        before, paid = segment.previous_action, segment.previous_reward
        outputs = []
        for t in range(len(segment.action)):
            outputs.append(self(segment.observation[t], before[t], paid[t], state))
            state = outputs[-1].state
        record = {name: torch.stack([output.record[name] for output in outputs]) for name in log}
        logits, value = (torch.stack([getattr(x, name) for x in outputs]) for name in ("logits", "value"))
        return Output(logits, value, state, record)


def greedy(worth: Tensor, ties: str = "random") -> Tensor:
    """Logits that take the best option.

    Parameters
    ----------
    worth : Tensor (..., option)
        What each option is worth; within 1e-6 of the best counts as a tie.
    ties : {"random", "first"}
        Where several are best, any of them equally often, or the first.

    Returns
    -------
    Tensor (..., option)
        0 for the best, ``-inf`` for the others.
    """
    best = worth >= worth.amax(-1, keepdim=True) - 1e-6
    if ties == "first":
        best &= best.cumsum(-1) == 1
    return torch.where(best, 0.0, -torch.inf)


def check_ties(ties: str) -> str:
    """Return how ties are broken, or raise."""
    if ties not in TIES:
        raise InputError(f"ties is {ties!r}; allowed are {list(TIES)}.{nearest(str(ties), list(TIES))}")
    return ties
