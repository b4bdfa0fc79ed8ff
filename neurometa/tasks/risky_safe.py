"""A safe arm and a risky one: does what an agent expects bend its choices? (Wang et al. 2018, simulation 6)."""

import dataclasses

import torch
from torch import Tensor

from neurometa.errors import InputError, nearest
from neurometa.exact.risky_safe import RISKY_PROBS, RISKY_REWARD, SAFE_REWARD, WRONG
from neurometa.streams import integers, uniform
from neurometa.tasks.base import Perturb, State, Task, check_sizes


@dataclasses.dataclass(frozen=True)
class RiskySafe(Task):
    """One arm always pays 1, the other 4 or nothing; forced pulls of both come first, then free ones.

    Where the risky arm is, and whether it pays with probability .125 or .5, is drawn once per
    episode. The first `n_forced` trials come in pairs, one of each arm in random order. What is
    shown is which state this is, one-hot: free, forced to arm 0, forced to arm 1. Another response
    than the forced one costs 1 and pulls nothing. The paper's trials begin with a fixation: that
    is ``Fixation(RiskySafe())``.

    Parameters
    ----------
    n_trials : int
        Trials in an episode, forced and free.
    n_forced : int
        Forced trials, even: half of them of each arm.
    """

    n_trials: int = 30
    n_forced: int = 10

    n_features = 3
    latents = {"risky_arm": (), "risky_prob": (), "forced": (), "risky": (), "expected_reward": ("arm",)}

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)
        if self.n_forced % 2 or not 0 <= self.n_forced <= self.n_trials:
            raise InputError(
                f"n_forced is {self.n_forced}; forced trials come in pairs, so it must be even, and from 0 to n_trials."
            )

    def begin(self, n_episodes, rng):
        """Draw the risky arm's place and probability, and the order of each forced pair."""
        device = rng.device
        risky_arm = integers(rng, 2, n_episodes)
        level = integers(rng, 2, n_episodes)
        first = integers(rng, 2, n_episodes, self.n_forced // 2)
        only = torch.full((n_episodes, self.n_trials + 1), -1, device=device)  # -1: free, also after the end
        only[:, : self.n_forced] = torch.stack([first, 1 - first], -1).flatten(1)
        state = {
            "risky_arm": risky_arm,
            "risky_prob": torch.tensor(RISKY_PROBS, device=device)[level],
            "only": only,
            "trial": torch.zeros(n_episodes, dtype=torch.int64, device=device),
            "risky": torch.zeros(n_episodes, dtype=torch.bool, device=device),
        }
        return state | self._worth(state)

    def observe(self, state, step):
        """One-hot over free, forced to arm 0, forced to arm 1; (episode, feature)."""
        which = self._only(state) + 1
        return (which[:, None] == torch.arange(3, device=which.device)).float()

    def step(self, state, action, step, rng):
        """Pay what the arm pays, or take 1 for a wrong response, also for none."""
        only, risky = self._only(state), action == state["risky_arm"]
        wins = uniform(rng, len(action)) < state["risky_prob"]
        paid = torch.where(risky, RISKY_REWARD * wins, SAFE_REWARD)
        wrong = (action < 0) | ((only >= 0) & (action != only))
        after = state | self._worth(state) | {"risky": risky, "trial": state["trial"] + 1}
        return torch.where(wrong, WRONG, paid), after

    def perturbation(self, name):
        """Return a perturbation by its name, which leaves forced trials alone; see `perturbation` of this module."""
        return perturbation(name)

    def _only(self, state: State) -> Tensor:
        """The arm that the trial forces, (episode,); -1 where it is free."""
        return state["only"].gather(1, state["trial"][:, None])[:, 0]

    def _worth(self, state: State) -> State:
        """What the coming trial is: forced or not, and what each arm pays on average."""
        arm, only = torch.arange(2, device=state["trial"].device), self._only(state)[:, None]
        worth = torch.where(
            arm == state["risky_arm"][:, None], RISKY_REWARD * state["risky_prob"][:, None], SAFE_REWARD
        )
        return {
            "forced": only[:, 0] >= 0,
            "expected_reward": torch.where((only >= 0) & (arm != only), WRONG, worth),
        }


# what is added to the prediction error (Wang et al. 2018, simulation 6): after which outcome, and how much
PERTURBATIONS: dict[str, tuple[str, float]] = {
    "control": ("none", 0.0),
    "block-risky-reward": ("risky win", -4.0),
    "block-safe-reward": ("safe", -1.0),
    "block-risky-loss": ("risky loss", 1.0),
}


def perturbation(name: str, *, forced: bool = False) -> Perturb:
    """Return what a perturbation adds to the prediction error after a choice, as a function of what happened.

    Wrong responses are left alone.

    Parameters
    ----------
    name : {"control", "block-risky-reward", "block-safe-reward", "block-risky-loss"}
        Nothing; -4 after a rewarded risky choice; -1 after a safe one; +1 after an unrewarded risky one.
    forced : bool
        Perturb forced trials too. By default they are left to teach what the arms are worth.

    Returns
    -------
    callable
        (state after the choice step of a `RiskySafe`, action, reward), each (episode,), to what
        is added, (episode,), in units of reward.

    Raises
    ------
    InputError
        There is no such perturbation; the nearest is named.
    """
    if name not in PERTURBATIONS:
        allowed = list(PERTURBATIONS)
        raise InputError(f"There is no perturbation {name!r}; allowed are {allowed}.{nearest(name, allowed)}")
    after, added = PERTURBATIONS[name]

    def perturb(state: State, action: Tensor, reward: Tensor) -> Tensor:
        safe = (action == 1 - state["risky_arm"]) & (reward >= 0)
        happened = {
            "none": torch.zeros_like(safe),
            "safe": safe,
            "risky win": state["risky"] & (reward > 0),
            "risky loss": state["risky"] & (reward == 0),
        }[after]
        return torch.where(happened & (~state["forced"] | forced), added, 0.0)

    return perturb
