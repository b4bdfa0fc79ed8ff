"""Shown magnitudes and hidden probabilities: is learning faster where they change? (Wang et al. 2018, simulation 2)."""

import dataclasses
import math
from typing import ClassVar

import torch
from torch import Tensor

from neurometa.errors import InputError, nearest
from neurometa.exact.volatility import FAST, LOG_SWITCH, STEADY, SWAPPING
from neurometa.streams import Rng, uniform
from neurometa.tasks.base import State, Task, check_sizes

TEST_STEADY, TEST_SWAPPING, PERIOD = 0.25, 0.2, 25  # at test: the worse arm's, and trials between two swaps


@dataclasses.dataclass(frozen=True)
class Volatility(Task):
    r"""Two arms that pay what they show with probabilities r and 1 - r, which swap now often and now never.

    Before each choice both arms show what they would pay, independent draws of
    :math:`100\,\mathrm{Beta}(4, 4)` points. Magnitudes and rewards are in units of 100
    points throughout, in the dataset as for the agent: 1 is 100 points (the paper states no
    scale of the input).

    In training worlds the volatility v is 0 or .2, and r is .25 or .75 where v = 0 and 0 or 1 where
    v = .2. From trial to trial r becomes 1 - r with probability v, and v becomes .2 - v with
    probability k, independently; r then keeps its side of .5. log k is uniform on
    [-4.5, -3.5], the logarithm being natural, and drawn anew for each episode, v and the side
    with equal chances.

    At test one half of the trials is stable, r = .25 or .75, and in the other r is .2 or .8 and changes sides
    every 25 trials. It also changes sides between the halves.

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    order : {"training", "either", "stable-first", "volatile-first"}
        The training process, or which half of a test comes first; ``"either"`` draws it for each episode, where
        ``volatile`` on its first trial tells which it was.
    """

    n_trials: int = 200
    order: str = "training"

    latents = {"reward_prob": ("arm",), "magnitude": ("arm",), "volatile": ()}
    n_features = 2
    ORDERS: ClassVar = ("training", "either", "stable-first", "volatile-first")

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)
        if self.order not in self.ORDERS:
            hint = nearest(str(self.order), list(self.ORDERS))
            raise InputError(f"order is {self.order!r}; allowed are {list(self.ORDERS)}.{hint}")

    def for_test(self):
        """Return the blocks of the test, in either order, unless an order was chosen."""
        return dataclasses.replace(self, order="either") if self.order == "training" else self

    def begin(self, n_episodes, rng):
        """Draw the first volatility and side, how often volatility changes, and the first magnitudes."""
        luck = uniform(rng, 3, n_episodes, axis=1)
        low, high = LOG_SWITCH
        volatile = luck[1] < {"stable-first": 0.0, "volatile-first": 1.0}.get(self.order, 0.5)
        magnitude = _magnitudes(n_episodes, rng)
        return self._world(luck[0] < 0.5, volatile) | {
            "magnitude": magnitude,
            "shown": magnitude,  # of the trial to come
            "switch_prob": (low + (high - low) * luck[2]).exp(),
            "trial": torch.full((n_episodes,), -1, device=rng.device),
        }

    def observe(self, state, step):
        """Show what each arm would pay."""
        return state["shown"]

    def step(self, state, action, step, rng):
        """Let the world change, but for the first trial, then pay the chosen arm's magnitude with its probability."""
        luck = uniform(rng, 3, len(action), axis=1)
        trial, volatile = state["trial"] + 1, state["volatile"]
        if self.order == "training":
            swaps = (trial > 0) & volatile & (luck[0] < FAST)
            switches = (trial > 0) & (luck[1] < state["switch_prob"])
        else:
            half = math.ceil(self.n_trials / 2)
            switches = trial == half
            within = torch.where(trial < half, trial, trial - half)
            swaps = switches | (volatile & (within > 0) & (within % PERIOD == 0))
        world = self._world(state["first_better"] ^ swaps, volatile ^ switches)
        chosen = action.clamp(min=0)[:, None]
        wins = (luck[2] < world["reward_prob"].gather(1, chosen)[:, 0]) & (action >= 0)
        paid = state["shown"].gather(1, chosen)[:, 0] * wins
        after = {"magnitude": state["shown"], "shown": _magnitudes(len(action), rng)}
        return paid, world | after | {"switch_prob": state["switch_prob"], "trial": trial}

    def _world(self, first_better: Tensor, volatile: Tensor) -> State:
        """Reward probabilities (episode, arm) of a side and a volatility, both (episode,) bool."""
        steady, swapping = (STEADY, SWAPPING) if self.order == "training" else (TEST_STEADY, TEST_SWAPPING)
        worse = torch.where(volatile, swapping, steady)
        prob = torch.where(first_better, 1 - worse, worse)
        return {"reward_prob": torch.stack([prob, 1 - prob], -1), "first_better": first_better, "volatile": volatile}


def _magnitudes(n_episodes: int, rng: Rng) -> Tensor:
    """Beta(4, 4) for each arm, (episode, arm): it is the distribution of the median of seven uniform numbers."""
    return uniform(rng, n_episodes, 2, 7).median(-1).values
