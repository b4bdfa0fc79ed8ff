"""One door to all fits: the parameters of a learning model that make an agent's or animal's choices most probable."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from neurometa import evidence
from neurometa.errors import InputError, nearest
from neurometa.fitting.from_starts import fit_from_starts
from neurometa.fitting.hierarchical import fit_group
from neurometa.fitting.initial import started
from neurometa.fitting.latents import check_pool, with_coords
from neurometa.fitting.members import by_member
from neurometa.fitting.scanned import fit_scanned
from neurometa.models import Equations, Model, Observer, Softmax, TwoStepModel
from neurometa.models.priors import Prior

LEVEL = 0.95  # of the intervals, if no other is asked for


def fit(
    model: type[Equations],
    trials: xr.Dataset,
    *,
    pool: str | Sequence[str] = (),
    per: str | None = None,
    window: int | None = None,
    start: float | Sequence[float] | Literal["fitted"] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    intervals: bool | float = False,
    priors: Mapping[str, Prior] | None = None,
    group: str | None = None,
    n_draws: int = 0,
    n_starts: int = 10,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Fit a learning model to choices by maximum likelihood, with priors, or as members of a group.

    A single local optimiser can miss the optimum, in up to a third of episodes, as learning rate 0 and
    inverse temperature 0 are stationary. For models of few rates the rates are scanned, and every promising
    node is climbed from: the result is the global optimum, with priors too. For the models of
    `models.FITTED_FROM_STARTS` a climber begins at many points, and ``n_reached`` says how many led to the
    best. With `group`, the spread of the parameters over its members is estimated with them (empirical
    Bayes). The same call fits agents, animals and people.

    Parameters
    ----------
    model : Model, Observer or TwoStepModel class
        E.g. ``models.RescorlaWagner``; its ``start`` are the values before the first trial.
    trials : Dataset
        ``choice`` (int, -1 where none was made) and ``reward`` over ``trial`` and any other
        dims; for a two-step model also ``second_state``, and ``second_choice`` and
        ``left_option`` if the task has them; for `models.Behrens` ``magnitude`` if arms show what they
        pay. A missed trial neither scores nor teaches, nor does
        one at which ``valid``, if there is one, is False.
    pool : str or sequence of str
        Dims whose members share one set of parameters; values start anew in each. By
        default every episode has its own.
    per : str, optional
        A dim, or a coordinate of one, such as the subject of every session, each of whose members has one set of
        parameters for all its sessions; values start anew in each. The result has it as a dim.
    window : int, optional
        Count only this many consecutive trials, and slide on by one: values still evolve from
        trial 1 (Behrens et al. 2007; Wang et al. 2018, simulation 2).
    start : float, sequence of float, or "fitted", optional
        What every arm is worth before the first trial (for a model without values: its first feature), in
        units of reward: one number, one for each arm, or a parameter more, ``initial_value``, within
        [0, 1] or the range of the rewards. By default the model's own, which is .5 for values, or 0
        with a warning where rewards leave [0, 1].
    bounds : mapping of str to (float, float), optional
        Lowest and highest value of a parameter, instead of the model's own; equal ones hold
        it fixed.
    intervals : bool or float
        Add profile-likelihood intervals at level .95, or at the level given in (0, 1). Where a
        profile has several peaks the interval reaches over all that count. Not with starts or priors.
    priors : mapping of str to Prior, optional
        Of any of the parameters, e.g. ``models.priors.KOOL``, the others being uniform; the
        result is then the maximum of the posterior density.
    group : str, optional
        A dim whose members share a group distribution, e.g. ``"subject"``; or a coordinate of
        a dim, such as the subject of every session: its sessions then share its parameters. Each
        member's estimate is drawn towards the others', the more so the less its trials say;
        see `neurometa.fitting.hierarchical.fit_group` for the result.
    n_draws : int
        With `group`, also return so many draws of each member's posterior.
    n_starts : int
        How many points the climber begins at, each the best of 5 draws.
    seed : int
        Fixes the draws.
    progress : callable, optional
        With `group`, is told how much of the search is done, and of how much.

    Returns
    -------
    Dataset
        With `group`, see `neurometa.fitting.hierarchical.fit_group`. Else over the dims that are
        left (and ``trial``, the last of each window):

        - each parameter, within its bounds; NaN where the likelihood does not depend on it,
          as on the learning rate if the best inverse temperature is 0;
        - ``<parameter>_se``, its standard error from the observed information, in the same
          units; NaN where the parameter is on a bound, fixed or NaN, the information is
          singular, or the error wider than the bounds are apart. The others' are then those with that parameter held;
        - ``<parameter>_interval`` over ``bound`` (lower, upper), if asked for;
        - ``log_likelihood`` (nats, summed over trials) and ``n_trials`` (how many it sums);
        - ``converged``: whether there is one best set of parameters; False where any is NaN,
          and where no trial was scored, in which case ``log_likelihood`` is NaN too;
        - ``at_bound``: whether any free parameter is on its bound;
        - ``reason``: what the trials leave open (parameters that are NaN, or that only their prior
          tells); an empty text if nothing;
        - with priors or starts also ``log_posterior`` (nats: log-likelihood plus the log-densities of the
          priors), standard errors being those of the posterior; and with starts ``n_reached`` (how many of
          them ended within .001 nats of the best).

    Raises
    ------
    InputError
        The trials break the contract or the model does not allow them, or an argument is
        wrong.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> from neurometa.models import RescorlaWagner
    >>> fitted = fit(RescorlaWagner, example(n_episodes=20))
    >>> fitted.learning_rate.dims
    ('episode',)
    """
    if not (isinstance(model, type) and issubclass(model, Equations)):
        raise InputError(f"model is {model!r}; give a class of neurometa.models, e.g. RescorlaWagner.")
    evidence.question(trials)
    _tell_short_form(model, trials)
    model, begins = started(model, trials, start)
    unshown = model.unshown if issubclass(model, Observer) and "magnitude" not in trials else {}
    lowest, highest = check_bounds(model, {name: (x, x) for name, x in unshown.items()} | begins | dict(bounds or {}))
    if per is not None and group is not None:
        raise InputError("per is not for fits of a group, whose members share their parameters anyhow; leave it out.")
    if per is not None:
        trials, pool = by_member(model, trials, per, (pool,) if isinstance(pool, str) else tuple(pool), name="per")
        pool = tuple(dim for dim in trials.choice.dims if dim not in ("trial", per, "agent") or dim in pool)
    if group is not None:
        if priors is not None or window is not None:
            what = "priors" if priors is not None else "window"
            raise InputError(
                f"{what} is not for fits of a group, whose prior is the group itself; leave out one of them."
            )
        members, pool = by_member(model, trials, group, (pool,) if isinstance(pool, str) else tuple(pool))
        pool = check_pool(members.choice, pool)
        return fit_group(
            model,
            members,
            group,
            pool,
            lowest,
            highest,
            level=_level(intervals) or LEVEL,
            n_draws=n_draws,
            seed=seed,
            progress=progress,
        )
    if n_draws:
        raise InputError("n_draws is only for fits of a group; give group, e.g. group='subject'.")
    scanned = issubclass(model, Softmax) and model.scanned and model.choice_rule == "softmax"
    if (priors or not scanned) and (window is not None or intervals):
        what = "window" if window is not None else "intervals"
        raise InputError(f"{what} is only for models without priors that are scanned, of models.MODELS.")
    if not scanned:
        allowed = trials.choice if "choice" in trials else xr.DataArray(0)
        fitted = fit_from_starts(model, trials, check_pool(allowed, pool), lowest, highest, priors, n_starts, seed)
        fitted.attrs |= {"start": model.written_start()} if issubclass(model, Model) else {}
        return with_coords(fitted, trials.drop_dims("trial"))
    assert issubclass(model, Softmax)
    return fit_scanned(
        model,
        trials,
        pool,
        (lowest, highest),
        level=_level(intervals),
        window=window,
        priors=priors,
    )


def _tell_short_form(model: type[Equations], trials: xr.Dataset) -> None:
    """Warn where a two-step model will see the first choices alone, though second ones seem to be there."""
    unread = evidence.unread_second_choice(trials) if issubclass(model, TwoStepModel) else None
    if unread is not None:
        warnings.warn(
            f"The trials have no variable 'second_choice', so the fit is of first-stage choices alone; {unread!r} may "
            "hold the second ones: import it with second_choice=... (--second-choice), or assign it as "
            "'second_choice', 0 or 1 and -1 for none.",
            stacklevel=3,
        )


def check_bounds(
    model: type[Equations], given: Mapping[str, tuple[float, float]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Lowest and highest value of each parameter by name."""
    allowed = model.parameters()
    for name, pair in given.items():
        if name not in allowed:
            close = nearest(str(name), list(allowed))
            raise InputError(f"bounds names {name!r}; {model.__name__} has {', '.join(allowed)}.{close}")
        if np.shape(pair) != (2,) or not np.isfinite(pair).all() or pair[0] > pair[1]:
            raise InputError(f"The bounds of {name} are {pair!r}; give the lowest and the highest value, both finite.")
    both = {**model.bounds, **given}
    return {name: float(pair[0]) for name, pair in both.items()}, {name: float(pair[1]) for name, pair in both.items()}


def _level(intervals: bool | float) -> float | None:
    if isinstance(intervals, bool):
        return LEVEL if intervals else None
    if not 0 < intervals < 1:
        raise InputError(f"intervals is {intervals}; give True, or a level between 0 and 1, e.g. 0.95.")
    return float(intervals)
