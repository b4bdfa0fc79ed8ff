r"""Networks that learn within an episode by steps along the gradient of their own policy: the inner loop of MAML.

From trials :math:`D` lived with weights :math:`\theta` an inner step makes (Finn et al. 2017, equations 1 and 4)

.. math:: \theta' = \theta + \alpha \nabla_\theta \frac{1}{|D|} \sum_{(s, a) \in D} A(s, a) \log \pi_\theta(a \mid s),

REINFORCE with advantages :math:`A`, the discounted return minus a baseline fitted to the same trials. The weights are
part of the agent's state: each episode begins with the trained :math:`\theta` and has fast weights of its own.
"""

import copy
import dataclasses
import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from neurometa import policies
from neurometa.agents.base import Agent, Output, State
from neurometa.agents.networks import Network
from neurometa.errors import InputError, nearest

BASELINES = ("linear", "others")
RIDGE, LARGEST = 1e-5, 10.0  # of the linear baseline: its penalty, and where observations are cut
Weights = dict[str, Tensor]  # (episode, ...) each


class Lived(NamedTuple):
    """Steps from which fast weights learn, those of all trials of an episode in one row.

    Attributes
    ----------
    observation : Tensor (episode, step, feature)
    action : Tensor (episode, step), int64, or (episode, step, axis)
    advantage : Tensor (episode, step)
    """

    observation: Tensor
    action: Tensor
    advantage: Tensor


@dataclasses.dataclass(frozen=True)
class Plastic(Network):
    """A feed-forward policy whose weights take inner steps in an episode, as they are set here also when it is tested.

    Parameters
    ----------
    layers : tuple of int
        Tanh units of each layer; none for a policy that is linear in what it sees.
    adapt_after : int
        Trials from which each inner step learns.
    n_adaptations : int
        Most inner steps in an episode; 0 freezes the weights.
    step_sizes : tuple of float
        Alpha of the first inner step, the second, ...; the last is that of all further ones.
    learned_step_size : bool
        Train the step sizes too, along their logarithm.
    trial_steps : int
        Steps in a trial of the task.
    discount : float
        Gamma of the returns in the inner step, in [0, 1].
    baseline : {"linear", "others"}
        What is subtracted from returns: a linear function of observation, its square and time, fitted by ridge
        regression in double precision (Duan et al. 2016, rllab), and advantages are then standardised in each episode;
        or the mean return of the other trials at the same step, for tasks that show nothing.
    n_context : int
        0: all weights are fast. Above: only so many inputs beside the observation, which begin as 0 in each episode
        (CAVIA: Zintgraf et al. 2019).
    initial_sd : float
        SD of each axis of a continuous action before training, in units of the action, above 0.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    layers: tuple[int, ...] = (64, 64)
    adapt_after: int = 20
    n_adaptations: int = 1
    step_sizes: tuple[float, ...] = (0.1,)
    learned_step_size: bool = False
    trial_steps: int = 1
    discount: float = 0.99
    baseline: str = "linear"
    n_context: int = 0
    initial_sd: float = 1.0

    def __post_init__(self) -> None:
        for name, least in (("adapt_after", 1), ("n_adaptations", 0), ("trial_steps", 1), ("n_context", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if any(n < 1 for n in self.layers):
            raise InputError(f"layers is {self.layers}; each has at least 1 unit.")
        if not self.step_sizes or any(not (size > 0 and math.isfinite(size)) for size in self.step_sizes):
            raise InputError(f"step_sizes is {self.step_sizes}; there is one at least, each above 0 and finite.")
        if not (self.initial_sd > 0 and math.isfinite(self.initial_sd)):
            raise InputError(f"initial_sd is {self.initial_sd}; it must be above 0 and finite.")
        if not 0 <= self.discount <= 1:
            raise InputError(f"discount is {self.discount}; it must be at least 0 and at most 1.")
        if self.baseline not in BASELINES:
            hint = nearest(str(self.baseline), list(BASELINES))
            raise InputError(f"baseline is {self.baseline!r}; allowed are {list(BASELINES)}.{hint}")
        if self.baseline == "others" and self.adapt_after < 2:
            raise InputError("baseline is 'others' and adapt_after is 1; there are no other trials.")

    @property
    def continuous(self) -> bool:
        """A continuous action has the mean that the policy gives, and a learned SD that is one of the fast weights."""
        return True

    def check(self, observation_shape: tuple[int, ...]) -> None:
        """Raise unless observations are vectors."""
        if len(observation_shape) != 1:
            raise InputError(f"The task shows observations of shape {observation_shape}, and Plastic reads vectors.")

    def build(
        self,
        observation_shape: tuple[int, ...],
        n_actions: int,
        n_steps: int,
        *,
        reward_levels: tuple[float, ...] = (),
        discount: float,
        n_axes: int = 0,
    ) -> Agent:
        """Make the untrained agent; see `Network.build`. Its gamma is its own, and rewards are told to no input."""
        return PlasticAgent(observation_shape[0], n_actions, self, n_axes=n_axes)


class PlasticAgent(Agent):
    """The agent that `Plastic` describes.

    Its value is NaN, as it holds none. It records ``hidden``, the activity of its last layer, where it has one.

    Parameters
    ----------
    n_features, n_actions : int
        Length of an observation; number of actions.
    settings : Plastic
    n_axes : int
        Axes of a continuous action; 0 for choices.
    """

    def __init__(self, n_features: int, n_actions: int, settings: Plastic, *, n_axes: int = 0) -> None:
        super().__init__()
        self.settings, self.n_axes, self.n_features = settings, n_axes, n_features
        widths = [n_features + settings.n_context, *settings.layers, n_axes or n_actions]
        self.start = nn.ParameterDict()
        for i, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
            last = i == len(settings.layers)
            scale = (0.1 if last else 1.0) / math.sqrt(max(n_in, 1))  # near-uniform choice to begin with
            self.start[f"weight_{i}"] = nn.Parameter(scale * torch.randn(n_in, n_out))
            # units of one sign and size at the origin would leave an inner step little to work on there
            bias = torch.zeros(n_out) if last else (2 * torch.rand(n_out) - 1) / math.sqrt(max(n_in, 1))
            self.start[f"bias_{i}"] = nn.Parameter(bias)
        if n_axes:
            self.start["log_sd"] = nn.Parameter(torch.full((n_axes,), math.log(settings.initial_sd)))
        sizes = torch.tensor(settings.step_sizes).log()
        self.log_step_size = nn.Parameter(sizes, requires_grad=settings.learned_step_size)
        self.records = {"hidden": ("unit",)} if settings.layers else {}
        self.fast = ("context",) if settings.n_context else tuple(self.start)

    def fresh(self, n_episodes: int) -> Weights:
        """The weights with which each episode begins, (episode, ...), all of which lead back to those trained."""
        weights = {name: x[None].expand(n_episodes, *x.shape) for name, x in self.start.items()}
        if self.settings.n_context:
            weights["context"] = self.log_step_size.new_zeros(n_episodes, self.settings.n_context).requires_grad_()
        return weights

    def policy(self, weights: Weights, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Answer observations (episode, step, feature) by the weights of their episode: policy, and last layer."""
        x = observation
        if self.settings.n_context:
            x = torch.cat([x, weights["context"][:, None].expand(-1, x.shape[1], -1)], -1)
        for i in range(len(self.settings.layers)):
            x = torch.tanh(torch.baddbmm(weights[f"bias_{i}"][:, None], x, weights[f"weight_{i}"]))
        last = len(self.settings.layers)
        out = torch.baddbmm(weights[f"bias_{last}"][:, None], x, weights[f"weight_{last}"])
        if self.n_axes:
            out = torch.cat([out, weights["log_sd"][:, None].expand_as(out)], -1)
        return out, x

    def adapted(self, weights: Weights, lived: Lived, n_before: int, *, order: int = 1) -> Weights:
        """Take an inner step, the equation above.

        Parameters
        ----------
        weights : dict of Tensor (episode, ...)
            Fast weights, theta.
        lived : Lived
            What was lived with them.
        n_before : int
            Inner steps before this one, which says the step size.
        order : {1, 2}
            Whether the step is a constant to further gradients (first order), or a function of theta (second).

        Raises
        ------
        InputError
            The weights are not finite after the step.
        """
        traced = torch.is_grad_enabled()  # whether there is a way back to the weights trained
        with torch.enable_grad():
            at = {name: x if traced and x.requires_grad else x.detach().requires_grad_() for name, x in weights.items()}
            answered, _ = self.policy(at, lived.observation)
            gain = (policies.log_prob(answered, lived.action) * lived.advantage).mean(1).sum()
            gradient = torch.autograd.grad(gain, [at[name] for name in self.fast], create_graph=order == 2)
        size = self.log_step_size[min(n_before, len(self.log_step_size) - 1)].exp()
        stepped = {name: weights[name] + size * g for name, g in zip(self.fast, gradient, strict=True)}
        if not all(bool(x.isfinite().all()) for x in stepped.values()):
            raise InputError(
                f"Inner step {n_before + 1} of size {float(size):.3g} made weights that are not finite; "
                "lower step_sizes."
            )
        return weights | stepped

    def judged(self, observation: Tensor, action: Tensor, reward: Tensor) -> Lived:
        """Work out advantages of trials, and put their steps in one row for each episode.

        Parameters
        ----------
        observation, action, reward : Tensor (time, episode, trial, ...)
            Steps of trials, time first.
        """
        discount = self.settings.discount
        away = torch.arange(len(reward), device=reward.device)
        worth = torch.triu(discount ** (away - away[:, None]).clamp(min=0).to(reward.dtype))
        returns = (worth @ reward.flatten(1)).view_as(reward)
        if self.settings.baseline == "others":
            n = reward.shape[2]
            advantage = (returns - returns.mean(2, keepdim=True)) * n / max(n - 1, 1)
        else:
            advantage = returns - linear_baseline(observation, returns)
            advantage = advantage - advantage.mean((0, 2), keepdim=True)
            advantage = advantage / (advantage.square().mean((0, 2), keepdim=True).sqrt() + 1e-8)
        return Lived(*(x.movedim(0, 2).flatten(1, 2) for x in (observation, action, advantage)))

    def begin(self, n_episodes: int) -> State:
        """The trained weights, no step taken, and room for what will be lived, filled as `forward` says."""
        weights = {f"fast_{name}": x.detach() for name, x in self.fresh(n_episodes).items()}
        none = self.log_step_size.new_zeros(n_episodes, dtype=torch.int64)
        return weights | self._room(n_episodes) | {"time": none}

    def frozen(self) -> "PlasticAgent":
        """The same agent, sharing its trained weights, which takes no inner steps."""
        other = copy.copy(self)
        other.settings = dataclasses.replace(self.settings, n_adaptations=0)
        return other

    def _room(self, n_episodes: int) -> State:
        n = self.settings.adapt_after * self.settings.trial_steps
        zeros = self.log_step_size.new_zeros(n_episodes, n).detach()
        seen = zeros[..., None].repeat(1, 1, self.n_features)
        done = zeros[..., None].repeat(1, 1, self.n_axes) if self.n_axes else zeros.long()
        return {"lived_observation": seen, "lived_action": done, "lived_reward": zeros.clone()}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step, after an inner step where enough trials have been lived since the last.

        What is lived is written in place, behind all that is there, so that a state that was kept is what it was: it
        says by its time how much of it counts.
        """
        settings, n = self.settings, self.settings.adapt_after * self.settings.trial_steps
        now = int(state["time"][0])
        adaptations, place = divmod(now, n)
        if now and now <= n * settings.n_adaptations:
            state["lived_action"][:, (now - 1) % n] = action if self.n_axes else action.argmax(-1)
            state["lived_reward"][:, (now - 1) % n] = reward
            if place == 0:
                state = self._after(state, adaptations - 1) | self._room(len(reward))
        if adaptations < settings.n_adaptations:
            state["lived_observation"][:, place] = observation
        weights = {name.removeprefix("fast_"): x for name, x in state.items() if name.startswith("fast_")}
        policy, hidden = self.policy(weights, observation[:, None])
        value = torch.full_like(reward, torch.nan)
        record = {"hidden": hidden[:, 0]} if settings.layers else {}
        return Output(policy[:, 0], value, state | {"time": state["time"] + 1}, record)

    def _after(self, state: State, n_before: int) -> State:
        """The state after an inner step on what was lived in it."""
        trials = (self.settings.adapt_after, self.settings.trial_steps)
        names = ("lived_observation", "lived_action", "lived_reward")
        lived = self.judged(*(state[name].unflatten(1, trials).movedim(2, 0) for name in names))
        weights = {name.removeprefix("fast_"): x for name, x in state.items() if name.startswith("fast_")}
        after = self.adapted(weights, lived, n_before)
        return state | {f"fast_{name}": x.detach() for name, x in after.items()}


def linear_baseline(observation: Tensor, returns: Tensor) -> Tensor:
    """Returns as a linear function of observation, its square, time, its square and cube, and 1; by ridge regression.

    Parameters
    ----------
    observation : Tensor (time, episode, trial, feature)
    returns : Tensor (time, episode, trial)
        Those of each episode are fitted apart from the others'.

    Returns
    -------
    Tensor (time, episode, trial)
    """
    seen = observation.double().clamp(-LARGEST, LARGEST)
    time = (torch.arange(len(returns), device=returns.device, dtype=torch.float64) / 100)[:, None, None, None]
    time = time.expand(*returns.shape, 1)
    x = torch.cat([seen, seen.square(), time, time.square(), time**3, torch.ones_like(time)], -1)
    x = x.movedim(1, 0).flatten(1, 2)  # (episode, step, regressor)
    y = returns.double().movedim(1, 0).flatten(1, 2)[..., None]
    penalty = RIDGE * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    fitted = x @ torch.linalg.solve(x.mT @ x + penalty, x.mT @ y)
    return fitted[..., 0].unflatten(1, (len(returns), -1)).movedim(1, 0).to(returns.dtype)
