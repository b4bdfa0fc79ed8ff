"""Who plays a safe arm against a risky one without a network: the Bayes-optimal policy, and a learner of values."""

import torch
from torch import Tensor

from neurometa import exact
from neurometa.agents.base import Agent, Output, State
from neurometa.errors import InputError
from neurometa.exact.risky_safe import RISKY_PROBS, RISKY_REWARD, SAFE_REWARD


class RiskySafeObserver(Agent):
    """Bayes-optimal with a safe and a risky arm: it does what it is forced to, then follows `exact_risky`.

    Which arm is risky shows in what forced pulls pay. Its value is the reward expected of its
    choice, given what it knows; 0 where it has none.

    Parameters
    ----------
    n_free : int
        Free trials in an episode.
    n_forced : int
        Forced trials before them, half of each arm; at least 2.

    Raises
    ------
    InputError
        There is no forced trial, so that the risky arm is unknown, or no free one.
    """

    table: Tensor
    start: Tensor

    def __init__(self, n_free: int = 20, *, n_forced: int = 10) -> None:
        super().__init__()
        if n_forced < 2:
            raise InputError(f"n_forced is {n_forced}; without a forced pull of each arm none is known to be risky.")
        policy, _ = exact.risky_safe.bayes_optimal(n_free, n_forced // 2)
        self.n_free, self.n_before = n_free, n_forced // 2
        table = torch.zeros(n_free, n_free, self.n_before + n_free)
        for trial, take in enumerate(policy):
            table[trial, : take.shape[0], : take.shape[1]] = torch.from_numpy(take)
        self.register_buffer("table", table, persistent=False)
        self.register_buffer("start", torch.zeros(1), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Free trials so far, risky pulls and wins, (episode,); which arm is known to be risky, (episode, arm)."""
        none = self.start.expand(n_episodes)
        return {"free": none, "pulls": none, "wins": none, "is_risky": none[:, None].expand(-1, 2)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        cue = _cue(observation)
        pulled = action[:, :2] * (reward >= 0)[:, None]
        safe = (reward == SAFE_REWARD)[:, None]
        is_risky = (state["is_risky"] + pulled * ~safe + pulled.flip(-1) * safe).clamp(max=1)
        risked = pulled.sum(-1) * (reward != SAFE_REWARD)
        pulls, wins = state["pulls"] + risked, state["wins"] + risked * (reward == RISKY_REWARD)
        trial, free_pulls = state["free"].long(), pulls.long() - self.n_before
        # in forced trials there is nothing to look up, and what would be is not there
        at = (trial.clamp(max=self.n_free - 1), free_pulls.clamp(0, self.n_free - 1), wins.long())
        take = self.table[at][:, None]
        wish = take * is_risky + (1 - take) * (1 - is_risky)
        low, high = (p**wins * (1 - p) ** (pulls - wins) for p in RISKY_PROBS)
        win = (RISKY_PROBS[0] * low + RISKY_PROBS[1] * high) / (low + high)
        worth = is_risky * RISKY_REWARD * win[:, None] + (1 - is_risky)
        prob = _obey(wish, cue)
        value = (prob * worth).sum(-1)
        after = {"free": state["free"] + cue["free"], "pulls": pulls, "wins": wins, "is_risky": is_risky}
        return Output(prob.log(), value, after, {})


class RiskyLearner(Agent):
    r"""Learn a value of each arm, and choose by their softmax: how a tabular learner takes a perturbed error.

    .. math:: Q_a \leftarrow Q_a + \alpha (r + \text{perturbation} - Q_a)

    from 0. It does what it is forced to, and learns from that as well. What an experimenter adds to
    its prediction errors changes its values, as it would change weights; in a trained network
    it changes the state alone. Its value is the Q expected of its choice; 0 where it has none.

    Parameters
    ----------
    learning_rate : float
        Alpha, in [0, 1].
    inverse_temperature : float
        Of the softmax, at least 0; 0 chooses at random where it is free to.

    Raises
    ------
    InputError
        A parameter is outside its range.
    """

    start: Tensor

    def __init__(self, learning_rate: float = 0.2, inverse_temperature: float = 1.5) -> None:
        super().__init__()
        if not 0 <= learning_rate <= 1:
            raise InputError(f"learning_rate is {learning_rate}; it must lie between 0 and 1.")
        if not inverse_temperature >= 0:
            raise InputError(f"inverse_temperature is {inverse_temperature}; it must be at least 0.")
        self.learning_rate, self.inverse_temperature = learning_rate, inverse_temperature
        self.register_buffer("start", torch.zeros(2), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Value of each arm, (episode, arm), and what is added to the next prediction error, (episode,)."""
        return {"q": self.start.expand(n_episodes, -1), "perturbation": self.start[:1].expand(n_episodes)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        cue = _cue(observation)
        pulled = action[:, :2] * (reward >= 0)[:, None]
        error = (reward + state["perturbation"])[:, None] - state["q"]
        q = state["q"] + self.learning_rate * pulled * error
        prob = _obey(torch.softmax(self.inverse_temperature * q, -1), cue)
        after = {"q": q, "perturbation": torch.zeros_like(reward)}
        return Output(prob.log(), (prob * q).sum(-1), after, {})


def _cue(observation: Tensor) -> dict[str, Tensor]:
    """What is shown, by name: free (episode,), forced (episode, arm)."""
    return {"free": observation[:, 0], "forced": observation[:, 1:]}


def _obey(wish: Tensor, cue: dict[str, Tensor]) -> Tensor:
    """Probability of each arm, (episode, arm): as wished where choice is free."""
    return wish * cue["free"][:, None] + cue["forced"]
