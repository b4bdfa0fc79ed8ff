"""What a player of Bernoulli arms counts."""

from torch import Tensor

from neurometa.agents.base import State
from neurometa.errors import InputError


def counted(state: State, action: Tensor, reward: Tensor) -> tuple[Tensor, Tensor]:
    """Wins and losses of each arm, the last choice among them."""
    paid = reward[:, None]
    return state["wins"] + action * paid, state["losses"] + action * (1 - paid)


def check_arms(n_arms: int) -> int:
    """Return the number of arms, or raise where there is nothing to choose."""
    if n_arms < 2:
        raise InputError(f"n_arms is {n_arms}; there is nothing to choose below 2.")
    return n_arms
