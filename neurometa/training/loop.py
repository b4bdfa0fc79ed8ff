"""The loop that trains one agent, whatever the algorithm: updates, their curve, checkpoints, and going on from one."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.optim import Optimizer

from neurometa.agents import Agent
from neurometa.errors import InputError
from neurometa.training import curve, optimizers
from neurometa.training.checkpoint import CHECKPOINT, load_state, save_state
from neurometa.training.config import Training
from neurometa.training.curve import Row

SECONDS_BETWEEN_CHECKPOINTS = 5.0

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
            row = {"update": n + 1, "steps": (n + 1) * config.batch_size * config.n_steps} | found
            rows.write(row)
            if progress is not None:
                progress(row)
            if run is not None and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                rows.flush()
                save_state(run / CHECKPOINT, agent, optimizers.moments(optimizer), rng, n + 1)
                saved = time.monotonic()
    return agent
