"""How much an outcome moves a network's choice, trial by trial, and how far back outcomes reach."""

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.neural.exported import Exported

LONG = 300  # trials of one kind after which the log odds are at their end


def replay(exported: Exported, trials: xr.Dataset) -> xr.DataArray:
    """State of a network before each trial, as it is given the choices and rewards that were made.

    Parameters
    ----------
    exported : Exported
        Of choices between options, each trial being one input.
    trials : Dataset
        ``choice`` and ``reward`` of 0 or 1 over ``trial`` and perhaps ``episode``; for a network that is shown cues
        also ``cue``, any reward above 0 being one.

    Returns
    -------
    DataArray
        Over ``episode``, ``trial`` and ``unit``. A missed trial leaves the state as it is.

    Raises
    ------
    InputError
        The trials have other options or rewards than the network knows.
    """
    chosen, reward = _shown(exported, trials) if exported.cues is not None else _plain(exported, trials)
    state = np.broadcast_to(exported.start, (len(chosen), exported.cell.n_states)).copy()
    kinds = list(exported.inputs.values())
    seen = np.empty((*chosen.shape, exported.cell.n_states))
    for t in range(chosen.shape[1]):
        seen[:, t] = state
        for k in range(len(kinds)):
            these = (chosen[:, t] == k // 2) & (reward[:, t] == k % 2)
            if these.any():
                state[these] = exported.trial(state[these], kinds[k])
    return xr.DataArray(seen, dims=("episode", "trial", "unit"))


def effective_learning_rate(exported: Exported, trials: xr.Dataset) -> xr.Dataset:
    r"""How much the outcome of each trial moves the log odds of the chosen option, at the state the network is in.

    .. math:: \alpha_{\mathrm{eff}} = \frac{L_c(F(x, c, 1)) - L_c(F(x, c, 0))}{L_c^\ast(c, 1) - L_c^\ast(c, 0)}

    L is the log odds of the chosen option c, and :math:`L^\ast` what they come to when c is rewarded, or not, again and
    again. A Rescorla-Wagner learner has :math:`\alpha_{\mathrm{eff}} = \alpha` in every state.

    Parameters
    ----------
    exported : Exported
        Of choices between two options.
    trials : Dataset
        As of `replay`.

    Returns
    -------
    Dataset
        Over ``episode`` and ``trial``: ``learning_rate``, ``outcome_effect`` (nats, the numerator) and ``log_odds``
        (nats, of option 1 before the trial); NaN where no choice was made.

    Raises
    ------
    InputError
        As `replay`.
    """
    choice, _ = _plain(exported, trials)
    state = replay(exported, trials).values
    kinds = list(exported.inputs.values())
    effect, span = np.full(choice.shape, np.nan), np.full(2, np.nan)
    for option in range(2):
        sign = 2 * option - 1
        far = []
        for kind in kinds[2 * option : 2 * option + 2]:
            end = exported.start[None]
            for _ in range(LONG):
                end = exported.trial(end, kind)
            far.append(sign * exported.log_odds(end)[0])
        span[option] = far[1] - far[0]
        these = choice == option
        lost, won = (sign * exported.log_odds(exported.trial(state[these], kinds[2 * option + k])) for k in range(2))
        effect[these] = won - lost
    dims = ("episode", "trial")
    rate = np.where(choice >= 0, effect / span[np.maximum(choice, 0)], np.nan)
    result = xr.Dataset({"learning_rate": (dims, rate), "outcome_effect": (dims, effect)})
    result["log_odds"] = (dims, np.where(choice >= 0, exported.log_odds(state), np.nan))
    result.learning_rate.attrs = {"long_name": "effective learning rate"}
    result.outcome_effect.attrs = {"long_name": "what an outcome moves the log odds", "units": "nats"}
    return result


def saliency(exported: Exported, trials: xr.Dataset, *, n_lags: int = 10, n_episodes: int = 50) -> xr.Dataset:
    """Gradient of the log odds of a choice by the rewards and choices before it.

    Parameters
    ----------
    exported : Exported
        Of choices between two options, its inputs being linear in choice and reward.
    trials : Dataset
        As of `replay`.
    n_lags : int
        How many trials back.
    n_episodes : int
        Episodes at most, from the first on.

    Returns
    -------
    Dataset
        Over ``lag`` (from 1): ``reward`` (nats per reward, for the option chosen then) and ``choice`` (nats, of having
        chosen option 1 rather than 0, at the state of that trial), means over trials.

    Raises
    ------
    InputError
        As `replay`, or there are fewer trials than lags.
    """
    few = trials.isel(episode=slice(n_episodes)) if "episode" in trials.dims else trials
    choice, reward = _plain(exported, few)
    n_trials = choice.shape[1]
    if not 1 <= n_lags < n_trials:
        raise InputError(f"n_lags is {n_lags}; allowed are 1 ... {n_trials - 1}.")
    state = replay(exported, few).values
    kinds = np.stack([each[0] for each in exported.inputs.values()])
    given = kinds[2 * np.maximum(choice, 0) + reward]
    toward = exported.head[1] - exported.head[0]
    total, n = np.zeros((2, n_lags)), np.zeros(n_lags)
    for t in range(n_lags, n_trials):
        gradient = np.broadcast_to(toward, (len(choice), len(toward)))
        for lag in range(1, n_lags + 1):
            then, made = t - lag, (choice[:, t] >= 0) & (choice[:, t - lag] >= 0)
            by_input = np.einsum("es,esi->ei", gradient, exported.cell.input_jacobian(state[:, then], given[:, then]))
            option, paid = np.maximum(choice[:, then], 0), reward[:, then]
            by_reward = (by_input * (kinds[2 * option + 1] - kinds[2 * option])).sum(1) * (2 * option - 1)
            by_choice = (by_input * (kinds[2 + paid] - kinds[paid])).sum(1)
            total[0, lag - 1] += by_reward[made].sum()
            total[1, lag - 1] += by_choice[made].sum()
            n[lag - 1] += made.sum()
            moved = np.einsum("es,esj->ej", gradient, exported.cell.jacobian(state[:, then], given[:, then]))
            gradient = np.where((choice[:, then] >= 0)[:, None], moved, gradient)
    mean = total / np.where(n > 0, n, np.nan)
    result = xr.Dataset({"reward": ("lag", mean[0]), "choice": ("lag", mean[1]), "n": ("lag", n.astype(int))})
    result.reward.attrs = {"long_name": "saliency of rewards", "units": "nats"}
    result.choice.attrs = {"long_name": "saliency of choices", "units": "nats"}
    return result.assign_coords(lag=np.arange(1, n_lags + 1))


def _shown(exported: Exported, trials: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Cues, -1 where none was answered, and whether a reward followed: (episode, trial)."""
    dataset.require(trials, cue=("trial",), reward=("trial",))
    made = dataset.played(trials)
    dims = ("episode", "trial") if "episode" in made.dims else ("trial",)
    cue = trials.cue.where(made, -1).transpose(*dims).values.reshape(-1, made.sizes["trial"]).astype(int)
    return cue, (trials.reward.transpose(*dims).values.reshape(cue.shape) > 0).astype(int)


def _plain(exported: Exported, trials: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Choices, -1 where none was made, and rewards as 0 or 1: (episode, trial)."""
    dataset.require(trials, choice=("trial",), reward=("trial",))
    n_options = len(exported.head)
    if n_options != 2 or not next(iter(exported.inputs)).startswith("choice"):
        raise InputError(
            "The network does not choose between two options by itself, so that no outcome moves a choice."
        )
    if dataset.n_options(trials) != n_options:
        raise InputError(f"The trials have {dataset.n_options(trials)} options, the network {n_options}.")
    made = dataset.played(trials)
    dims = ("episode", "trial") if "episode" in made.dims else ("trial",)
    if set(made.dims) != set(dims):
        raise InputError(f"The choices span {made.dims}; select one entry of all but episode and trial.")
    choice = trials.choice.where(made, -1).transpose(*dims).values.reshape(-1, made.sizes["trial"]).astype(int)
    reward = trials.reward.broadcast_like(made).transpose(*dims).values.reshape(choice.shape)
    if not np.isin(reward[choice >= 0], (0.0, 1.0)).all():
        raise InputError("'reward' is neither 0 nor 1 somewhere; the inputs of a network are looked at for these two.")
    return choice, np.where(choice >= 0, np.nan_to_num(reward), 0).astype(int)
