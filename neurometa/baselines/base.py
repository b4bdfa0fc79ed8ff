"""The doors to the baselines of every task; each task registers its own in a file of its name."""

import functools
from collections.abc import Callable

import torch
import xarray as xr

from neurometa import agents, rollout
from neurometa.behaviour import regret
from neurometa.dataset import BEYOND_PROBABILITY
from neurometa.errors import InputError
from neurometa.tasks import Fixation, Task


@functools.singledispatch
def baselines(task: Task) -> dict[str, agents.Agent]:
    """Return the learners that an agent trained on a task is compared with, chance last.

    Parameters
    ----------
    task : Task
        A bandit, the two-step task of one choice, foraging, volatility, reversal, Harlow's or the gridworld. Of the
        restless one, its reading of the volatility and its training range become the ideal observer's prior.

    Returns
    -------
    dict of Agent
        By name. ``"Bayes-optimal"`` or ``"ideal observer"`` comes first where it is known:
        for two arms that keep still (independent ones up to 100 trials), the informative and
        the restless bandit, the two-step, reversal and Harlow tasks, the gridworld, and a safe arm against a risky one.

    Raises
    ------
    InputError
        There are no baselines for the task.
    """
    names = sorted(kind.__name__ for kind in baselines.registry if kind not in (object, Fixation))
    allowed = ", ".join(["bandits", *(name for name in names if not name.endswith("Bandit"))])
    raise InputError(f"There are no baselines for {type(task).__name__}; there are for {allowed}.")


@functools.singledispatch
def exact_regret(task: Task) -> dict[str, float]:
    """Return the expected regret of an episode, for those of `baselines` where it can be computed.

    Parameters
    ----------
    task : Task
        As for `baselines`; values are known for two arms that keep still, up to 100 trials, the
        informative bandit, a safe arm against a risky one, and the two-step task whose states
        do not pay surely or alike.

    Returns
    -------
    dict of float
        By the learner's name, in units of reward; empty where none is known.
    """
    return {}


def play(
    task: Task,
    learners: dict[str, agents.Agent],
    *,
    n_episodes: int = 3000,
    seed: int = 2,
    progress: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """Let learners play fresh episodes of a task, all in the same worlds.

    Parameters
    ----------
    task : Task
        What is played.
    learners : dict of Agent
        Who plays, by name, e.g. from `baselines`.
    n_episodes : int
        How many episodes each.
    seed : int
        Fixes worlds, payments and choices.
    progress : callable, optional
        Called with each learner's name when it has played.

    Returns
    -------
    Dataset
        ``reward`` over ``learner``, ``episode`` and ``trial``; and ``regret`` where it is defined, which it is not for
        foraging, volatility and Markov decision processes. Both in units of reward.

    Raises
    ------
    InputError
        There are no episodes to play, or the seed is negative.
    """
    if seed < 0:
        raise InputError(f"seed is {seed}; it must be 0 or more.")
    found = []
    named = task.latents.keys()
    has_regret = "expected_reward" in named or ("reward_prob" in named and not BEYOND_PROBABILITY.keys() & named)
    for name, learner in learners.items():
        rng = torch.Generator().manual_seed(seed)  # whoever plays, a task takes the same numbers from it
        played = rollout.play(task, learner, n_episodes, rng)
        here = {"regret": regret(played)} if has_regret else {}
        found.append(xr.Dataset(here | {"reward": played.reward}).transpose("episode", "trial"))
        if progress is not None:
            progress(name)
    return xr.concat(found, "learner").assign_coords(learner=list(learners))
