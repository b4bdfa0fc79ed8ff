"""Groups of models of many parameters: Laplace's expectation-maximisation, then weighted draws in place of a grid.

Each member's posterior is taken to be normal about its highest point (Huys et al. 2011), which
gives the group's moments, and these the next posteriors. Where posteriors are skewed that is
biased; so the normals begin as proposals only: draws from them, weighted by the exact likelihood
(as by Huys et al. 2011 for the integrated BIC), stand for each member while the best group is found.
The next proposals have the moments of these weighted draws, tempered where few of them count.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from neurometa.fitting.marginal import HIGHEST_SD, LOWEST_SD, WIDE, Group, Nodes, best_group, evidence, moved
from neurometa.fitting.multistart import WORST, Score, Slope, second_differences
from neurometa.fitting.transforms import Link

STEP = 1e-4  # of a first difference, in SDs of the group
CURVE = 1e-2  # of a second one
CLIMB = {"ftol": 1e-7, "gtol": 1e-2, "maxiter": 200}  # to the mode of a posterior
N_FIRST = 64  # draws of the group, of which the best two are climbed from
EM_STEPS = 10
EM_STILL = 0.02  # of an SD: the normal approximation is itself off by more
N_DRAWS = 2048  # a member
N_ROUGH = 512  # the same while the group is far from found,
ROUGH = 0.1  # which it is where it was bettered by more nats a member
WIDER = 1.3  # the group at least, that half of the draws are made for
TAIL = 6.0  # degrees of freedom of the proposals, whose tails must reach beyond the posterior's
ROUNDS = 10  # of new proposals
STILL = 0.1  # of an SD: a group that moves by less with new draws is found,
NO_GAIN = 0.1  # or one that is better than the last by fewer nats (.45 of a standard error)
ENOUGH = 15  # effective draws per parameter, that say something of a covariance
HALVINGS = 8  # of the range of the power that weights are tempered by
NARROWEST = 0.3  # of a link's wide SD, which approximations allow at least: narrower ones would confirm themselves
SHRINK = 0.5  # of the SDs that draws were made for: a group much narrower would rest on the luck of a few of them
ALONE = 0.25  # the same where only one SD shrinks, for its profile
ALIKE = 0.3  # of the posterior SD of a middling member: a group's SD below it cannot be told from none by so few


Progress = Callable[[int, int], None]  # how much is done, and of how much


class Member(NamedTuple):
    """The log-likelihood of one member, and that with its gradient at one point, where it is known."""

    score: Score
    slope: Slope | None


class Normal(NamedTuple):
    """Normal approximation of one posterior: where it is highest, and a root of its covariance, both without bounds."""

    mode: np.ndarray
    root: np.ndarray


def drawn_group(
    scores: Sequence[Score],
    links: dict[str, Link],
    rng: np.random.Generator,
    slopes: Sequence[Slope] | None = None,
    progress: Progress | None = None,
) -> tuple[Nodes, Group, bool]:
    """Find the best group of a model of any number of free parameters.

    While it is far from found, few draws a member are made in each round. Once it no longer moves, only members whose
    draws say too little are drawn for anew. Half of the draws are made for a wider group.

    Parameters
    ----------
    scores : sequence of Score
        The log-likelihood of each member.
    links : dict of str to Link
        Of the free parameters, in order.
    rng : Generator
        Draws the points that the search begins at, and those that stand for each member.
    slopes : sequence of Slope, optional
        The log-likelihood of each member at one point, with its gradient, where that is known.
    progress : callable, optional
        Is told how much is done, of how much.

    Returns
    -------
    nodes : Nodes
        Each member's draws.
    group : Group
        The best.
    settled : bool
        Whether new draws for all members no longer moved it by `STILL`, or bettered it by less than `NO_GAIN` (along a
        flat ridge it goes far for nothing, and in a large group `STILL` is many standard errors), and the draws of
        every member are worth enough.
    """
    limits = np.array([link.limits for link in links.values()])
    uphill: Sequence[Slope | None] = slopes or [None] * len(scores)
    members = [Member(score, slope) for score, slope in zip(scores, uphill, strict=True)]
    tell = progress or (lambda done, total: None)
    group, own = laplace_em(members, links, rng, lambda step: tell(step, EM_STEPS + ROUNDS))
    wider, least = max(WIDER, np.exp(WIDE / np.sqrt(2 * len(scores)))), _least(links)
    from scipy.stats import qmc  # half a second to load, of which other fits have no need

    luck = qmc.Sobol(len(links) + 1, rng=rng).random(N_DRAWS)
    luck = (luck + rng.random((len(scores), 1, len(links) + 1))) % 1.0
    settled, broad, redo, count = False, list(own), np.arange(len(scores)), N_ROUGH
    nodes, width = None, np.empty((len(scores), len(links)))
    for done in range(ROUNDS):
        tell(EM_STEPS + done, EM_STEPS + ROUNDS)
        again = redo.tolist()
        fresh = draws([scores[i] for i in again], [(own[i], broad[i]) for i in again], luck[redo, :count], limits)
        nodes = fresh if nodes is None or len(redo) == len(scores) else _replaced(nodes, fresh, redo)
        width[redo] = [np.sqrt((broad[i].root ** 2).sum(1)) for i in redo]
        alike = ALIKE * np.median(width, axis=0)
        nodes = nodes._replace(least=np.maximum(np.maximum(LOWEST_SD, alike), SHRINK * group.sd))
        old, group = group, best_group(nodes, group, limits)
        few = effective_draws(nodes, group) < ENOUGH * len(links)
        gain = _gain(nodes, old, group)
        still = moved(old, group, least) < STILL or gain < NO_GAIN
        settled = count == N_DRAWS and still and not few.any()
        if settled:
            break
        redo = np.flatnonzero(few) if still and count == N_DRAWS else np.arange(len(scores))
        if gain < ROUGH * len(scores):
            count = N_DRAWS
        toward = group if count == N_ROUGH else _between(old, group, nodes.least)
        broader = Group(toward.mean, np.maximum(toward.sd * wider, least))
        for i, one, other in zip(redo, matched(nodes, toward, redo), matched(nodes, broader, redo), strict=True):
            own[i], broad[i] = one, other
    assert nodes is not None
    return nodes._replace(least=np.maximum(np.maximum(LOWEST_SD, alike), ALONE * group.sd)), group, settled


def _between(old: Group, new: Group, least: np.ndarray) -> Group:
    """Halfway from one group to another: draws for it do not swing from side to side of the best."""
    return Group((old.mean + new.mean) / 2, np.maximum(np.sqrt(old.sd * new.sd), least))


def _gain(nodes: Nodes, old: Group, new: Group) -> float:
    """By how many nats a group is better than another one, SDs being no smaller than the nodes can tell."""
    lifted = Group(old.mean, np.maximum(old.sd, nodes.least))
    return float((evidence(nodes, new)[0] - evidence(nodes, lifted)[0]).sum())


def _replaced(nodes: Nodes, fresh: Nodes, which: np.ndarray) -> Nodes:
    """Put new draws in the place of some members'."""
    nodes.z[:, :, which], nodes.log_weight[:, which] = fresh.z, fresh.log_weight
    return nodes


def laplace_em(
    members: Sequence[Member], links: dict[str, Link], rng: np.random.Generator, tell: Callable[[int], None]
) -> tuple[Group, list[Normal]]:
    """Expectation-maximisation with normal approximations of the posteriors (Huys et al. 2011, supplement).

    SDs are kept from collapsing, which they do where modes lie closer together than posteriors are wide:
    this is where the search for the best group begins, not where it ends.

    Returns
    -------
    group : Group
        Means are the mean modes, variances those of the modes plus the mean posterior variances.
    found : list of Normal
        The approximation of each member.
    """
    limits = np.array([link.limits for link in links.values()])
    group = Group(*np.array([link.centre for link in links.values()]).T)
    found: list[Normal] = []
    for done in range(EM_STEPS):
        tell(done)
        starts = [[one] for one in found]
        if not found:
            tried = group.mean + group.sd * rng.standard_normal((N_FIRST, len(links)))
            tried = np.clip(tried, *limits.T)
            best = [tried[np.argsort(finite(one.score, tried))[-2:]] for one in members]
            starts = [[Normal(mode, np.diag(group.sd)) for mode in (group.mean, *two)] for two in best]
        found = [normal(one, group, start, limits) for one, start in zip(members, starts, strict=True)]
        modes = np.array([one.mode for one in found])
        variance = np.array([(one.root**2).sum(1) for one in found])
        old, mean = group, modes.mean(0)
        sd = np.sqrt((variance + (modes - mean) ** 2).mean(0))
        group = Group(mean, np.clip(sd, _least(links), HIGHEST_SD))
        if moved(old, group, _least(links)) < EM_STILL:
            break
    return group, found


def _least(links: dict[str, Link]) -> np.ndarray:
    return NARROWEST * np.array([link.centre[1] for link in links.values()])


def normal(member: Member, group: Group, starts: Sequence[Normal], limits: np.ndarray) -> Normal:
    """Climb to the highest posterior density from each start, and take its curvature there.

    Steps are measured by the root of the start, in which the posterior is nearly round, so that few are needed. Beyond
    the limits the likelihood stays what it is there. Its part of the curvature is kept from being negative, so that the
    normal is nowhere wider than the group.
    """
    n = len(group.mean)
    slope = member.slope or functools.partial(_by_differences, member.score, STEP * group.sd)

    def loss(z: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log density, and its gradient in SDs of the group."""
        away = (z - group.mean) / group.sd
        inside = np.minimum(np.maximum(z, limits[:, 0]), limits[:, 1])
        value, gradient = slope(inside)
        return 0.5 * away @ away - (value if np.isfinite(value) else WORST), away - group.sd * gradient * (z == inside)

    climbed = []
    for start in starts:
        root = start.root / group.sd[:, None]

        def rounded(v: np.ndarray, start: Normal = start, root: np.ndarray = root) -> tuple[float, np.ndarray]:
            value, gradient = loss(start.mode + start.root @ v)
            return value, gradient @ root

        found = optimize.minimize(rounded, np.zeros(n), jac=True, method="L-BFGS-B", options=CLIMB)
        climbed.append((found.fun, start.mode + start.root @ found.x))
    mode = np.clip(min(climbed, key=lambda each: each[0])[1], *limits.T)
    if member.slope is None:

        def standard(points: np.ndarray) -> np.ndarray:
            return finite(member.score, group.mean + group.sd * points)

        bend = -second_differences(standard, (mode - group.mean) / group.sd, np.arange(n), np.full(n, CURVE))
    else:
        shifts = CURVE * np.diag(group.sd)
        rows = [loss(mode + shift)[1] - loss(mode - shift)[1] for shift in shifts]
        bend = np.array(rows) / (2 * CURVE) - np.eye(n)
        bend = (bend + bend.T) / 2
    size, axes = np.linalg.eigh(bend)
    root = axes / np.sqrt(1 + np.maximum(size, 0.0))
    return Normal(mode, group.sd[:, None] * root)


def _by_differences(score: Score, step: np.ndarray, point: np.ndarray) -> tuple[float, np.ndarray]:
    """A score at one point, and its gradient by differences of these steps."""
    n, shift = len(point), np.diag(step)
    value = finite(score, np.concatenate([point[None], point + shift, point - shift]))
    return value[0], (value[1 : n + 1] - value[n + 1 :]) / (2 * step)


def matched(nodes: Nodes, group: Group, which: np.ndarray) -> list[Normal]:
    """Normals with the means and covariances of weighted draws: a skewed posterior's are not those of its mode.

    Where few draws count, they say little of a covariance. Weights are then raised to that power at which enough of
    them count, which leads from the proposal to the posterior in several rounds (as in annealed importance sampling,
    Neal 2001).
    """
    share = evidence(nodes, group)[1]
    n, result = len(nodes.z), []
    for i in which:
        z, own = nodes.z[:, :, i], _tempered(share[:, i], ENOUGH * n)
        mean = z @ own
        away = z - mean[:, None]
        result.append(Normal(mean, np.linalg.cholesky((away * own) @ away.T + 1e-10 * np.eye(n))))
    return result


def _tempered(share: np.ndarray, enough: float) -> np.ndarray:
    """Weights raised to the highest power up to 1 at which they are worth `enough` draws."""
    if (share**2).sum() <= 1 / enough:
        return share
    log_share, low, high = np.log(np.maximum(share, 1e-300)), 0.0, 1.0
    found = np.full_like(share, 1 / len(share))
    for _ in range(HALVINGS):
        power = (low + high) / 2
        own = np.exp(power * (log_share - log_share.max()))
        own /= own.sum()
        if (own**2).sum() > 1 / enough:
            high = power
        else:
            low, found = power, own
    return found


def draws(
    scores: Sequence[Score], proposals: Sequence[Sequence[Normal]], luck: np.ndarray, limits: np.ndarray
) -> Nodes:
    """Draw from a mixture of Student's t, and weigh every draw by its likelihood over the mixture's density.

    Parameters
    ----------
    scores : sequence of Score
        The log-likelihood of each member.
    proposals : sequence of sequence of Normal
        Of each member: its mixture's components, which share the draws equally.
    luck : float array (member, draw, parameter + 1)
        Uniform in [0, 1).
    limits : float array (parameter, bound)
        Draws beyond count for nothing.
    """
    n = luck.shape[2] - 1
    luck = np.clip(luck, 1e-9, 1 - 1e-9)
    stretch = np.sqrt(TAIL / special.chdtri(TAIL, 1 - luck[..., n:]))
    standard = special.ndtri(luck[..., :n]) * stretch  # (member, draw, parameter)
    constant = special.gammaln((TAIL + n) / 2) - special.gammaln(TAIL / 2) - n / 2 * np.log(TAIL * np.pi)
    z, log_weight = [], []
    for score, mixture, each in zip(scores, proposals, standard, strict=True):
        k = len(mixture)
        parts = np.array_split(each, k)  # runs of the sequence, each even by itself; every k-th point would not be
        point = np.concatenate([one.mode + part @ one.root.T for one, part in zip(mixture, parts, strict=True)])
        density = []
        for one in mixture:
            away = np.linalg.solve(one.root, (point - one.mode).T)
            volume = np.linalg.slogdet(one.root)[1]
            density.append(constant - volume - (TAIL + n) / 2 * np.log1p((away**2).sum(0) / TAIL))
        inside = ((point >= limits[:, 0]) & (point <= limits[:, 1])).all(1)
        proposed = special.logsumexp(density, axis=0) - np.log(k)
        weight = finite(score, np.clip(point, *limits.T)) - proposed - np.log(len(point))
        z.append(point.T)
        log_weight.append(np.where(inside, weight, WORST))
    return Nodes(np.stack(z, axis=-1), np.stack(log_weight, axis=-1), np.zeros((n, len(z))), np.full(n, LOWEST_SD))


def effective_draws(nodes: Nodes, group: Group) -> np.ndarray:
    """How many draws of the posterior itself each member's weighted ones are worth (member,)."""
    return 1 / (evidence(nodes, group)[1] ** 2).sum(0)


def finite(score: Score, points: np.ndarray) -> np.ndarray:
    """Log-likelihood that is a large negative number where it is minus infinity or no number."""
    value = score(points)
    return np.where(np.isfinite(value), value, WORST)
