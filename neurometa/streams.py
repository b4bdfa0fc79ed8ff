"""Where every random number of an episode comes from: one generator, or one for each of many networks."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

BLOCK = 128  # numbers drawn ahead for each episode, so that a generator is asked once for many steps
LANES = 32  # floats that torch's vectorised loops take at once
EVEN = 0.5  # luck of the episodes that fill up the last lanes, which nobody looks at

Ahead = tuple[Tensor, tuple[Tensor, ...], int]  # numbers (number, episode), the same row by row, and how many are used
NOTHING: Ahead = (torch.empty(0, 0), (), 0)


class Streams:
    """Random numbers of many networks that play side by side, each from a generator of its own.

    The episodes of network 0 come first, then those of network 1, and so on. What one network draws does not depend
    on which others there are. The same holds for the arithmetic of tasks only if torch's loops leave no remainder,
    which they compute in another way, to the last bit; hence some idle episodes at the end.

    Parameters
    ----------
    generators : sequence of torch.Generator
        One per network, on the CPU.
    n_each : int
        Episodes of each network.
    """

    device = torch.device("cpu")

    def __init__(self, generators: Sequence[torch.Generator], n_each: int) -> None:
        self.generators, self.n_each = list(generators), n_each
        self.n_episodes = self.rounded(len(self.generators) * n_each)
        self._ahead: dict[Callable[..., Tensor], Ahead] = {}

    @staticmethod
    def rounded(n_played: int) -> int:
        """Episodes that are drawn for where so many are played: the others are idle."""
        return -(-n_played // LANES) * LANES

    def start(self) -> None:
        """Forget what was drawn ahead, so that the generators alone say what comes."""
        self._ahead.clear()

    def take(self, kind: Callable[..., Tensor], shape: Sequence[int], axis: int) -> Tensor:
        """Numbers of a kind, `torch.rand` or `torch.randn`, in a shape whose `axis` is the episode."""
        rest = [*shape[:axis], *shape[axis + 1 :]]
        count = 1
        for length in rest:
            count *= length
        ahead, rows, used = self._ahead.get(kind, NOTHING)
        if len(rows) - used < count:
            ahead, rows, used = self._draw(kind, max(BLOCK, count))
        self._ahead[kind] = (ahead, rows, used + count)
        if not rest:
            return rows[used]
        taken = ahead[used : used + count]
        if rest == [count] and axis == 1:
            return taken
        return taken.view(*rest, self.n_episodes).movedim(-1, axis).contiguous()

    def _draw(self, kind: Callable[..., Tensor], count: int) -> Ahead:
        """So many numbers for every episode."""
        drawn = torch.full((count, self.n_episodes), EVEN)
        for i, generator in enumerate(self.generators):
            drawn[:, i * self.n_each : (i + 1) * self.n_each] = kind((count, self.n_each), generator=generator)
        return drawn, drawn.unbind(), 0  # views of every row, made once


Rng = torch.Generator | Streams


def idle(rng: Rng, n_episodes: int) -> Tensor:
    """Which episodes nobody looks at, (episode,) bool: a task whose steps are dear need not play them."""
    n_played = len(rng.generators) * rng.n_each if isinstance(rng, Streams) else n_episodes
    return torch.arange(n_episodes, device=rng.device) >= n_played


def uniform(rng: Rng, *shape: int, axis: int = 0) -> Tensor:
    """Draw numbers uniform on [0, 1).

    Parameters
    ----------
    rng : torch.Generator or Streams
        Where they come from; its device is where they are put.
    *shape : int
        Their shape.
    axis : int
        Which of its axes is the episode.

    Returns
    -------
    Tensor
    """
    if isinstance(rng, Streams):
        return rng.take(torch.rand, shape, axis)
    return torch.rand(shape, generator=rng, device=rng.device)


def normal(rng: Rng, *shape: int, axis: int = 0) -> Tensor:
    """Draw standard normal numbers; arguments as of `uniform`."""
    if isinstance(rng, Streams):
        return rng.take(torch.randn, shape, axis)
    return torch.randn(shape, generator=rng, device=rng.device)


def integers(rng: Rng, top: int, *shape: int, axis: int = 0) -> Tensor:
    """Draw whole numbers (int64), all below `top` equally likely; other arguments as of `uniform`."""
    if isinstance(rng, Streams):
        fine = rng.take(torch.rand, shape, axis).double() * 2**-24  # one uniform number has 24 random bits
        return ((rng.take(torch.rand, shape, axis) + fine) * top).long().clamp_(max=top - 1)
    return torch.randint(top, shape, generator=rng, device=rng.device)
