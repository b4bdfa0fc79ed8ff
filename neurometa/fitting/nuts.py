"""The full posterior of a group and its members by the no-U-turn sampler; it needs the extra ``bayes`` (numpyro)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurometa.errors import InputError
from neurometa.fitting.choice_rule import log_policy
from neurometa.fitting.fit import check_bounds
from neurometa.fitting.latents import check_pool, playable, with_coords
from neurometa.fitting.likelihood import Choices
from neurometa.fitting.members import by_member
from neurometa.fitting.scanned import columns
from neurometa.fitting.transforms import Link, links
from neurometa.models import Equations, Model

HYPER_SD = {"logit": 1.5, "log": 1.5, "identity": 5.0}  # of the group's mean about the middle, and of its SD about 0


def sample_group(
    model: type[Equations],
    trials: xr.Dataset,
    *,
    group: str,
    pool: str | Sequence[str] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    n_chains: int = 2,
    n_tune: int = 500,
    n_draws: int = 500,
    seed: int = 0,
) -> xr.Dataset:
    r"""Draw from the posterior of the model that ``behaviour.fit(..., group=...)`` fits by empirical Bayes.

    Members are normal over the group without bounds, as there; the group has weak priors of its own:
    means normal about the middle (log-odds 0, logarithm 1, weight 0) with SD 1.5 (5 for signed weights), SDs
    half-normal with the same. The sampler is numpyro's NUTS (Hoffman & Gelman 2014) on members'
    standardised distances from the mean.

    Parameters
    ----------
    model : Model class
        A model of `models.MODELS`, or another `Model`.
    trials, pool, bounds
        As for `fit`.
    group : str
        As for `fit`; no other dims may be left.
    n_chains, n_tune, n_draws : int
        Chains, and how many steps of each are to tune the sampler and then to be kept.
    seed : int
        Fixes every number.

    Returns
    -------
    Dataset
        Over ``chain`` and ``draw``: each parameter over `group` too, in its own units, and
        ``group_mean`` and ``group_sd`` over ``parameter``, without bounds. ``<name>_r_hat`` (split, near 1
        where the chains agree) and ``<name>_ess`` (effective draws) of each of them, over its other dims;
        ``n_divergent``: how many steps failed.

    Raises
    ------
    InputError
        numpyro is not installed; dims are left; or as `fit`.
    """
    try:
        import numpyro  # noqa: F401 - used further down, where it is known to be there
    except ImportError as error:
        raise InputError("Sampling needs numpyro; install it with: pip install 'neurometa[bayes]'") from error
    if not (isinstance(model, type) and issubclass(model, Model)):
        raise InputError(f"model is {model!r}; only a Model among arms can be sampled, e.g. RescorlaWagner.")
    for name, n in (("n_chains", n_chains), ("n_tune", n_tune), ("n_draws", n_draws)):
        if isinstance(n, bool) or n < (4 if name == "n_draws" else 1):
            raise InputError(f"{name} is {n}; it must be {4 if name == 'n_draws' else 1} or more.")
    lower, upper = check_bounds(model, bounds or {})
    linked = links(model, lower, upper)
    members, pool = by_member(model, trials, group, (pool,) if isinstance(pool, str) else tuple(pool))
    pool = check_pool(members.choice, pool)
    played = playable(model, members)[0]
    if left := [dim for dim in played.choice.dims if dim not in ("trial", group, *pool)]:
        raise InputError(f"The choices span {left}, too; pool over these dims, or select one group.")
    every = columns(model, played, [group], pool)
    some = np.flatnonzero(every.n_scored)
    if some.size < 2:
        raise InputError(f"{some.size} members along {group!r} made a choice; a group needs two at least.")
    drawn, failed = _run(model, every.take(some), linked, lower, (n_chains, n_tune, n_draws), seed)
    result = xr.Dataset()
    for name in model.parameters():
        whole = np.full((n_chains, n_draws, played.sizes[group]), np.nan)
        whole[..., some] = drawn[name] if name in linked else lower[name]
        result[name] = (("chain", "draw", group), whole, {"long_name": name.replace("_", " ")})
    for kind, text in (("group_mean", "mean"), ("group_sd", "SD")):
        both = np.stack([drawn[f"{name}_{kind}"] for name in linked], axis=-1)
        result[kind] = (("chain", "draw", "parameter"), both, {"long_name": f"{text} of the group, without bounds"})
    result = result.merge(_diagnostics(result[[*linked, "group_mean", "group_sd"]]))
    result["n_divergent"] = ((), failed, {"long_name": "steps that failed"})
    result = result.assign_coords(
        parameter=np.array(list(linked), dtype=object),
        link=("parameter", np.array([link.kind for link in linked.values()], dtype=object)),
    )
    return with_coords(result, members.drop_dims("trial")).assign_attrs(
        model=model.__name__, group=group, seed=seed, n_tune=n_tune, start=model.written_start()
    )


def _run(
    model: type[Model],
    choices: Choices,
    linked: Mapping[str, Link],
    held: Mapping[str, float],
    lengths: tuple[int, int, int],
    seed: int,
) -> tuple[dict[str, np.ndarray], int]:
    """Draws (chain, draw, ...) of the group and of its members, by name, and how many steps failed.

    `choices` has a column for each member of the group; `lengths` are the numbers of chains, of steps to tune, and of
    draws.
    """
    import jax
    import numpyro

    n_chains, n_tune, n_draws = lengths
    with jax.enable_x64(True):
        density = _log_likelihood(model, choices, linked, held)

        def group_model() -> None:
            z = []
            for name, link in linked.items():
                middle, width = link.centre[0], HYPER_SD[link.kind]
                mean = numpyro.sample(f"{name}_group_mean", numpyro.distributions.Normal(middle, width))
                sd = numpyro.sample(f"{name}_group_sd", numpyro.distributions.HalfNormal(width))
                away = numpyro.distributions.Normal(0.0, 1.0).expand([choices.choice.shape[1]]).to_event(1)
                z.append(mean + sd * numpyro.sample(f"{name}_away", away))
                numpyro.deterministic(name, link.natural(z[-1], jax.numpy.exp))
            numpyro.factor("choices", density(z))

        sampler = numpyro.infer.MCMC(
            numpyro.infer.NUTS(group_model),
            num_warmup=n_tune,
            num_samples=n_draws,
            num_chains=n_chains,
            chain_method="sequential",
            progress_bar=False,
        )
        sampler.run(jax.random.PRNGKey(seed), extra_fields=("diverging",))
        drawn = {name: np.asarray(each) for name, each in sampler.get_samples(group_by_chain=True).items()}
        return drawn, int(np.asarray(sampler.get_extra_fields()["diverging"]).sum())


def _diagnostics(drawn: xr.Dataset) -> xr.Dataset:
    """Whether chains agree, and what their draws are worth: R-hat and effective draws of each variable."""
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    result = xr.Dataset()
    for name, each in drawn.items():
        dims = each.dims[2:]
        with np.errstate(invalid="ignore"):
            worth = np.asarray(effective_sample_size(each.values))
            result[f"{name}_r_hat"] = (dims, np.asarray(split_gelman_rubin(each.values)), {"long_name": "split R-hat"})
            result[f"{name}_ess"] = (dims, worth, {"long_name": "effective draws"})
    return result


def _log_likelihood(
    model: type[Model],
    choices: Choices,
    linked: Mapping[str, Link],
    held: Mapping[str, float],
) -> Callable[[list[Any]], Any]:
    """Log-likelihood of choices, a column for each member, as a function of the free parameters without bounds."""
    import jax
    from jax import numpy as jnp

    names = list(linked)
    choice = choices.choice
    made = jnp.asarray(choice >= 0)
    chosen = jnp.asarray(np.eye(choices.n_options)[np.maximum(choice, 0)] * (choice >= 0)[..., None])
    earned = jnp.asarray(choices.reward)[..., None]
    arms = choices.n_options if choices.arms is None else choices.arms[..., None]
    there = jnp.asarray(np.arange(choices.n_options) < arms)

    def log_likelihood(z: list[Any]) -> Any:
        def value(name: str) -> Any:
            x = linked[name].natural(z[names.index(name)], jnp.exp) if name in linked else held[name]
            return jnp.broadcast_to(x, choice.shape[1:2])[:, None, None]

        acting = model(*(value(name) for name in model.parameters()))

        def trial(features: tuple, now: tuple) -> tuple[tuple, Any]:
            played, picked, paid = now
            logits = jnp.where(there, jnp.broadcast_to(acting.logits(features), picked.shape), -jnp.inf)
            log_prob = log_policy(model, logits, jax.nn.log_softmax, jax.scipy.special.log_ndtr)
            scored = jnp.where(picked > 0, log_prob, 0.0).sum()
            learned = acting.update(features, picked, paid)
            kept = tuple(
                jnp.where(played[..., None], jnp.broadcast_to(new, old.shape), old)
                for new, old in zip(learned, features, strict=True)
            )
            return kept, scored

        start = acting.begin(jnp.zeros(chosen.shape[1:]))
        return jax.lax.scan(trial, start, (made, chosen, earned))[1].sum()

    return log_likelihood
