"""Settings as older versions saved them, read as those of today: the one table of renamings."""

from typing import Any

TASKS = (
    *("DawTwoStep", "DependentBandit", "Foraging", "GymnasiumTask", "Harlow", "IndependentBandit", "InformativeBandit"),
    *("RecordedBandit", "RestlessBandit", "Reversal", "RiskySafe", "TwoStep", "Volatility"),
)
TYPES = {  # version 0.1.0 saved the class's name alone
    "Config": "a2c.Config",
    "Linear": "training.Linear",
    **{name: f"tasks.{name}" for name in TASKS},
}
MOVED = {  # the settings of a run were one flat record in version 0.1.0
    "n_units": "network.n_units",
    "inputs": "network.inputs",
    "learned_start": "network.learned_start",
    "recurrent": "network.recurrent",
    "separate": "network.separate",
    "step_size": "optimizer.step_size",
    "optimizer_decay": "optimizer.decay",
    "optimizer_epsilon": "optimizer.epsilon",
    "max_grad_norm": "optimizer.max_grad_norm",
    "discount": "returns.discount",
    "gae_lambda": "returns.gae_lambda",
    "horizon": "returns.horizon",
    "rpe_gain": "disturbance.gain",
    "rpe_delay": "disturbance.delay",
    "rpe_noise": "disturbance.noise_sd",
}
OPTIMIZERS = {"adam": "training.Adam", "rmsprop": "training.RMSProp"}
_NETWORK = {
    "recurrent": True,
    "separate": False,
    "n_layers": 1,
    "top_units": None,
    "encoder": None,
    "initial": "uniform",
    "value_unit": 1.0,
    "longest_memory": 1.0,
}
UNSAID: dict[str, dict[str, Any]] = {  # how runs were trained that are older than these settings
    "a2c.Config": {"start": "", "curriculum": None},
    "ppo.Config": {"start": "", "curriculum": None},
    "imitation.Config": {
        "start": "",
        "curriculum": None,
        "kl_weight": 1.0,
        "cost_weight": 0.0,
        "told": "",
        "told_weight": 1.0,
    },
    "agents.GRU": _NETWORK,
    "agents.LSTM": _NETWORK,
    "agents.Plastic": {"initial_sd": 1.0},
    "maml.Config": {"n_minibatches": 1, "kl_bound": None, "reptile": False},
    "tasks.HarlowScreen": {"fixation": True},
    "training.Curriculum": {"beside": None},
    "training.Disturbance": {"gain": 1.0, "delay": 0, "noise_sd": 0.0},
    "training.GAE": {"of": "reward"},
    "training.NStep": {"of": "reward"},
}
GONE = {
    "agents.Plastic": {"least_sd": 0.0, "ends_unpaid": False}
}  # settings that are no more, at which they did nothing


def modern(record: Any) -> Any:
    """Return saved settings, plain values, as this version would have saved them.

    Parameters
    ----------
    record : dict, list or plain value
        What `to_json` of any version returned. What is no settings, or damaged, comes back as it is.
    """
    if isinstance(record, list):
        return [modern(each) for each in record]
    if not isinstance(record, dict):
        return record
    record = _wrapped(record)
    if record.get("type", "Config") == "Config" and "network" not in record:
        record = _nested(record)
    kind = record.get("type")
    kind = TYPES.get(kind, kind) if isinstance(kind, str) else kind
    found = {name: modern(value) for name, value in record.items() if name != "type"}
    if isinstance(kind, str):
        gone = GONE.get(kind, {})
        found = {name: x for name, x in found.items() if name not in gone or x != gone[name]}
        found = {**UNSAID.get(kind, {}), **found}
    return ({"type": kind} if "type" in record else {}) | found


def _wrapped(record: dict[str, Any]) -> dict[str, Any]:
    """Settings of a task with a fixation, which was a setting of the task itself in version 0.1.0."""
    kind = str(record.get("type")).removeprefix("tasks.")
    if kind in ("Foraging", "RiskySafe") and isinstance(record.get("fixation"), bool):
        task = {name: value for name, value in record.items() if name != "fixation"}
        return {"type": "tasks.Fixation", "task": task} if record["fixation"] else task
    if kind == "TwoStep" and record.get("form") == "fixation":
        return {"type": "tasks.Fixation", "task": record | {"form": "stages"}}
    return record


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Settings of a run in parts, from those of version 0.1.0; a field of no part stays where it is."""
    plain = flat.get("gae_lambda", 1.0) == 1.0
    optimizer = flat.get("optimizer", "adam")
    parts: dict[str, dict[str, Any]] = {
        "network": {"type": "agents.LSTM"},
        "optimizer": {"type": OPTIMIZERS.get(optimizer, optimizer) if isinstance(optimizer, str) else optimizer},
        "returns": {"type": "training.NStep" if plain else "training.GAE"},
        "disturbance": {"type": "training.Disturbance"},
    }
    unused = {"gae_lambda"} if plain else {"horizon"}
    unused |= {"optimizer_decay"} if optimizer == "adam" else set()
    for name, place in MOVED.items():
        if name in flat and name not in unused:
            part, _, field = place.partition(".")
            parts[part][field] = flat[name]
    kept = {name: value for name, value in flat.items() if name not in MOVED and name != "optimizer"}
    return kept | parts
