"""Compiled LSTM and GRU arithmetic: what happens to a batch between two matrix products, and to weights after.

At 48 units a training step spends more on the many small passes over gates and states than
on the products. Here each direction is one pass. Arrays are (episode, ...), float32; gates
lie side by side: those of an LSTM in torch's order, input, forget, candidate, output; of a GRU
what its candidate gets from the input, reset, update, and what its candidate gets from the
hidden state, so that either side of the product fills three neighbours.

All in one file, because numba does not see that what a kept function calls has changed elsewhere.
"""

import math

import numba
import numpy as np

_compile = numba.njit(fastmath={"contract", "reassoc", "nsz", "arcp"}, error_model="numpy", nogil=True, cache=True)
ZERO, ONE, HALF = map(np.float32, (0, 1, 0.5))  # plain numbers would turn the arithmetic into double precision
FIRST, SECOND = np.float32(0.9), np.float32(0.999)  # decays of Adam (Kingma & Ba 2015)


@_compile
def tanh(x):
    """Hyperbolic tangent by a rational function, to 4e-7; unlike the library's, it vectorises."""
    x = min(max(x, np.float32(-7.8)), np.float32(7.8))
    u = x * x
    top = np.float32(1.562742704e-08)
    top = top * u + np.float32(2.215184413e-05)
    top = top * u + np.float32(3.586350729e-03)
    top = top * u + np.float32(1.345670513e-01)
    top = top * u + np.float32(9.999999950e-01)
    low = np.float32(8.675440456e-07)
    low = low * u + np.float32(3.435973711e-04)
    low = low * u + np.float32(2.621987154e-02)
    low = low * u + np.float32(4.679003375e-01)
    low = low * u + ONE
    return x * top / low


@_compile
def lstm_forward(gates, cell, next_cell, squashed, hidden):
    """From what the product gave to the gates, in place, and the next state.

    Parameters
    ----------
    gates : array (episode, 4 unit)
        Before; after, the gates themselves.
    cell : array (episode, unit)
        Cell state before the step.
    next_cell, squashed, hidden : array (episode, unit)
        Filled with the new cell state, its tanh, and the new hidden state; `hidden` may have
        more columns.
    """
    units = cell.shape[1]
    for e in range(len(cell)):
        gate, old, new, squash, out = gates[e], cell[e], next_cell[e], squashed[e], hidden[e]
        enter, keep, candidate, release = gate[:units], gate[units:], gate[2 * units :], gate[3 * units :]
        # separate loops, because the compiler vectorises only loops over few arrays
        for n in range(2 * units):
            gate[n] = HALF + HALF * tanh(HALF * gate[n])
        for n in range(units):
            candidate[n] = tanh(candidate[n])
        for n in range(units):
            release[n] = HALF + HALF * tanh(HALF * release[n])
        for n in range(units):
            new[n] = keep[n] * old[n] + enter[n] * candidate[n]
        for n in range(units):
            squash[n] = tanh(new[n])
        for n in range(units):
            out[n] = release[n] * squash[n]


@_compile
def lstm_backward(d_hidden, d_cell, gates, cell, squashed, d_gates):
    """From the gradient of the new state to that of the gates' products and of the old cell state.

    Parameters
    ----------
    d_hidden, d_cell : array (episode, unit)
        Gradient of the new hidden and cell state; afterwards `d_cell` is that of the old one.
    gates : array (episode, 4 unit)
        As `lstm_forward` left them.
    cell, squashed : array (episode, unit)
        Cell state before the step, and tanh of that after it.
    d_gates : array (episode, 4 unit)
        Filled; may have more columns.
    """
    units = cell.shape[1]
    for e in range(len(cell)):
        gate, old, squash, d_hid, d_cel, d_gate = gates[e], cell[e], squashed[e], d_hidden[e], d_cell[e], d_gates[e]
        enter, keep, candidate, release = gate[:units], gate[units:], gate[2 * units :], gate[3 * units :]
        d_enter, d_keep = d_gate[:units], d_gate[units:]
        d_candidate, d_release = d_gate[2 * units :], d_gate[3 * units :]
        for n in range(units):
            d_release[n] = d_hid[n] * squash[n] * release[n] * (ONE - release[n])
        for n in range(units):
            d_cel[n] += d_hid[n] * release[n] * (ONE - squash[n] * squash[n])
        for n in range(units):
            d_enter[n] = d_cel[n] * candidate[n] * enter[n] * (ONE - enter[n])
        for n in range(units):
            d_candidate[n] = d_cel[n] * enter[n] * (ONE - candidate[n] * candidate[n])
        for n in range(units):
            d_keep[n] = d_cel[n] * old[n] * keep[n] * (ONE - keep[n])
        for n in range(units):
            d_cel[n] *= keep[n]


@_compile
def gru_forward(gates, before, hidden):
    """From what the product gave to the gates, in place, and the next hidden state of gated recurrent units.

    Parameters
    ----------
    gates : array (episode, 4 unit)
        Before; after, the candidate, reset and update gate themselves. What the candidate gets from the hidden state,
        which the reset gate multiplies, stays as it is.
    before : array (episode, unit)
        Hidden state before the step; may have more columns.
    hidden : array (episode, unit)
        Filled with the new one; may have more columns.
    """
    units = gates.shape[1] // 4
    for e in range(len(gates)):
        gate, old, new = gates[e], before[e], hidden[e]
        candidate, reset, update, told = gate[:units], gate[units:], gate[2 * units :], gate[3 * units :]
        for n in range(2 * units):
            reset[n] = HALF + HALF * tanh(HALF * reset[n])
        for n in range(units):
            candidate[n] = tanh(candidate[n] + reset[n] * told[n])
        for n in range(units):
            new[n] = candidate[n] + update[n] * (old[n] - candidate[n])


@_compile
def gru_backward(d_hidden, d_kept, gates, before, d_gates):
    """From the gradient of the new hidden state to that of the gates' products, and of what the old one keeps.

    Parameters
    ----------
    d_hidden, d_kept : array (episode, unit)
        Gradient of the new hidden state by way of the products of the next step, and by what the next step kept of
        it; afterwards `d_kept` is that by what this step kept of the old one.
    gates : array (episode, 4 unit)
        As `gru_forward` left them.
    before : array (episode, unit)
        Hidden state before the step; may have more columns.
    d_gates : array (episode, 4 unit)
        Filled.
    """
    units = d_hidden.shape[1]
    for e in range(len(d_hidden)):
        gate, old, d_hid, d_keep, d_gate = gates[e], before[e], d_hidden[e], d_kept[e], d_gates[e]
        candidate, reset, update, told = gate[:units], gate[units:], gate[2 * units :], gate[3 * units :]
        d_candidate, d_reset = d_gate[:units], d_gate[units:]
        d_update, d_told = d_gate[2 * units :], d_gate[3 * units :]
        for n in range(units):
            d_hid[n] += d_keep[n]
        for n in range(units):
            d_candidate[n] = d_hid[n] * (ONE - update[n]) * (ONE - candidate[n] * candidate[n])
        for n in range(units):
            d_update[n] = d_hid[n] * (old[n] - candidate[n]) * update[n] * (ONE - update[n])
        for n in range(units):
            d_reset[n] = d_candidate[n] * told[n] * reset[n] * (ONE - reset[n])
        for n in range(units):
            d_told[n] = d_candidate[n] * reset[n]
        for n in range(units):
            d_keep[n] = d_hid[n] * update[n]


# Many networks: arrays are (network, step, episode, ...), parameters (network, parameter). All loops are over one
# network at a time, so that what becomes of it does not depend on which others there are.


@_compile
def give(n, t, n_each, x, n_units, n_actions, n_steps, places, levels, observation, before, reward):
    """Lay out the input of step `t` of network `n`.

    Parameters
    ----------
    n, t, n_each : int
        Network, step, and episodes of each network.
    x : array (network, step, episode, unit + input + 2)
        Filled, but for the hidden state before and the two ones after.
    n_units, n_actions, n_steps : int
        Of the network, the task and an episode.
    places : array (4,), int
        Where among the inputs observation, action, reward and time begin; -1 where they are not given.
    levels : array (level,)
        Rewards that are given one-hot; empty for a number.
    observation, before, reward : array (network * episode, ...)
        What the task shows; action and reward of the step before, which step 0 does not have.
    """
    for e in range(n_each):
        given, r = x[n, t, e, n_units:], n * n_each + e
        if places[0] >= 0:
            for f in range(observation.shape[1]):
                given[places[0] + f] = observation[r, f]
        if places[1] >= 0:
            for a in range(n_actions):
                given[places[1] + a] = ONE if t > 0 and before[r] == a else ZERO
        if places[2] >= 0:
            if len(levels) == 0:
                given[places[2]] = reward[r]
            else:
                nearest = 0
                for i in range(len(levels)):
                    given[places[2] + i] = ZERO
                    if abs(reward[r] - levels[i]) < abs(reward[r] - levels[nearest]):
                        nearest = i
                if t > 0:
                    given[places[2] + nearest] = ONE
        if places[3] >= 0:
            given[places[3]] = np.float32(t) / np.float32(n_steps)


@_compile
def answer(n, t, n_each, n_actions, x, cells, squashed, gates, parameters, outputs, luck, action):
    """From the gates' products of step `t` to the next state, the outputs, and the actions where there is luck.

    Parameters
    ----------
    n, t, n_each, n_actions, x
        As of `give`; the new hidden state goes into the next step's input.
    cells, squashed : array (network, step, episode, unit)
        Cell states, one more than steps, and their tanh; of a GRU, which has none, of 0 episodes.
    gates : array (network, step, episode, 4 unit)
    parameters : array (network, parameter)
    outputs : array (option + 1 + readout, step, network * episode)
        Filled with the logits, then the value, then what else is read out.
    luck : array (network * episode,)
        Uniform numbers by which actions are drawn, as `rollout.draw` does; empty to draw none.
    action : array (network * episode,), int
        Filled with what was drawn.
    """
    units, n_outputs = cells.shape[3], len(outputs)
    if cells.shape[2]:
        lstm_forward(gates[n, t], cells[n, t], cells[n, t + 1], squashed[n, t], x[n, t + 1])
    else:
        gru_forward(gates[n, t], x[n, t], x[n, t + 1])
    first = x.shape[3] * 4 * units
    head = parameters[n, first : first + n_outputs * units].reshape(n_outputs, units)
    bias = parameters[n, first + n_outputs * units :]
    for e in range(n_each):
        hidden, r = x[n, t + 1, e], n * n_each + e
        for a in range(n_outputs):
            total, weight = ZERO, head[a]
            for k in range(units):
                total += weight[k] * hidden[k]
            outputs[a, t, r] = total + bias[a]
        if len(luck):
            action[r] = _drawn(outputs[:n_actions, t, r], luck[r])


@_compile
def _drawn(logits, luck):
    n_actions = len(logits)
    if n_actions == 2:
        return int(luck < ONE / (ONE + math.exp(logits[0] - logits[1])))
    top = logits[0]
    for a in range(1, n_actions):
        top = max(top, logits[a])
    total = ZERO
    for a in range(n_actions):
        total += math.exp(logits[a] - top)
    reached = ZERO
    for a in range(n_actions - 1):
        reached += math.exp(logits[a] - top)
        if luck * total < reached:
            return a
    return n_actions - 1


@_compile
def step(who, t, n_each, n_actions, x, cells, squashed, gates, parameters, outputs, luck, action, given):
    """Answer step `t` of all networks in `who`: `give`, the product, and `answer`; `given` is what `give` takes."""
    n_rows, n_columns = x.shape[3], gates.shape[3]
    for n in who:
        give(n, t, n_each, x, cells.shape[3], n_actions, squashed.shape[1], *given)
        weight = parameters[n, : n_rows * n_columns].reshape(n_rows, n_columns)
        np.dot(x[n, t], weight, gates[n, t])
        answer(n, t, n_each, n_actions, x, cells, squashed, gates, parameters, outputs, luck, action)


@_compile
def step_back(n, t, n_each, x, cells, squashed, gates, parameters, d_outputs, d_hidden, d_cell, d_gates):
    """From the gradient of the outputs and of the state after step `t` to that of the step's gates.

    Parameters
    ----------
    n, t, n_each, x, cells, squashed, gates, parameters
        As `answer` left them.
    d_outputs : array (option + 1 + readout, step, network * episode)
    d_hidden, d_cell : array (episode, unit)
        Gradient of the state after the step (of a GRU, `d_cell` is that by what the next step kept); those of the
        outputs are added here.
    d_gates : array (episode, 4 unit)
        Filled.
    """
    units, n_outputs = cells.shape[3], len(d_outputs)
    first = x.shape[3] * 4 * units
    head = parameters[n, first : first + n_outputs * units].reshape(n_outputs, units)
    for e in range(n_each):
        d_hid = d_hidden[e]
        for a in range(n_outputs):
            d, weight = d_outputs[a, t, n * n_each + e], head[a]
            for k in range(units):
                d_hid[k] += d * weight[k]
    if cells.shape[2]:
        lstm_backward(d_hidden, d_cell, gates[n, t], cells[n, t], squashed[n, t], d_gates)
    else:
        gru_backward(d_hidden, d_cell, gates[n, t], x[n, t], d_gates)


@_compile
def back(who, n_each, x, cells, squashed, gates, parameters, d_outputs, d_hidden, d_cell, d_gates, gradient):
    """Go back through all steps of all networks in `who`; `d_gates` is (network, step, episode, 4 unit).

    Of the gradient only that of the start is filled; that of the weights is a product of `x` and `d_gates`, or of `x`
    and `d_outputs`.
    """
    units, n_columns = cells.shape[3], gates.shape[3]
    for n in who:
        recurrent = parameters[n, : units * n_columns].reshape(units, n_columns)
        gradient[n] = ZERO
        d_hidden[:] = ZERO
        d_cell[:] = ZERO
        for t in range(squashed.shape[1] - 1, -1, -1):
            here = d_gates[n, t]
            step_back(n, t, n_each, x, cells, squashed, gates, parameters, d_outputs, d_hidden, d_cell, here)
            np.dot(here, recurrent.T, d_hidden)
        start_back(n, len(d_outputs), x.shape[3], cells.shape[2] > 0, d_hidden, d_cell, gradient)


@_compile
def start_back(n, n_outputs, n_rows, has_cell, d_hidden, d_cell, gradient):
    """Fill in the gradient of the state in which an episode begins; a GRU's has one part, of which `d_cell` is kept."""
    units = d_hidden.shape[1]
    d_start = gradient[n, n_rows * 4 * units + n_outputs * (units + 1) :]
    second = units if has_cell else 0
    for e in range(len(d_hidden)):
        for k in range(units):
            d_start[k] += d_hidden[e, k]
        for k in range(units):
            d_start[second + k] += d_cell[e, k]


@_compile
def discounted(total, discount):
    """Add to each row of `total` (step, episode), from the last but one on, `discount` (episode,) times the next."""
    for i in range(len(total) - 2, -1, -1):
        now, after = total[i], total[i + 1]
        for e in range(len(discount)):
            now[e] += discount[e] * after[e]


@_compile
def squares(who, gradient, n_trained, total):
    """Add the squared norm of each network's gradient to `total` (network,)."""
    for n in who:
        found, row = ZERO, gradient[n, :n_trained]
        for i in range(n_trained):
            found += row[i] * row[i]
        total[n] += found


@_compile
def rmsprop(who, parameters, gradient, n_trained, scale, step_size, decay, epsilon, square):
    """Step by RMSProp, with gradients times `scale`; settings are (network,), and `square` as the parameters."""
    for n in who:
        weight, grad, mean = parameters[n], gradient[n], square[n]
        by, size, keep, least = scale[n], step_size[n], decay[n], epsilon[n]
        for i in range(n_trained):
            g = by * grad[i]
            mean[i] = keep * mean[i] + (ONE - keep) * g * g
            weight[i] -= size * g / (math.sqrt(mean[i]) + least)


@_compile
def adam(who, parameters, gradient, n_trained, scale, step_size, correction, epsilon, mean, square):
    """Step by Adam (decays .9 and .999); `step_size` and `correction` are those of the update, bias taken out."""
    for n in who:
        weight, grad, first, second = parameters[n], gradient[n], mean[n], square[n]
        by, size, root, least = scale[n], step_size[n], correction[n], epsilon[n]
        for i in range(n_trained):
            g = by * grad[i]
            first[i] = FIRST * first[i] + (ONE - FIRST) * g
            second[i] = SECOND * second[i] + (ONE - SECOND) * g * g
            weight[i] -= size * first[i] / (math.sqrt(second[i]) * root + least)


@_compile
def means(x, n_each, found):
    """Mean of each row of `x` (quantity, step, network * episode) over steps and a network's episodes."""
    for q in range(len(x)):
        for n in range(found.shape[1]):
            total = 0.0
            for t in range(x.shape[1]):
                for e in range(n * n_each, (n + 1) * n_each):
                    total += x[q, t, e]
            found[q, n] = total / (x.shape[1] * n_each)
