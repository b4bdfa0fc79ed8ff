"""Agents that look up what was planned ahead: a policy over counts, or the index of each arm."""

import numpy as np
import torch
from torch import Tensor

from neurometa import exact
from neurometa.agents.bandit.counting import check_arms, counted
from neurometa.agents.base import Agent, Output, State, check_ties, greedy
from neurometa.errors import InputError


class TablePolicy(Agent):
    """Play a policy of `neurometa.exact` for two arms, e.g. the Bayes-optimal one.

    It counts pulls, so that a missed trial is as if it had not been. Its value is NaN, for
    a policy says what to do and not what to expect. It holds `n_trials` ** 4 bytes.

    Parameters
    ----------
    policy : list of ndarray
        One array (n, w0, w1) per trial: see `neurometa.exact`.

    Raises
    ------
    InputError
        The policy is empty, or an array of it has another shape; when played, a trial comes
        that it has no array for.

    Examples
    --------
    >>> from neurometa import exact
    >>> policy, value = exact.bandit.bayes_optimal(exact.bandit.independent(), 20)
    >>> TablePolicy(policy).n_trials
    20
    """

    start: Tensor
    table: Tensor
    offset: Tensor

    def __init__(self, policy: exact.bandit.Policy) -> None:
        super().__init__()
        if not policy:
            raise InputError("policy is empty; it must hold one array (n, w0, w1) per trial.")
        for trial, choose0 in enumerate(policy):
            exact.bandit.check_shape(trial, choose0)
        self.n_trials = len(policy)
        table = np.concatenate([np.ravel(choose0).astype(np.float32) for choose0 in policy])
        offset = np.cumsum([0] + [(trial + 1) ** 3 for trial in range(self.n_trials - 1)])
        for name, x in (("table", table), ("offset", offset)):
            self.register_buffer(name, torch.from_numpy(x), persistent=False)
        self.register_buffer("start", torch.zeros(2), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Pulls and wins of each arm, (episode, arm)."""
        none = self.start.expand(n_episodes, -1)
        return {"pulls": none, "wins": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        pulls, wins = state["pulls"] + action, state["wins"] + action * reward[:, None]
        trial = pulls.sum(-1).long()
        _check_planned(trial, self.n_trials)
        n, (w0, w1) = pulls[:, 0].long(), wins.long().unbind(-1)
        choose0 = self.table[self.offset[trial] + (n * (trial + 1) + w0) * (trial + 1) + w1]
        logits = torch.stack([choose0, 1 - choose0], -1).log()
        return Output(logits, torch.full_like(reward, torch.nan), {"pulls": pulls, "wins": wins}, {})


class Gittins(Agent):
    """Take the arm of the highest Gittins index, of uniform priors.

    With a discount this is Bayes-optimal for rewards that are discounted without end;
    without, the index is that of the trials left, a close heuristic for the sum over an episode. Pulls are
    counted, so that a missed trial is as if it had not been. Its value is the reward
    expected of its choice. Tables take seconds at first, and are kept: `exact.gittins.watched` tells how far one is.

    Parameters
    ----------
    n_arms : int
        Number of arms.
    n_trials : int
        Trials in an episode; at most 200 without a discount. With one, an episode may be longer: the table is then
        computed for twice as many.
    discount : float, optional
        In (0, 1), at most 0.999.
    ties : {"random", "first"}
        Which of arms of equal index it takes: any of them, or the first. As arms that have shown the same are alike, it
        earns as much either way; by the first, arms are tried in order, which a network can hold in mind more easily.

    Raises
    ------
    InputError
        There are fewer than 2 arms, or `n_trials`, `discount` or `ties` is outside its range; when
        played, an episode has more trials, without a discount.
    """

    start: Tensor
    index: Tensor

    def __init__(
        self, n_arms: int = 2, *, n_trials: int = 100, discount: float | None = None, ties: str = "random"
    ) -> None:
        super().__init__()
        check_arms(n_arms)
        self.n_trials, self.discount, self.ties = n_trials, discount, check_ties(ties)
        self.register_buffer("index", self._table(), persistent=False)
        self.register_buffer("start", torch.zeros(n_arms), persistent=False)

    def _table(self) -> Tensor:
        """Indices by trials left, wins and losses; with a discount they are the same whatever is left."""
        if self.discount is None:
            return torch.from_numpy(exact.gittins.finite_horizon(self.n_trials))
        return torch.from_numpy(exact.gittins.discounted(self.n_trials, self.discount)[None])

    def begin(self, n_episodes: int) -> State:
        """Wins and losses of each arm, (episode, arm)."""
        none = self.start.expand(n_episodes, -1)
        return {"wins": none, "losses": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        wins, losses = counted(state, action, reward)
        trial = (wins + losses).sum(-1, keepdim=True).long()
        if self.discount is None:
            _check_planned(trial, self.n_trials)
        elif not trial.is_meta and (latest := int(trial.max())) >= self.n_trials:
            while latest >= self.n_trials:
                self.n_trials *= 2
            self.index = self._table().to(self.index.device)
        left = (self.n_trials - 1 - trial) % len(self.index)  # the only table of an endless episode, or that of `left`
        logits = greedy(self.index[left, wins.long(), losses.long()], self.ties)
        value = (torch.softmax(logits, -1) * (wins + 1) / (wins + losses + 2)).sum(-1)
        return Output(logits, value, {"wins": wins, "losses": losses}, {})


def _check_planned(trial: Tensor, n_trials: int) -> None:
    """Raise at a trial that was not planned for; a tensor without values has none to check."""
    if not trial.is_meta and bool((trial >= n_trials).any()):
        raise InputError(f"Trial {n_trials + 1} comes, but {n_trials} were planned; plan for the whole episode.")
