"""Agents that know nothing of a fixation, in a task that has one."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from neurometa.agents.base import Agent, Output, State

OWN = ("held_action", "held_reward", "waited")  # what it carries beside the state of the agent


class Fixating(Agent):
    """An agent that takes the centre at a fixation, and otherwise does what it does without one.

    For a `neurometa.tasks.Fixation` around the agent's task. At the fixation the agent is asked what it expects, with
    nothing shown, and learns nothing; what its last own action brought it is told once the trial is there. Value and
    record are its own at every step.

    Parameters
    ----------
    agent : Agent
        Who plays the task that follows the fixation.
    """

    start: Tensor

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self.agent = agent
        self.records = agent.records
        self.register_buffer("start", torch.zeros(1), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """State of the agent, and the action (episode, option; empty at first) and reward that it is yet to be told."""
        none = self.start.expand(n_episodes)
        held = {"held_action": none[:, None][:, :0], "held_reward": none, "waited": none > 0}
        return self.agent.begin(n_episodes) | held

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; the record is the agent's."""
        own = {name: x for name, x in state.items() if name not in OWN}
        waited, waits = state["waited"], observation[:, 0] > 0
        taken = action[:, :-1]  # all zero after the centre
        held = state["held_action"] if state["held_action"].shape[-1] else torch.zeros_like(taken)
        taken = torch.where(waited[:, None], held, taken)
        paid = torch.where(waited, state["held_reward"], reward)
        output = self.agent(observation[:, 1:], taken, paid, own)
        after = {name: torch.where(_along(waits, x), own[name], x) for name, x in output.state.items()}
        centre = torch.where(waits, 0.0, -torch.inf).to(output.logits.dtype)[:, None]
        sides = torch.where(waits[:, None], -torch.inf, output.logits)
        logits = pad(sides, (0, 1)) + pad(centre, (sides.shape[-1], 0))
        return output._replace(logits=logits, state=after | dict(zip(OWN, (taken, paid, waits), strict=True)))


def _along(waits: Tensor, x: Tensor) -> Tensor:
    """A flag of each episode as it can be broadcast along a state's further axes."""
    return waits.reshape(-1, *[1] * (x.ndim - 1))
