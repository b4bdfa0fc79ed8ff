"""What an agent is: something that carries a state from step to step and answers with a policy."""

import abc
from typing import NamedTuple

import torch
from torch import Tensor, nn

NEGLIGIBLE = 1e-15  # probability; arithmetic on much smaller numbers is many times slower
State = dict[str, Tensor]  # every tensor is (episode, ...)


class Output(NamedTuple):
    """What an agent answers at one step.

    Attributes
    ----------
    logits : Tensor (episode, option)
        Policy before the softmax; ``-inf`` for an action that is never taken.
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


class Agent(nn.Module, abc.ABC):
    """Anything that acts: networks, learning models, ideal observers.

    They differ only in what their state holds, so that one `unroll` plays them all.
    """

    @abc.abstractmethod
    def begin(self, n_episodes: int) -> State:
        """State before the first step of `n_episodes` fresh episodes."""

    @abc.abstractmethod
    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step.

        Parameters
        ----------
        observation : Tensor (episode, feature)
            What the task shows now.
        action : Tensor (episode, option)
            One-hot action of the previous step; all zero at the first step of an episode
            and after a missed trial, where nothing is to be learned.
        reward : Tensor (episode,)
            Reward of the previous step; zero at the first.
        state : dict of Tensor
            What `begin` or the previous step returned.
        """


def greedy(worth: Tensor) -> Tensor:
    """Logits that take the best option, and each of the best equally often where they tie.

    Parameters
    ----------
    worth : Tensor (..., option)
        What each option is worth; within 1e-6 of the best counts as a tie.

    Returns
    -------
    Tensor (..., option)
        0 for the best, ``-inf`` for the others.
    """
    best = worth >= worth.amax(-1, keepdim=True) - 1e-6
    return torch.where(best, 0.0, -torch.inf)
