"""Planners that give what is little known the benefit of the doubt: UCRL2 and BEB."""

import math

import numpy as np

from neurometa.agents.mdp import kernels
from neurometa.agents.mdp.planner import Belief, MDPPrior, Planner
from neurometa.errors import InputError


class UCRL2(Planner):
    r"""Plan with the best of the processes in confidence sets around the frequencies that were seen.

    Before trial t, with :math:`L = \log(2 S A (t + 1) / \delta)`,

    .. math:: |r_{sa} - \hat r_{sa}| \le c \sqrt{4 L / n_{sa}}, \quad
              \lVert p_{sa} - \hat p_{sa} \rVert_1 \le c \sqrt{4 S L / n_{sa}},

    by extended value iteration: probability moves from the states that promise least to the one that promises most.

    Parameters
    ----------
    n_states, n_actions, horizon
        As of `Planner`. Its prior is almost none: mean 0, precision 1e-4, concentration 1e-5.
    failure_prob : float
        Delta, the probability that the sets miss the process, in (0, 1).
    scaling : float
        c, > 0: 1 in the proof; Duan et al. tuned theirs.
    overwrite : bool
        Whether the probabilities moved at one step are those that the step before begins with, as in the package of
        Osband, where the estimate is changed in place; the scores of Duan et al. are those. Else each step begins with
        the estimate, as in the algorithm.

    Raises
    ------
    InputError
        As `Planner`; or a setting is outside its range.

    References
    ----------
    Jaksch, Ortner and Auer 2010, Near-optimal regret bounds for reinforcement learning.
    """

    def __init__(
        self,
        n_states: int = 10,
        n_actions: int = 5,
        *,
        horizon: int = 10,
        failure_prob: float = 0.05,
        scaling: float = 0.4,
        overwrite: bool = False,
    ) -> None:
        super().__init__(n_states, n_actions, horizon=horizon, prior=MDPPrior(0.0, 1e-4, 1e-5))
        if not 0 < failure_prob < 1:
            raise InputError(f"failure_prob is {failure_prob}; it must lie between 0 and 1, without them.")
        self.failure_prob, self.scaling, self.overwrite = failure_prob, check_scaling(scaling), overwrite

    def plan(self, belief: Belief, trial: np.ndarray, seed: np.ndarray, worth: np.ndarray) -> None:
        """Plan by extended value iteration."""
        log_term = math.log(2 * self.n_states * self.n_actions / self.failure_prob) + np.log(trial + 1)
        kernels.plan_optimistic(*belief, self.prior.values, log_term, self.scaling, self.overwrite, worth)


class BEB(Planner):
    r"""Plan with the posterior mean and a bonus that shrinks with what is known.

    With h steps to come after this one,

    .. math:: q_h(s, a) = \hat r_{sa} + \frac{1}{1 + \tau_0 + n_{sa}}
              + h\, \frac{2 H^3 c}{1 + S\alpha_0 + n_{sa}} + \sum_{s'} \hat p_{sas'} v_{h-1}(s')

    The bonus on rewards and the factor h are of the package of Osband, from which Duan et al. have their scores; the
    algorithm itself has :math:`\beta / (1 + S\alpha_0 + n_{sa})` alone.

    Parameters
    ----------
    n_states, n_actions, horizon, prior
        As of `Planner`.
    scaling : float
        c, > 0; Duan et al. tuned theirs. With the true prior 3e-4 does best of those tried, and with a mean of 0
        1e-3 gives their scores.

    Raises
    ------
    InputError
        As `Planner`; or the scaling is not above 0.

    References
    ----------
    Kolter and Ng 2009, Near-Bayesian exploration in polynomial time.
    """

    def __init__(
        self,
        n_states: int = 10,
        n_actions: int = 5,
        *,
        horizon: int = 10,
        prior: MDPPrior | None = None,
        scaling: float = 3e-4,
    ) -> None:
        super().__init__(n_states, n_actions, horizon=horizon, prior=prior)
        self.scaling = check_scaling(scaling)

    def plan(self, belief: Belief, trial: np.ndarray, seed: np.ndarray, worth: np.ndarray) -> None:
        """Plan with the posterior mean and the bonuses."""
        kernels.plan_mean(*belief, self.prior.values, 2 * self.horizon**3 * self.scaling, worth)


def check_scaling(scaling: float) -> float:
    """Return the scaling, or raise where it is not above 0."""
    if not 0 < scaling < math.inf:
        raise InputError(f"scaling is {scaling}; it must be above 0, and finite.")
    return scaling
