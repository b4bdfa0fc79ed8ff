"""An agent that is told the processes it plays, whose reward is the most that can be had."""

import numpy as np

from neurometa import exact
from neurometa.agents.base import State
from neurometa.agents.mdp.planner import Belief, Planner
from neurometa.errors import InputError


class KnownMDP(Planner):
    """Act optimally in processes that are known, one for each episode: an upper bound, for nobody is told them.

    Parameters
    ----------
    transition_prob : ndarray (episode, state, action, next state)
        As the latent of `neurometa.tasks.TabularMDP`.
    mean_reward : ndarray (episode, state, action)
        Likewise, in units of reward.
    horizon : int
        Steps in a trial.

    Raises
    ------
    InputError
        As `Planner` and `exact.mdp.plan`; or as many episodes are not played.
    """

    def __init__(self, transition_prob: np.ndarray, mean_reward: np.ndarray, *, horizon: int = 10) -> None:
        super().__init__(*np.shape(mean_reward)[1:], horizon=horizon)
        self.known = exact.mdp.plan(transition_prob, mean_reward, horizon)

    def begin(self, n_episodes: int) -> State:
        """As of `Planner`."""
        if n_episodes != len(self.known):
            raise InputError(f"{len(self.known)} processes are known, but {n_episodes} episodes are played.")
        return super().begin(n_episodes)

    def plan(self, belief: Belief, trial: np.ndarray, seed: np.ndarray, worth: np.ndarray) -> None:
        """Do what was planned before."""
        worth[:] = self.known
