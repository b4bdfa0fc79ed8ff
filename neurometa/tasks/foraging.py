"""Foraging with baited arms: does a network match its choices to its rewards? (Wang et al. 2018, simulation 1)."""

import dataclasses

import torch

from neurometa.exact.foraging import TOTAL
from neurometa.streams import uniform
from neurometa.tasks.bandit import _pay
from neurometa.tasks.base import Task, check_sizes
from neurometa.tasks.ranges import Ranges, check_ranges, uniform_over

TRAINING = ((0.0, 0.1), (0.2, 0.3), (0.4, 0.5))  # base probabilities of an arm; those between are held out
TESTING = ((0.0, 0.5),)


@dataclasses.dataclass(frozen=True)
class Foraging(Task):
    r"""Two arms whose reward, once there, waits until it is collected, so that neglect makes an arm richer.

    An arm that was last chosen :math:`n` trials ago (0: on the trial before) pays 1 with

    .. math:: p = 1 - (1 - p_0)^{n+1}

    and else 0. The base probabilities :math:`p_0` of the two arms sum to 0.5 and are fixed in
    an episode; that of arm 0 is uniform over `base_prob_ranges`. Both have n = 0 at first.

    The paper's episodes have 50 to 100 trials, uniform; here each has their mean, so that no
    trial is padding. The paper's trials begin with a fixation: that is ``Fixation(Foraging())``.
    Who makes no response has chosen neither arm, and both go on waiting.

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    base_prob_ranges, test_base_prob_ranges : tuple of (low, high)
        Disjoint ranges of arm 0's base probability in training and at test, within [0, .5].
    """

    n_trials: int = 75
    base_prob_ranges: Ranges = TRAINING
    test_base_prob_ranges: Ranges = TESTING

    latents = {"base_prob": ("arm",), "reward_prob": ("arm",)}

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)
        for name in ("base_prob_ranges", "test_base_prob_ranges"):
            check_ranges(name, getattr(self, name), TOTAL)

    def for_test(self):
        """Return the task with the base probabilities of the test, the held-out ones among them."""
        return dataclasses.replace(self, base_prob_ranges=self.test_base_prob_ranges)

    def begin(self, n_episodes, rng):
        """Draw the base probabilities; neither arm has been neglected."""
        drawn = uniform_over(self.base_prob_ranges, uniform(rng, n_episodes))
        base = torch.stack([drawn, TOTAL - drawn], -1)
        return {"base_prob": base, "reward_prob": base, "n_neglected": torch.zeros_like(base)}

    def step(self, state, action, step, rng):
        """Pay 1 with the chosen arm's probability by now; every other arm has waited one trial more."""
        prob = baited(state["base_prob"], state["n_neglected"])
        chosen = action[:, None] == torch.arange(2, device=action.device)
        paid = _pay(prob, action, rng)
        neglected = torch.where(chosen, 0.0, state["n_neglected"] + 1)
        return paid, {"base_prob": state["base_prob"], "reward_prob": prob, "n_neglected": neglected}


def baited(base_prob: torch.Tensor, n_neglected: torch.Tensor) -> torch.Tensor:
    """Probability that an arm holds a reward, `n_neglected` trials after the trial that followed its last choice."""
    return 1 - (1 - base_prob) ** (n_neglected + 1)
