"""The variables of the data contract: what each is called, the dims that it must span, its label and units.

They are what tasks have in common, and what an analysis asks for by name; a task declares what else it logs. Where
trials last as long as they take, what spans ``trial`` and ``step`` here spans ``time`` instead.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import xarray as xr


class Variable(NamedTuple):
    """Dims that a variable must span, its label on an axis, and its units if it has any."""

    dims: tuple[str, ...]
    long_name: str
    units: str = ""

    def attrs(self) -> dict[str, str]:
        """Return the attributes of the variable in a dataset: ``long_name``, and ``units`` if it has any."""
        return {"long_name": self.long_name} | ({"units": self.units} if self.units else {})


VARIABLES = {
    "choice": Variable(("trial",), "option chosen (-1: none)"),
    "reward": Variable(("trial",), "reward", "reward"),
    "reward_prob": Variable(("trial", "arm"), "reward probability"),
    "drift_sd": Variable(("trial",), "drift of the reward probability", "1/trial"),
    "base_prob": Variable(("trial", "arm"), "reward probability just after a choice"),
    "magnitude": Variable(("trial", "arm"), "magnitude shown", "100 points"),
    "volatile": Variable(("trial",), "reward probabilities change often"),
    "risky_arm": Variable(("trial",), "arm that pays 4 or nothing"),
    "risky_prob": Variable(("trial",), "reward probability of the risky arm"),
    "forced": Variable(("trial",), "only one arm could be taken"),
    "risky": Variable(("trial",), "risky arm chosen"),
    "expected_reward": Variable(("trial", "arm"), "expected reward", "reward"),
    "common": Variable(("trial",), "transition was the common one"),
    "second_state": Variable(("trial",), "second-stage state reached (-1: none)"),
    "second_choice": Variable(("trial",), "option chosen at the second stage"),
    "state_reward_prob": Variable(("trial", "state"), "reward probability of the second stage"),
    "cue": Variable(("trial",), "cue shown"),
    "rewarded_cue": Variable(("trial",), "cue that is rewarded"),
    "reversed": Variable(("trial",), "first trial of new roles"),
    "side": Variable(("trial",), "side of the rewarded stimulus"),
    "action": Variable(("trial", "step"), "action"),
    "step_reward": Variable(("trial", "step"), "reward of the step", "reward"),
    "value": Variable(("trial", "step"), "value predicted by the agent", "reward"),
    "action_mean": Variable(("trial", "step", "axis"), "mean of the policy"),
    "action_sd": Variable(("trial", "step", "axis"), "SD of the policy"),
    "logits": Variable(("trial", "step", "option"), "policy before the softmax", "nats"),
    "hidden": Variable(("trial", "step", "unit"), "hidden state after the step"),
    "cell": Variable(("trial", "step", "unit"), "cell state after the step"),
    "latent_mean": Variable(("trial", "step", "latent"), "mean of the belief before the step"),
    "latent_logvar": Variable(("trial", "step", "latent"), "log variance of the belief before the step"),
    "predicted_reward": Variable(("trial", "step", "query"), "probability of a reward that the belief predicts"),
    "activity": Variable(("trial", "step", "unit"), "activity recorded"),
    "rpe_input": Variable(("trial", "step"), "prediction error given to the actor", "reward"),
    "posterior_prob": Variable(("trial", "step"), "expected reward probability of arm 0"),
    "posterior_better": Variable(("trial", "step"), "probability that second-stage state 0 pays more"),
    "posterior_cue": Variable(("trial", "step"), "probability that cue 0 is rewarded"),
    "posterior_volatility": Variable(("trial", "step"), "expected volatility", "1/trial"),
    "observation": Variable(("trial", "step", "feature"), "observation"),
    "goal_place": Variable(("axis",), "position of the goal"),
    "valid": Variable(("trial",), "trial was played (False: padding)"),
    "onset": Variable(("trial",), "step at which the trial began (-1: never)"),
    "latency": Variable(("trial",), "steps that the trial took", "steps"),
    "censored": Variable(("trial",), "trial was broken off before its end"),
    "trial_index": Variable(("time",), "trial that the step belongs to"),
    "event": Variable(("time",), "what the step led to"),
    "valid_time": Variable(("time",), "step was played (False: padding)"),
    "position": Variable(("time", "axis"), "position", "blocks"),
    "heading": Variable(("time",), "heading, from x towards y", "degrees"),
    "goal": Variable(("trial", "axis"), "position of the goal", "blocks"),
    "goal_seen": Variable(("time",), "goal was in view"),
    "start": Variable(("trial", "axis"), "position at which the trial begins", "blocks"),
    "wall": Variable(("row", "column"), "texture of a block, from 1 (0: one can walk there)"),
}

BEYOND_PROBABILITY = {  # variables of tasks in which the highest reward probability is not the best choice
    "base_prob": "reward probabilities hang on the choices before",
    "magnitude": "arms pay different magnitudes",
    "risky_arm": "arms pay different magnitudes",
}


def describe(trials: "xr.Dataset") -> "xr.Dataset":
    """Return `trials` with ``long_name`` and ``units`` on every variable of the contract."""
    trials = trials.copy()
    for name in trials.variables:
        if name in VARIABLES:
            trials[name].attrs = VARIABLES[str(name)].attrs() | trials[name].attrs
    return trials
