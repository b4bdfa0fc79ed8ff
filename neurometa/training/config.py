"""What the settings of every algorithm begin with, and what is made of them."""

import abc
import dataclasses
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import torch

from neurometa.agents import LSTM, Agent, Network, RandomChoice
from neurometa.agents.encoders import FrozenEncoder
from neurometa.errors import InputError
from neurometa.rollout import segments
from neurometa.settings import name_of
from neurometa.share import folder
from neurometa.tasks import Task
from neurometa.training.checkpoint import WEIGHTS, load_weights
from neurometa.training.curriculum import Curriculum

LOOKS = 256, 20  # episodes, and their first steps, in which a frozen encoder sees what there is to see


@dataclasses.dataclass(frozen=True)
class Training(abc.ABC):
    """What the settings of every algorithm begin with.

    An algorithm is a module with a ``Config`` of its own, which derives from this, and with a function
    ``train(config, run, *, device, progress)`` beside it, that returns the trained agent. `runs.train` and sweeps
    take the ``Config`` of any algorithm; `algorithm` finds its module.

    Parameters
    ----------
    task : Task
        What is learned; tested on ``task.for_test()``.
    network : Network
        What learns it.
    n_updates, batch_size : int
        Updates, and fresh episodes in each.
    seed : int
        Fixes initial weights, tasks and choices.
    curriculum : Curriculum or None
        Another value of a setting of the task in the first parts of training.
    start : str
        Where training begins, if not from initial weights: the folder of a run, or an agent that comes along,
        ``"rl2-bandit-100-5/0"``, or the one of them with this training's own seed, ``"rl2-bandit-100-5"``; of any
        algorithm and task, with a network of the same shapes. See `begin`.

    Attributes
    ----------
    continuous : bool
        Whether the algorithm learns continuous actions too, and not choices alone.

    Raises
    ------
    InputError
        A setting is outside its range, or the network or the algorithm does not fit the task.
    """

    continuous: ClassVar[bool] = False

    task: Task
    network: Network = LSTM()
    n_updates: int = dataclasses.field(default=1000, kw_only=True)
    batch_size: int = dataclasses.field(default=256, kw_only=True)
    seed: int = dataclasses.field(default=0, kw_only=True)
    start: str = dataclasses.field(default="", kw_only=True)
    curriculum: Curriculum | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self.network.check(self.task.observation_shape)
        for part in (self, self.network) if self.task.n_axes else ():
            if not part.continuous:
                raise InputError(
                    f"{type(self.task).__name__} asks for a continuous action over {self.task.n_axes} axes, and "
                    f"{name_of(type(part))} knows choices alone; take another, or a task of choices."
                )
        for name in ("n_updates", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed is {self.seed}; it must be a whole number from 0 to 2**63 - 1.")
        for until in self.curriculum.ends if self.curriculum else ():
            stage = self.task_at(until / 2)
            if (stage.n_steps, stage.observation_shape) != (self.n_steps, self.task.observation_shape):
                raise InputError("A curriculum may change neither the steps of an episode nor what is shown.")

    def check(self) -> None:
        """Raise unless training can begin: what other files say, or is too dear to find out for settings alone.

        Raises
        ------
        InputError
            There are no weights where training is to start, or they are of another network.
        """
        if self.start:
            begin(self)

    @property
    @abc.abstractmethod
    def last_discount(self) -> float:
        """Gamma with which training ends, in [0, 1]."""

    @property
    def n_readouts(self) -> int:
        """Numbers that training tells the network beside what to do and to expect; by default none."""
        return 0

    @property
    def n_steps(self) -> int:
        """Steps in an episode."""
        return self.task.n_steps

    def task_at(self, share: float) -> Task:
        """Return what is played when a fraction of the updates, in [0, 1), is done."""
        return self.curriculum.at(self.task, share) if self.curriculum else self.task

    @property
    def budget(self) -> int:
        """Environment steps of the whole training."""
        return self.n_updates * self.batch_size * self.n_steps


def check_signal(config: Any) -> None:
    """Raise unless the task of some settings can tell what their ``returns`` are to be taken of."""
    if config.returns.of == "reward":
        return
    if type(config.task).gaps is Task.gaps:
        raise InputError(
            f"of is {config.returns.of!r}, but {type(config.task).__name__} does not say what each action is worth; "
            "train by of='reward'."
        )
    if getattr(config.network, "separate", False):
        raise InputError(f"of is {config.returns.of!r} and separate is true; prediction errors need values of reward.")


def algorithm(config: Training) -> ModuleType:
    """Return the module that some settings are of, with its function `train`."""
    return importlib.import_module(type(config).__module__)


def build(config: Training, device: str = "cpu") -> Agent:
    """Make the untrained agent that some settings describe, its initial weights drawn from their seed.

    A frozen encoder is shown frames of the task under random play.

    Parameters
    ----------
    config : Training
        Settings of any algorithm.
    device : {"cpu", "cuda"}
        Where to put it.
    """
    task = config.task
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers go on as if nothing had been drawn
        torch.manual_seed(config.seed)
        agent = config.network.build(
            task.observation_shape,
            task.n_actions,
            config.n_steps,
            reward_levels=task.reward_levels,
            discount=config.last_discount,
            **({"n_axes": task.n_axes} if task.n_axes else {}),
            **({"n_readouts": config.n_readouts} if config.n_readouts else {}),
        )
    encoder = getattr(agent, "encoder", None)
    if isinstance(encoder, FrozenEncoder):
        n_episodes, n_steps = LOOKS
        rng = torch.Generator().manual_seed(config.seed)
        played = segments(task, RandomChoice(task.n_actions), n_episodes, rng, n_steps)
        encoder.look(next(played).observation.flatten(0, 1))
    return agent.to(device)


def begin(config: Training, device: str = "cpu") -> Agent:
    """Make the agent from which training begins: `build`, with the weights that ``config.start`` names, if any.

    Raises
    ------
    InputError
        There are no such weights, or they are of another network.
    """
    agent = build(config, device)
    if config.start:
        along = folder("data/agents") / config.start
        places = (Path(config.start), along, along / str(config.seed))
        found = [place / WEIGHTS for place in places if (place / WEIGHTS).exists()]
        if not found:
            raise InputError(_no_start(config.start, config.seed, along))
        load_weights(found[0], agent)
    return agent


def _no_start(start: str, seed: int, along: Path) -> str:
    """What to say where there are no weights to begin from."""
    seeds = sorted(int(file.parent.name) for file in along.glob(f"*/{WEIGHTS}"))
    if seeds:
        return (
            f"start is {start!r}, of which no agent with training seed {seed} comes along, but those with "
            f"{', '.join(map(str, seeds))}: name one, as in '{start}/{seeds[0]}', or the folder of a run."
        )
    return (
        f"start is {start!r}; it is neither a run that is trained to the end nor EXPERIMENT or EXPERIMENT/SEED of an "
        "agent that comes along."
    )
