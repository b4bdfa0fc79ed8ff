"""What turns an observation into numbers before a network's core: convolutions over frames."""

import dataclasses
import math

import torch
from torch import Tensor, nn

from neurometa.errors import InputError


@dataclasses.dataclass(frozen=True)
class Conv:
    """Convolutions over frames, then one layer of rectified units.

    The defaults are two layers of 16 and 32 channels, kernels of 8 and 4 and strides of 4 and 2, and 256 units (Mnih et
    al. 2016, section 5.1; of Wang et al. 2018, simulation 5, over frames of 84 x 84).

    Parameters
    ----------
    layers : tuple of (n_channels, kernel, stride)
        Of each convolution, the first first.
    n_features : int
        Units of the last layer: numbers given to the core.

    Raises
    ------
    InputError
        A layer has no channel, or a kernel or stride below 1.
    """

    layers: tuple[tuple[int, int, int], ...] = ((16, 8, 4), (32, 4, 2))
    n_features: int = 256

    def __post_init__(self) -> None:
        if not self.layers or any(size < 1 for layer in self.layers for size in layer):
            raise InputError(
                f"layers is {self.layers}; there is one at least, each (channels, kernel, stride) of at least 1."
            )
        if self.n_features < 1:
            raise InputError(f"n_features is {self.n_features}; it must be at least 1.")

    def check(self, observation_shape: tuple[int, ...]) -> None:
        """Raise unless frames of this shape, (channel, height, width), are large enough for every layer."""
        if len(observation_shape) != 3:
            raise InputError(
                f"The task shows observations of shape {observation_shape}; convolutions read frames, "
                "(channel, height, width): leave out the encoder."
            )
        height, width = self.sizes(observation_shape)[-1]
        if min(height, width) < 1:
            raise InputError(
                f"Frames of {observation_shape[1]} x {observation_shape[2]} are too small for the layers "
                f"{self.layers}; give smaller kernels or strides."
            )

    def sizes(self, observation_shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """Height and width of what each layer gives."""
        found, (height, width) = [], observation_shape[1:]
        for _, kernel, stride in self.layers:
            height, width = (height - kernel) // stride + 1, (width - kernel) // stride + 1
            found.append((height, width))
        return found

    def build(self, observation_shape: tuple[int, ...]) -> "ConvEncoder":
        """Make the untrained encoder for frames of a shape."""
        self.check(observation_shape)
        return ConvEncoder(self, observation_shape)


class ConvEncoder(nn.Module):
    """The encoder that `Conv` describes; bytes are read as numbers from 0 to 1."""

    def __init__(self, settings: Conv, observation_shape: tuple[int, ...]) -> None:
        super().__init__()
        n_channels, parts = observation_shape[0], []
        for n_out, kernel, stride in settings.layers:
            parts += [nn.Conv2d(n_channels, n_out, kernel, stride), nn.ReLU()]
            n_channels = n_out
        n_flat = n_channels * math.prod(settings.sizes(observation_shape)[-1])
        self.layers = nn.Sequential(*parts, nn.Flatten(), nn.Linear(n_flat, settings.n_features), nn.ReLU())

    def forward(self, observation: Tensor) -> Tensor:
        """Encode frames (..., channel, height, width) as (..., n_features)."""
        frames = observation.flatten(0, -4)
        scaled = frames.float() / 255 if frames.dtype == torch.uint8 else frames
        return self.layers(scaled).unflatten(0, observation.shape[:-3])
