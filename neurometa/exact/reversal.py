"""The reversal task of Wang et al. (2018), simulation 3, in numbers, and what a learner of cue values expects in it."""

import numpy as np
import xarray as xr

from neurometa.errors import InputError

STEPS = ("fixation", "cue", "response", "outcome")  # of a trial
N_FEATURES = 6  # of an observation, one-hot: fixation, cue 0, cue 1, response to cue 0, to cue 1, outcome


def cue_learner(
    n_trials: int = 50, p_reversal: float = 0.1, *, learning_rate: float = 0.8, discount: float = 0.9
) -> xr.DataArray:
    r"""Compute the contrasts of a learner of cue values, which must fail the test of inference.

    It learns what each cue is worth from that cue alone, :math:`V_c \leftarrow V_c + \alpha (r - V_c)`, and answers as
    its cue dictates. Let D be what the rewarded cue is worth to it more than the other. A cue comes on half of the
    trials, so that D becomes :math:`D (1 - \alpha / 2) + \alpha / 2`, and -D at a reversal. At a reversal the contrast
    of old and new is D; after one trial that of new and old is :math:`\alpha - (1 - \alpha) D` for the cue just seen,
    and still -D for the other.

    Parameters
    ----------
    n_trials : int
        Trials in an episode, at least 3.
    p_reversal : float
        Chance of a reversal before each trial but the first.
    learning_rate : float
        Alpha, in [0, 1].
    discount : float
        Of a step, in [0, 1]; three lie between the fixation and the outcome.

    Returns
    -------
    DataArray
        ``contrast`` over ``condition`` (before discovery, experienced, inferred), in units of reward, as of
        `behaviour.reversal_contrasts`, averaged over reversals at every trial.

    Raises
    ------
    InputError
        A setting is outside its range.
    """
    for name, x in (("p_reversal", p_reversal), ("learning_rate", learning_rate), ("discount", discount)):
        if not 0 <= x <= 1:
            raise InputError(f"{name} is {x}; it must lie between 0 and 1.")
    if n_trials < 3:
        raise InputError(f"n_trials is {n_trials}; it must be at least 3, for a trial after a reversal.")
    apart, known = np.zeros(n_trials), 0.0
    for trial in range(1, n_trials):
        known = (1 - learning_rate / 2) * known + learning_rate / 2  # what trial t - 1 taught, roles being as they were
        apart[trial] = known
        known *= 1 - 2 * p_reversal
    at_reversal, with_next = apart[1:].mean(), apart[1:-1].mean()
    found = [at_reversal, learning_rate - (1 - learning_rate) * with_next, -with_next]
    return xr.DataArray(
        discount ** (len(STEPS) - 1) * np.array(found),
        coords={"condition": np.array(["before discovery", "experienced", "inferred"], dtype=object)},
        dims="condition",
        name="contrast",
        attrs={"long_name": "contrast of old and new cue", "units": "reward"},
    )
