"""Players that see what each arm would pay and infer how likely it is to pay.

For `neurometa.tasks.Volatility` (Wang et al. 2018, simulation 2): the ideal observer of its
training process, and a learner at a rate that never changes.
"""

import torch
from torch import Tensor

from neurometa.agents.base import NEGLIGIBLE, Agent, Output, State, greedy
from neurometa.errors import InputError
from neurometa.exact.volatility import FAST, LOG_SWITCH, PROB


class VolatilityObserver(Agent):
    r"""Exact Bayes over volatility, side and k under the training process; takes the larger expected payment.

    What is inferred does not hang on the choice, since the arms pay with r and 1 - r, so that
    being greedy is optimal. From trial to trial the side changes with probability v and v with
    probability k, independently, and k is fixed in an episode. Its value is the payment expected of its choice.

    Parameters
    ----------
    n_bins : int
        Grid over log k, midpoints of equal parts of [-4.5, -3.5].

    Raises
    ------
    InputError
        The grid has no bin.
    """

    prob: Tensor
    transition: Tensor

    def __init__(self, *, n_bins: int = 5) -> None:
        super().__init__()
        if n_bins < 1:
            raise InputError(f"n_bins is {n_bins}; it must be at least 1.")
        low, high = LOG_SWITCH
        switch = (low + (high - low) * (torch.arange(n_bins, dtype=torch.float64) + 0.5) / n_bins).exp()
        transition = torch.zeros(n_bins, 4, 4, dtype=torch.float64)  # from (volatility, side) to (volatility, side)
        for v, swap in enumerate((0.0, FAST)):
            for side in range(2):
                for next_v in range(2):
                    for next_side in range(2):
                        switches = switch if next_v != v else 1 - switch
                        swaps = swap if next_side != side else 1 - swap
                        transition[:, 2 * v + side, 2 * next_v + next_side] = switches * swaps
        self.register_buffer("prob", torch.tensor(PROB).flatten(), persistent=False)
        self.register_buffer("transition", transition.float(), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Belief over (episode, k, volatility and side) about the coming trial, uniform."""
        n_bins = len(self.transition)
        return {"belief": self.prob.new_full((n_episodes, n_bins, 4), 1 / (4 * n_bins))}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step.

        ``record`` holds the means of the belief about the coming trial, both (episode,):
        ``posterior_prob`` that arm 0 pays, and ``posterior_volatility``, of v, in 1/trial.
        """
        acted = (action.sum(-1) > 0)[:, None, None]
        first_won = ((action[:, 0] > 0) == (reward > 0))[:, None]  # it paid, or would have paid
        likelihood = torch.where(first_won, self.prob, 1 - self.prob)[:, None]
        after = (state["belief"] * likelihood).clamp(min=NEGLIGIBLE)
        after = after / after.sum((1, 2), keepdim=True)
        moved = (after[:, :, :, None] * self.transition).sum(2)
        belief = torch.where(acted, moved, state["belief"])
        known = belief.sum(1)
        prob = known @ self.prob
        worth = torch.stack([prob, 1 - prob], -1) * observation
        record = {"posterior_prob": prob, "posterior_volatility": FAST * known[:, 2:].sum(-1)}
        return Output(greedy(worth), worth.amax(-1), {"belief": belief}, record)


class MagnitudeLearner(Agent):
    r"""Rescorla-Wagner on one reward probability; softmax on probability times the magnitude shown.

    .. math::

        V \leftarrow V + \alpha (x - V), \qquad
        P(\text{arm 0}) = \frac{1}{1 + \exp(-\beta (V m_0 - (1 - V) m_1))}

    x is 1 where arm 0 paid, or where arm 1 did not (the arms pay with r and 1 - r), and V is
    0.5 at first. It is the model that `neurometa.behaviour.sliding_learning_rate` fits, whose rate
    must then come out (Wang et al. 2018, simulation 2). Its value is the payment expected under its policy.

    Parameters
    ----------
    learning_rate : float
        Alpha, in [0, 1].
    inverse_temperature : float
        Beta, per unit of reward (100 points), >= 0.

    Raises
    ------
    InputError
        A parameter is outside its range.
    """

    start: Tensor

    def __init__(self, learning_rate: float, inverse_temperature: float) -> None:
        super().__init__()
        if not 0 <= learning_rate <= 1:
            raise InputError(f"learning_rate is {learning_rate}; it must lie between 0 and 1.")
        if not inverse_temperature >= 0:
            raise InputError(f"inverse_temperature is {inverse_temperature}; it must be 0 or more.")
        self.learning_rate, self.inverse_temperature = learning_rate, inverse_temperature
        self.register_buffer("start", torch.tensor(0.5), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Arm 0's reward probability as learned, (episode,)."""
        return {"prob": self.start.expand(n_episodes)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` holds ``posterior_prob``, the learned probability of arm 0 (episode,)."""
        outcome = ((action[:, 0] > 0) == (reward > 0)).to(reward.dtype)
        learned = state["prob"] + self.learning_rate * (outcome - state["prob"])
        prob = torch.where(action.sum(-1) > 0, learned, state["prob"])
        worth = torch.stack([prob, 1 - prob], -1) * observation
        logits = self.inverse_temperature * worth
        value = (torch.softmax(logits, -1) * worth).sum(-1)
        return Output(logits, value, {"prob": prob}, {"posterior_prob": prob})
