r"""Steps along the natural gradient within a trust region (Schulman et al. 2015), whatever policy and gain they are of.

.. math:: \theta' = \theta + \beta s, \qquad F s = g, \qquad \beta = \sqrt{2 \delta / s^\top F s}

with the gradient g of what is gained, the Fisher matrix F of the policy and the bound :math:`\delta` of the mean KL. F
is never made: s is from conjugate gradients, which ask for products with F alone. Then the step is halved until the
policy is better by what was played and within the bound; where it never is, the policy stays.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from neurometa.training.curve import Row

DAMPING = 1e-3  # of F, in whose null directions conjugate gradients would go too far


def natural_step(
    weights: Sequence[nn.Parameter],
    gain: Tensor,
    product: Callable[[Tensor], Tensor],
    tried: Callable[[], tuple[Tensor, Tensor]],
    *,
    bound: float,
    n_products: int,
    n_halvings: int,
) -> Row:
    """Step the weights, if that betters them within the bound; what there is for the learning curve.

    Parameters
    ----------
    weights : sequence of Parameter
        Which are changed in place.
    gain : Tensor ()
        What is to grow, with its graph.
    product : callable
        As of `fisher`.
    tried : callable
        Of the weights as they are when it is called: by how much they are better, and the mean KL (nats) from the
        policy that played.
    bound : float
        Delta, in nats.
    n_products, n_halvings : int
        Steps of conjugate gradients; how often a step is halved before it is given up.
    """
    before = parameters_to_vector(weights).detach()
    gradient = flat(torch.autograd.grad(gain, weights, materialize_grads=True))
    direction = conjugate_gradient(lambda x: product(x) + DAMPING * x, gradient, n_products)
    curvature = direction @ product(direction) + DAMPING * direction @ direction
    row = {"gradient_norm": float(gradient.norm())}
    step = (2 * bound / curvature.clamp(min=1e-20)).sqrt() * direction
    with torch.no_grad():
        for _ in range(n_halvings + 1):
            vector_to_parameters(before + step, weights)
            gained, kl = (float(x) for x in tried())
            if gained > 0 and kl <= bound:
                return row | {"gain": gained, "kl": kl, "no_step": 0.0}
            step = step / 2
        vector_to_parameters(before, weights)
    return row | {"gain": 0.0, "kl": 0.0, "no_step": 1.0}


def fisher(
    policy: Tensor, weights: Sequence[nn.Parameter], valid: Tensor, n_axes: int = 0
) -> Callable[[Tensor], Tensor]:
    r"""Return what multiplies vectors by the Fisher matrix of a policy, the curvature of the mean KL at KL = 0.

    .. math:: F = \overline{J^\top M J}, \qquad M = \mathrm{diag}(\pi) - \pi \pi^\top

    with J the Jacobian of a step's logits, or, of a continuous action, of the mean and log SD of each axis, where M is
    diagonal, :math:`1 / \sigma^2` and 2. :math:`J v` is the gradient of :math:`(J^\top u) \cdot v` by u, whose value
    does not matter (reverse mode twice).

    Parameters
    ----------
    policy : Tensor (..., option) or (..., 2 * n_axes)
        Logits, or mean and log SD, with their graph, which is kept.
    weights : sequence of Parameter
        All on which they depend.
    valid : Tensor (...), bool
        False on padding.
    n_axes : int
        Axes of a continuous action; 0 for choices.
    """
    u = torch.zeros_like(policy, requires_grad=True)
    backward = flat(torch.autograd.grad(policy, weights, u, create_graph=True, materialize_grads=True))
    share = (valid / valid.sum().clamp(min=1))[..., None]
    if n_axes:
        metric = (-2 * policy[..., n_axes:]).exp().detach()
        metric = share * torch.cat([metric, torch.full_like(metric, 2.0)], -1)
    else:
        prob = torch.softmax(policy, -1).detach()

    def product(vector: Tensor) -> Tensor:
        (along,) = torch.autograd.grad(backward @ vector, u, retain_graph=True)
        along = metric * along if n_axes else share * prob * (along - (prob * along).sum(-1, keepdim=True))
        return flat(torch.autograd.grad(policy, weights, along, retain_graph=True, materialize_grads=True)).detach()

    return product


def conjugate_gradient(product: Callable[[Tensor], Tensor], target: Tensor, n_steps: int) -> Tensor:
    """Solve F x = target for x in `n_steps` steps at most, given products with a positive definite F."""
    x, residual = torch.zeros_like(target), target.clone()
    direction, size = residual, residual @ residual
    for _ in range(n_steps):
        if size <= 1e-12 * (target @ target):
            break
        along = product(direction)
        far = size / (direction @ along)
        x, residual = x + far * direction, residual - far * along
        last, size = size, residual @ residual
        direction = residual + size / last * direction
    return x


def flat(gradients: Sequence[Tensor]) -> Tensor:
    """All numbers of some tensors in one row."""
    return torch.cat([x.flatten() for x in gradients])
