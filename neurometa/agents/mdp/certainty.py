"""Planners that take an estimate for the truth: greedy and epsilon-greedy of Duan et al. 2016, Table 2."""

import numpy as np
import torch
from torch import Tensor

from neurometa.agents.base import greedy
from neurometa.agents.mdp import kernels
from neurometa.agents.mdp.planner import Belief, MDPPrior, Planner
from neurometa.errors import InputError


class GreedyPlanner(Planner):
    r"""Plan as if the process were its posterior mean, and act on that plan but for a share epsilon of the steps.

    .. math:: \hat r_{sa} = \frac{\tau_0\mu_0 + \sum r}{\tau_0 + n_{sa}}, \quad
              \hat p_{sas'} = \frac{\alpha_0 + n_{sas'}}{S\alpha_0 + n_{sa}}

    The mode of the posterior under a flat Dirichlet prior is the same with a concentration of 0.

    Parameters
    ----------
    n_states, n_actions, horizon, prior
        As of `Planner`.
    epsilon : float
        Share of the steps on which it acts at random, in [0, 1].

    Raises
    ------
    InputError
        As `Planner`; or epsilon is outside [0, 1].
    """

    def __init__(
        self,
        n_states: int = 10,
        n_actions: int = 5,
        *,
        horizon: int = 10,
        prior: MDPPrior | None = None,
        epsilon: float = 0.0,
    ) -> None:
        super().__init__(n_states, n_actions, horizon=horizon, prior=prior)
        if not 0 <= epsilon <= 1:
            raise InputError(f"epsilon is {epsilon}; it must lie between 0 and 1.")
        self.epsilon = epsilon

    def plan(self, belief: Belief, trial: np.ndarray, seed: np.ndarray, worth: np.ndarray) -> None:
        """Plan with the posterior mean."""
        kernels.plan_mean(*belief, self.prior.values, 0.0, worth)

    def policy(self, worth: Tensor) -> Tensor:
        """Logits (episode, option) by what each action is worth."""
        prob = torch.softmax(greedy(worth), -1)
        return ((1 - self.epsilon) * prob + self.epsilon / self.n_actions).log()
