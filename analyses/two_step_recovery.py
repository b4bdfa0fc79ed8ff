"""Claim: which parameters of the two-step hybrid, and which models, a session of 200 or 1,000 trials can tell.

Simulates learners drawn from the spread of Daw et al. 2011 (their quartiles, widened), fits each to
its own choices by maximum likelihood and with weak priors, and writes results/two_step_recovery.nc.

    python analyses/two_step_recovery.py [EPISODES]
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

from neurometa import behaviour, dataset
from neurometa.models import Hybrid, ModelBased, ModelFree, priors

TRIALS = (200, 1000)
SPREAD = {  # uniform; Daw et al. 2011 have quartiles 2.8-7.5, 2.7-5.2, .46-.87, .21-.71, .41-.94, .29-.59 and .02-.22
    "inverse_temperature_first": (2.0, 8.0),
    "inverse_temperature_second": (2.0, 6.0),
    "learning_rate_first": (0.2, 0.9),
    "learning_rate_second": (0.2, 0.8),
    "eligibility": (0.2, 0.95),
    "model_based_weight": (0.05, 0.95),
    "stickiness": (0.0, 0.3),
}


def learners(n_episodes: int, rng: np.random.Generator) -> Hybrid:
    """Draw a learner for each episode."""
    return Hybrid(
        **{name: xr.DataArray(rng.uniform(*ends, n_episodes), dims="episode") for name, ends in SPREAD.items()}
    )


def main(n_episodes: int) -> Path:
    """Recover parameters and models, and save both."""
    parts, confusions = [], []
    for n_trials in TRIALS:
        rng = np.random.default_rng(n_trials)
        model, world = learners(n_episodes, rng), behaviour.drifting_rewards(n_episodes, n_trials, rng)
        both = [
            behaviour.recover(model, world, np.random.default_rng(1), priors=given)
            for given in (None, priors.weak(Hybrid))
        ]
        estimator = xr.DataArray(
            np.array(["maximum likelihood", "MAP, weak priors"], dtype=object), dims="estimator", name="estimator"
        )
        parts.append(xr.concat(both, dim=estimator).sel(parameter=list(SPREAD)))
        few = slice(n_episodes // 2)
        common = {
            name: value.isel(episode=few) if isinstance(value, xr.DataArray) else value
            for name, value in ((name, getattr(model, name)) for name in model.parameters())
        }
        kinds = [
            ModelFree(**{name: common[name] for name in ModelFree.parameters()}),
            ModelBased.of(common | {"learning_rate": common["learning_rate_second"]}),
            Hybrid(**common),
        ]
        confusions.append(behaviour.model_recovery(kinds, world.isel(episode=few), np.random.default_rng(2)))
    trials = xr.DataArray(list(TRIALS), dims="n_trials", name="n_trials")
    result = xr.concat(parts, dim=trials).merge(xr.concat(confusions, dim=trials).rename("proportion"))
    return dataset.save_run(result.assign_attrs(n_episodes=n_episodes), Path("results") / "two_step_recovery.nc")


if __name__ == "__main__":
    print(main(int(sys.argv[1]) if len(sys.argv) > 1 else 16))
