"""How often the risky arm is taken where choice is free."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurometa.behaviour.performance import mean_interval
from neurometa.dataset import played, require
from neurometa.errors import InputError


def risk_preference(trials: xr.Dataset, control: xr.Dataset | None = None, *, level: float = 0.95) -> xr.Dataset:
    """Share of risky choices on free trials, by the probability with which risk pays (Wang et al. 2018, Fig 7).

    An episode counts by its share, so that the interval is over episodes. Missed choices and
    those on forced trials do not count.

    Parameters
    ----------
    trials : Dataset
        ``choice``, ``risky`` (whether the risky arm was chosen) and ``risky_prob`` over ``episode`` and ``trial``,
        and ``forced`` where some trials were; any other dims pass through.
    control : Dataset, optional
        The same episodes without what was done to the agent. Each episode is then taken minus its
        control, so that the luck of the draw of worlds cancels.
    level : float
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Dataset
        ``mean``, ``se``, ``lower``, ``upper`` and ``n`` (episodes), as of `mean_interval`, over ``risky_prob``
        and the other dims; shares in [0, 1], or differences of them.

    Raises
    ------
    InputError
        A variable is absent, no choice was free, or the control's episodes are others.
    """
    share, prob = _share(trials)
    if control is not None:
        before, its = _share(control)
        if share.sizes["episode"] != before.sizes["episode"] or not bool((prob == its).all()):
            raise InputError(
                "The control played other episodes, so that none can be paired; "
                "play both with the same seed, and as many episodes."
            )
        share = share - before
    levels = np.unique(prob.values[np.isfinite(prob.values)])
    found = [mean_interval(share.where(prob == each), level=level, share=control is None) for each in levels]
    result = xr.concat(found, "risky_prob").assign_coords(risky_prob=levels)
    result.risky_prob.attrs["long_name"] = "reward probability of the risky arm"
    label = "share of risky choices" if control is None else "share of risky choices, minus control"
    result["mean"].attrs["long_name"] = label
    return result


def risk_under_perturbations(control: xr.Dataset, disturbed: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Risk preference in control and under each perturbation, and what each changes, episode by episode.

    Parameters
    ----------
    control : Dataset
        As `risk_preference`.
    disturbed : mapping of str to Dataset
        The same episodes by the name of what was done to the agent; may be empty.

    Returns
    -------
    Dataset
        As of `risk_preference`, also over ``perturbation`` (``"control"`` first); what changes from control has
        the same names with ``change_`` before them.

    Raises
    ------
    InputError
        As `risk_preference`; it names the perturbation.
    """
    shares, changes = {"control": risk_preference(control)}, {}
    for name, trials in disturbed.items():
        try:
            shares[name], changes[name] = risk_preference(trials), risk_preference(trials, control)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    found = xr.concat(list(shares.values()), "perturbation").assign_coords(perturbation=list(shares))
    if not changes:
        return found
    changed = xr.concat(list(changes.values()), "perturbation").assign_coords(perturbation=list(changes))
    changed = changed.rename({name: f"change_{name}" for name in map(str, changed.data_vars)})
    return found.merge(changed, join="outer", combine_attrs="drop_conflicts").sel(perturbation=list(shares))


def _share(trials: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Of each episode the share of risky choices, NaN where none was free, and what risk paid with."""
    grain = ("episode", "trial")
    require(trials, choice=grain, risky=grain, risky_prob=("episode",))
    free = played(trials)
    if "forced" in trials:
        free = free & ~trials.forced.astype(bool)
    if not free.any():
        raise InputError("No choice is free: every trial is forced or missed.")
    prob = trials.risky_prob
    if "trial" in prob.dims:
        prob = prob.isel(trial=0, drop=True)
    return trials.risky.astype(float).where(free).mean("trial"), prob.astype(float)
