"""Agents that know how baited arms work: one infers their base probabilities, one is told them.

For `neurometa.tasks.Foraging` (Wang et al. 2018, simulation 1).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from neurometa import exact
from neurometa.agents.base import NEGLIGIBLE, Agent, Output, State, greedy
from neurometa.errors import InputError
from neurometa.exact.foraging import TOTAL


class ForagingObserver(Agent):
    """Infer the base probabilities by exact Bayes on a grid, and take the arm more likely to pay now.

    It looks one trial ahead only: a heuristic, for an arm taken now is not there to grow richer.
    Its value is the probability that its choice pays.

    Parameters
    ----------
    base_prob_ranges : sequence of (low, high)
        Where arm 0's base probability is held to be uniform, within [0, .5].
    n_bins : int
        Size of the grid, over midpoints of equal parts of the ranges.

    Raises
    ------
    InputError
        A range is empty or leaves [0, .5], there is none, or the grid has no bin.
    """

    base_prob: Tensor
    start: Tensor

    def __init__(self, base_prob_ranges: Sequence[tuple[float, float]] = ((0.0, TOTAL),), *, n_bins: int = 50) -> None:
        super().__init__()
        if not base_prob_ranges or any(not 0 <= low < high <= TOTAL for low, high in base_prob_ranges):
            raise InputError(
                f"base_prob_ranges is {tuple(base_prob_ranges)}; give at least one (low, high), 0 <= low < high <= .5."
            )
        if n_bins < 1:
            raise InputError(f"n_bins is {n_bins}; it must be at least 1.")
        place = (torch.arange(n_bins, dtype=torch.float64) + 0.5) / n_bins
        place = place * sum(high - low for low, high in base_prob_ranges)
        first, passed = torch.zeros_like(place), 0.0
        for low, high in base_prob_ranges:
            first = torch.where(place >= passed, low + place - passed, first)
            passed += high - low
        self.register_buffer("base_prob", torch.stack([first, TOTAL - first], -1).float(), persistent=False)
        self.register_buffer("start", torch.full((n_bins,), 1 / n_bins), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Belief over (episode, bin), and for how long each arm has been neglected, (episode, arm)."""
        none = self.start.new_zeros(n_episodes, 2)
        return {"belief": self.start.expand(n_episodes, -1), "n_neglected": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` holds ``posterior_prob``, of arm 0 paying now (episode,)."""
        acted = action.sum(-1, keepdim=True) > 0
        held = (self._held(state["n_neglected"]) * action[:, None]).sum(-1)  # by the chosen arm, (episode, bin)
        paid = reward[:, None]
        after = (state["belief"] * (paid * held + (1 - paid) * (1 - held))).clamp(min=NEGLIGIBLE)
        belief = torch.where(acted, after / after.sum(-1, keepdim=True), state["belief"])
        neglected = torch.where(acted, (state["n_neglected"] + 1) * (1 - action), state["n_neglected"])
        prob = (self._held(neglected) * belief[..., None]).sum(1)
        record = {"posterior_prob": prob[:, 0]}
        return Output(greedy(prob), prob.amax(-1), {"belief": belief, "n_neglected": neglected}, record)

    def _held(self, n_neglected: Tensor) -> Tensor:
        """Probability that each arm holds a reward, at each base probability, (episode, bin, arm)."""
        return 1 - (1 - self.base_prob) ** (n_neglected[:, None] + 1)


class KnownForaging(Agent):
    """Told the base probabilities, earn the most in the long run: the rich arm k times, then the lean one once.

    k is that of `neurometa.exact.foraging.run_length`. Its value is the probability that its choice pays.

    Parameters
    ----------
    base_prob : Tensor (episode, arm)
        Of the episodes that it will play, in their order.

    Raises
    ------
    InputError
        The base probabilities have another shape, are negative or do not sum to .5; or another number of episodes
        is played.
    """

    base_prob: Tensor
    run_length: Tensor

    def __init__(self, base_prob: Tensor) -> None:
        super().__init__()
        if base_prob.ndim != 2 or base_prob.shape[1] != 2:
            raise InputError(f"base_prob is {tuple(base_prob.shape)}; it must be (episode, arm), with two arms.")
        if (base_prob < 0).any() or ((base_prob.sum(-1) - TOTAL).abs() > 1e-5).any():
            raise InputError("base_prob must be 0 or more, and the two arms of every episode must sum to 0.5.")
        rich = base_prob.amax(-1)
        run = [exact.foraging.run_length(min(float(p), TOTAL)) for p in rich]
        self.register_buffer("base_prob", base_prob.float(), persistent=False)
        self.register_buffer("run_length", torch.tensor(run), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """For how long each arm has been neglected, (episode, arm)."""
        if n_episodes != len(self.base_prob):
            raise InputError(
                f"base_prob is given for {len(self.base_prob)} episodes, but {n_episodes} are to be played."
            )
        return {"n_neglected": torch.zeros_like(self.base_prob)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        acted = action.sum(-1, keepdim=True) > 0
        neglected = torch.where(acted, (state["n_neglected"] + 1) * (1 - action), state["n_neglected"])
        rich = self.base_prob.argmax(-1)
        lean = 1 - rich
        due = neglected.gather(1, lean[:, None])[:, 0] >= self.run_length
        choice = torch.where(due, lean, rich)[:, None]
        logits = torch.full_like(self.base_prob, -torch.inf).scatter(1, choice, 0.0)
        held = 1 - (1 - self.base_prob) ** (neglected + 1)
        return Output(logits, held.gather(1, choice)[:, 0], {"n_neglected": neglected}, {})
