"""The group: what fit and fit-rw do with --hierarchical: fit a group, save it, and say what came out."""

from pathlib import Path
from typing import Any

from neurometa.cli.fits import noted, start_of
from neurometa.cli.printing import bar, interval, number, say, say_json, table
from neurometa.cli.saving import save_fit
from neurometa.errors import InputError


def fit_group(
    kind: Any,
    data: Any,
    trials: Path,
    name: str,
    *,
    group: str | None,
    pool: list[str] | None,
    start: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    as_json: bool,
) -> None:
    """Fit a group, write it beside the trials, and print means with intervals, SDs and the integrated BIC."""
    from neurometa import behaviour

    members = group or _members(data)
    dims = [str(dim) for dim in data.choice.dims] if "choice" in data else []
    pooled = pool if pool is not None else [dim for dim in dims if dim not in ("trial", "agent", members)]
    if members not in dims and members in data.coords:
        pooled = [dim for dim in pooled if dim not in data[members].dims]  # `fit` pools it by itself
    with noted(), bar("fitting the group", 100, "%", quiet=as_json) as show:
        fitted = behaviour.fit(
            kind,
            data,
            group=members,
            pool=tuple(pooled),
            start=start_of(start),
            seed=seed,
            progress=lambda done, total: show(100 * done // total, ""),
        )
    file = save_fit(fitted, data, trials, name, overwrite=overwrite)
    cells = [dim for dim in fitted.log_marginal_likelihood.dims]
    groups = fitted.stack(cell=cells, create_index=False) if cells else fitted.expand_dims("cell")
    record: dict[str, Any] = {"file": str(file), "model": kind.__name__, "group": members, "method": fitted.method}
    record["groups"] = [_told(groups.isel(cell=i)) for i in range(groups.sizes["cell"])]
    if as_json:
        say_json(record)
        return
    for i, one in enumerate(record["groups"]):
        which = f", group {i + 1} of {len(record['groups'])}" if cells else ""
        rows = [
            [
                parameter,
                number(x["median"]),
                interval(*x["median_interval"]),
                number(x["sd"]),
                interval(*x["sd_interval"]),
            ]
            for parameter, x in one["parameters"].items()
        ]
        heads = ["parameter", "median", "95 % interval", "SD", "95 % interval"]
        table(heads, rows, f"{kind.__name__}, {one['n_members']} members along {members}{which}")
        line = f"Log marginal likelihood {one['log_marginal_likelihood']:.2f} nats"
        say(f"{line}, integrated BIC {one['integrated_bic']:.2f}, {one['n_trials']} choices.")
        if one["reason"]:
            say(f"Note: {one['reason']}.")
        if not one["converged"]:
            say("Finer integration still moved this group: trust its intervals less.")
    links = ", ".join(f"the {x['link']} of {name}" for name, x in record["groups"][0]["parameters"].items())
    say(f"SDs over members are those of {links}. Everything is in {file}.".replace("the identity of ", ""))


def _members(data: Any) -> str:
    """The dim or coordinate of the members, if none is named."""
    if "subject" in data.dims or ("subject" in data.coords and len(set(data.subject.values.tolist())) > 1):
        return "subject"
    if "episode" in data.dims:
        return "episode"
    raise InputError("The trials have neither 'subject' nor 'episode'; say with --group whose members share a group.")


def _told(one: Any) -> dict[str, Any]:
    """Numbers of one group by name."""
    found = {
        str(name): {
            "link": str(one.link.sel(parameter=name).item()),
            "median": float(one.group_median.sel(parameter=name)),
            "median_interval": one.group_median_interval.sel(parameter=name).values.tolist(),
            "mean": float(one.group_mean.sel(parameter=name)),
            "mean_interval": one.group_mean_interval.sel(parameter=name).values.tolist(),
            "sd": float(one.group_sd.sel(parameter=name)),
            "sd_interval": one.group_sd_interval.sel(parameter=name).values.tolist(),
        }
        for name in one.parameter.values
    }
    return {
        "parameters": found,
        "log_marginal_likelihood": float(one.log_marginal_likelihood),
        "integrated_bic": float(one.integrated_bic),
        "n_members": int(one.n_members),
        "n_trials": int(one.n_trials.sum()),
        "converged": bool(one.converged),
        "reason": str(one.reason.item()),
    }
