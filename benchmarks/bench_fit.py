"""Fitting: episodes per CPU-second, and nats lost against a dense grid, beside a bounded quasi-Newton optimiser.

    python benchmarks/bench_fit.py            # a table (about two minutes)
    pytest benchmarks/bench_fit.py            # pytest-benchmark's statistics of one call

One thread, process CPU time; 1,000 simulated episodes x 150 trials of a Rescorla-Wagner chooser on a restless bandit
(shared/bench/rw_recovery.py), inverse temperature in [0, 20]. The peer is what most lab scripts do: scipy's L-BFGS-B
from several random starts on a likelihood looped over trials in numpy, on a subset.
"""

import argparse
import importlib.util
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import xarray as xr
from scipy import optimize

from neurometa.behaviour import drifting_rewards, fit, simulate
from neurometa.models import MODELS, Hybrid, LatentState, RescorlaWagner, priors

RECOVERY = Path(__file__).parents[2] / "shared" / "bench" / "rw_recovery.py"
BOUNDS = {"inverse_temperature": (0.0, 20.0)}
N_STARTS = 10


def recovery_set():
    """Trials of the recovery set, or None where it is absent."""
    if not RECOVERY.exists():
        return None
    spec = importlib.util.spec_from_file_location("rw_recovery", RECOVERY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.make()
    return xr.Dataset(
        {name: (("episode", "trial"), made[name]) for name in ("choice", "reward")},
        {name: ("episode", made[name]) for name in ("learning_rate", "inverse_temperature")},
    )


def dense_grid(choice, reward, n_rates=401, n_weights=301):
    """Highest log-likelihood of each episode over a grid that owes nothing to the fitter, fine near zero.

    The grid is coarse beside a continuous optimum; what it can show is that the fit is not beaten by it.
    """
    learning_rate = np.linspace(0, 1, n_rates) ** 2
    inverse_temperature = 20 * np.linspace(0, 1, n_weights) ** 2
    best = np.empty(len(choice))
    for i in range(len(choice)):
        value, total = np.full((2, n_rates), 0.5), 0.0
        for chose, earned in zip(choice[i], reward[i], strict=True):
            gap = np.multiply.outer(value[1 - chose] - value[chose], inverse_temperature)
            total = total - np.log1p(np.exp(gap))
            value[chose] += learning_rate * (earned - value[chose])
        best[i] = total.max()
    return best


def loss(parameters, choice, reward):
    """Minus the log-likelihood of one episode, a Python loop over its trials."""
    learning_rate, inverse_temperature = parameters
    value, total = [0.5, 0.5], 0.0
    for chose, earned in zip(choice, reward, strict=True):
        total += np.log1p(np.exp(inverse_temperature * (value[1 - chose] - value[chose])))
        value[chose] += learning_rate * (earned - value[chose])
    return total


def multi_start(choice, reward, rng):
    """Highest log-likelihood of each episode over bounded quasi-Newton runs from random starts."""
    best = np.full(len(choice), -np.inf)
    for i in range(len(choice)):
        for start in rng.uniform((0, 0), (1, 20), (N_STARTS, 2)):
            data = (choice[i].tolist(), reward[i].tolist())
            found = optimize.minimize(loss, start, data, method="L-BFGS-B", bounds=((0, 1), (0, 20)))
            best[i] = max(best[i], -found.fun)
    return best


def timed(call):
    """Return a call's result and its CPU-seconds."""
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=int, default=100, help="episodes held against the dense grid (1000: minutes)")
    parser.add_argument("--peer", type=int, default=20, help="episodes given to the peer")
    parser.add_argument("--models", type=int, default=200, help="episodes given to each of the other models")
    args = parser.parse_args()
    trials = recovery_set()
    if trials is None:
        raise SystemExit(f"There is no recovery set {RECOVERY}.")
    choice, reward = trials.choice.values, trials.reward.values
    ours = [timed(lambda: fit(RescorlaWagner, trials, bounds=BOUNDS)) for _ in range(5)]
    fitted, seconds = ours[0][0], float(np.median([each for _, each in ours]))
    rate = trials.sizes["episode"] / seconds
    value, known = fitted.log_likelihood.values, fitted.learning_rate.notnull().values
    error = (fitted.learning_rate - trials.learning_rate).values[known]
    r = np.corrcoef(fitted.learning_rate.values[known], trials.learning_rate.values[known])[0, 1]
    print("| what | episodes | episodes per CPU-second | mean nats | worst loss, nats |\n|---|---|---|---|---|")
    grid = dense_grid(choice[: args.grid], reward[: args.grid])
    lost = (grid - value[: args.grid]).max()
    print(f"| RescorlaWagner, standard errors too | {len(value)} | {rate:,.0f} | {value.mean():.5f} | {lost:.1e} |")
    peer, peer_seconds = timed(lambda: multi_start(choice[: args.peer], reward[: args.peer], np.random.default_rng(0)))
    peer_rate, peer_lost = args.peer / peer_seconds, (value[: args.peer] - peer).max()
    print(f"| L-BFGS-B, {N_STARTS} starts | {args.peer} | {peer_rate:.2f} | {peer.mean():.5f} | {peer_lost:.1e} |")
    few = trials.isel(episode=slice(args.models))
    for kind in MODELS[1:]:
        fit(kind, few)  # its loop is compiled once on a machine
        other, other_seconds = timed(lambda kind=kind: fit(kind, few))
        mean = other.log_likelihood.mean().item()
        print(f"| {kind.__name__} | {args.models} | {args.models / other_seconds:,.0f} | {mean:.5f} | |")
    given = priors.weak(RescorlaWagner)
    _, map_seconds = timed(lambda: fit(RescorlaWagner, trials, priors=given))
    print(f"| RescorlaWagner with priors | {len(value)} | {len(value) / map_seconds:,.0f} | | |")
    chooser, rng = RescorlaWagner(0.3, 4.0), np.random.default_rng(0)
    world = 0.5 + 0.4 * np.sin(np.arange(100_000) / 200)[:, None] * [1, -1]
    long = simulate(chooser, xr.DataArray(world, dims=("trial", "arm")), rng)
    _, long_seconds = timed(lambda: fit(RescorlaWagner, long))
    print(f"| RescorlaWagner, one session of 100,000 trials: {long_seconds:.2f} CPU-seconds | 1 | | | |")
    rng = np.random.default_rng(0)
    people = simulate(Hybrid(5.0, 3.5, 0.6, 0.4, 0.6, 0.5, 0.15), drifting_rewards(50, 200, rng), rng)
    for kind, some in ((LatentState, few.isel(episode=slice(50))), (Hybrid, people)):
        fit(kind, some.isel(episode=[0]))  # compiles
        found, seconds = timed(lambda kind=kind, some=some: fit(kind, some))
        print(f"| {kind.__name__}, 10 starts | 50 | {50 / seconds:,.0f} | {found.log_likelihood.mean().item():.5f} | |")
    _, interval_seconds = timed(lambda: fit(RescorlaWagner, few, bounds=BOUNDS, intervals=True))
    print(f"| RescorlaWagner with intervals | {args.models} | {args.models / interval_seconds:,.0f} | | |")
    print(f"\nRatio to the peer: {rate / peer_rate:,.0f}. Learning rate, true against fitted: r {r:.3f}, ", end="")
    print(f"mean absolute error {np.abs(error).mean():.4f}, n {known.sum()}.")


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_fit_100_episodes(benchmark, kind):
    trials = recovery_set()
    if trials is None:
        pytest.skip("the recovery set is not here")
    benchmark(lambda: fit(kind, trials.isel(episode=slice(100))))


if __name__ == "__main__":
    main()
