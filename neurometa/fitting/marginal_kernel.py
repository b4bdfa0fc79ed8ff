"""One compiled pass over the nodes of many members, where arrays of the size of all nodes would leave the cache.

This module loads numba, which takes half a second; `neurometa.fitting.marginal` imports it for large groups only.
"""

import numba
import numpy as np


@numba.njit(error_model="numpy", nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"})
def posterior(z, log_weight, mean, sd):
    """Log marginal likelihood of each member, and its posterior means and variances (parameter, member).

    `z` (parameter, node, member) and `log_weight` (node, member) are as in `neurometa.fitting.marginal.Nodes`.
    """
    n, n_nodes, n_members = z.shape
    constant = (np.log(sd) + 0.5 * np.log(2 * np.pi)).sum()
    density, top = np.empty((n_nodes, n_members)), np.full(n_members, -np.inf)
    for i in range(n_nodes):
        row = density[i]
        for m in range(n_members):  # an assignment of arrays takes numba seconds to compile, for its message
            row[m] = log_weight[i, m] - constant
        for k in range(n):
            factor = np.sqrt(0.5) / sd[k]
            for m in range(n_members):
                away = (z[k, i, m] - mean[k]) * factor
                row[m] -= away * away
        for m in range(n_members):
            top[m] = max(top[m], row[m])
    total = np.zeros(n_members)
    first, second = np.zeros((n, n_members)), np.zeros((n, n_members))
    for i in range(n_nodes):
        row = density[i]
        for m in range(n_members):
            row[m] = np.exp(row[m] - top[m])
            total[m] += row[m]
        for k in range(n):
            for m in range(n_members):
                away = z[k, i, m] - mean[k]
                first[k, m] += row[m] * away
                second[k, m] += row[m] * away * away
    for k in range(n):
        for m in range(n_members):
            first[k, m] /= total[m]
            second[k, m] = max(second[k, m] / total[m] - first[k, m] ** 2, 0.0)
            first[k, m] += mean[k]
    return top + np.log(total), first, second
