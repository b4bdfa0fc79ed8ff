"""Lesions at test: an agent whose trained weights are as they are, and whose learning within an episode is cut."""

import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, State
from neurometa.agents.plastic import PlasticAgent
from neurometa.errors import InputError, nearest

LESIONS = ("reset", "silence", "freeze", "no-reward")


class Lesioned(Agent):
    """An agent that is kept from learning within an episode in one way (Wang et al. 2018, predictions).

    ``"reset"`` puts hidden and cell state back to where an episode begins at the first step of every trial, so
    that an agent remembers within a trial but not across. ``"silence"`` sets them to zero before
    every step, so that nothing is carried at all. Either way the inputs of a step, the
    previous action and reward among them, still act on that step; so do the other things in its state,
    such as the time passed.

    ``"freeze"`` keeps the weights that an agent learns with in an episode where the episode begins. As an inner step
    is linear in the advantages, it is also what happens where the gain of its prediction errors is 0.
    ``"no-reward"`` tells the agent of a reward of 0 at every step, whatever it earns.

    Parameters
    ----------
    agent : Agent
        For ``reset`` and ``silence`` one whose state has names that end in ``hidden`` or ``cell``, as those of
        recurrent networks do; for ``freeze`` one of `Plastic`; for ``no-reward`` any.
    how : {"reset", "silence", "freeze", "no-reward"}
        The lesion.
    n_steps : int
        Steps in a trial.

    Raises
    ------
    InputError
        There is no such lesion, or the agent has nothing that it could act on.
    """

    def __init__(self, agent: Agent, how: str, *, n_steps: int = 1) -> None:
        super().__init__()
        if how not in LESIONS:
            raise InputError(f"There is no lesion {how!r}; allowed are {list(LESIONS)}.{nearest(how, list(LESIONS))}")
        if how in ("reset", "silence") and not _recurrent(agent.begin(1)):
            raise InputError(f"{type(agent).__name__} has no hidden or cell state that could be lesioned.")
        if how == "freeze" and not isinstance(agent, PlasticAgent):
            raise InputError(
                f"{type(agent).__name__} has no weights that change within an episode: freezing them changes nothing."
            )
        self.agent = agent.frozen() if isinstance(agent, PlasticAgent) and how == "freeze" else agent
        self.how, self.n_steps = how, n_steps
        self.records = agent.records

    def begin(self, n_episodes: int) -> State:
        """State of the agent, and the number of steps before this one."""
        state = self.agent.begin(n_episodes)
        return state | {"lesion_step": next(iter(state.values())).new_zeros(n_episodes)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step, after the lesion; the record is the agent's."""
        own = {name: x for name, x in state.items() if name != "lesion_step"}
        step = state["lesion_step"]
        if self.how == "no-reward":
            reward = torch.zeros_like(reward)
        output = self.agent(observation, action, reward, own | self._cut(own, step, len(reward)))
        return output._replace(state=output.state | {"lesion_step": step + 1})

    def _cut(self, own: State, step: Tensor, n_episodes: int) -> State:
        """What the lesion puts in the place of the agent's activity before a step."""
        if self.how not in ("reset", "silence"):
            return {}
        fresh = _recurrent(self.agent.begin(n_episodes))
        if self.how == "silence":
            return {name: torch.zeros_like(x) for name, x in fresh.items()}
        first = step % self.n_steps == 0
        return {n: torch.where(first.view(-1, *[1] * (x.ndim - 1)), x, own[n]) for n, x in fresh.items()}


def _recurrent(state: State) -> State:
    return {name: x for name, x in state.items() if name.endswith(("hidden", "cell"))}
