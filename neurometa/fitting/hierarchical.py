"""Members of a group fitted together: the group's mean and spread, and each member's estimate in their light."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from neurometa.errors import InputError
from neurometa.fitting.group_intervals import drops, intervals
from neurometa.fitting.importance import Progress, effective_draws
from neurometa.fitting.latents import with_coords
from neurometa.fitting.marginal import Group, Nodes, evidence
from neurometa.fitting.members import at_draws, free_and_held, on_grids
from neurometa.fitting.quadrature import N_NODES
from neurometa.fitting.transforms import Link, links
from neurometa.models import Equations, Model

NEARLY_ALL = 0.9  # of the range without bounds, over which an interval says that nothing is known
NO_BETTER = 2.0  # nats above chance that a group must explain for anything to be learned from it
OF_GROUP = (  # what is said of a group by parameter
    *("group_mean", "group_sd", "group_median", "natural_mean", "natural_sd"),
    *("group_mean_interval", "group_sd_interval", "group_median_interval"),
)
HERMITE = np.polynomial.hermite_e.hermegauss(61)  # for means over a normal group


def fit_group(
    model: type[Equations],
    trials: xr.Dataset,
    group: str,
    pool: Sequence[str],
    lower: Mapping[str, float],
    upper: Mapping[str, float],
    *,
    level: float = 0.95,
    n_draws: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> xr.Dataset:
    r"""Fit a model to all members of a group by empirical Bayes; the door is ``behaviour.fit(..., group=...)``.

    Parameters without bounds (log-odds of rates, logarithms of slopes, signed weights as they
    are) are independently normal over the group. Its means :math:`\mu` and SDs :math:`\sigma`
    make all choices most probable,

    .. math:: \prod_i \int p(\text{choices}_i \mid z)\, N(z; \mu, \sigma^2)\, dz

    and each member's estimate is the mean of its posterior under them. Up to three free parameters of a
    `Model` are integrated over an exact grid; else by weighted draws about Laplace's
    approximation (Huys et al. 2011; Piray et al. 2019).

    Parameters
    ----------
    model : Model or TwoStepModel class
        What is fitted.
    trials : Dataset
        As for `fit`; `group` is one of its dims.
    group : str
        The dim whose members share the distribution.
    pool : sequence of str
        Dims whose members share one set of parameters. Each combination of the dims that are
        left has a group of its own.
    lower, upper : mapping of str to float
        Bounds of each parameter, beyond which the likelihood counts as 0; equal ones hold it.
    level : float
        Of the intervals, in (0, 1).
    n_draws : int
        Draws of each member's posterior to return.
    seed : int
        Fixes the draws.
    progress : callable, optional
        Is told how much of the search is done, and of how much, again for each group; grids are too fast to tell.

    Returns
    -------
    Dataset
        Over `group` and the dims that are left:

        - each parameter: the posterior mean, in its own units; NaN where no trial was scored,
          and ``<parameter>_sd``, the posterior SD;
        - ``<parameter>_draw`` over ``draw``, if asked for: joint draws, correlations kept;
        - ``log_evidence`` (nats): log marginal likelihood of the member's choices, and ``n_trials``.

        Over ``parameter`` (free ones; its coordinate ``link`` says how it is written without
        bounds) and the dims that are left:

        - ``group_mean`` and ``group_sd``, without bounds, with ``_interval`` over ``bound``: where
          the profile of the marginal likelihood has dropped by what Student's t and chi-square ask in a
          group of that size (`neurometa.fitting.group_intervals`). Where an SD may be as small as the
          integration can tell, its interval begins at 0;
        - ``group_median`` and its interval: the mean in the parameter's own units;
        - ``natural_mean`` and ``natural_sd``: of the parameter itself over such a group.

        Over the dims that are left: ``log_marginal_likelihood`` (nats), ``n_members``,
        ``integrated_bic`` (minus twice the former, plus the logarithm of the number of choices
        for each mean and SD; Huys et al. 2011), ``converged``: whether finer integration no
        longer moved the group, and ``reason``: what the choices leave open, an empty text if nothing.

    Raises
    ------
    InputError
        The trials break the contract or the model does not allow them, there are fewer than two
        members with choices, nothing is free, or an argument is wrong.
    """
    if isinstance(n_draws, bool) or n_draws < 0:
        raise InputError(f"n_draws is {n_draws}; it must be 0 or more.")
    if group in pool:
        raise InputError(f"group and pool both name {group!r}; members of a group have parameters of their own.")
    gridded = issubclass(model, Model) and 0 < len(links(model, lower, upper)) <= max(N_NODES)
    if gridded:
        assert issubclass(model, Model)
        members = on_grids(model, trials, group, pool)
    else:
        members = at_draws(model, trials, group, pool, lower, upper)
    dims, sizes, absent = members.dims, members.sizes, members.absent
    reserved = {"bound", "parameter", "draw", "link", *model.parameters()}
    if clash := sorted(reserved & {group, *dims}):
        raise InputError(f"The choices span a dim {clash[0]!r}, a name that the result needs; rename that dim.")
    linked, held = free_and_held(model, lower, upper, absent)
    cells = []
    with threadpool_limits(1):
        for cell, n_trials in enumerate(members.n_scored):
            some = np.flatnonzero(n_trials > 0)
            if some.size < 2:
                where = f" of cell {dict(zip(dims, np.unravel_index(cell, sizes), strict=True))}" if dims else ""
                raise InputError(
                    f"{some.size} of the {n_trials.size} members along {group!r}{where} made a choice; a group needs "
                    "two at least: fit one alone without group."
                )
            rng = np.random.default_rng([seed, cell])
            nodes, best, settled = members.search(cell, some, linked, held, rng, progress)
            found = _summary(nodes, best, linked, level, n_draws, rng)
            whole: dict[str, Any] = _whole(nodes, best, n_trials)
            chance = float(members.chance[cell].sum())
            whole |= {"converged": settled, "reason": _reason(found, linked, whole["log_marginal_likelihood"], chance)}
            cells.append(_spread(found, some, n_trials.size) | whole)
    result = _assemble(cells, linked, held, absent, model, group, dims, sizes, members.n_scored)
    result = with_coords(result, trials.drop_dims("trial"))
    return _describe(result, model, linked, held, level).assign_attrs(
        model=model.__name__,
        group=group,
        n_parameters=2 * len(linked),
        method="exact grid" if gridded else "weighted draws about Laplace",
        seed=seed,
        **({"start": model.written_start()} if issubclass(model, Model) else {}),
        **({"pool": ", ".join(map(str, pool))} if pool else {}),
    )


def _summary(
    nodes: Nodes, group: Group, linked: Mapping[str, Link], level: float, n_draws: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """What is said of each member, arrays (..., member), and of the group, (parameter, ...)."""
    log_evidence, share = evidence(nodes, group)
    found = {"log_evidence": log_evidence}
    for k, (name, link) in enumerate(linked.items()):
        x = link.natural(nodes.z[k])
        mean = (x * share).sum(0)
        found |= {name: mean, f"{name}_sd": np.sqrt(((x - mean) ** 2 * share).sum(0))}
    if n_draws:
        up_to, luck = share.cumsum(0), rng.random((n_draws, share.shape[1]))
        picked = np.array([np.searchsorted(up_to[:, i] / up_to[-1, i], luck[:, i]) for i in range(share.shape[1])]).T
        for k, (name, link) in enumerate(linked.items()):
            within = (rng.random(picked.shape) - 0.5) * nodes.spacing[k]  # anywhere in the cell of the grid
            z = np.take_along_axis(nodes.z[k], picked, axis=0) + within
            found[f"{name}_draw"] = link.natural(np.clip(z, *link.limits))
    limits = np.array([link.limits for link in linked.values()])
    mean_ends, sd_ends = intervals(nodes, group, limits, drops(nodes.log_weight.shape[1], level))
    at, weight = HERMITE
    over = [link.natural(group.mean[k] + group.sd[k] * at) for k, link in enumerate(linked.values())]
    natural = np.array([x @ weight / weight.sum() for x in over])
    return found | {
        "group_mean": group.mean,
        "group_mean_interval": mean_ends,
        "group_sd": group.sd,
        "group_sd_interval": sd_ends,
        "group_median": np.array([link.natural(m) for link, m in zip(linked.values(), group.mean, strict=True)]),
        "group_median_interval": np.array(
            [link.natural(m) for link, m in zip(linked.values(), mean_ends, strict=True)]
        ),
        "natural_mean": natural,
        "natural_sd": np.sqrt([(x - m) ** 2 @ weight / weight.sum() for x, m in zip(over, natural, strict=True)]),
    }


def _reason(found: Mapping[str, np.ndarray], linked: Mapping[str, Link], total: float, chance: float) -> str:
    """One line on what the choices leave open, empty if nothing."""
    parts, ends = [], zip(linked.items(), found["group_mean_interval"], strict=True)
    span = {name: (high - low) / (link.limits[1] - link.limits[0]) for (name, link), (low, high) in ends}
    if wide := [name for name, share in span.items() if share > NEARLY_ALL]:
        parts.append(f"the choices do not tell {', '.join(wide)}, whose interval reaches over (nearly) all values")
    if total - chance < NO_BETTER:
        both = f"log marginal likelihood {total:.2f}, chance {chance:.2f} nats"
        parts.append(f"the choices are explained hardly better than by chance ({both})")
    if alike := [name for name, (low, _) in zip(linked, found["group_sd_interval"], strict=True) if low == 0]:
        parts.append(
            f"the SD of {', '.join(alike)} may be 0, so that members' estimates lie closer together than they may be"
        )
    return "; ".join(parts)


def _spread(found: Mapping[str, np.ndarray], some: np.ndarray, n_members: int) -> dict[str, Any]:
    """Give arrays over the members that were fitted their place among all, NaN elsewhere."""
    result: dict[str, Any] = {}
    for name, each in found.items():
        if name in OF_GROUP:
            result[name] = each
        else:
            result[name] = np.full((*each.shape[:-1], n_members), np.nan)
            result[name][..., some] = each
    return result


def _whole(nodes: Nodes, group: Group, n_trials: np.ndarray) -> dict[str, float]:
    """What is said of all members together."""
    total = float(evidence(nodes, group)[0].sum())
    penalty = 2 * len(group.mean) * np.log(n_trials.sum())
    drawn = not nodes.spacing.any()
    return {
        "log_marginal_likelihood": total,
        "integrated_bic": -2 * total + penalty,
        "n_members": int((n_trials > 0).sum()),
        **({"fewest_draws": float(effective_draws(nodes, group).min())} if drawn else {}),
    }


def _assemble(
    cells: list[dict[str, Any]],
    linked: Mapping[str, Link],
    held: Mapping[str, float],
    absent: Sequence[str],
    model: type[Equations],
    group: str,
    dims: Sequence[str],
    sizes: Sequence[int],
    n_scored: np.ndarray,
) -> xr.Dataset:
    """One dataset of all cells; held parameters are the same everywhere."""
    result = xr.Dataset()
    for name in cells[0]:
        stacked = np.stack([np.asarray(cell[name]) for cell in cells])
        stacked = stacked.reshape((*sizes, *stacked.shape[1:]))
        if name in OF_GROUP:
            own = ["parameter", "bound"] if name.endswith("_interval") else ["parameter"]
        elif name in ("log_marginal_likelihood", "integrated_bic", "n_members", "converged", "fewest_draws", "reason"):
            own = []
        else:
            own = ["draw", group] if name.endswith("_draw") else [group]
        result[name] = ([*dims, *own], stacked)
    result["n_trials"] = ([*dims, group], n_scored.reshape((*sizes, -1)))
    for name, value in held.items():
        result[name] = xr.full_like(result.log_evidence, np.nan if name in absent else value)
    front = [*model.parameters(), *(f"{name}_sd" for name in linked)]
    result = result[[*front, *(str(name) for name in result.data_vars if name not in front)]]
    text = {"parameter": list(linked), "link": [link.kind for link in linked.values()]}
    return result.assign_coords(
        parameter=np.array(text["parameter"], dtype=object),
        link=("parameter", np.array(text["link"], dtype=object)),
        bound=np.array(["lower", "upper"], dtype=object),
    ).transpose(..., "draw", missing_dims="ignore")


def _describe(
    result: xr.Dataset, model: type[Equations], linked: Mapping[str, Link], held: Mapping[str, float], level: float
) -> xr.Dataset:
    """Say what every variable is."""
    for name in model.parameters():
        text = name.replace("_", " ")
        low, high = (linked[name].lower, linked[name].upper) if name in linked else (held[name], held[name])
        result[name].attrs = {"long_name": text, "lowest": low, "highest": high}
        if name in linked:
            result[f"{name}_sd"].attrs = {"long_name": f"posterior SD of the {text}"}
            if f"{name}_draw" in result:
                result[f"{name}_draw"].attrs = {"long_name": f"posterior draw of the {text}"}
    told = {
        "group_mean": "mean of the group, without bounds",
        "group_sd": "SD of the group, without bounds",
        "group_median": "median of the group",
        "natural_mean": "mean of the parameter over the group",
        "natural_sd": "SD of the parameter over the group",
        "log_evidence": "log marginal likelihood of the member",
        "log_marginal_likelihood": "log marginal likelihood of the group",
        "integrated_bic": "integrated BIC",
        "n_members": "members with choices",
        "n_trials": "scored trials",
        "converged": "the group no longer moved",
        "reason": "what the choices leave open",
        "fewest_draws": "effective draws of the member with the fewest",
    }
    for name, text in told.items():
        if name in result:
            units = {"units": "nats"} if name.startswith(("log_", "integrated")) else {}
            result[name].attrs = {"long_name": text, **units}
            if f"{name}_interval" in result:
                kind = {"long_name": f"profile interval of the {text}", "level": level}
                result[f"{name}_interval"].attrs = kind
    return result
