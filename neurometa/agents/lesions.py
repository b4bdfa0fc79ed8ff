"""Lesions at test: an agent with its weights as they are, and its memory cut."""

import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, State
from neurometa.errors import InputError, nearest

LESIONS = ("reset", "silence")


class Lesioned(Agent):
    """A recurrent agent whose hidden and cell state do not last (Wang et al. 2018, predictions).

    ``"reset"`` puts them back to where an episode begins at the first step of every trial, so
    that an agent remembers within a trial but not across. ``"silence"`` sets them to zero before
    every step, so that nothing is carried at all. Either way the inputs of a step, the
    previous action and reward among them, still act on that step; so do the other things in its state,
    such as the time passed.

    Parameters
    ----------
    agent : Agent
        Whose state has names that end in ``hidden`` or ``cell``, as those of networks do.
    how : {"reset", "silence"}
        The lesion.
    n_steps : int
        Steps in a trial.

    Raises
    ------
    InputError
        There is no such lesion, or the agent has no recurrent state.
    """

    def __init__(self, agent: Agent, how: str, *, n_steps: int = 1) -> None:
        super().__init__()
        if how not in LESIONS:
            raise InputError(f"There is no lesion {how!r}; allowed are {list(LESIONS)}.{nearest(how, list(LESIONS))}")
        if not _recurrent(agent.begin(1)):
            raise InputError(f"{type(agent).__name__} has no hidden or cell state that could be lesioned.")
        self.agent, self.how, self.n_steps = agent, how, n_steps
        self.records = agent.records

    def begin(self, n_episodes: int) -> State:
        """State of the agent, and the number of steps before this one."""
        state = self.agent.begin(n_episodes)
        return state | {"lesion_step": next(iter(state.values())).new_zeros(n_episodes)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step, after the lesion; the record is the agent's."""
        own = {name: x for name, x in state.items() if name != "lesion_step"}
        step = state["lesion_step"]
        fresh = _recurrent(self.agent.begin(len(reward)))
        if self.how == "silence":
            own |= {name: torch.zeros_like(x) for name, x in fresh.items()}
        else:
            first = step % self.n_steps == 0
            own |= {n: torch.where(first.view(-1, *[1] * (x.ndim - 1)), x, own[n]) for n, x in fresh.items()}
        output = self.agent(observation, action, reward, own)
        return output._replace(state=output.state | {"lesion_step": step + 1})


def _recurrent(state: State) -> State:
    return {name: x for name, x in state.items() if name.endswith(("hidden", "cell"))}
