"""Agents for the reversal task: one that infers what a cue is worth, and one that must experience it."""

from typing import NamedTuple

import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, State
from neurometa.errors import InputError
from neurometa.exact.reversal import N_FEATURES, STEPS

N_STEPS = len(STEPS)
MEAN = 0.5  # what a cue that is yet to come pays: either is as likely, and one of them is rewarded


class ReversalObserver(Agent):
    r"""Infer by exact Bayes which cue is rewarded, from the outcome of either.

    One outcome tells it all: the belief b that cue 0 is the rewarded one becomes 1 or 0, and
    before the next trial the roles may have changed:

    .. math:: b \leftarrow b (1 - h) + (1 - b) h

    with h = `p_reversal`, or with blocks h = `p_switch` at their start and 0 within. There is
    nothing to choose; what makes it a reference are its values. They are those that a perfect
    critic would have at discount gamma, for the rest of the chain: with k steps to go to the
    outcome, gamma^k times the probability of reward, and gamma^k / 2 for every later trial,
    in which either cue is as likely. At the onset of a cue that pays with probability q the
    prediction error gamma V' - V is thus gamma^3 (q - 1/2): .29 for q = .9 and gamma = .9.

    Parameters
    ----------
    p_reversal : float
        Probability of a reversal before a trial, in [0, 1]; unused where there are blocks.
    block_length : int or None
        Trials in a block, of which the agent then keeps count.
    p_switch : float
        Probability of a reversal at the start of a block, in [0, 1].
    discount : float
        Gamma, in [0, 1]; below 1 where the chain has no end.
    n_trials : int or None
        Trials in the chain; None for an agent that reckons with no end.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    start: Tensor

    def __init__(
        self,
        p_reversal: float = 0.1,
        *,
        block_length: int | None = None,
        p_switch: float = 0.5,
        discount: float = 0.9,
        n_trials: int | None = None,
    ) -> None:
        super().__init__()
        for name, p in (("p_reversal", p_reversal), ("p_switch", p_switch)):
            if not 0 <= p <= 1:
                raise InputError(f"{name} is {p}; it must lie between 0 and 1.")
        if block_length is not None and block_length < 1:
            raise InputError(f"block_length is {block_length}; it must be at least 1, or None.")
        _check(discount, n_trials)
        self.p_reversal, self.block_length, self.p_switch = p_reversal, block_length, p_switch
        self.discount, self.n_trials = discount, n_trials
        self.register_buffer("start", torch.zeros(1, dtype=torch.float64), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Belief (episode,) that cue 0 is rewarded, the cue shown (-1: none), steps passed, and whether it answered."""
        return {"belief": self.start.expand(n_episodes) + 0.5} | _begin(self.start, n_episodes)

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` holds the belief as ``posterior_cue``, (episode,), in [0, 1]."""
        place = _look(observation, action, state)
        told = torch.where((state["cue"] == 0) == (reward > 0), 1.0, 0.0).to(self.start.dtype)
        belief = torch.where(place.paid, told, state["belief"])
        hazard = self._hazard(torch.div(place.time, N_STEPS, rounding_mode="floor"))
        belief = torch.where(place.begins, belief * (1 - hazard) + (1 - belief) * hazard, belief)
        worth = torch.stack([belief, 1 - belief], -1)
        value = _value(worth, place, self.discount, self.n_trials).to(reward.dtype)
        logits = _answer(place, action).to(reward.dtype)
        return Output(logits, value, {"belief": belief} | place.state(), {"posterior_cue": belief.to(reward.dtype)})

    def _hazard(self, trial: Tensor) -> Tensor:
        if self.block_length is None:
            return torch.full_like(trial, self.p_reversal, dtype=self.start.dtype)
        return torch.where(trial % self.block_length == 0, self.p_switch, 0.0).to(self.start.dtype)


class CueLearner(Agent):
    r"""Learn what each cue is worth from its own outcomes only: TD(0) on a table with an entry for each cue.

    .. math:: V_c \leftarrow V_c + \alpha (r - V_c)

    It discounts over a trial as `ReversalObserver` does and expects 1/2 of a cue to come, but an
    outcome tells it nothing of the other cue: after a reversal it goes on to expect the old of
    the cue not seen since (a control for Wang et al. 2018, simulation 3).

    Parameters
    ----------
    learning_rate : float
        Alpha, in [0, 1].
    discount : float
        Gamma, in [0, 1]; below 1 where the chain has no end.
    n_trials : int or None
        Trials in the chain; None for an agent that reckons with no end.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    start: Tensor

    def __init__(self, learning_rate: float = 0.8, *, discount: float = 0.9, n_trials: int | None = None) -> None:
        super().__init__()
        if not 0 <= learning_rate <= 1:
            raise InputError(f"learning_rate is {learning_rate}; it must lie between 0 and 1.")
        _check(discount, n_trials)
        self.learning_rate, self.discount, self.n_trials = learning_rate, discount, n_trials
        self.register_buffer("start", torch.zeros(1), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Worth 0.5 of each cue, (episode, 2), the cue shown (-1: none), steps passed, and whether it answered."""
        return {"worth": self.start.expand(n_episodes, 2) + 0.5} | _begin(self.start, n_episodes)

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        place = _look(observation, action, state)
        worth = state["worth"]
        shown = (torch.arange(2, device=worth.device) == state["cue"][:, None]) & place.paid[:, None]
        worth = worth + self.learning_rate * shown * (reward[:, None] - worth)
        value = _value(worth, place, self.discount, self.n_trials)
        return Output(_answer(place, action), value, {"worth": worth} | place.state(), {})


class _Place(NamedTuple):
    """Where in a chain an agent is, (episode,): see `_look`."""

    time: Tensor  # steps passed before this one
    step: Tensor  # of the trial: 0 to 3
    cue: Tensor  # the cue shown last, -1 before the first
    begins: Tensor  # whether this is the fixation
    answered: Tensor  # whether the response to the cue was the one it dictates
    paid: Tensor  # whether the reward just received tells what the cue is worth

    def state(self) -> State:
        """What to carry to the next step."""
        return {"time": self.time + 1, "cue": self.cue, "answered": self.answered}


def _check(discount: float, n_trials: int | None) -> None:
    if not 0 <= discount <= 1 or (discount == 1 and n_trials is None):
        raise InputError(f"discount is {discount}; it must lie between 0 and 1, and below 1 where n_trials is None.")
    if n_trials is not None and n_trials < 1:
        raise InputError(f"n_trials is {n_trials}; it must be at least 1, or None.")


def _begin(start: Tensor, n_episodes: int) -> State:
    none = torch.zeros(n_episodes, dtype=torch.int64, device=start.device)
    return {"time": none, "cue": none - 1, "answered": none > 0}


def _look(observation: Tensor, action: Tensor, state: State) -> _Place:
    if observation.shape[-1] != N_FEATURES:
        raise InputError(f"An observation has {observation.shape[-1]} features; those of a reversal task have 6.")
    seen = observation.argmax(-1)
    step = torch.tensor([0, 1, 1, 2, 2, 3], device=seen.device)[seen]
    cue = torch.where(step == 1, seen - 1, state["cue"])
    answered = torch.where(step == 3, (action[:, :2].argmax(-1) == cue) & (action[:, 2] == 0), state["answered"])
    begins = step == 0
    return _Place(state["time"], step, cue, begins, answered, begins & state["answered"] & (state["cue"] >= 0))


def _value(worth: Tensor, place: _Place, discount: float, n_trials: int | None) -> Tensor:
    """Discounted reward expected of this trial, its cue paying as `worth` (episode, 2), and of those after it."""
    to_outcome = N_STEPS - 1 - place.step
    shown = worth.gather(1, place.cue.clamp(min=0)[:, None])[:, 0]
    here = torch.where(place.begins, MEAN, shown)
    here = torch.where((place.step == N_STEPS - 1) & ~place.answered, 0.0, here)
    gamma = torch.tensor(discount, dtype=worth.dtype, device=worth.device)
    each = MEAN * gamma ** (N_STEPS + to_outcome)  # the next trial, and then one every four steps
    decay = gamma**N_STEPS
    if n_trials is None:
        return here * gamma**to_outcome + each / (1 - decay)
    left = (n_trials - 1 - torch.div(place.time, N_STEPS, rounding_mode="floor")).clamp(min=0)
    later = left if discount == 1 else (1 - decay**left) / (1 - decay)
    return here * gamma**to_outcome + each * later


def _answer(place: _Place, action: Tensor) -> Tensor:
    """Logits of the step: the centre at fixation and cue, the dictated side at the response, any at the outcome."""
    wanted = torch.where(place.step == 2, place.cue, 2)
    right = torch.arange(3, device=wanted.device) == wanted[:, None]
    return torch.where(right | (place.step == 3)[:, None], 0.0, -torch.inf).to(action.dtype)
