"""What turns an observation into numbers before a network's core: convolutions over frames."""

import abc
import dataclasses
import math

import torch
from torch import Tensor, nn

from neurometa.errors import InputError


@dataclasses.dataclass(frozen=True)
class Encoder(abc.ABC):
    """Settings from which an encoder is made for observations of a shape.

    Every pixel is read: where the strides of a layer leave a remainder, zeros are added at the right and at the bottom.

    Parameters
    ----------
    layers : tuple of (n_channels, kernel, stride)
        Of each convolution, the first first.
    n_features : int
        Numbers given to the core.

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
        given = [observation_shape[1:], *self.sizes(observation_shape)]
        if any(min(size) < kernel for (_, kernel, _), size in zip(self.layers, given, strict=False)):
            raise InputError(
                f"Frames of {observation_shape[1]} x {observation_shape[2]} are too small for the layers "
                f"{self.layers}; give smaller kernels or strides."
            )

    def sizes(self, observation_shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """Height and width of what each layer gives."""
        found, (height, width) = [], observation_shape[1:]
        for _, kernel, stride in self.layers:
            height, width = math.ceil((height - kernel) / stride) + 1, math.ceil((width - kernel) / stride) + 1
            found.append((height, width))
        return found

    def convolutions(self, observation_shape: tuple[int, ...], *, bias: bool) -> list[nn.Module]:
        """Make the untrained layers for frames of a shape: padding where strides leave a remainder, filters, ReLU."""
        parts: list[nn.Module] = []
        n_channels, (height, width) = observation_shape[0], observation_shape[1:]
        for (n_out, kernel, stride), size in zip(self.layers, self.sizes(observation_shape), strict=True):
            beyond = [(n - 1) * stride + kernel - there for n, there in zip(size, (height, width), strict=True)]
            if any(beyond):
                parts.append(_Border((0, beyond[1], 0, beyond[0])))
            parts += [nn.Conv2d(n_channels, n_out, kernel, stride, bias=bias), nn.ReLU()]
            n_channels, (height, width) = n_out, size
        return parts

    def n_flat(self, observation_shape: tuple[int, ...]) -> int:
        """How many numbers the last convolution gives."""
        return self.layers[-1][0] * math.prod(self.sizes(observation_shape)[-1])

    @abc.abstractmethod
    def build(self, observation_shape: tuple[int, ...]) -> nn.Module:
        """Make the untrained encoder for frames of a shape."""


@dataclasses.dataclass(frozen=True)
class Conv(Encoder):
    """Convolutions over frames, then one layer of rectified units; all weights are trained.

    The defaults are two layers of 16 and 32 channels, kernels of 8 and 4 and strides of 4 and 2, and 256 units (Mnih et
    al. 2016, section 5.1; of Wang et al. 2018, simulation 5, over frames of 84 x 84).

    Settings as of `Encoder`.
    """

    def build(self, observation_shape: tuple[int, ...]) -> "ConvEncoder":
        """Make the untrained encoder for frames of a shape."""
        self.check(observation_shape)
        return ConvEncoder(self, observation_shape)


@dataclasses.dataclass(frozen=True)
class Frozen(Encoder):
    """Convolutions with random filters, and of what they give the largest principal components, whitened; not trained.

    The filters are orthogonal. Mean and components are those of frames of the task under random play, so that a network
    with this encoder differs from one without eyes only in what it is given, and what it is given has one variance in
    all directions. Settings as of `Encoder`.
    """

    layers: tuple[tuple[int, int, int], ...] = ((16, 8, 4),)
    n_features: int = 32

    def check(self, observation_shape: tuple[int, ...]) -> None:
        """Raise unless the frames are large enough, and the layers give as many numbers as are asked for."""
        super().check(observation_shape)
        if self.n_features > self.n_flat(observation_shape):
            raise InputError(
                f"n_features is {self.n_features}; the layers {self.layers} give {self.n_flat(observation_shape)} "
                f"numbers of frames of {observation_shape[1]} x {observation_shape[2]}, which is the most."
            )

    def build(self, observation_shape: tuple[int, ...]) -> "FrozenEncoder":
        """Make the encoder; its components are empty until it is shown frames."""
        self.check(observation_shape)
        return FrozenEncoder(self, observation_shape)


class ConvEncoder(nn.Module):
    """The encoder that `Conv` describes; bytes are read as numbers from 0 to 1."""

    def __init__(self, settings: Conv, observation_shape: tuple[int, ...]) -> None:
        super().__init__()
        parts = settings.convolutions(observation_shape, bias=True)
        n_flat = settings.n_flat(observation_shape)
        self.layers = nn.Sequential(*parts, nn.Flatten(), nn.Linear(n_flat, settings.n_features), nn.ReLU())

    def forward(self, observation: Tensor) -> Tensor:
        """Encode frames (..., channel, height, width) as (..., n_features)."""
        return self.layers(_to_read(observation, self.layers)).unflatten(0, observation.shape[:-3])


class FrozenEncoder(nn.Module):
    """The encoder that `Frozen` describes."""

    centre: Tensor
    components: Tensor

    def __init__(self, settings: Frozen, observation_shape: tuple[int, ...]) -> None:
        super().__init__()
        parts = settings.convolutions(observation_shape, bias=False)
        for part in parts:
            if isinstance(part, nn.Conv2d):
                nn.init.orthogonal_(part.weight)
        n_flat = settings.n_flat(observation_shape)
        self.layers = nn.Sequential(*parts, nn.Flatten()).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(n_flat))
        self.register_buffer("components", torch.zeros(n_flat, settings.n_features))

    @torch.no_grad()
    def look(self, frames: Tensor) -> None:
        """Take mean and whitened components from frames (frame, channel, height, width)."""
        given = self.layers(_to_read(frames, self.layers)).double()
        centre = given.mean(0)
        variance, directions = torch.linalg.eigh((given - centre).T @ (given - centre) / len(given))
        n_kept = self.components.shape[1]
        scale = variance[-n_kept:].clamp(min=1e-8 * float(variance[-1])).sqrt()
        directions = directions[:, -n_kept:]
        signs = directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()  # a direction has two
        self.centre.copy_(centre)
        self.components.copy_(directions * signs / scale)

    @torch.no_grad()
    def forward(self, observation: Tensor) -> Tensor:
        """Encode frames (..., channel, height, width) as (..., n_features)."""
        given = self.layers(_to_read(observation, self.layers))
        found = torch.addmm(-(self.centre @ self.components), given, self.components)
        return found.unflatten(0, observation.shape[:-3])


class _Border(nn.ZeroPad2d):
    """Zeros at the right and at the bottom of frames; bytes become numbers from 0 to 1 on the way."""

    def forward(self, frames: Tensor) -> Tensor:
        if frames.dtype != torch.uint8:
            return super().forward(frames)
        (height, width), (_, right, _, bottom) = frames.shape[-2:], self.padding
        bordered = torch.zeros(*frames.shape[:-2], height + bottom, width + right, device=frames.device)
        torch.div(frames, 255, out=bordered[..., :height, :width])
        return bordered


def _to_read(observation: Tensor, layers: nn.Sequential) -> Tensor:
    """Frames (frame, channel, height, width) as the first layer takes them: bytes from 0 to 1, unless it does so."""
    frames = observation.flatten(0, -4)
    return frames / 255 if frames.dtype == torch.uint8 and not isinstance(layers[0], _Border) else frames
