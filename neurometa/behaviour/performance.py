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


def mean_interval(x: xr.DataArray, dim: str = "episode", *, level: float = 0.95, share: bool = False) -> xr.Dataset:
    """Mean over a dim with its standard error, interval and n.

    The interval is Student's t; of zeros and ones it is Wilson's (1927), and of other shares Student's t in log-odds,
    neither of which leaves [0, 1].

    Parameters
    ----------
    x : DataArray
        Values over `dim` and any other dims; NaN is left out.
    dim : str
        What the values are independent over.
    level : float
        Coverage of the interval, in (0, 1).
    share : bool
        Whether the values are shares, in [0, 1], though not all are 0 or 1.

    Returns
    -------
    Dataset
        ``mean``, ``se`` (standard error), ``lower``, ``upper`` and ``n`` over the
        other dims. The standard error and interval are NaN below two values.

    Raises
    ------
    InputError
        There is no such dim, the level is outside its range, or a share is not in [0, 1].
    """
    if dim not in x.dims:
        raise InputError(f"There is no dim {dim!r} to average over; there are {tuple(x.dims)}.")
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")
    n = x.notnull().sum(dim)
    se = x.std(dim, ddof=1) / np.sqrt(n) if x.sizes[dim] > 1 else x.mean(dim) * np.nan
    mean = x.mean(dim)
    reach = se * special.stdtrit(np.maximum(n - 1, 1), (1 + level) / 2)
    lower, upper = mean - reach, mean + reach
    if share or bool((x.isnull() | (x == 0) | (x == 1)).all()):
        if bool(((x < 0) | (x > 1)).any()):
            raise InputError(f"Shares go from 0 to 1, but x from {float(x.min()):g} to {float(x.max()):g}.")
        lower, upper = _share_interval(x, mean, reach, n, level)
    return xr.Dataset({"mean": mean, "se": se, "lower": lower, "upper": upper, "n": n}, attrs={"level": level})


def _share_interval(
    x: xr.DataArray, mean: xr.DataArray, reach: xr.DataArray, n: xr.DataArray, level: float
) -> tuple[xr.DataArray, xr.DataArray]:
    """Ends of the interval of mean shares, of which `reach` is that of Student's t."""
    from statsmodels.stats.proportion import proportion_confint  # a second to load, of which other means have no need

    wilson = proportion_confint(np.asarray(mean * n), np.maximum(np.asarray(n), 1), alpha=1 - level, method="wilson")
    binary = bool((x.isnull() | (x == 0) | (x == 1)).all())
    inside = (mean > 0) & (mean < 1)
    middle, steep = special.logit(mean.where(inside, 0.5)), (mean * (1 - mean)).where(inside, 1.0)
    ends = []
    for sign, known in zip((-1, 1), wilson, strict=True):
        own = mean.copy(data=np.clip(known, 0, 1))
        ends.append((own if binary else special.expit(middle + sign * reach / steep).where(inside, own)).where(n > 1))
    return ends[0], ends[1]


def crossed_interval(x: xr.DataArray, minus: xr.DataArray | None = None, *, level: float = 0.95) -> xr.Dataset:
    r"""Mean over agents that played the same episodes, with an interval over agents and episodes.

    An episode that is lucky for one agent is lucky for all, so that no number of agents averages it out; an interval
    over agents alone holds for these episodes, not for others. With mean squares over agents, over episodes and of
    their interaction, the variance of the mean of A agents in E episodes is estimated by

    .. math:: \frac{MS_A - MS_{AE}}{A E} + \frac{MS_E}{A E},

    the first term by 0 where it is below. Of a difference between two kinds of agents the first term is that of both,
    and the second the variance, over episodes, of the difference of their means, over E. It holds as well where agents
    played episodes of their own. Degrees of freedom are Satterthwaite's.

    Parameters
    ----------
    x : DataArray
        Values over ``agent``, ``episode`` or both, and any other dims. An episode that is NaN for some agent is left
        out of the interval, not of the mean.
    minus : DataArray, optional
        Of other agents, whose mean is taken off; in the same episodes, if there are as many.
    level : float
        Coverage of the interval, in (0, 1).

    Returns
    -------
    Dataset
        ``mean``, ``se``, ``lower``, ``upper`` (Student's t) over the other dims. With one agent the interval is
        over its episodes, and without ``episode`` over agents; NaN below two of both.

    Raises
    ------
    InputError
        There is neither dim, or the level is outside its range.

    References
    ----------
    Searle, Casella and McCulloch 1992, Variance Components, chapter 4 (two crossed random factors); Satterthwaite 1946.
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")
    kinds = [x] if minus is None else [x, minus]
    if not {"agent", "episode"} & set(x.dims):
        raise InputError(f"x spans {x.dims}; it must span 'agent', 'episode' or both.")
    same = len({each.sizes.get("episode") for each in kinds}) == 1
    sums = [each.mean([dim for dim in ("episode", "agent") if dim in each.dims]) for each in kinds]
    mean = sums[0] if minus is None else sums[0] - sums[1]
    whole = [each.expand_dims([dim for dim in ("agent", "episode") if dim not in each.dims]) for each in kinds]
    se, df = xr.apply_ufunc(
        lambda *values: _crossed_error(values, same),
        *(each.rename(agent=f"agent{i}", episode=f"episode{i}") for i, each in enumerate(whole)),
        input_core_dims=[[f"agent{i}", f"episode{i}"] for i in range(len(whole))],
        output_core_dims=[[], []],
        vectorize=True,
    )
    reach = se * special.stdtrit(df.where(df > 0), (1 + level) / 2)
    return xr.Dataset({"mean": mean, "se": se, "lower": mean - reach, "upper": mean + reach}, attrs={"level": level})


def _crossed_error(kinds: tuple[np.ndarray, ...], same: bool) -> tuple[float, float]:
    """Standard error and degrees of freedom of a mean of values (agent, episode), or of a difference of two such means.

    `same` says that both kinds are of the same episodes.
    """
    if same:
        known = np.all([np.isfinite(each).all(0) for each in kinds], axis=0)
        parts = _variances(tuple(each[:, known] for each in kinds))
    else:
        parts = [part for each in kinds for part in _variances((each[:, np.isfinite(each).all(0)],))]
    if not parts:
        return np.nan, np.nan
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / df for part, df in parts)
    return float(np.sqrt(variance)), float(variance**2 / spread) if spread else np.inf


def _variances(kinds: tuple[np.ndarray, ...]) -> list[tuple[float, int]]:
    """Parts of the variance of the mean of one kind, or of the difference of two, with their degrees of freedom."""
    n_episodes, parts = kinds[0].shape[1], []
    if n_episodes > 1:
        course = kinds[0].mean(0) - (kinds[1].mean(0) if len(kinds) > 1 else 0.0)
        parts.append((float(course.var(ddof=1)) / n_episodes, n_episodes - 1))
    for values in kinds:
        n_agents, both = len(values), 0.0
        if n_agents < 2 or not n_episodes:
            continue
        between = float(values.mean(1).var(ddof=1)) / n_agents
        if n_episodes > 1:
            left = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
            both = float((left**2).sum()) / ((n_agents - 1) * (n_episodes - 1)) / (n_agents * n_episodes)
        if between > both:
            parts.append((between, n_agents - 1))
            parts.append((-both, (n_agents - 1) * max(n_episodes - 1, 1)))
    return parts


def median_interval(x: xr.DataArray, *, level: float = 0.95) -> xr.Dataset:
    """Median of all values with an interval that assumes nothing of their distribution.

    The interval's ends are the order statistics that a binomial count puts there (Conover
    1999, section 3.2); its coverage is `level` at least. Of few values, as fewer than 6 at 95 %, there is none.

    Parameters
    ----------
    x : DataArray
        Values over any dims; NaN is left out.
    level : float
        Coverage, in (0, 1).

    Returns
    -------
    Dataset
        ``median``, ``lower``, ``upper`` and ``n``; NaN where `x` holds no value, and so are the bounds of too few.
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")
    values = np.sort(x.values[x.notnull().values])
    if not len(values):
        return xr.Dataset({"median": np.nan, "lower": np.nan, "upper": np.nan, "n": 0}, attrs={"level": level})
    n = len(values)
    below = int(np.searchsorted(special.bdtr(np.arange(n + 1), n, 0.5), (1 - level) / 2))  # binomial quantile
    ends = (
        {"lower": values[below - 1], "upper": values[n - below]} if below else dict.fromkeys(["lower", "upper"], np.nan)
    )
    return xr.Dataset({"median": np.median(values), **ends, "n": len(values)}, attrs={"level": level})
