"""Training state on disk: weights, optimiser, random numbers and step, without pickle."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from neurometa.errors import InputError
from neurometa.storage import DIGEST, replacing

CHECKPOINT = "checkpoint.safetensors"  # while training; goes when it is done
WEIGHTS = "agent.safetensors"  # the trained agent; its presence says that training is done


def save_weights(path: Path, agent: nn.Module) -> None:
    """Write an agent's parameters as a whole or not at all."""
    _write(path, dict(agent.state_dict()))


def load_weights(path: Path, agent: nn.Module) -> None:
    """Fill an agent with the parameters of a file.

    Raises
    ------
    InputError
        The file is damaged, not safetensors, or of another agent.
    """
    tensors, _ = _read(path)
    try:
        agent.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(f"{path} holds the weights of another agent: {str(error).splitlines()[-1].strip()}") from error


def save_state(path: Path, agent: nn.Module, moments: dict[str, Tensor], rng: torch.Generator, update: int) -> None:
    """Write all that the next update depends on, as a whole or not at all; `moments` are the optimiser's."""
    tensors = {f"agent/{name}": x for name, x in agent.state_dict().items()}
    tensors |= {f"optimizer/{name}": x for name, x in moments.items()}
    tensors["rng"] = rng.get_state()
    _write(path, tensors, {"update": str(update)})


def load_state(path: Path, agent: nn.Module, rng: torch.Generator) -> tuple[dict[str, Tensor], int]:
    """Restore agent and random numbers as `save_state` wrote them; return the moments and the number of updates done.

    Raises
    ------
    InputError
        The file is damaged, not safetensors, or no checkpoint of this training.
    """
    tensors, metadata = _read(path)
    try:
        agent.load_state_dict({key.removeprefix("agent/"): x for key, x in tensors.items() if key.startswith("agent/")})
        rng.set_state(tensors["rng"])
        moments = {key.removeprefix("optimizer/"): x for key, x in tensors.items() if key.startswith("optimizer/")}
        return moments, int(metadata["update"])
    except (RuntimeError, KeyError, ValueError) as error:
        last = str(error).splitlines()[-1].strip()
        raise InputError(f"{path} is no checkpoint of this training ({last}); remove it to start anew.") from error


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    tensors = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    metadata = metadata or {}
    whole = save(tensors, {**metadata, DIGEST: _digest_of(tensors, metadata)})
    with replacing(path) as temporary:
        temporary.write_bytes(whole)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and what is said of them, as they were written; older weights, of which nothing is said, pass."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged or not a safetensors file ({error}).") from error
    if metadata is not None and metadata.pop(DIGEST, "") != _digest_of(tensors, metadata):
        raise InputError(f"{path} is damaged: its numbers are not those that were written.")
    return tensors, metadata or {}


def _digest_of(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    digest = hashlib.sha256(repr(sorted(metadata.items())).encode())
    for name, x in sorted(tensors.items()):
        digest.update(f"{name} {x.dtype} {tuple(x.shape)}".encode())
        digest.update(x.numpy().tobytes())
    return digest.hexdigest()
