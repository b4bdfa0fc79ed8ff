"""Sweeps: rows side by side against one after another.

    python benchmarks/bench_sweep.py                       # a table (about fifteen minutes)
    python benchmarks/bench_sweep.py --draws 20 --updates 50
    pytest benchmarks/bench_sweep.py                       # pytest-benchmark's statistics of a small sweep

Wall-clock time of the same sweep of `independent`, from its table to its last row, with the start of the workers; each
backend must end in the same weights. The peer is the serial sweep, in the same process.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from neurometa import settings, sweep
from neurometa.experiments import find


def run(backend, n_draws, n_updates):
    """Seconds that a sweep took, and the weights that its rows ended in."""
    config = settings.replace(find("independent").config, [f"n_updates={n_updates}"])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "sweep"
        sweep.begin(folder, sweep.make_table("independent", config, n_draws=n_draws))
        started = time.perf_counter()
        sweep.train(folder, backend=backend)
        sweep.collect(folder)
        seconds = time.perf_counter() - started
        return seconds, [path.read_bytes() for path in sorted(folder.glob("*/agent.safetensors"))]


@pytest.mark.parametrize("backend", ["serial", "loky"])
def test_sweep(benchmark, backend):
    benchmark.pedantic(run, args=(backend, 6, 30), rounds=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--updates", type=int, default=150)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    known = None
    for backend in ("serial", "loky", "dask"):
        seconds, weights = run(backend, asked.draws, asked.updates)
        known = known or (seconds, weights)
        same = "the same weights" if weights == known[1] else "OTHER WEIGHTS"
        print(
            f"{backend:6}  {seconds:7.1f} s  {known[0] / seconds:.2f} x serial  {len(weights)} rows, {same}", flush=True
        )
