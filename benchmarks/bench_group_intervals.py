"""Coverage of the intervals of hierarchical fits: how often they hold the mean and SD that members were drawn from.

    python benchmarks/bench_group_intervals.py --groups 200      # a table (some ten minutes)

Groups of 8, 15 and 30 Rescorla-Wagner choosers, weak (median slope 1.5) and strong (5), 120 trials on a two-armed
bandit of .8 and .2 that reverses every 30 trials. Nominal is .95; the standard error of a share of 200 is .015.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import xarray as xr

from neurometa.behaviour import fit, simulate
from neurometa.models import RescorlaWagner

SIZES, SLOPES = (8, 15, 30), {"weak": 1.5, "strong": 5.0}
RATE, SPREAD = -0.8, (0.8, 0.5)  # mean log-odds of learning rates; SDs of these and of the logarithm of slopes
N_TRIALS = 120


def group(n_members, slope, rng):
    """Trials of one group, and its means and SDs without bounds."""
    mean, sd = np.array([RATE, np.log(slope)]), np.array(SPREAD)
    z = mean + sd * rng.standard_normal((n_members, 2))
    better = np.arange(N_TRIALS) // 30 % 2
    prob = np.where(better[:, None] == np.arange(2), 0.8, 0.2)
    world = xr.DataArray(np.tile(prob, (n_members, 1, 1)), dims=("subject", "trial", "arm"))
    rate, steep = (xr.DataArray(x, dims="subject") for x in (1 / (1 + np.exp(-z[:, 0])), np.exp(z[:, 1])))
    return simulate(RescorlaWagner(rate, steep.clip(max=30)), world, rng), mean, sd


def covered(n_members, slope, rng):
    """Whether the intervals of a fitted group hold its mean and SD, as bool array (kind, parameter)."""
    trials, mean, sd = group(n_members, slope, rng)
    fitted = fit(RescorlaWagner, trials, group="subject")
    ends = [fitted[f"group_{kind}_interval"].transpose("bound", "parameter").values for kind in ("mean", "sd")]
    return np.array([(low <= truth) & (truth <= high) for (low, high), truth in zip(ends, (mean, sd), strict=True)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=200, help="of each size and kind")
    args = parser.parse_args()
    print("| choosers | members | groups | mean of rate | of slope | SD of rate | of slope | s.e. | CPU-s a group |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for kind, slope in SLOPES.items():
        for n_members in SIZES:
            rng, start = np.random.default_rng([n_members, int(10 * slope)]), time.process_time()
            held = np.mean([covered(n_members, slope, rng) for _ in range(args.groups)], axis=0)
            seconds = (time.process_time() - start) / args.groups
            error = np.sqrt(0.95 * 0.05 / args.groups)
            shares = " | ".join(f"{x:.3f}" for x in held.ravel())
            print(f"| {kind} | {n_members} | {args.groups} | {shares} | {error:.3f} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
