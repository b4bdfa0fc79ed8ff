"""Planners that draw processes from their posterior: PSRL and its optimistic form."""

import numpy as np

from neurometa.agents.mdp import kernels
from neurometa.agents.mdp.planner import Belief, MDPPrior, Planner
from neurometa.errors import InputError


class OPSRL(Planner):
    r"""Draw several processes from the posterior before a trial, and act on the most that any of them promises.

    .. math:: r_{sa} \sim N\Bigl(\hat r_{sa}, \frac{1}{\tau_0 + n_{sa}}\Bigr), \quad
              p_{sa} \sim \mathrm{Dirichlet}(\alpha_0 + n_{sa1}, \ldots), \quad
              q_h(s, a) = \max_i q_h^{(i)}(s, a)

    with the posterior means of `GreedyPlanner`. The draws come from ``luck``, a whole number for each episode among the
    states of the agent.

    Parameters
    ----------
    n_states, n_actions, horizon, prior
        As of `Planner`.
    n_samples : int
        Processes drawn, at least 1; 10 is what the package of its authors has.

    Raises
    ------
    InputError
        As `Planner`; or there are no samples.

    References
    ----------
    Osband and Van Roy 2017, Why is posterior sampling better than optimism for reinforcement learning?
    """

    def __init__(
        self,
        n_states: int = 10,
        n_actions: int = 5,
        *,
        horizon: int = 10,
        prior: MDPPrior | None = None,
        n_samples: int = 10,
    ) -> None:
        super().__init__(n_states, n_actions, horizon=horizon, prior=prior)
        if n_samples < 1:
            raise InputError(f"n_samples is {n_samples}; it must be at least 1.")
        self.n_samples = n_samples

    def plan(self, belief: Belief, trial: np.ndarray, seed: np.ndarray, worth: np.ndarray) -> None:
        """Plan with processes drawn from the posterior."""
        kernels.plan_samples(*belief, self.prior.values, self.n_samples, seed, worth)


class PSRL(OPSRL):
    """Draw one process from the posterior before a trial, and act as if it were the true one.

    Posterior sampling for reinforcement learning: Strens 2000; Osband et al. 2013.

    Parameters
    ----------
    n_states, n_actions, horizon, prior
        As of `Planner`.
    """

    def __init__(
        self, n_states: int = 10, n_actions: int = 5, *, horizon: int = 10, prior: MDPPrior | None = None
    ) -> None:
        super().__init__(n_states, n_actions, horizon=horizon, prior=prior, n_samples=1)
