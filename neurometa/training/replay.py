"""Give played episodes a gradient, for any agent on any device."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from neurometa.agents import Agent


def replay(agent: Agent, played: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Answer again, with autograd, what was answered while playing.

    Parameters
    ----------
    agent : Agent
        Who played, with the weights it played with.
    played : dict of Tensor
        What `rollout.unroll` returned: time comes first.

    Returns
    -------
    logits : Tensor (time, episode, option)
    value : Tensor (time, episode)
    """
    observation, action, reward = (played[name].flatten(0, 1) for name in ("observation", "action", "reward"))
    chosen = one_hot(action, played["logits"].shape[-1]).to(reward.dtype)
    state = agent.begin(action.shape[1])
    before, paid = torch.zeros_like(chosen[0]), torch.zeros_like(reward[0])
    logits, values = [], []
    for t in range(len(action)):
        output = agent(observation[t], before, paid, state)
        logits.append(output.logits)
        values.append(output.value)
        state, before, paid = output.state, chosen[t], reward[t]
    return torch.stack(logits), torch.stack(values)
