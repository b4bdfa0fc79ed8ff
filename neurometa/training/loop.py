"""The loops of every algorithm, for one agent and for many: updates, curves, checkpoints, and going on from one."""

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.optim import Optimizer

from neurometa.agents import Agent
from neurometa.errors import InputError
from neurometa.streams import Streams
from neurometa.training import curve, optimizers
from neurometa.training.checkpoint import CHECKPOINT, load_state, save_state
from neurometa.training.config import Training
from neurometa.training.curve import Row
from neurometa.training.together import Together

SECONDS_BETWEEN_CHECKPOINTS = 5.0
SHARE_OF_CHECKPOINTS = 0.05  # of the time; those of many networks take seconds

Progress = Callable[[Row], None]
Update = Callable[[torch.Generator, float], Row]  # with random numbers, when a fraction of the updates is done


class DivergedError(InputError):
    """The weights went out of bounds; other settings may not."""


def diverged(update: int) -> DivergedError:
    """Say that the gradient of an update was not finite."""
    return DivergedError(
        f"Training diverged at update {update}: the gradient is not finite. Lower step_size or max_grad_norm."
    )


def train(
    config: Training,
    agent: Agent,
    optimizer: Optimizer,
    update: Update,
    run: Path | None,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Agent:
    """Update an agent until its training is done, and go on where an interrupted one stopped, to the same bits.

    Parameters
    ----------
    config : Training
        Settings of any algorithm.
    agent : Agent
        Whose weights are changed, untrained, on `device`.
    optimizer : Optimizer
        What keeps numbers of the weights from update to update.
    update : callable
        Plays and learns once, and returns what it has for the learning curve, ``gradient_norm`` among it.
    run : Path or None
        Folder for the checkpoint and the learning curve; None to write nothing.
    device : {"cpu", "cuda"}
        Where the random numbers are drawn.
    progress : callable, optional
        Called after each update with the row of the learning curve.

    Returns
    -------
    Agent
        The same, trained.

    Raises
    ------
    InputError
        Training diverged, or the folder holds another checkpoint or cannot be written.
    """
    rng = torch.Generator(device).manual_seed(config.seed)
    done = 0
    if run is not None and (run / CHECKPOINT).exists():
        moments, done = load_state(run / CHECKPOINT, agent, rng)
        optimizers.put_moments(optimizer, moments)
    with curve.writer(run, done) as rows:
        saved = time.monotonic()
        for n in range(done, config.n_updates):
            found = update(rng, n / config.n_updates)
            if not math.isfinite(found["gradient_norm"]):
                raise diverged(n + 1)
            row = _counted(config, n + 1) | found
            rows.write(row)
            if progress is not None:
                progress(row)
            if run is not None and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                rows.flush()
                save_state(run / CHECKPOINT, agent, optimizers.moments(optimizer), rng, n + 1)
                saved = time.monotonic()
    return agent


def train_together(
    configs: Sequence[Training],
    together: Together,
    streams: Streams,
    update: Callable[[np.ndarray, np.ndarray], dict[int, Row]],
    runs: Sequence[Path | None],
    *,
    progress: Callable[[dict[int, Row]], None] | None = None,
) -> list[Agent | DivergedError]:
    """Update agents side by side until the training of each is done; see `train`.

    Parameters
    ----------
    configs : sequence of Training
        Settings of each, alike in their numbers of updates.
    together : Together
        The agents, untrained.
    streams : Streams
        The random numbers of each.
    update : callable
        Given the agents that are to be updated and how many updates each of all has behind it, plays and learns once,
        and returns by agent what `train` has for its curve.
    runs : sequence of Path or None
        The folder of each.
    progress : callable, optional
        Called after each update with the new rows of the learning curves, by the number of the agent.

    Returns
    -------
    list of Agent or DivergedError
        The trained agents, and why those that diverged are none.
    """
    done = np.zeros(len(configs), dtype=int)
    for n, run in enumerate(runs):
        if run is not None and (run / CHECKPOINT).exists():
            moments, done[n] = load_state(run / CHECKPOINT, together.agents[n], streams.generators[n])
            together.load(n, moments, run / CHECKPOINT)
    failed: dict[int, DivergedError] = {}
    with contextlib.ExitStack() as files:
        board = len(configs) == 1  # streams of many would cost more than their training
        curves = [
            files.enter_context(curve.writer(run, int(d), board=board)) for run, d in zip(runs, done, strict=True)
        ]
        saved, pause = time.monotonic(), SECONDS_BETWEEN_CHECKPOINTS
        left = [n for n, config in enumerate(configs) if done[n] < config.n_updates]
        while left:
            found = update(np.array(left), done)
            done[left] += 1
            failed |= {n: diverged(int(done[n])) for n in left if not math.isfinite(found[n]["gradient_norm"])}
            rows = {n: _counted(configs[n], int(done[n])) | found[n] for n in left if n not in failed}
            for n, row in rows.items():
                curves[n].write(row)
            if progress is not None and rows:
                progress(rows)
            if time.monotonic() - saved > pause:
                saved = time.monotonic()
                for n in rows:
                    if (run := runs[n]) is not None:
                        curves[n].flush()
                        save_state(run / CHECKPOINT, *together.unload(n), streams.generators[n], int(done[n]))
                took, saved = time.monotonic() - saved, time.monotonic()
                pause = max(SECONDS_BETWEEN_CHECKPOINTS, took / SHARE_OF_CHECKPOINTS)
            left = [n for n in rows if done[n] < configs[n].n_updates]
    return [failed.get(n) or together.unload(n)[0] for n in range(len(configs))]


def _counted(config: Training, update: int) -> Row:
    """How far training is, as each row of the curve begins."""
    return {"update": update, "steps": update * config.batch_size * config.n_steps}
