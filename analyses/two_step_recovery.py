"""Claim: which parameters of the two-step hybrid, and which models, a session of 200 or 1,000 trials can tell.

Every parameter takes evenly spaced values over its range, each paired at random with the others' (a Latin
hypercube). Each learner is fitted to its own choices by maximum likelihood and with weak priors; how well the
truth comes back is told by r and bias with bootstrap intervals, over all learners and over each third of the
parameter's range. A further grid of learners of each of four models says how often BIC finds the right one. Writes
results/two_step_recovery.nc.

    python analyses/two_step_recovery.py [LEARNERS [LEARNERS OF EACH MODEL]]
"""

import sys
import time
from pathlib import Path

import joblib
import numpy as np
import xarray as xr

from neurometa import behaviour, dataset
from neurometa.models import Hybrid, KoolHybrid, ModelBased, ModelFree, priors

TRIALS = (200, 1000)
RANGES = {  # Daw et al. 2011 have quartiles 2.8-7.5, 2.7-5.2, .46-.87, .21-.71, .41-.94, .29-.59 and .02-.22
    "inverse_temperature_first": (1.0, 10.0),
    "inverse_temperature_second": (1.0, 10.0),
    "learning_rate_first": (0.05, 0.95),
    "learning_rate_second": (0.05, 0.95),
    "eligibility": (0.0, 1.0),
    "model_based_weight": (0.0, 1.0),
    "stickiness": (-0.2, 0.5),
    "response_stickiness": (-0.2, 0.5),
}
PARAMETERS = [name for name in RANGES if name in Hybrid.parameters()]
ESTIMATORS = {"maximum likelihood": None, "MAP, weak priors": priors.weak(Hybrid)}
N_DRAWS = 2000  # of the bootstrap


def grid(n_learners: int, rng: np.random.Generator) -> dict[str, xr.DataArray]:
    """Each parameter at the middles of as many equal parts of its range as there are learners, in random order."""
    middles = (np.arange(n_learners) + 0.5) / n_learners
    return {
        name: xr.DataArray(rng.permutation(low + (high - low) * middles), dims="episode")
        for name, (low, high) in RANGES.items()
    }


def parameters(n_learners: int, n_trials: int) -> xr.Dataset:
    """Truth and estimate of every parameter, by estimator, and how well they agree."""
    rng, began = np.random.default_rng(n_trials), time.process_time()
    drawn, world = grid(n_learners, rng), behaviour.drifting_rewards(n_learners, n_trials, rng)
    model = Hybrid(**{name: drawn[name] for name in PARAMETERS})
    parts = [
        behaviour.recover(model, world, np.random.default_rng(1), priors=given)[["truth", "estimate"]]
        for given in ESTIMATORS.values()
    ]
    label = xr.DataArray(np.array(list(ESTIMATORS), dtype=object), dims="estimator", name="estimator")
    both = xr.concat(parts, dim=label).sel(parameter=PARAMETERS)
    return both.merge(agreement(both.truth, both.estimate)).assign(cpu_s=time.process_time() - began)


def agreement(truth: xr.DataArray, estimate: xr.DataArray) -> xr.Dataset:
    """``r``, ``bias`` and ``bias_in_third`` over learners, with percentile bootstrap intervals of 95 %."""
    size = truth.sizes["episode"]
    drawn = np.random.default_rng(2).integers(size, size=(N_DRAWS, size))
    everyone = xr.DataArray(np.concatenate([np.arange(size)[None], drawn]), dims=("draw", "again"))
    third = truth.argsort(truth.get_axis_num("episode"))
    third = third.copy(data=third.values.argsort(truth.get_axis_num("episode")) * 3 // size)
    found: list[xr.Dataset] = []
    for name in truth.parameter.values:  # one at a time, for memory
        here = {"parameter": name}
        guess = estimate.sel(here).isel(episode=everyone)
        true, part = (each.sel(here).isel(episode=everyone).where(guess.notnull()) for each in (truth, third))
        error = guess - true
        by_third = xr.concat([error.where(part == k).mean("again") for k in range(3)], dim="third")
        measures = {"r": xr.corr(true, guess, dim="again"), "bias": error.mean("again"), "bias_in_third": by_third}
        found.append(xr.Dataset(measures))
    result = xr.concat(found, dim=truth.parameter)
    ends = result.isel(draw=slice(1, None)).quantile([0.025, 0.975], dim="draw").rename(quantile="bound")
    ends = ends.assign_coords(bound=np.array(["lower", "upper"], dtype=object))
    third_names = np.array(["low", "middle", "high"], dtype=object)
    whole = result.isel(draw=0).merge(ends.rename({name: f"{name}_interval" for name in result.data_vars}))
    return whole.assign(n=estimate.notnull().sum("episode")).assign_coords(third=third_names)


def models(n_learners: int, n_trials: int) -> xr.Dataset:
    """Which of four models has the best BIC, by the model that made the choices."""
    rng, began = np.random.default_rng([n_trials, 1]), time.process_time()
    drawn, world = grid(n_learners, rng), behaviour.drifting_rewards(n_learners, n_trials, rng)
    drawn |= {
        "learning_rate": drawn["learning_rate_second"],
        "inverse_temperature": drawn["inverse_temperature_second"],
    }
    kinds = [
        kind(**{name: drawn[name] for name in kind.parameters() if name in drawn})
        for kind in (ModelFree, ModelBased, Hybrid, KoolHybrid)
    ]
    proportion = behaviour.model_recovery(kinds, world, np.random.default_rng(3))
    counted = proportion.reset_coords("n").rename(n="models_n")
    return counted.assign(models_cpu_s=time.process_time() - began)


def main(n_learners: int, n_of_each_model: int) -> Path:
    """Recover parameters and models, and save both."""
    jobs = [joblib.delayed(parameters)(n_learners, n_trials) for n_trials in TRIALS]
    jobs += [joblib.delayed(models)(n_of_each_model, n_trials) for n_trials in TRIALS]
    done = joblib.Parallel(n_jobs=2)(jobs)
    trials = xr.DataArray(list(TRIALS), dims="n_trials", name="n_trials")
    result = xr.concat(done[:2], dim=trials).merge(xr.concat(done[2:], dim=trials))
    return dataset.save_run(result.assign_attrs(n_learners=n_learners), Path("results") / "two_step_recovery.nc")


if __name__ == "__main__":
    sizes = [int(each) for each in sys.argv[1:]]
    print(main(*(sizes + [200, 60][len(sizes) :])))
