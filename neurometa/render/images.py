"""Images for tasks that are seen: painted from a number, each once, or taken from a folder of pictures."""

import functools
import math
from pathlib import Path

import numba
import numpy as np
import torch
from torch import Tensor

from neurometa.errors import InputError

_compile = numba.njit(error_model="numpy", nogil=True, cache=True)
N_PAINTED = 2**30  # images that are painted for training, and as many others for tests
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FEWEST = 4  # pictures in a folder: two to train with, and two others to test with


def paint(number: Tensor, size: int) -> Tensor:
    """Paint images: smooth noise in colour, and two to five ellipses, boxes and patches of stripes on it.

    All of an image follows from its number, and a larger `size` gives the same image with more detail.

    Parameters
    ----------
    number : Tensor (...), int64
        Which images, each at least 0.
    size : int
        Height and width, in pixels.

    Returns
    -------
    Tensor (..., 3, size, size), uint8
        Red, green and blue, on the device of `number`.
    """
    out = np.empty((number.numel(), 3, size, size), np.uint8)
    _paint(number.reshape(-1).cpu().numpy(), out)
    return torch.from_numpy(out).reshape(*number.shape, 3, size, size).to(number.device)


@functools.lru_cache(maxsize=8)
def pictures(folder: str, size: int) -> Tensor:
    """Read the pictures of a folder, in the order of their names, each reduced to a square.

    Parameters
    ----------
    folder : str
        Holds pictures of one shape as PNG, JPEG, BMP, GIF, WebP or TIFF; other files are passed over.
    size : int
        Height and width to which they are scaled, in pixels.

    Returns
    -------
    Tensor (picture, 3, size, size), uint8

    Raises
    ------
    InputError
        There is no such folder, it holds too few pictures, one cannot be read, or they differ in shape.
    """
    from PIL import Image

    if not Path(folder).is_dir():
        raise InputError(
            f"images is {folder!r}, which is no folder; give one that holds pictures, or '' for painted ones."
        )
    files = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)
    if len(files) < FEWEST:
        held = f"holds {len(files)} pictures" if files else "holds no pictures"
        raise InputError(
            f"The folder {folder} {held} ({', '.join(SUFFIXES)}); there must be {FEWEST} at least, "
            "half of them to train with and half to test with."
        )
    found, first = [], None
    for file in files:
        try:
            with Image.open(file) as picture:
                shape, small = picture.size, picture.convert("RGB").resize((size, size), Image.Resampling.BOX)
        except OSError as error:
            raise InputError(f"{file} is no picture that can be read ({error}); repair it or take it away.") from error
        first = first or (file, shape)
        if shape != first[1]:
            raise InputError(
                f"{file} is {shape[0]} x {shape[1]} pixels, and {first[0].name} {first[1][0]} x {first[1][1]}; "
                "all pictures of a folder must have one shape: crop or scale them first."
            )
        found.append(np.asarray(small).transpose(2, 0, 1))
    return torch.from_numpy(np.stack(found))


@_compile
def _next(state):
    """A number in [0, 1), and the generator's next state (SplitMix64: Steele et al. 2014)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) / np.float64(1 << 53), state


@_compile
def _noise(canvas, cells, amplitude, state):
    """Add noise drawn at the corners of `cells` x `cells` squares, and interpolated between them, to all colours."""
    size = canvas.shape[1]
    corner = np.empty((3, cells + 1, cells + 1))
    for c in range(3):
        for i in range(cells + 1):
            for j in range(cells + 1):
                corner[c, i, j], state = _next(state)
    for y in range(size):
        v = (y + 0.5) / size * cells
        i, fy = int(v), v - int(v)
        for x in range(size):
            u = (x + 0.5) / size * cells
            j, fx = int(u), u - int(u)
            for c in range(3):
                top = corner[c, i, j] * (1 - fx) + corner[c, i, j + 1] * fx
                low = corner[c, i + 1, j] * (1 - fx) + corner[c, i + 1, j + 1] * fx
                canvas[c, y, x] += amplitude * (top * (1 - fy) + low * fy - 0.5)
    return state


@_compile
def _shape(canvas, state):
    """Lay an ellipse, a box or a patch of stripes over the image, turned, in a colour of its own."""
    size = canvas.shape[1]
    drawn = np.empty(9)
    for n in range(9):
        drawn[n], state = _next(state)
    kind, (cx, cy) = int(3 * drawn[0]), (0.15 + 0.7 * drawn[1], 0.15 + 0.7 * drawn[2])
    a, b, turn = 0.1 + 0.3 * drawn[3], 0.1 + 0.3 * drawn[4], math.pi * drawn[5]
    cos, sin = math.cos(turn), math.sin(turn)
    for y in range(size):
        for x in range(size):
            dx, dy = (x + 0.5) / size - cx, (y + 0.5) / size - cy
            u, v = (cos * dx + sin * dy) / a, (cos * dy - sin * dx) / b
            inside = u * u + v * v < 1 if kind == 0 else abs(u) < 1 and abs(v) < 1
            if kind == 2:
                inside = inside and math.sin(9 * u) > 0
            if inside:
                for c in range(3):
                    canvas[c, y, x] = drawn[6 + c]
    return state


@_compile
def _paint(number, out):
    size = out.shape[2]
    canvas = np.empty((3, size, size))
    for n in range(len(number)):
        luck, state = _next(np.uint64(number[n]) * np.uint64(0xD1342543DE82EF95) + np.uint64(1))
        canvas[:] = 0.5
        state = _noise(canvas, 2, 1.2, state)
        state = _noise(canvas, 5, 0.5, state)
        for _ in range(2 + int(4 * luck)):
            state = _shape(canvas, state)
        for c in range(3):
            for y in range(size):
                for x in range(size):
                    out[n, c, y, x] = np.uint8(255 * min(max(canvas[c, y, x], 0.0), 1.0))
