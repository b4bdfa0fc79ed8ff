"""What a planner and a model-free learner would have erred by on given trials of a two-step task."""

import numpy as np
import xarray as xr

from neurometa.dataset import played, require, task_settings
from neurometa.errors import InputError

WORLD = {"p_common": 0.8, "p_reversal": 0.025, "p_reward": 0.9}  # Wang et al. 2018, simulation 4
LEARNING_RATE = 0.4  # at which the references share .73 of their variance in an ideal agent, as reported


def reference_rpes(
    trials: xr.Dataset,
    discount: float = 1.0,
    *,
    learning_rate: float = LEARNING_RATE,
    p_common: float | None = None,
    p_reversal: float | None = None,
    p_reward: float | None = None,
) -> xr.Dataset:
    r"""Prediction errors of two learners that watch an agent's own trials: a Bayesian planner and SARSA(0).

    The planner holds the belief b that state 0 is the better one, exactly: Bayes' rule at each outcome, then a swap
    with probability h, :math:`b \leftarrow b(1-h) + (1-b)h`. State 0 is worth :math:`bp + (1-b)(1-p)`, state 1 the rest
    of 1, and action a :math:`Q(a) = \gamma\,(c V(a) + (1-c) V(1-a))`. The model-free learner moves
    :math:`Q(a)` towards :math:`\gamma Q(s)` and :math:`Q(s)` towards the reward, from 1/2 on. For both

    .. math:: \delta_\mathrm{second\ stage} = \gamma V(s) - Q(a), \qquad \delta_\mathrm{outcome} = r - V(s).

    Values are of the trial alone: what comes after an outcome is worth about the same whatever the outcome was.

    Parameters
    ----------
    trials : Dataset
        ``choice``, ``second_state`` and ``reward`` (0 or 1) over ``trial`` and any other dims, of the agent or animal;
        action a leads commonly to state a, which is checked against ``common`` where that is there. ``step_reward`` of
        the step ``second_stage`` counts instead of ``reward``, where there are steps. A missed trial, one without a
        second stage or one whose outcome is a penalty (negative, beside 0) teaches nothing.
    discount : float
        Gamma of a step, in [0, 1]; take that of the agent, for it scales one event against the other.
    learning_rate : float
        Of the model-free learner, in (0, 1]. The paper does not say it.
    p_common, p_reversal, p_reward : float, optional
        Of the planner's world: c, h and p. By default those of the run's task, else .8, .025 and .9.

    Returns
    -------
    Dataset
        ``model_based`` and ``model_free``, in units of reward, over ``trial``, ``event`` (``second_stage``,
        ``outcome``) and the other dims, NaN on a trial that teaches nothing; ``belief`` b before each trial. The
        settings are its attrs.

    Raises
    ------
    InputError
        A variable is absent or coded otherwise, or a setting is outside its range.

    References
    ----------
    Wang et al. 2018, simulation 4.
    """
    require(trials, choice=("trial",), second_state=("trial",), reward=("trial",))
    given = {"p_common": p_common, "p_reversal": p_reversal, "p_reward": p_reward}
    world = _world(trials) | {name: x for name, x in given.items() if x is not None}
    settings = world | {"discount": discount, "learning_rate": learning_rate}
    for name, setting in settings.items():
        if not 0 <= setting <= 1:
            raise InputError(f"{name} is {setting}; it must lie between 0 and 1.")
    outcome = trials.reward
    if "step_reward" in trials and "second_stage" in trials.get("step", xr.DataArray([])).values:
        outcome = trials.step_reward.sel(step="second_stage", drop=True)
    choice, state, outcome = xr.broadcast(trials.choice, trials.second_state, outcome)
    _check_coding(trials, choice, state, outcome)
    taught = played(trials) & (state >= 0) & (outcome >= 0)
    dims = [dim for dim in taught.dims if dim != "trial"]
    arrays = [x.transpose(*dims, "trial") for x in (choice.where(taught, 0), state.where(taught, 0), outcome, taught)]
    a, s, r, use = (x.values for x in arrays)
    a, s, r = a.astype(int), s.astype(int), np.where(use, r, 0).astype(float)
    belief = _filter(s, r, use, world["p_reversal"], world["p_reward"])
    first = belief * world["p_reward"] + (1 - belief) * (1 - world["p_reward"])
    here = np.where(s == 0, first, 1 - first)
    common = np.where(a == 0, first, 1 - first)  # worth of the state that the action leads to commonly
    action = world["p_common"] * common + (1 - world["p_common"]) * (1 - common)
    planner = np.stack([discount * (here - action), r - here], -1)
    found = {"model_based": planner, "model_free": _sarsa(a, s, r, use, learning_rate, discount)}
    grain = [*dims, "trial", "event"]
    result = xr.Dataset(coords={"event": np.array(["second_stage", "outcome"], dtype=object)} | _coords(taught))
    for name, x in found.items():
        label = name.replace("_", "-")
        about = {"long_name": f"{label} reward prediction error", "units": "reward"}
        result[name] = (grain, np.where(use[..., None], x, np.nan), about)
    result["belief"] = (grain[:-1], belief, {"long_name": "probability that state 0 pays more"})
    return result.assign_attrs(settings)


def _filter(state: np.ndarray, reward: np.ndarray, use: np.ndarray, hazard: float, p_reward: float) -> np.ndarray:
    """Belief before each trial that state 0 is the better, over (..., trial)."""
    belief, b = np.empty(state.shape), np.full(state.shape[:-1], 0.5)
    for trial in range(state.shape[-1]):
        belief[..., trial] = b
        for_first = (state[..., trial] == 0) == (reward[..., trial] > 0)
        likelihood = np.where(for_first, p_reward, 1 - p_reward)
        joint, other = likelihood * b, (1 - likelihood) * (1 - b)
        after = np.where(use[..., trial] & (joint + other > 0), joint / np.maximum(joint + other, 1e-300), b)
        b = after * (1 - hazard) + (1 - after) * hazard
    return belief


def _sarsa(
    action: np.ndarray, state: np.ndarray, reward: np.ndarray, use: np.ndarray, rate: float, discount: float
) -> np.ndarray:
    """Prediction errors of SARSA(0) at both events, over (..., trial, event)."""
    shape = action.shape
    action, state, reward, use = (x.reshape(-1, shape[-1]) for x in (action, state, reward, use))
    each = np.arange(len(action))
    first, second = np.full((len(action), 2), 0.5 * discount), np.full((len(action), 2), 0.5)
    found = np.empty((*action.shape, 2))
    for trial in range(shape[-1]):
        a, s, taught = action[:, trial], state[:, trial], use[:, trial]
        at_state = discount * second[each, s] - first[each, a]
        at_outcome = reward[:, trial] - second[each, s]
        found[:, trial, 0], found[:, trial, 1] = at_state, at_outcome
        first[each, a] += rate * taught * at_state
        second[each, s] += rate * taught * at_outcome
    return found.reshape(*shape, 2)


def _world(trials: xr.Dataset) -> dict[str, float]:
    """Settings of the run's own task where it says them, else those of Wang et al. 2018."""
    task = task_settings(trials)
    return {name: float(task.get(name, x)) for name, x in WORLD.items()}


def _check_coding(trials: xr.Dataset, choice: xr.DataArray, state: xr.DataArray, outcome: xr.DataArray) -> None:
    made = played(trials).broadcast_like(choice).transpose(*choice.dims)
    for name, x in (("choice", choice.where(made)), ("second_state", state.where(made))):
        seen = np.unique(x.values[np.isfinite(x.values.astype(float))])
        if not set(seen) <= {-1, 0, 1}:
            coding = [int(each) if float(each).is_integer() else float(each) for each in seen[:5]]
            raise InputError(f"{name!r} is coded {coding}; it must be 0 or 1, or -1 where there was none.")
    reached = made & (state >= 0)
    if "common" in trials:
        wrong = reached & ((choice == state) != trials.common.astype(bool))
        if wrong.any():
            raise InputError(
                "Action a must lead commonly to state a, but 'common' says otherwise on "
                f"{int(wrong.sum())} of {int(reached.sum())} trials; exchange the labels of the states."
            )
    seen = np.unique(outcome.values[np.broadcast_to(reached.transpose(*outcome.dims).values, outcome.shape)])
    if not set(seen) <= {-1, 0, 1} or (-1 in seen and 0 not in seen):
        raise InputError(f"The rewards are {seen[:5].tolist()}; they must be 0 and 1.")


def _coords(x: xr.DataArray) -> dict[str, xr.DataArray]:
    return {str(dim): x[dim] for dim in x.dims if dim in x.coords}
