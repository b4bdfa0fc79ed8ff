"""Where the profile likelihood drops below a line, by walks outwards from the optimum."""

import numpy as np

from neurometa.fitting.scan import Nodes, Optimum, Problem, maximise, polish
from neurometa.fitting.sensitivity import Surface

N_STEPS = 30
EXACT = 1e-7  # roots of nats: how far the root of the drop may be from that of the line
NARROW = 1e-9  # of the way to the bound: there the profile jumps
HIGHER = 1e-5  # nats above the line: another ridge goes on where the walk ended
FIRST = 0.1  # of the way to the bound, where the optimum has no parabola


def walked(problem: Problem, optimum: Optimum, parameter: int, drop: float, surface: Surface) -> np.ndarray:
    """Lowest and highest value of a parameter at which the profile likelihood is above the line, if it has one peak.

    What lies above the line is then in one piece. The walk climbs in the other parameters at each step, from where
    the step before it ended, led on by the Hessian; so it stays on one ridge. If the piece reached further on another
    ridge, it would do so through some place beside the end that is above the line, for which all rates are scanned.

    Parameters
    ----------
    problem, optimum, surface
        As given to and by `maximise`.
    parameter : int
        Whose profile.
    drop : float
        From the maximum down to the line, in nats.

    Returns
    -------
    float array (bound, column)
        A bound of the parameter where the profile is above the line all the way; NaN where the walk failed.
    """
    both = np.tile(np.arange(optimum.value.size), 2)
    begin, top = optimum.parameters[parameter, both], optimum.value[both]
    bound = np.concatenate([problem.lower, problem.upper], axis=1)[parameter]
    reach, line = bound - begin, np.sqrt(drop)
    place, hessian = optimum.parameters[:, both], optimum.hessian[..., both]
    inside, outside = np.zeros(both.size), np.full(both.size, np.inf)
    fraction = _first(problem, optimum, parameter, drop, reach.reshape(2, -1)).ravel()
    ends, active = np.where(reach == 0, bound, np.nan), np.flatnonzero(reach)
    for _ in range(N_STEPS):
        if not active.size:
            break
        now, columns = fraction[active], both[active]
        held = problem.take(columns).hold(
            parameter, np.where(now == 1, bound[active], begin[active] + now * reach[active])
        )
        led = _led(place[:, active], hessian[..., active], parameter, held)
        here = polish(held, Nodes(led, np.arange(active.size)), surface.of(columns))
        place[:, active], hessian[..., active] = here.place, here.hessian
        root = np.sqrt(np.maximum(top[active] - here.value, 0.0))
        within = root <= line
        inside[active], outside[active] = np.where(within, now, inside[active]), np.where(within, outside[active], now)
        done = (within & (now == 1)) | (np.abs(root - line) < EXACT) | (outside[active] - inside[active] < NARROW)
        ends[active[done]] = here.place[parameter, done]
        slope = (
            -here.gradient[parameter] * reach[active] / (2 * np.maximum(root, 1e-12))
        )  # of the root, by the fraction
        fraction[active] = _next(now, root - line, slope, inside[active], outside[active])
        active = active[~done]
    if problem.free.sum() > (parameter < problem.n_rates):
        _check(problem, surface, parameter, ends, bound, top - drop)
    return ends.reshape(2, -1)


def _next(
    fraction: np.ndarray, away: np.ndarray, slope: np.ndarray, inside: np.ndarray, outside: np.ndarray
) -> np.ndarray:
    """Newton's step to where the root of the drop is that of the line, or else the middle of the bracket."""
    step = np.minimum(fraction - away / np.where(slope > 0, slope, np.nan), 1.0)
    sound = (step > inside) & (step < outside)  # False where it is NaN
    return np.where(sound, step, (inside + np.minimum(outside, 1.0)) / 2)


def _check(
    problem: Problem, surface: Surface, parameter: int, ends: np.ndarray, bound: np.ndarray, line: np.ndarray
) -> None:
    """Take back ends (end,) beside which another ridge goes on above the line."""
    some = np.flatnonzero((ends != bound) & ~np.isnan(ends))
    columns = some % problem.lower.shape[1]
    if some.size:
        highest = maximise(problem.take(columns).hold(parameter, ends[some]), surface.of(columns)).value
        ends[some[highest > line[some] + HIGHER]] = np.nan


def _first(problem: Problem, optimum: Optimum, parameter: int, drop: float, reach: np.ndarray) -> np.ndarray:
    """The fraction of the reach (end, column) at which the parabola of the profile has dropped."""
    moved = _response(optimum.parameters, optimum.hessian, parameter, problem)
    slope = np.minimum(optimum.gradient[parameter] * reach, 0.0)
    bend = (optimum.hessian[parameter] * moved).sum(0) * reach**2
    inner = slope**2 - 2 * drop * np.minimum(bend, 0.0)
    fraction = 2 * drop / np.maximum(-slope + np.sqrt(inner), 1e-300)
    return np.where(inner > 0, np.clip(fraction, NARROW, 1.0), FIRST)


def _led(place: np.ndarray, hessian: np.ndarray, parameter: int, held: Problem) -> np.ndarray:
    """Where the best other parameters should be once a parameter is held elsewhere (parameter, column)."""
    moved = _response(place, hessian, parameter, held) * (held.lower[parameter] - place[parameter])
    return np.clip(place + moved, held.lower, held.upper)


def _response(place: np.ndarray, hessian: np.ndarray, parameter: int, problem: Problem) -> np.ndarray:
    """How fast the best other parameters move with one of them (parameter, column): not if on a bound."""
    stays = (place <= problem.lower) | (place >= problem.upper)
    stays[parameter] = True
    bend = np.where((stays | stays[:, None]).transpose(2, 0, 1), 0.0, -hessian.transpose(2, 0, 1))
    bend = bend + np.eye(len(place)) * stays.T[:, None]
    sound = np.linalg.eigvalsh(bend)[:, 0] > 0
    pull = np.where(stays, 0.0, hessian[parameter]).T
    moved = np.linalg.solve(np.where(sound[:, None, None], bend, np.eye(len(place))), pull[..., None])[..., 0].T
    moved = np.where(sound, moved, 0.0)
    moved[parameter] = 1.0
    return moved
