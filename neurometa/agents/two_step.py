"""Agents for two-step tasks: the ideal observers, and a learner without a model beside them.

They tell the form of a trial from what they are shown: two features are one step per trial,
three are two (see `neurometa.tasks.TwoStep`). Where nothing is shown the trial is yet to come, as at a fixation.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, State, greedy
from neurometa.agents.restless import midpoints, reflected_steps
from neurometa.errors import InputError


class TwoStepObserver(Agent):
    r"""Infer by exact Bayes which second-stage state is the better, and plan through the known transitions.

    The belief b that state 0 is the better is updated by each outcome; before the next trial
    the states may have swapped:

    .. math:: b \leftarrow b (1 - h) + (1 - b) h

    State 0 is then worth b p + (1 - b)(1 - p), state 1 the rest of 1, and a first-stage
    action the mixture of both by the transition. An outcome tells as much in either state, so that
    taking the better action is optimal (Wang et al. 2018, simulation 4). Its value is the
    reward expected of the trial, given the state reached once it is shown.

    Parameters
    ----------
    p_common, p_reversal, p_reward : float
        As of the task, probabilities: .5 or more, any (h), .5 or more (p).
    inverse_temperature : float, optional
        Choose by a softmax of this slope per unit of reward, instead of the best.

    Raises
    ------
    InputError
        A probability or the inverse temperature is outside its range.
    """

    start: Tensor

    def __init__(
        self,
        p_common: float = 0.8,
        p_reversal: float = 0.025,
        p_reward: float = 0.9,
        *,
        inverse_temperature: float | None = None,
    ) -> None:
        super().__init__()
        for name, p, low in (("p_common", p_common, 0.5), ("p_reversal", p_reversal, 0), ("p_reward", p_reward, 0.5)):
            if not low <= p <= 1:
                raise InputError(f"{name} is {p}; it must lie between {low} and 1.")
        if inverse_temperature is not None and not 0 <= inverse_temperature < float("inf"):
            raise InputError(f"inverse_temperature is {inverse_temperature}; it must be 0 or more, and finite.")
        self.p_common, self.p_reversal, self.p_reward = p_common, p_reversal, p_reward
        self.inverse_temperature = inverse_temperature
        self.register_buffer("start", torch.zeros(2, dtype=torch.float64), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Belief (episode,) that state 0 is the better, and the state shown at the last step (episode, 2): none."""
        none = self.start.expand(n_episodes, -1)
        return {"belief": none[:, 0] + 0.5, "reached": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` holds the belief as ``posterior_better``, (episode,), in [0, 1]."""
        place = _look(observation)
        belief = self._learn(state["belief"], place.shown if place.single else state["reached"], reward)
        mixed = belief * (1 - self.p_reversal) + (1 - belief) * self.p_reversal  # .5 stays .5, so also at the start
        belief = torch.where(place.begins, mixed, belief)
        first = belief * self.p_reward + (1 - belief) * (1 - self.p_reward)
        state_worth = torch.stack([first, 1 - first], -1)
        worth = self.p_common * state_worth + (1 - self.p_common) * state_worth.flip(-1)
        choose = greedy(worth) if self.inverse_temperature is None else self.inverse_temperature * worth
        expected = (torch.softmax(choose, -1) * worth).sum(-1)
        here = (place.shown * state_worth).sum(-1)
        value = torch.where(place.chooses | place.begins, expected, here).to(reward.dtype)
        record = {"posterior_better": belief.to(reward.dtype)}
        logits = torch.where(place.chooses[:, None], choose, 0.0).to(reward.dtype)
        return Output(logits, value, {"belief": belief, "reached": place.shown}, record)

    def _learn(self, belief: Tensor, reached: Tensor, reward: Tensor) -> Tensor:
        """Belief after an outcome; the same where no state was reached, or a response was not allowed."""
        for_first = torch.where(reward > 0, reached[:, 0], reached[:, 1]) > 0  # a win in state 0, or a loss in state 1
        likelihood = torch.where(for_first, self.p_reward, 1 - self.p_reward).to(belief.dtype)
        joint = likelihood * belief
        after = joint / (joint + (1 - likelihood) * (1 - belief)).clamp(min=torch.finfo(belief.dtype).tiny)
        return torch.where((reached.sum(-1) > 0) & (reward >= 0), after, belief)


class ModelFreeTwoStep(Agent):
    r"""Learn what each first-stage action is worth from the outcomes that follow it, however they came about.

    TD(1): the value of the action chosen moves towards the reward, past the state reached.

    .. math:: Q_a \leftarrow Q_a + \alpha (r - Q_a)

    A control without a model of the transitions (Wang et al. 2018, Fig 5b). Its value is the
    reward expected of the trial, also once the state is shown.

    Parameters
    ----------
    learning_rate : float
        Alpha, in [0, 1].
    inverse_temperature : float
        Slope of the softmax per unit of reward, >= 0.

    Raises
    ------
    InputError
        A parameter is outside its range.
    """

    start: Tensor

    def __init__(self, learning_rate: float = 0.3, inverse_temperature: float = 5.0) -> None:
        super().__init__()
        if not 0 <= learning_rate <= 1:
            raise InputError(f"learning_rate is {learning_rate}; it must lie between 0 and 1.")
        if not 0 <= inverse_temperature < float("inf"):
            raise InputError(f"inverse_temperature is {inverse_temperature}; it must be 0 or more, and finite.")
        self.learning_rate, self.inverse_temperature = learning_rate, inverse_temperature
        self.register_buffer("start", torch.zeros(2), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Values 0.5, and nothing chosen or shown; each (episode, 2), `chose` (episode,)."""
        none = self.start.expand(n_episodes, -1)
        return {"value": none + 0.5, "chosen": none, "reached": none, "chose": none[:, 0] > 0}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        place = _look(observation)
        chosen = torch.where(state["chose"][:, None], action[:, :2], state["chosen"])  # of the first stage
        paid = (place.shown if place.single else state["reached"]).sum(-1, keepdim=True)
        value = state["value"]
        value = value + self.learning_rate * chosen * paid * (reward >= 0)[:, None] * (reward[:, None] - value)
        logits = self.inverse_temperature * value
        coming = (torch.softmax(logits, -1) * value).sum(-1)
        expected = torch.where(place.chooses | place.begins, coming, (chosen * value).sum(-1))
        after = {"value": value, "chosen": chosen, "reached": place.shown, "chose": place.chooses}
        return Output(torch.where(place.chooses[:, None], logits, 0.0), expected, after, {})


class DawObserver(Agent):
    """Infer the drifting reward probability of each second-stage option, and take what is now best.

    Exact Bayes on a grid for each of the four options, planning over the known transition,
    and greedy: it does not try an option in order to learn of it, so that it is no upper
    bound. Its value is the reward expected of the trial, given the state reached once it is
    shown (task of Daw et al. 2011).

    Parameters
    ----------
    p_common, drift_sd, low, high : float
        As of the task: probability of the common transition, SD of a step of each reward
        probability in 1/trial, and where they are reflected.
    n_bins : int
        Bins of a reward probability on [low, high].

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    start: Tensor
    prob: Tensor
    transition: Tensor

    def __init__(
        self,
        p_common: float = 0.7,
        drift_sd: float = 0.025,
        low: float = 0.25,
        high: float = 0.75,
        *,
        n_bins: int = 50,
    ) -> None:
        super().__init__()
        if not 0.5 <= p_common <= 1:
            raise InputError(f"p_common is {p_common}; it must lie between 0.5 and 1.")
        if not 0 <= low < high <= 1 or not 0 <= drift_sd < float("inf"):
            raise InputError(
                f"drift_sd, low and high are {drift_sd}, {low} and {high}; they must be 0 or more and finite, "
                "and 0 <= low < high <= 1."
            )
        if n_bins < 2:
            raise InputError(f"n_bins is {n_bins}; it must be at least 2.")
        self.p_common = p_common
        width = high - low
        steps = reflected_steps(torch.tensor([drift_sd / width], dtype=torch.float64), n_bins)[0]
        for name, x in (("prob", low + width * midpoints(n_bins)), ("transition", steps), ("start", torch.zeros(2))):
            self.register_buffer(name, x.float(), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Belief, uniform over (episode, state, option, p), and the state shown at the last step (episode, 2): none."""
        even = torch.full_like(self.prob, 1 / len(self.prob))
        return {"belief": even.expand(n_episodes, 2, 2, -1), "reached": self.start.expand(n_episodes, -1)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        place = _look(observation)
        taken = (state["reached"][:, :, None] * action[:, None])[..., None]
        paid = reward[:, None, None, None]
        likelihood = paid * self.prob + (1 - paid) * (1 - self.prob)
        after = state["belief"] * (1 - taken + taken * likelihood)
        after = (after / after.sum(-1, keepdim=True)) @ self.transition
        belief = torch.where(place.begins[:, None, None, None], after, state["belief"])
        mean = belief @ self.prob  # (episode, state, option)
        best = mean.amax(-1)
        worth = self.p_common * best + (1 - self.p_common) * best.flip(-1)
        here = (place.shown[..., None] * mean).sum(1)
        reached = place.shown.sum(-1) > 0
        logits = greedy(torch.where(reached[:, None], here, worth))
        value = torch.where(reached, here.amax(-1), worth.amax(-1))
        return Output(logits, value, {"belief": belief, "reached": place.shown}, {})


class _Place(NamedTuple):
    """Where in a trial an agent is: bools (episode,), the second-stage state shown (episode, 2), and the form."""

    begins: Tensor
    chooses: Tensor
    shown: Tensor
    single: bool


def _look(observation: Tensor) -> _Place:
    n_features, shown = observation.shape[-1], observation[:, -2:]
    if n_features not in (2, 3):
        raise InputError(f"An observation has {n_features} features; those of a two-step task have 2 or 3.")
    if n_features == 2:
        always = shown[:, 0] > -1
        return _Place(always, always, shown, True)
    chooses, waits = observation[:, 0] > 0, observation.sum(-1) == 0
    return _Place(chooses | waits, chooses, shown, False)
