"""An episode as a moving picture: what the agent saw, what it did, what it expected, and its hidden state."""

from pathlib import Path

import numpy as np
import torch
import xarray as xr
from PIL import Image, ImageDraw
from torch import Tensor

from neurometa import timed
from neurometa.errors import InputError
from neurometa.storage import replacing
from neurometa.tasks import Task, TimedTask

WIDTH, LINE, TRACE, CELL = 240, 14, 40, 8  # of the picture, a line of text, the value's curve, and a unit, in pixels
MILLISECONDS = 80  # that a step is shown
BACK, INK, PALE = (255, 255, 255), (0, 0, 0), (0, 114, 178)


def write(task: Task, run: xr.Dataset, episode: int, path: Path) -> Path:
    """Write one episode of a run as a GIF, a picture a step.

    Parameters
    ----------
    task : TimedTask
        What was played; it shows frames, which are drawn again from what the run logs.
    run : Dataset
        As of `rollout.play`; ``hidden`` is shown where it was logged, ``value`` where it is known.
    episode : int
        Which, by its place.
    path : Path
        The file; an older one is replaced.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        The task shows no frames or does not log what they are drawn from, or there is no such episode.
    """
    check(task)
    assert isinstance(task, TimedTask)
    frames = timed.frames(task, run, episode)
    one = run.isel(episode=episode, time=slice(len(frames)))
    hidden = one.hidden.transpose("time", ...).values.reshape(len(frames), -1) if "hidden" in one else None
    pictures = [_picture(task, frames[t], one, hidden, t) for t in range(len(frames))]
    with replacing(path) as temporary:
        pictures[0].save(
            temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0
        )
    return path


def check(task: Task) -> None:
    """Raise unless the episodes of a task can be filmed.

    Raises
    ------
    InputError
        The task shows no frames, or does not log what they are drawn from.
    """
    name = type(task).__name__
    if len(task.observation_shape) != 3:
        raise InputError(f"{name} shows no frames but {task.n_features} numbers, so there is nothing to film.")
    if not isinstance(task, TimedTask):
        raise InputError(
            f"{name} does not log what its frames are drawn from, so that they cannot be filmed afterwards."
        )


def _picture(task: TimedTask, frame: Tensor, one: xr.Dataset, hidden: np.ndarray | None, t: int) -> Image.Image:
    """The picture of one step: the frame, a line of text, the curve of the value so far, and the hidden state."""
    larger = max(1, WIDTH // frame.shape[-1])
    shown = frame.to(torch.uint8).permute(1, 2, 0).numpy().repeat(larger, 0).repeat(larger, 1)
    height, width = shown.shape[:2]
    per_row = max(1, width // CELL)
    n_rows = 0 if hidden is None else -(-hidden.shape[1] // per_row)
    picture = Image.new("RGB", (width, height + 2 * LINE + TRACE + n_rows * CELL), BACK)
    picture.paste(Image.fromarray(shown), (0, 0))
    pen = ImageDraw.Draw(picture)
    action = int(one.action[t])
    name = task.action_names[action] if task.action_names else str(action)
    event = task.events[int(one.event[t])].replace("_", " ")
    pen.text((2, height + 1), f"step {t + 1}  trial {int(one.trial_index[t]) + 1}  {name}", fill=INK)
    pen.text(
        (2, height + LINE), f"value {float(one.value[t]):.2f}  {'' if event == task.events[0] else event}", fill=INK
    )
    top = height + 2 * LINE
    value = one.value.values
    if np.isfinite(value).all():
        low, high = min(0.0, float(value.min())), max(float(value.max()), 1e-6)
        x = np.arange(t + 1) * (width - 1) / max(1, len(value) - 1)
        y = top + (TRACE - 3) * (1 - (value[: t + 1] - low) / (high - low)) + 1
        pen.line([*zip(x.tolist(), y.tolist(), strict=True)] * (2 if t == 0 else 1), fill=PALE, width=2)
    if hidden is not None:
        for i, level in enumerate(np.clip(hidden[t], -1, 1)):
            left, upper = CELL * (i % per_row), top + TRACE + CELL * (i // per_row)
            other = int(255 * (1 - abs(level)))
            colour = (255, other, other) if level > 0 else (other, other, 255)
            pen.rectangle((left, upper, left + CELL - 2, upper + CELL - 2), fill=colour)
    return picture
