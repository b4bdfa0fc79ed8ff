"""What an ideal observer would believe of the volatility, from any player's choices and outcomes (Wang et al. 2018)."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurometa.dataset import n_options, played, require, valid
from neurometa.errors import InputError
from neurometa.exact.volatility import FAST, LOG_SWITCH, PROB
from neurometa.fitting.outcome_filter import World, expectations


def posterior_volatility(
    trials: xr.Dataset,
    *,
    fast: float = FAST,
    log_switch: tuple[float, float] = LOG_SWITCH,
    prob: Sequence[tuple[float, float]] = PROB,
    n_bins: int = 5,
) -> xr.DataArray:
    r"""Infer the expected volatility before each choice, from the choices and outcomes before it.

    An exact filter over volatility, side and k, for the training process of Wang et al. 2018, simulation 2: arm 0
    pays with r and arm 1 with 1 - r. From trial to trial r changes sides with probability v, and v becomes
    ``fast`` - v with probability k, independently; k is fixed in an episode, its logarithm uniform. With belief b
    over (k, v, side) and outcome o,

    .. math::

        b_{t+1}(k, s') = \sum_s P(s' \mid s, k) \,
        \frac{P(o_t \mid s) \, b_t(k, s)}{\sum_{k, s} P(o_t \mid s) \, b_t(k, s)}.

    As the arms are anti-correlated, it does not matter which was chosen: the belief is the same for an agent, a person
    and `neurometa.agents.VolatilityObserver`.

    Parameters
    ----------
    trials : Dataset
        ``choice`` between two options (-1: missed, which tells nothing, while the world moves on) and ``reward``,
        above 0 where the choice paid, over ``trial`` and any other dims.
    fast : float
        v of a volatile world, in (0, 1); of a steady one it is 0.
    log_switch : (low, high)
        Natural logarithm of k, at most 0.
    prob : two pairs of float
        r on either side in a steady world, then in a volatile one; in [0, 1].
    n_bins : int
        Grid over log k: midpoints of equal parts; at least 1.

    Returns
    -------
    DataArray
        E[v] in [0, ``fast``], in 1/trial, over the dims of the trials. NaN on padding (where ``valid`` is False).

    Raises
    ------
    InputError
        A variable is absent, there are not two options, an argument is outside its range, or an outcome has
        probability 0 under every state of the world.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> posterior_volatility(example(n_episodes=2)).isel(trial=0).values
    array([0.1, 0.1])
    """
    require(trials, choice=("trial",), reward=("trial",))
    if n_options(trials) != 2:
        raise InputError(f"'choice' has {n_options(trials)} options; this volatility is of 2 arms.")
    pays = np.array(prob, dtype=float)
    if not 0 < fast < 1:
        raise InputError(f"fast is {fast}; it must lie between 0 and 1.")
    if not log_switch[0] <= log_switch[1] <= 0:
        raise InputError(f"log_switch is {log_switch}; its ends must rise, and be at most 0.")
    if pays.shape != (2, 2) or not ((pays >= 0) & (pays <= 1)).all():
        raise InputError(f"prob is {prob}; it must be two pairs of probabilities.")
    if n_bins < 1:
        raise InputError(f"n_bins is {n_bins}; it must be at least 1.")
    first_paid = ((trials.choice == 0) == (trials.reward > 0)).astype(float).where(played(trials))
    world, volatility = _world(fast, log_switch, pays, n_bins), np.array([[0.0, 0.0], [fast, fast]])
    found = xr.apply_ufunc(
        lambda outcome: expectations(outcome, world, [volatility])[0],
        first_paid,
        input_core_dims=[["trial"]],
        output_core_dims=[["trial"]],
    )
    found = found.transpose(*trials.choice.dims).where(valid(trials))
    found.attrs = {"long_name": "expected volatility", "units": "1/trial"}
    return found.rename("posterior_volatility")


def _world(fast: float, log_switch: tuple[float, float], pays: np.ndarray, n_bins: int) -> World:
    """Volatility is 0 or `fast` and changes with probability k; r is on one of two sides and changes with v."""
    low, high = log_switch
    switch = np.exp(low + (high - low) * (np.arange(n_bins) + 0.5) / n_bins)
    of_volatility = np.moveaxis(np.array([[1 - switch, switch], [switch, 1 - switch]]), -1, 0)
    of_side = np.array([[[1 - v, v], [v, 1 - v]] for v in (0.0, fast)])
    return World(pays, of_volatility, of_side, volatility_first=False)
