"""A Rescorla-Wagner learner on two arms whose probabilities drift (Wang et al. 2016, experiment 4)."""

import numpy as np
import xarray as xr

from neurometa.models.bandit import RescorlaWagner

N_TRIALS = 150


def restless(n_episodes: int, rng: np.random.Generator) -> xr.Dataset:
    """Play episodes of which each has its own learner and its own drift; what comes is told in `dataset.example`."""
    learning_rate, inverse_temperature = rng.uniform(0.1, 0.9, (n_episodes, 1)), rng.uniform(2, 8, (n_episodes, 1))
    drift_sd, p = rng.uniform(0, 0.2, n_episodes), rng.uniform(0, 1, n_episodes)
    learner = RescorlaWagner(learning_rate, inverse_temperature)
    features, trials = learner.begin(np.zeros((n_episodes, 2))), []
    for _ in range(N_TRIALS):
        p = np.abs(p + drift_sd * rng.standard_normal(n_episodes)) % 2
        p = np.where(p > 1, 2 - p, p)
        prob = np.stack([p, 1 - p], -1)
        gap = np.diff(learner.logits(features))[:, 0]
        choice = (rng.random(n_episodes) < 1 / (1 + np.exp(-gap))).astype(np.int8)
        chosen = np.eye(2)[choice]
        reward = (rng.random(n_episodes) < (prob * chosen).sum(-1)).astype(float)
        features = learner.update(features, chosen, reward[:, None])
        trials.append((choice, reward, prob))
    choice, reward, prob = (np.stack(x, 1) for x in zip(*trials, strict=True))
    grain = ("episode", "trial")
    return xr.Dataset(
        {
            "choice": (grain, choice, {"n_options": 2}),
            "reward": (grain, reward),
            "reward_prob": ((*grain, "arm"), prob),
            "drift_sd": (grain, np.repeat(drift_sd[:, None], N_TRIALS, 1)),
        },
        coords={
            "learning_rate": ("episode", learning_rate[:, 0]),
            "inverse_temperature": ("episode", inverse_temperature[:, 0]),
        },
    )
