"""The ideal learner of Harlow's task: win-stay, lose-shift on what a stimulus looks like, not where it is."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from neurometa.agents.base import Agent, Output, State, greedy
from neurometa.errors import InputError


class HarlowObserver(Agent):
    """Remember which stimulus paid and which did not, take the first, and avoid the second.

    Nothing can be known of two new stimuli, so that trial 1 is a throw of a coin, and one
    outcome tells which of the two is rewarded, so that every later trial is right. That also
    holds where only one stimulus stays, as it is either taken for the rewarded one or left for its
    partner. Stimuli are compared number by number (Wang et al. 2016, experiment 6; 2018,
    simulation 5). Its value is the reward expected of the trial, given what is over.

    Parameters
    ----------
    inverse_temperature : float, optional
        Choose by a softmax of this slope per unit of reward, instead of the best; 0 is chance.
    fixation_reward : float
        What holding still at the fixation pays, as in the task.

    Raises
    ------
    InputError
        The inverse temperature is outside its range, or an observation is not of the task.
    """

    start: Tensor

    def __init__(self, *, inverse_temperature: float | None = None, fixation_reward: float = 0.2) -> None:
        super().__init__()
        if inverse_temperature is not None and not 0 <= inverse_temperature < float("inf"):
            raise InputError(f"inverse_temperature is {inverse_temperature}; it must be 0 or more, and finite.")
        self.inverse_temperature, self.fixation_reward = inverse_temperature, fixation_reward
        self.register_buffer("start", torch.zeros(1), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """No stimulus known: the `good` and the `bad` one and the last `pair` are empty, (episode, feature)."""
        none = self.start.expand(n_episodes)
        empty = self.start.expand(n_episodes, 0)
        return {"good": empty, "bad": empty, "pair": empty, "known": none > 0, "chose": none > 0}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        size, odd = divmod(observation.shape[-1] - 2, 3)
        if odd or size < 1:
            raise InputError(
                f"An observation has {observation.shape[-1]} features; those of Harlow's task are 2 for the fixation "
                "and the outcome, and as many for each of two stimuli and for the one taken."
            )
        good, bad, pair = (
            state[name] if state[name].shape[-1] else observation.new_zeros(len(observation), width)
            for name, width in (("good", size), ("bad", size), ("pair", 2 * size))
        )
        told = state["chose"] & (action[:, :2].sum(-1) > 0)
        left, right = pair.split(size, -1)
        left_is_good = ((action[:, 0] > 0) == (reward > 0))[:, None]
        good = torch.where(told[:, None], torch.where(left_is_good, left, right), good)
        bad = torch.where(told[:, None], torch.where(left_is_good, right, left), bad)
        known = state["known"] | told
        fixates, ends = observation[:, :2].unbind(-1)
        chooses = fixates + ends == 0
        shown = observation[:, 2 : 2 + 2 * size]
        pair = torch.where(chooses[:, None], shown, pair)
        sides = shown.unflatten(-1, (2, size))
        is_good, is_bad = ((sides == x[:, None]).all(-1).to(reward.dtype) for x in (good, bad))
        worth = (is_good - is_bad) * known[:, None]
        worth = torch.where(worth == 0, -worth.flip(-1), worth)  # of a new partner: the opposite of the one that stays
        choose = greedy(worth) if self.inverse_temperature is None else self.inverse_temperature * worth
        gain = known.to(reward.dtype)
        if self.inverse_temperature is not None:
            gain = gain * torch.tanh(torch.as_tensor(self.inverse_temperature, dtype=reward.dtype))
        value = (gain + self.fixation_reward * fixates) * (1 - ends)
        state = {"good": good, "bad": bad, "pair": pair, "known": known, "chose": chooses}
        return Output(self._logits(choose, chooses), value, state, {})

    def _logits(self, choose: Tensor, chooses: Tensor) -> Tensor:
        """One of the sides at the choice, else the centre."""
        sides = torch.where(chooses[:, None], choose, -torch.inf)
        centre = torch.where(chooses, -torch.inf, 0.0).to(choose.dtype)
        return pad(sides, (0, 1)) + pad(centre[:, None], (2, 0))
