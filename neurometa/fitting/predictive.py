"""Would the fitted model have behaved like this? Choices simulated from the posterior, beside those observed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.fitting.latents import latents
from neurometa.fitting.members import by_member
from neurometa.fitting.simulation import simulate
from neurometa.models import Equations, Model

SIMULATED = ("reward_rate", "stay_after_win", "stay_after_loss", "share_of_option_0")
AHEAD = SIMULATED[1:]  # what the next choice alone tells: rewards never paid cannot be known


def posterior_predictive(
    model: type[Equations],
    fitted: xr.Dataset,
    trials: xr.Dataset,
    rng: np.random.Generator,
    *,
    n_draws: int = 100,
    n_bins: int = 10,
) -> xr.Dataset:
    """Set statistics of the choices beside those of choices that the fitted model makes (Gelman et al. 1996).

    Where the trials say with which probability every arm paid 1 and else 0, the model plays the same
    worlds anew. Otherwise, and in two-step tasks, it chooses one step ahead: every trial anew, but
    after the history that was observed.

    Parameters
    ----------
    model : Model or TwoStepModel class
        What was fitted.
    fitted : Dataset
        Of `fit` or `sample_group`. Draws of the posterior are taken from its ``<parameter>_draw`` or over
        ``chain`` and ``draw``; without them all draws have the estimates, so that only the luck of
        choices is in their spread.
    trials : Dataset
        The trials that were fitted. Missed trials and padding are played by the model, but count for
        neither; nor do episodes without an estimate.
    rng : Generator
        Draws parameters, choices and rewards.
    n_draws : int
        How many data sets to simulate.
    n_bins : int
        Of trials, in which the curve is averaged.

    Returns
    -------
    Dataset
        Over ``statistic``: ``observed``; ``simulated`` over ``draw`` too, with its ``mean`` and
        ``interval`` over ``bound`` (95 %); and ``p_value``, two-sided: twice the smaller share of draws
        on one side, the observed one counted among them. Over ``bin`` (its coordinate is the middle
        trial, from 1): ``observed_curve`` and, over ``draw``, ``simulated_curve``: the mean reward, or
        one step ahead the probability of a stay. All averaged over everything else. Statistics are
        ``reward_rate`` (in the task's units; only in the same worlds), ``stay_after_win`` (a reward above
        0), ``stay_after_loss`` and ``share_of_option_0``, in [0, 1]. The attribute ``how`` says which of
        the two it was.

    Raises
    ------
    InputError
        `fitted` lacks a parameter or spans a dim that the trials do not have; or no trial counts.
    """
    for name, n in (("n_draws", n_draws), ("n_bins", n_bins)):
        if isinstance(n, bool) or n < 1:
            raise InputError(f"{name} is {n}; it must be 1 or more.")
    absent = [name for name in model.parameters() if name not in fitted]
    if absent:
        raise InputError(f"The fit has no {absent[0]!r}; give what fit returned for {model.__name__}.")
    dataset.require(trials, choice=("trial",), reward=("trial",))
    if "group" in fitted.attrs:
        trials, _ = by_member(model, trials, fitted.attrs["group"], ())
    trials = trials.drop_vars([name for name in trials.coords if name not in trials.dims])
    n_trials = trials.sizes["trial"]
    if n_bins > n_trials:
        raise InputError(f"n_bins is {n_bins}, but an episode has {n_trials} trials.")
    choice, reward = xr.broadcast(trials.choice, trials.reward)
    made = dataset.played(trials).broadcast_like(choice).transpose(*choice.dims)
    parameters = [_draws(fitted, name, n_draws, rng) for name in model.parameters()]
    if left := sorted({str(dim) for each in parameters for dim in each.dims} - {"draw", *map(str, choice.dims)}):
        raise InputError(f"The fit spans {left[0]!r}, which the trials do not; give the trials that were fitted.")
    for k, name in enumerate(model.parameters()):
        if name == "inverse_temperature_second" and "second_choice" not in trials:  # such trials do not have it
            parameters[k] = xr.ones_like(parameters[k])
        made = made & parameters[k].notnull().all("draw")
    if not made.any():
        raise InputError("No trial counts: none was played, or no parameter was estimated.")
    dims = [*(dim for dim in choice.dims if dim != "trial"), "trial"]
    follows = dataset.follows(trials)
    counts, chose, earned, after = (
        each.transpose(*dims).values for each in xr.broadcast(made, choice, reward, follows)
    )
    pair = counts[..., 1:] & counts[..., :-1] & after[..., 1:]
    again = _known_world(model, trials, earned[counts])
    observed, observed_curve = _statistics(chose, chose, earned, earned, counts, pair, n_bins, again)
    rows, curves = [], []
    for i in range(n_draws):
        acting = model(*(each.isel(draw=i) for each in parameters))
        if again:
            world = xr.broadcast(trials.reward_prob, trials.choice)[0].reset_coords(drop=True)
            played = simulate(acting, world, rng)
            drawn, paid = (played[name].transpose(*dims).values for name in ("choice", "reward"))
            row, curve = _statistics(drawn, drawn, paid, paid, counts, pair, n_bins, again)
        else:
            prob = latents(acting, trials).choice_prob
            option = "arm" if "arm" in prob.dims else "option"
            share = prob.transpose(*dims, option).fillna(0.5).values.cumsum(-1)
            drawn = (rng.random((*share.shape[:-1], 1)) > share[..., :-1]).sum(-1)
            row, curve = _statistics(drawn, chose, earned, earned, counts, pair, n_bins, again)
        rows.append(row)
        curves.append(curve)
    return _result(observed, observed_curve, np.array(rows), np.array(curves), again, n_trials, n_bins).assign_attrs(
        model=model.__name__, how="the same worlds anew" if again else "one step ahead", n_draws=n_draws
    )


def _draws(fitted: xr.Dataset, name: str, n_draws: int, rng: np.random.Generator) -> xr.DataArray:
    """A parameter over ``draw``, bare of coordinates; joint draws, as the same ones are taken of every parameter."""
    each = fitted[f"{name}_draw"] if f"{name}_draw" in fitted else fitted[name]
    each = each.drop_vars(list(each.coords))
    if "chain" in each.dims:
        each = each.stack(both=("chain", "draw"), create_index=False).rename(both="draw")
    if "draw" not in each.dims:
        return each.expand_dims(draw=n_draws)
    return each.isel(draw=np.linspace(0, each.sizes["draw"] - 1, n_draws).round().astype(int))


def _known_world(model: type[Equations], trials: xr.Dataset, rewards: np.ndarray) -> bool:
    """Whether the trials say all of how rewards came about."""
    stated = "reward_prob" in trials and {"trial", "arm"} <= set(trials.reward_prob.dims)
    beyond = any(name in trials for name in dataset.BEYOND_PROBABILITY)
    return issubclass(model, Model) and stated and not beyond and bool(np.isin(rewards, (0.0, 1.0)).all())


def _statistics(
    choice: np.ndarray,
    last: np.ndarray,
    reward: np.ndarray,
    paid: np.ndarray,
    made: np.ndarray,
    pair: np.ndarray,
    n_bins: int,
    again: bool,
) -> tuple[list[float], list[float]]:
    """Statistics and curve of choices (..., trial) that followed on the choices `last` and the rewards `paid`."""
    stay, won = choice[..., 1:] == last[..., :-1], paid[..., :-1] > 0
    told = [_mean(stay, pair & won), _mean(stay, pair & ~won), _mean(choice == 0, made)]
    if again:
        told = [_mean(reward, made), *told]
    values, counted = (reward, made) if again else (stay, pair)
    offset = 0 if again else 1
    edges = np.array_split(np.arange(made.shape[-1]), n_bins)
    parts = [part[part >= offset] - offset for part in edges]
    return told, [_mean(values[..., part], counted[..., part]) for part in parts]


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean()) if where.any() else np.nan


def _result(
    observed: Sequence[float],
    observed_curve: Sequence[float],
    simulated: np.ndarray,
    curves: np.ndarray,
    again: bool,
    n_trials: int,
    n_bins: int,
) -> xr.Dataset:
    """Everything labelled."""
    n, own = len(simulated), np.asarray(observed)
    above, below = ((simulated >= own).sum(0) + 1) / (n + 1), ((simulated <= own).sum(0) + 1) / (n + 1)
    p_value = np.where(np.isnan(own), np.nan, np.minimum(1.0, 2 * np.minimum(above, below)))
    known = ~np.isnan(simulated).all(0)
    mean, ends = np.full(len(own), np.nan), np.full((len(own), 2), np.nan)
    mean[known] = np.nanmean(simulated[:, known], axis=0)
    ends[known] = np.nanquantile(simulated[:, known], [0.025, 0.975], axis=0).T
    middle = [1 + part.mean() for part in np.array_split(np.arange(n_trials), n_bins)]
    curve: dict[str, Any] = (
        {"long_name": "mean reward", "units": "reward"} if again else {"long_name": "stay probability"}
    )
    return xr.Dataset(
        {
            "observed": ("statistic", own, {"long_name": "observed"}),
            "simulated": (("draw", "statistic"), simulated, {"long_name": "simulated"}),
            "mean": ("statistic", mean, {"long_name": "mean of the simulated"}),
            "interval": (("statistic", "bound"), ends, {"long_name": "95 % interval of the simulated"}),
            "p_value": ("statistic", p_value, {"long_name": "posterior predictive p-value"}),
            "observed_curve": ("bin", np.asarray(observed_curve), curve),
            "simulated_curve": (("draw", "bin"), curves, curve),
        },
        coords={
            "statistic": np.array(SIMULATED if again else AHEAD, dtype=object),
            "bound": np.array(["lower", "upper"], dtype=object),
            "bin": ("bin", middle, {"long_name": "trial"}),
        },
    )
