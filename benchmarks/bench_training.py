"""Training throughput: environment steps per CPU-second, and beside it a plain-JAX anchor in the same minutes.

    python benchmarks/bench_training.py            # a table; the anchor is left out where it or jax is absent
    python benchmarks/bench_training.py --together # networks side by side, one episode per update
    python benchmarks/bench_training.py --gru      # gated recurrent units beside LSTM units, by turns
    pytest benchmarks/bench_training.py            # pytest-benchmark's statistics of one update

One thread, process CPU time, two-armed bandit of 100 trials, LSTM of 48 units, rollout + loss + gradient + Adam.
"""

import argparse
import dataclasses
import importlib.util
import os
import resource
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from neurometa.agents import GRU, LSTM
from neurometa.tasks import IndependentBandit
from neurometa.training import Adam, RMSProp, a2c

ANCHOR = Path(__file__).parents[2] / "shared" / "bench" / "jax_a2c.py"
N_TRIALS = 100


def trainer(batch_size, n_updates, n_networks=1, optimizer=Adam, network=LSTM):
    """Train for so many updates and return environment steps per CPU-second of the later ones, of all networks."""
    task = IndependentBandit(n_trials=N_TRIALS)
    config = a2c.Config(task, network(48), batch_size=batch_size, n_updates=n_updates + 3, optimizer=optimizer())
    configs = [dataclasses.replace(config, seed=seed) for seed in range(n_networks)]
    marks = []
    a2c.train_together(configs, [None] * n_networks, progress=lambda rows: marks.append(time.process_time()))
    return n_updates * batch_size * N_TRIALS * n_networks / (marks[-1] - marks[2])


def together(rounds):
    """Print the rate of networks side by side, one episode per update, by their number."""
    print("networks   all of them   each   (thousand environment steps per CPU-second, median, RMSProp)")
    for n_networks in (1, 8, 16, 32, 64):
        rate = statistics.median(trainer(1, 30, n_networks, RMSProp) for _ in range(rounds)) / 1e3
        print(f"{n_networks:8d} {rate:13.0f} {rate / n_networks:6.1f}")


def cores(rounds):
    """Print the rates of LSTM and GRU, measured by turns, and their ratio round by round."""
    print("batch   LSTM    GRU   GRU : LSTM   (thousand environment steps per CPU-second, median)")
    for batch in (64, 256, 1024):
        n_updates = max(4, 16384 // batch)
        rates = [[trainer(batch, n_updates, network=kind) / 1e3 for kind in (LSTM, GRU)] for _ in range(rounds)]
        lstm, gru = (statistics.median(x) for x in zip(*rates, strict=True))
        print(f"{batch:5d} {lstm:6.0f} {gru:6.0f}   {', '.join(f'{b / a:.2f}' for a, b in rates)}")


def anchor():
    """Import the anchor's `measure(batch, units, repeats)`, or return None."""
    if not ANCHOR.exists() or importlib.util.find_spec("jax") is None:
        return None
    spec = importlib.util.spec_from_file_location("jax_a2c", ANCHOR)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.measure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 256, 1024, 2048])
    parser.add_argument("--rounds", type=int, default=5, help="alternations of the two, of which the median is told")
    parser.add_argument("--together", action="store_true", help="networks side by side instead of batch sizes")
    parser.add_argument("--gru", action="store_true", help="GRU beside LSTM instead of batch sizes")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.gru:
        cores(args.rounds)
        return
    if args.together:
        together(args.rounds)
        return
    measure = anchor()
    ours = {batch: [] for batch in args.batch}
    theirs = {batch: [] for batch in args.batch}
    for _ in range(args.rounds):  # by turns, so that a noisy minute falls on both
        for batch in args.batch:
            ours[batch].append(trainer(batch, max(4, 16384 // batch)))
            if measure:
                theirs[batch].append(measure(batch, 48, 1))
    print("batch   neurometa  JAX anchor   (thousand environment steps per CPU-second, median)")
    for batch in args.batch:
        beside = f"{statistics.median(theirs[batch]) / 1e3:11.0f}" if measure else "          -"
        print(f"{batch:5d} {statistics.median(ours[batch]) / 1e3:11.0f} {beside}")
    best = max(map(statistics.median, ours.values()))
    if measure:
        print(f"best batch against best batch: {best / max(map(statistics.median, theirs.values())):.2f} x")
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


@pytest.mark.parametrize("batch_size", [64, 256, 1024])
def test_update(benchmark, batch_size):
    torch.set_num_threads(1)
    benchmark.pedantic(trainer, (batch_size, 4), rounds=3)


if __name__ == "__main__":
    main()
