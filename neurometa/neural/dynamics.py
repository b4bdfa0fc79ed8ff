"""All that is asked of a network as a dynamical system, on the trials that it or an animal played."""

import numpy as np
import xarray as xr

from neurometa.errors import InputError
from neurometa.neural.exported import Exported
from neurometa.neural.fixed_points import fixed_points
from neurometa.neural.geometry import principal_components, project
from neurometa.neural.outcomes import effective_learning_rate, replay, saliency

SHOWN = 2000  # states of a phase portrait
N_BINS = 8  # of the log odds at which effective learning rates are averaged


def dynamics(
    exported: Exported, trials: xr.Dataset, *, n_starts: int = 200, n_lags: int = 10, seed: int = 0
) -> xr.Dataset:
    """Find where a network's state stays under each input, and what outcomes do to its choices.

    Parameters
    ----------
    exported : Exported
        As of `of_run`, `of_choices` or `of_learner`.
    trials : Dataset
        ``choice`` and ``reward`` (and ``cue`` where cues dictate choices), which take it through its states.
    n_starts : int
        States, of those that it was in, from which points are looked for under each input.
    n_lags : int
        Trials back of the saliency.
    seed : int
        Fixes which states.

    Returns
    -------
    Dataset
        What `fixed_points` returns, with ``score`` of each point in the plane of the two principal ``component`` of the
        states; ``path`` (``sample``, ``component``), states in it, and ``path_readout``; ``variance_explained``. For a
        network that chooses between two options also ``learning_rate`` (``episode``, ``trial``, see
        `effective_learning_rate`), before each trial the ``log_odds`` of the option chosen (nats), the rate's mean
        ``binned_rate`` by ``binned_log_odds`` of that option, and ``reward_saliency`` and ``choice_saliency`` over
        ``lag``.

    Raises
    ------
    InputError
        The trials do not fit the network, or `n_starts` is below 1.
    """
    if isinstance(n_starts, bool) or n_starts < 1:
        raise InputError(f"n_starts is {n_starts}; it must be 1 or more.")
    every = replay(exported, trials).values.reshape(-1, exported.cell.n_states)
    rng = np.random.default_rng(seed)
    some = every[rng.permutation(len(every))[: max(n_starts, SHOWN)]]
    found = fixed_points(exported, some[:n_starts])
    n_components = min(2, exported.cell.n_states)
    basis = principal_components(xr.DataArray(some, dims=("sample", "unit")), n_components=n_components)
    if n_components == 1:  # the readout is the other axis
        read = xr.DataArray(exported.readout(some[:SHOWN]), dims="sample")
        path = xr.concat([basis.score.isel(component=0, drop=True)[:SHOWN], read], "component")
        score = xr.concat([project(found.state, basis).isel(component=0, drop=True), found.readout], "component")
    else:
        path, score = basis.score.isel(sample=slice(SHOWN)), project(found.state, basis)
    found = found.assign(
        score=score.transpose("point", "component").drop_vars("component", errors="ignore"),
        path=path.transpose("sample", "component").drop_vars("component", errors="ignore"),
        path_readout=("sample", exported.readout(some[:SHOWN])),
        variance_explained=basis.variance_explained.rename(component="of").drop_vars("of", errors="ignore"),
    )
    if exported.cues is not None or len(exported.head) != 2:
        return found
    moved = effective_learning_rate(exported, trials)
    past = saliency(exported, trials, n_lags=n_lags)
    sign = 2 * np.asarray(trials.choice.values).reshape(moved.log_odds.shape) - 1
    own = (moved.log_odds * sign).assign_attrs(long_name="log odds of the option chosen", units="nats")
    found = found.assign(learning_rate=moved.learning_rate, log_odds=own)
    found = found.assign(reward_saliency=past.reward, choice_saliency=past.choice)
    return found.assign(_by_log_odds(moved, trials))


def _by_log_odds(moved: xr.Dataset, trials: xr.Dataset) -> dict[str, tuple]:
    """Mean effective learning rate in bins of equally many trials, by the log odds of the option that was chosen."""
    choice = np.asarray(trials.choice.values).reshape(moved.log_odds.shape)
    made = np.isfinite(moved.learning_rate.values)
    own = (moved.log_odds.values * (2 * choice - 1))[made]
    rate = moved.learning_rate.values[made]
    parts = np.array_split(np.argsort(own, kind="stable"), N_BINS)
    middle = [own[part].mean() if len(part) else np.nan for part in parts]
    mean = [rate[part].mean() if len(part) else np.nan for part in parts]
    return {
        "binned_log_odds": ("bin", middle, {"long_name": "log odds of the option chosen", "units": "nats"}),
        "binned_rate": ("bin", mean, {"long_name": "effective learning rate"}),
    }
