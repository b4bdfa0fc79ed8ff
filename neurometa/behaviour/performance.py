"""How well an agent chose: regret, and means that carry their uncertainty and n."""

import numpy as np
import xarray as xr
from scipy import special

from neurometa.dataset import BEYOND_PROBABILITY, played, require
from neurometa.errors import InputError


def regret(trials: xr.Dataset) -> xr.DataArray:
    """Reward given up on each trial by not choosing the best arm, in expectation.

    The sum over trials says what it costs not to know the world; unlike reward received it
    is free of the luck of the payments (Wang et al. 2016, Figs 2 and 4).

    Parameters
    ----------
    trials : Dataset
        ``choice`` over ``trial``, and ``reward_prob`` or ``expected_reward`` over ``trial`` and
        ``arm``; any other dims.

    Returns
    -------
    DataArray
        Best arm's expected reward minus the chosen one's, >= 0, in units of reward, over
        ``trial`` and the other dims. NaN where no choice was made.

    Raises
    ------
    InputError
        The trials do not say what the arms were worth, or it hangs on more than their probabilities.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> regret(example(n_episodes=3)).sum("trial").dims
    ('episode',)
    """
    require(trials, choice=("trial",))
    for name, why in BEYOND_PROBABILITY.items():
        if name in trials and "expected_reward" not in trials:
            raise InputError(
                f"The trials hold {name!r}: {why}, so that 'reward_prob' does not say what the best choice "
                "was worth and regret is not defined; set rewards side by side instead."
            )
    worth = "expected_reward" if "expected_reward" in trials else "reward_prob"
    if worth not in trials:
        raise InputError(
            "The trials hold neither 'reward_prob' nor 'expected_reward', so what the best arm was worth is unknown; "
            "regret needs one of them over trial and arm."
        )
    require(trials, **{worth: ("trial", "arm")})
    made = played(trials)
    chosen = trials[worth].isel(arm=trials.choice.where(made, 0))
    lost = (trials[worth].max("arm") - chosen.drop_vars("arm", errors="ignore")).where(made)
    return lost.rename("regret").assign_attrs(long_name="regret", units="reward")


def mean_interval(x: xr.DataArray, dim: str = "episode", *, level: float = 0.95) -> xr.Dataset:
    """Mean over a dim with its standard error, interval and n.

    Parameters
    ----------
    x : DataArray
        Values over `dim` and any other dims; NaN is left out.
    dim : str
        What the values are independent over.
    level : float
        Coverage of the interval, in (0, 1).

    Returns
    -------
    Dataset
        ``mean``, ``se`` (standard error), ``lower``, ``upper`` (Student's t) and ``n`` over the
        other dims. The standard error and interval are NaN below two values.
    """
    if dim not in x.dims:
        raise InputError(f"There is no dim {dim!r} to average over; there are {tuple(x.dims)}.")
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")
    n = x.notnull().sum(dim)
    se = x.std(dim, ddof=1) / np.sqrt(n) if x.sizes[dim] > 1 else x.mean(dim) * np.nan
    mean = x.mean(dim)
    reach = se * special.stdtrit(np.maximum(n - 1, 1), (1 + level) / 2)
    return xr.Dataset(
        {"mean": mean, "se": se, "lower": mean - reach, "upper": mean + reach, "n": n}, attrs={"level": level}
    )


def median_interval(x: xr.DataArray, *, level: float = 0.95) -> xr.Dataset:
    """Median of all values with an interval that assumes nothing of their distribution.

    The interval's ends are the order statistics that a binomial count puts there (Conover
    1999, section 3.2); its coverage is `level` at least, if there are values enough.

    Parameters
    ----------
    x : DataArray
        Values over any dims; NaN is left out.
    level : float
        Coverage, in (0, 1).

    Returns
    -------
    Dataset
        ``median``, ``lower``, ``upper`` and ``n``; NaN where `x` holds no value.
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")
    values = np.sort(x.values[x.notnull().values])
    if not len(values):
        return xr.Dataset({"median": np.nan, "lower": np.nan, "upper": np.nan, "n": 0}, attrs={"level": level})
    n = len(values)
    below = int(np.searchsorted(special.bdtr(np.arange(n + 1), n, 0.5), (1 - level) / 2))  # binomial quantile
    ends = {"lower": values[max(below - 1, 0)], "upper": values[min(len(values) - below, len(values) - 1)]}
    return xr.Dataset({"median": np.median(values), **ends, "n": len(values)}, attrs={"level": level})
