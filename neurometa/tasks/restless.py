"""The restless bandit: does a network learn faster where its world changes faster? (Wang et al. 2016, experiment 4)."""

import dataclasses
from typing import ClassVar

import torch

from neurometa.errors import InputError
from neurometa.exact.restless import TESTING, TRAINING
from neurometa.streams import normal, uniform
from neurometa.tasks.bandit import _pay
from neurometa.tasks.base import Task, check_sizes
from neurometa.tasks.ranges import check_ranges, uniform_over


@dataclasses.dataclass(frozen=True)
class RestlessBandit(Task):
    r"""Two arms that pay with p and 1 - p, where p drifts from trial to trial.

    p starts uniform on [0, 1] and then follows a Gaussian random walk reflected at 0 and 1.
    Its volatility nu is drawn once per episode, uniform over `volatility_ranges`:

    .. math:: p_{t+1} = \mathrm{reflect}(p_t + \sigma z_t),\quad z_t \sim N(0, 1)

    The paper calls nu a variance, but a variance of 0.2 makes p nearly white noise; read as
    the SD of a step it gives the smooth traces the figure describes. Both are here.

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    drift : {"sd", "variance"}
        How nu is read: sigma = nu, or sigma = sqrt(nu).
    volatility_ranges, test_volatility_ranges : tuple of (low, high)
        Disjoint ranges of nu in training and at test, per trial.
    """

    n_trials: int = 150
    drift: str = "sd"
    volatility_ranges: tuple[tuple[float, float], ...] = TRAINING
    test_volatility_ranges: tuple[tuple[float, float], ...] = TESTING

    latents = {"reward_prob": ("arm",), "drift_sd": ()}
    DRIFTS: ClassVar = ("sd", "variance")

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)
        if self.drift not in self.DRIFTS:
            raise InputError(f"drift is {self.drift!r}; allowed are 'sd' and 'variance'.")
        for name in ("volatility_ranges", "test_volatility_ranges"):
            check_ranges(name, getattr(self, name))

    def for_test(self):
        """Return the task with the volatilities of the test, the unseen band among them."""
        return dataclasses.replace(self, volatility_ranges=self.test_volatility_ranges)

    def begin(self, n_episodes, rng):
        """Draw nu, and p before its first move."""
        nu = uniform_over(self.volatility_ranges, uniform(rng, n_episodes))
        p = uniform(rng, n_episodes)
        drift_sd = nu if self.drift == "sd" else nu.sqrt()
        return {"reward_prob": torch.stack([p, 1 - p], -1), "drift_sd": drift_sd}

    def step(self, state, action, step, rng):
        """Let p drift, then pay 1 with the chosen arm's probability."""
        move = state["drift_sd"] * normal(rng, len(action))
        p = (state["reward_prob"][:, 0] + move).abs_().remainder_(2.0)
        p = torch.minimum(p, 2 - p)
        prob = torch.stack([p, 1 - p], -1)
        return _pay(prob, action, rng), {"reward_prob": prob, "drift_sd": state["drift_sd"]}
