"""A screen that pans under the gaze: a fixation cross and two images, drawn for a batch of episodes.

Places are whole pixels, so that the compiled version (CPU) and that in torch (CUDA) draw the same bytes.
"""

import numba
import torch
from torch import Tensor

_compile = numba.njit(error_model="numpy", nogil=True, cache=True)
CROSS, LEFT, RIGHT = 1, 2, 4  # what is on the screen, as a sum
SCREEN, BEYOND, RED = (0, 0, 0), (90, 90, 90), (255, 0, 0)  # colours of the screen, of what is beside it, of the cross


def draw(shown: Tensor, image: Tensor, gaze: Tensor, frame: tuple[int, int], offset: int, edge: int) -> Tensor:
    """Draw what is seen of a screen.

    Parameters
    ----------
    shown : Tensor (episode,), uint8
        Sum of `CROSS`, `LEFT` and `RIGHT`.
    image : Tensor (episode, 2, 3, size, size), uint8
        The left and the right image.
    gaze : Tensor (episode,), int64
        Column of the screen that the middle of the frame shows, in pixels to the right of the screen's middle.
    frame : tuple of int
        Height and width of the frame, in pixels.
    offset : int
        How far the images' middles are from the screen's, in pixels.
    edge : int
        How far the screen reaches to either side of its middle, in pixels.

    Returns
    -------
    Tensor (episode, 3, height, width), uint8
    """
    if shown.device.type != "cpu":
        return draw_in_torch(shown, image, gaze, frame, offset, edge)
    out = torch.empty(len(shown), 3, *frame, dtype=torch.uint8, device=shown.device)
    _draw(shown.numpy(), image.numpy(), gaze.numpy(), offset, edge, cross_size(frame), out.numpy())
    return out


def cross_size(frame: tuple[int, int]) -> tuple[int, int]:
    """Half of the length and half of the thickness of the fixation cross, in pixels from its middle."""
    return max(frame[0] // 10, 2), frame[0] // 40


@_compile
def _draw(shown, image, gaze, offset, edge, cross, out):
    _, _, height, width = out.shape
    size = image.shape[-1]
    top, (reach, thick) = (height - size) // 2, cross
    for e in range(len(shown)):
        middle = width // 2 - gaze[e]  # column of the frame that shows the screen's middle
        first, last = min(max(middle - edge, 0), width), min(max(middle + edge, 0), width)
        for c in range(3):
            out[e, c] = BEYOND[c]
            out[e, c, :, first:last] = SCREEN[c]
        if shown[e] & CROSS:
            row = height // 2
            for x in range(max(middle - reach, 0), min(middle + reach + 1, width)):
                rows = reach if abs(x - middle) <= thick else thick
                for c in range(3):
                    out[e, c, row - rows : row + rows + 1, x] = RED[c]
        for side in range(2):
            if shown[e] & (LEFT, RIGHT)[side]:
                begin = middle + (-offset, offset)[side] - size // 2
                for x in range(max(begin, 0), min(begin + size, width)):
                    for c in range(3):
                        for y in range(size):
                            out[e, c, top + y, x] = image[e, side, c, y, x - begin]


def draw_in_torch(shown: Tensor, image: Tensor, gaze: Tensor, frame: tuple[int, int], offset: int, edge: int) -> Tensor:
    """Draw the same by torch alone, on any device; arguments as of `draw`."""
    (height, width), device, size = frame, shown.device, image.shape[-1]
    x = torch.arange(width, device=device) - (width // 2 - gaze[:, None])  # of the screen, (episode, column)
    y = torch.arange(height, device=device)

    def coloured(colour: tuple[int, int, int]) -> Tensor:
        return torch.tensor(colour, dtype=torch.uint8, device=device)[:, None, None]

    out = torch.where(((x >= -edge) & (x < edge))[:, None, None], coloured(SCREEN), coloured(BEYOND))
    out = out.expand(-1, -1, height, -1)
    reach, thick = cross_size(frame)
    high, wide = (y - height // 2).abs()[:, None], x.abs()[:, None]
    cross = ((high <= thick) & (wide <= reach)) | ((high <= reach) & (wide <= thick))
    on = (shown & CROSS > 0)[:, None, None]
    out = torch.where((cross & on)[:, None], coloured(RED), out)
    row = y - (height - size) // 2
    for side, bit in enumerate((LEFT, RIGHT)):
        column = x - (-offset, offset)[side] + size // 2
        here = ((column >= 0) & (column < size))[:, None] & ((row >= 0) & (row < size))[:, None]
        place = row.clamp(0, size - 1)[None, :, None], column.clamp(0, size - 1)[:, None, :]
        episode = torch.arange(len(shown), device=device)[:, None, None]
        seen = image[episode, side, :, place[0], place[1]].movedim(-1, 1)
        out = torch.where((here & (shown & bit > 0)[:, None, None])[:, None], seen, out)
    return out.contiguous()
