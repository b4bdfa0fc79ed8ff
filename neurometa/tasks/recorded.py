"""Episodes that were played before, with the same reward probabilities, for another agent."""

import dataclasses

import torch
from torch import Tensor

from neurometa.errors import InputError
from neurometa.tasks.bandit import _pay
from neurometa.tasks.base import Task, check_sizes


@dataclasses.dataclass(frozen=True, eq=False)
class RecordedBandit(Task):
    """Arms whose probabilities follow a recording, so that agents meet the very same worlds.

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    recording : Tensor (episode, trial, arm)
        Probability with which each arm pays 1 on each trial.
    """

    n_trials: int
    recording: Tensor

    latents = {"reward_prob": ("arm",)}

    def __post_init__(self) -> None:
        if self.recording.ndim != 3:
            raise InputError(f"recording is {tuple(self.recording.shape)}; it must be (episode, trial, arm).")
        check_sizes(self.n_trials, self.n_actions)
        if self.n_trials > self.recording.shape[1]:
            raise InputError(f"n_trials is {self.n_trials}; the recording has {self.recording.shape[1]}.")

    @property
    def n_actions(self) -> int:
        """Number of arms."""
        return self.recording.shape[-1]

    def begin(self, n_episodes, rng):
        """Stand before the first trial of the first `n_episodes` recorded episodes."""
        if n_episodes > len(self.recording):
            raise InputError(f"n_episodes is {n_episodes}; the recording has {len(self.recording)}.")
        recording = self.recording[:n_episodes].to(rng.device)
        return {"reward_prob": recording[:, 0], "trial": torch.full((n_episodes,), -1, device=rng.device)}

    def step(self, state, action, step, rng):
        """Move to the next recorded probabilities, then pay."""
        trial = state["trial"] + 1
        prob = self.recording.to(rng.device)[torch.arange(len(trial), device=rng.device), trial]
        return _pay(prob, action, rng), {"reward_prob": prob, "trial": trial}
