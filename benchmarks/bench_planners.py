"""Planners of tabular processes: posterior sampling for a batch of them, beside one process after another in NumPy.

    python benchmarks/bench_planners.py            # a table (half a minute)
    pytest benchmarks/bench_planners.py            # pytest-benchmark's statistics

Processes of 100 trials of ten steps (Duan et al. 2016, Table 2) per CPU-second, world and planner together. The peer is
PSRL as one writes it: gamma and normal draws, and a backward induction of one matrix product a step.
"""

import os
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from neurometa import agents, rollout
from neurometa.tasks import TabularMDP

TASK = TabularMDP(100)


def ours(n_processes):
    """Rewards that PSRL is paid in so many processes, side by side."""
    played = rollout.unroll(TASK, agents.PSRL(), n_processes, torch.Generator().manual_seed(0))
    return played["reward"].sum((0, 1)).numpy()


def plain(n_processes, n_states=10, n_actions=5, horizon=10):
    """The same, one process after another."""
    rng = np.random.default_rng(0)
    return np.array([_one(rng, n_states, n_actions, horizon) for _ in range(n_processes)])


def _one(rng, n_states, n_actions, horizon):
    transition = rng.dirichlet(np.ones(n_states), (n_states, n_actions))
    mean = rng.normal(1, 1, (n_states, n_actions))
    counts, visits, paid = np.ones_like(transition), np.ones_like(mean), np.ones_like(mean)  # the task's own prior
    total = 0.0
    for _ in range(TASK.n_trials):
        drawn = rng.gamma(counts)
        drawn /= drawn.sum(-1, keepdims=True)
        worth, value, policy = rng.normal(paid / visits, visits**-0.5), np.zeros(n_states), []
        for _ in range(horizon):
            best = worth + drawn @ value
            policy.append(best.argmax(1))
            value = best.max(1)
        state = 0
        for chosen in reversed(policy):
            action = chosen[state]
            reward = rng.normal(mean[state, action])
            after = rng.choice(n_states, p=transition[state, action])
            counts[state, action, after] += 1
            visits[state, action] += 1
            paid[state, action] += reward
            state, total = after, total + reward
    return total


def speed(play, n_processes):
    """Processes per CPU-second, and the mean reward."""
    begun = time.process_time()
    reward = play(n_processes)
    return n_processes / (time.process_time() - begun), float(reward.mean())


def test_psrl(benchmark):
    benchmark.pedantic(ours, (100,), rounds=3, warmup_rounds=1)


def test_plain_psrl(benchmark):
    benchmark.pedantic(plain, (5,), rounds=3)


if __name__ == "__main__":
    torch.set_num_threads(1)
    ours(2)
    rounds = [(speed(ours, 500), speed(plain, 50)) for _ in range(3)]
    print(f"{'':12} processes per CPU-second   reward")
    for name, each in zip(("neurometa", "plain NumPy"), zip(*rounds, strict=True), strict=True):
        print(f"{name:12} {statistics.median(x for x, _ in each):24.1f} {each[0][1]:8.1f}")
    print("ratio, round by round:", ", ".join(f"{a[0] / b[0]:.1f}" for a, b in rounds))
