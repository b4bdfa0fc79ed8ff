"""How a gradient changes weights: the optimisers, as settings, and one step of them."""

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from neurometa.errors import InputError
from neurometa.training.schedules import Scheduled, at, check_range


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam, with decays of .9 and .999 (Kingma & Ba 2015).

    Parameters
    ----------
    step_size : float or Linear
        Of a weight, at most; `learning_rate` always means the behavioural one.
    epsilon : float
        Added to the root of the squared gradient.
    max_grad_norm : float
        The gradient's norm is cut to this.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    step_size: Scheduled = 5e-3
    epsilon: float = 1e-8
    max_grad_norm: float = 50.0

    def __post_init__(self) -> None:
        _check(self)

    def make(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser of some weights."""
        return torch.optim.Adam(weights, at(self.step_size, 0.0), eps=self.epsilon)


@dataclasses.dataclass(frozen=True)
class RMSProp:
    """RMSProp (Tieleman & Hinton 2012), with which both papers of Wang et al. trained.

    Parameters
    ----------
    step_size : float or Linear
        Of a weight; `learning_rate` always means the behavioural one.
    decay : float
        Of the mean squared gradient, per update, in [0, 1].
    epsilon : float
        Added to the root of the squared gradient.
    max_grad_norm : float
        The gradient's norm is cut to this.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    step_size: Scheduled = 5e-3
    decay: float = 0.99
    epsilon: float = 1e-8
    max_grad_norm: float = 50.0

    def __post_init__(self) -> None:
        check_range("decay", self.decay, 1)
        _check(self)

    def make(self, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Make the optimiser of some weights."""
        return torch.optim.RMSprop(weights, at(self.step_size, 0.0), alpha=self.decay, eps=self.epsilon)


def step(settings: Adam | RMSProp, optimizer: torch.optim.Optimizer, loss: Tensor, share: float) -> Tensor:
    """Change weights by the gradient of a loss, and return the gradient's norm before it was cut.

    Parameters
    ----------
    settings : Adam or RMSProp
        From which the optimiser was made.
    optimizer : Optimizer
        Of the weights.
    loss : Tensor
        The number to make smaller.
    share : float
        Fraction of the updates done, which places the step size.
    """
    for group in optimizer.param_groups:
        group["lr"] = at(settings.step_size, share)
    optimizer.zero_grad()
    loss.backward()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    norm = nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
    optimizer.step()
    return norm


def moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return all that an optimiser keeps of its weights, by their number and its name."""
    return {f"{i}/{k}": x for i, own in optimizer.state_dict()["state"].items() for k, x in own.items()}


def put_moments(optimizer: torch.optim.Optimizer, kept: dict[str, Tensor]) -> None:
    """Give an optimiser what `moments` returned of another of the same weights."""
    whole = optimizer.state_dict()
    for name, x in kept.items():
        i, k = name.split("/")
        whole["state"].setdefault(int(i), {})[k] = x
    optimizer.load_state_dict(whole)


def _check(settings: Adam | RMSProp) -> None:
    for name in ("step_size", "epsilon"):
        check_range(name, getattr(settings, name))
    if not settings.max_grad_norm > 0:
        raise InputError(f"max_grad_norm is {settings.max_grad_norm}; it must be above 0.")
