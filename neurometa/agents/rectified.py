"""Gated recurrent units with rectified candidates and normalised weights."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils.parametrizations import weight_norm


class RectifiedGRUCell(nn.GRUCell):
    r"""A layer of gated recurrent units whose candidate is rectified, with the weights and biases of `nn.GRUCell`.

    .. math:: h_t = z h_{t-1} + (1 - z) \max(0,\ W_{in} x + b_{in} + r (W_{hn} h_{t-1} + b_{hn}))

    with reset gate r and update gate z as usual. Duan et al. (2016, section 3.1) trained these, the weights of a unit
    written as a length times a direction (weight normalisation: Salimans & Kingma 2016): see `normalise`.
    """

    def normalise(self) -> None:
        """Write the weights of each gate of each unit as a length times a direction; what they are now stays."""
        for name in ("weight_ih", "weight_hh"):
            weight_norm(self, name, dim=0)

    def forward(self, inputs: Tensor, hidden: Tensor) -> Tensor:  # type: ignore[override]
        """State after a step, (episode, unit)."""
        return self._step(linear(inputs, self.weight_ih, self.bias_ih), hidden, self.weight_hh)

    def sequence(self, inputs: Tensor, hidden: Tensor) -> Tensor:
        """States after every step of inputs (time, episode, feature), (time, episode, unit)."""
        found, weight_hh = [], self.weight_hh  # worked out from length and direction once, and not at every step
        for given in linear(inputs, self.weight_ih, self.bias_ih):
            hidden = self._step(given, hidden, weight_hh)
            found.append(hidden)
        return torch.stack(found)

    def _step(self, given: Tensor, hidden: Tensor, weight_hh: Tensor) -> Tensor:
        """The state after a step, from what the inputs give to each gate."""
        reset, update, candidate = given.chunk(3, -1)
        own_reset, own_update, own_candidate = linear(hidden, weight_hh, self.bias_hh).chunk(3, -1)
        new = torch.relu(candidate + torch.sigmoid(reset + own_reset) * own_candidate)
        return new + torch.sigmoid(update + own_update) * (hidden - new)
