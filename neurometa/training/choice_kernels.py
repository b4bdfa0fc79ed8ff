"""Compiled arithmetic of small GRUs that predict choices, and their exact gradients.

Arrays are (trial, unit, sequence): the innermost loops go over sequences and vectorise, so that a network of one unit
costs little more per trial than its tanh. All sequences begin with a choice; the longest come first, and `n_active`
says how many are left at each trial. The gates are in torch's order: reset, update, candidate.
"""

import math

import numba
import numpy as np

from neurometa.training.kernels import tanh

_compile = numba.njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy", nogil=True, cache=True)


@_compile
def forward(sequences, weights, filled):
    """Predict every choice, and take it in.

    Parameters
    ----------
    sequences : tuple
        Of ``choice`` (trial, sequence), the option chosen; ``reward`` (trial, sequence), what it paid; ``who``
        (sequence,), the row of ``own`` of each; and ``n_active`` (trial,), how many sequences have such a trial.
    weights : tuple
        Of ``enter`` and ``paid`` (3 unit, option), what a choice, and its reward, give to each gate; ``own``
        (subject, 3 unit), what each subject's embedding gives to them; ``recurrent`` (3 unit, unit); ``bias`` (unit,)
        of the candidate's recurrent part, within the reset gate; ``head`` (option, unit + 1), the policy's weights,
        its bias last; and ``start`` (unit,), the state before the first trial.
    filled : tuple
        Of ``hidden`` (trial + 1, unit, sequence), the state before each trial; ``gates`` (trial, 3 unit, sequence);
        ``inner`` (trial, unit, sequence), the candidate's recurrent part; and ``log_p`` (trial, option, sequence), the
        log-probability of each option.
    """
    choice, reward, who, n_active = sequences
    enter, paid, own, recurrent, bias, head, start = weights
    hidden, gates, inner, log_p = filled
    n_units = len(start)
    for u in range(n_units):
        hidden[0, u, :] = start[u]
    for t in range(len(choice)):
        n = n_active[t]
        before, after, gate, within = hidden[t], hidden[t + 1], gates[t], inner[t]
        policy(before, head, n, log_p[t])
        for g in range(3 * n_units):
            row = gate[g]
            for s in range(n):
                c = choice[t, s]
                row[s] = enter[g, c] + reward[t, s] * paid[g, c] + own[who[s], g]
        for u in range(n_units):
            row = within[u]
            row[:n] = bias[u]
            for k in range(n_units):
                weight, old = recurrent[2 * n_units + u, k], before[k]
                for s in range(n):
                    row[s] += weight * old[s]
        for g in range(2 * n_units):
            row = gate[g]
            for k in range(n_units):
                weight, old = recurrent[g, k], before[k]
                for s in range(n):
                    row[s] += weight * old[s]
            for s in range(n):
                row[s] = np.float32(0.5) + np.float32(0.5) * tanh(np.float32(0.5) * row[s])
        for u in range(n_units):
            reset, update, candidate = gate[u], gate[n_units + u], gate[2 * n_units + u]
            row, old, new = within[u], before[u], after[u]
            for s in range(n):
                candidate[s] = tanh(candidate[s] + reset[s] * row[s])
            for s in range(n):
                new[s] = candidate[s] + update[s] * (old[s] - candidate[s])


@_compile
def policy(before, head, n, log_p):
    """Fill in the log-probability of each option (option, sequence) at a state (unit, sequence)."""
    n_units, n_options = len(before), len(head)
    for a in range(n_options):
        row = log_p[a]
        row[:n] = head[a, n_units]
        for k in range(n_units):
            weight, old = head[a, k], before[k]
            for s in range(n):
                row[s] += weight * old[s]
    for s in range(n):
        top = log_p[0, s]
        for a in range(1, n_options):
            top = max(top, log_p[a, s])
        total = 0.0
        for a in range(n_options):
            total += math.exp(log_p[a, s] - top)
        total = top + math.log(total)
        for a in range(n_options):
            log_p[a, s] -= total


@_compile
def backward(sequences, weights, filled, room, found):
    """Add the gradient of the summed log-likelihood of all choices to `found`.

    Parameters
    ----------
    sequences, weights, filled : tuple
        As of `forward`, which filled in the last.
    room : tuple of array
        (unit, sequence), (3 unit, sequence) and (unit, sequence), to work in.
    found : tuple of array
        Gradients of the weights, shaped as these.
    """
    choice, reward, who, n_active = sequences
    recurrent, head = weights[3], weights[5]
    hidden, gates, inner, log_p = filled
    d_hidden, d_gate, d_inner = room
    enter, paid, own, d_recurrent, d_bias, d_head, d_start = found
    n_units, n_options = len(d_start), len(head)
    d_hidden[:] = 0
    for t in range(len(choice) - 1, -1, -1):
        n = n_active[t]
        before, gate, within = hidden[t], gates[t], inner[t]
        for u in range(n_units):
            reset, update, candidate = gate[u], gate[n_units + u], gate[2 * n_units + u]
            old, row, d_new = before[u], within[u], d_hidden[u]
            d_reset, d_update, d_candidate = d_gate[u], d_gate[n_units + u], d_gate[2 * n_units + u]
            d_within = d_inner[u]
            for s in range(n):
                d = d_new[s] * (1 - update[s]) * (1 - candidate[s] * candidate[s])
                d_candidate[s] = d
                d_update[s] = d_new[s] * (old[s] - candidate[s]) * update[s] * (1 - update[s])
                d_reset[s] = d * row[s] * reset[s] * (1 - reset[s])
                d_within[s] = d * reset[s]
                d_new[s] *= update[s]
        for g in range(3 * n_units):
            row = d_gate[g]
            for s in range(n):
                c = choice[t, s]
                enter[g, c] += row[s]
                paid[g, c] += row[s] * reward[t, s]
                own[who[s], g] += row[s]
            back = d_inner[g - 2 * n_units] if g >= 2 * n_units else row
            for k in range(n_units):
                old, d_old, weight, total = before[k], d_hidden[k], recurrent[g, k], 0.0
                for s in range(n):
                    total += back[s] * old[s]
                for s in range(n):
                    d_old[s] += weight * back[s]
                d_recurrent[g, k] += total
        for u in range(n_units):
            total = 0.0
            for s in range(n):
                total += d_inner[u, s]
            d_bias[u] += total
        for a in range(n_options):
            row = d_gate[0]
            for s in range(n):
                row[s] = (1.0 if choice[t, s] == a else 0.0) - math.exp(log_p[t, a, s])
            total = 0.0
            for s in range(n):
                total += row[s]
            d_head[a, n_units] += total
            for k in range(n_units):
                old, d_old, weight, total = before[k], d_hidden[k], head[a, k], 0.0
                for s in range(n):
                    total += row[s] * old[s]
                for s in range(n):
                    d_old[s] += weight * row[s]
                d_head[a, k] += total
    for u in range(n_units):
        for s in range(d_hidden.shape[1]):
            d_start[u] += d_hidden[u, s]


@_compile
def log_likelihood(choice, n_active, log_p, found):
    """Fill in the log-likelihood of each sequence."""
    found[:] = 0
    for t in range(len(choice)):
        for s in range(n_active[t]):
            found[s] += log_p[t, choice[t, s], s]
