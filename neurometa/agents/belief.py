"""Agents that infer which task they are in: a belief over a latent variable, and a policy that reads it."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from neurometa.agents.base import Agent, Output, Segment, State

LEAST_PROB = 1e-6  # of no reward
N_DRAWS = 64  # of the latent, by which predictions are averaged


class RecurrentEncoder(nn.Module):
    """A belief N(mean, exp(logvar)) from all steps so far, in their order, by a GRU (Zintgraf et al. 2020, section 3).

    Parameters
    ----------
    n_inputs, n_units, n_latent : int
        Numbers that describe a step, units of the GRU, dims of the latent variable.
    """

    activity = True

    def __init__(self, n_inputs: int, n_units: int, n_latent: int) -> None:
        super().__init__()
        self.core = nn.GRU(n_inputs, n_units)
        self.head = nn.Linear(n_units, 2 * n_latent)

    def begin(self, n_episodes: int) -> State:
        """Empty hidden state."""
        return {"hidden": self.head.weight.new_zeros(n_episodes, self.core.hidden_size)}

    def forward(self, steps: Tensor, told: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor, State]:
        """Beliefs after each of some steps.

        Parameters
        ----------
        steps : Tensor (time, episode, n_inputs)
            What came before each belief.
        told : Tensor (time, episode), bool
            Whether anything did, i.e. False at the beginning of an episode; here the core reads also that.
        state : dict of Tensor
            As of `begin`, or the last answer.

        Returns
        -------
        mean, logvar : Tensor (time, episode, latent)
        hidden : Tensor (time, episode, unit)
        state : dict of Tensor
        """
        hidden, last = self.core(steps, state["hidden"][None].contiguous())
        mean, logvar = self.head(hidden).chunk(2, -1)
        return mean, logvar, hidden, {"hidden": last[0]}


class ProductEncoder(nn.Module):
    r"""A belief from the steps so far in whatever order: a product of Gaussians, one per step (Rakelly et al. 2019).

    .. math:: q(m \mid c_{1:n}) \propto N(m; 0, I) \prod_i N(m; f_\mu(c_i), f_{\sigma^2}(c_i))

    The paper's product has no prior; the released code puts N(0, I) for it where there are no steps. As a factor the
    prior stays what the belief is after any number of steps that tell nothing, whose variance is to be infinite: the
    network gives the precision of a factor, not its variance.

    Parameters
    ----------
    n_inputs, n_units, n_latent : int
        Numbers that describe a step, units of each of two layers, dims of the latent variable.
    """

    activity = False

    def __init__(self, n_inputs: int, n_units: int, n_latent: int) -> None:
        super().__init__()
        self.n_latent = n_latent
        self.factor = nn.Sequential(nn.Linear(n_inputs, n_units), nn.ReLU(), nn.Linear(n_units, n_units), nn.ReLU())
        self.head = nn.Linear(n_units, 2 * n_latent)
        with torch.no_grad():  # a step tells little to begin with
            self.head.bias[n_latent:] -= 4

    def begin(self, n_episodes: int) -> State:
        """The prior: sums of precisions, and of means weighed by them."""
        none = self.head.weight.new_zeros(n_episodes, self.n_latent)
        return {"precision": none + 1, "weighed": none}

    def forward(self, steps: Tensor, told: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor, State]:
        """Beliefs after each of some steps; as of `RecurrentEncoder`, but that steps are not told are no factors."""
        mean, spread = self.head(self.factor(steps)).chunk(2, -1)
        each = told[..., None] * softplus(spread)
        precision = state["precision"] + each.cumsum(0)
        weighed = state["weighed"] + (each * mean).cumsum(0)
        after = {"precision": precision[-1], "weighed": weighed[-1]}
        return weighed / precision, -precision.log(), mean[..., :0], after


class Answers(dict[str, Tensor]):
    """A record whose predicted rewards, dearer than the rest, are worked out when they are asked for."""

    def __init__(self, agent: "BeliefAgent", mean: Tensor, logvar: Tensor) -> None:
        super().__init__(latent_mean=mean, latent_logvar=logvar)
        self.agent = agent

    def __missing__(self, name: str) -> Tensor:
        """The predicted rewards."""
        if name != "predicted_reward":
            raise KeyError(name)
        return self.agent.predicted_reward(self["latent_mean"], self["latent_logvar"])


class BeliefAgent(Agent):
    r"""An encoder of what has happened into a belief over a latent, a decoder of rewards, and a policy on the belief.

    The encoder reads of each step what was seen before it, the action, the reward, and what is seen now. Its belief is
    N(mean, exp(logvar)) over `n_latent` dims that have no meaning but what the decoder gives them: for each of
    `n_queries` things that may be asked (an action, a cell) the probability of a reward above 0. The policy, a network
    of two layers, reads what is seen and the belief's mean and log variance (VariBAD), or one draw of the latent that
    is kept for a trial (PEARL's posterior sampling).

    It records ``latent_mean`` and ``latent_logvar``, the belief before the step; ``sample`` where the policy reads a
    draw; ``hidden`` where the encoder is recurrent; and ``predicted_reward``: the probability
    of a reward above 0 that the belief predicts for each query, as a mean over 64 fixed draws of the latent.

    Parameters
    ----------
    n_features, n_actions, n_queries : int
        Length of an observation, number of actions, and of things that the decoder can be asked.
    n_axes : int
        Axes of a continuous action, instead: the head gives the mean of each, and the SD is learned, the same in all
        states.
    product : bool
        Whether the encoder is a `ProductEncoder`, instead of a recurrent one.
    n_latent, n_units, n_policy_units, n_decoder_units : int
        Dims of the latent; units of the encoder, of each layer of the policy, and of the decoder.
    one_rewarded : bool
        One query and no other is ever rewarded, so that the probabilities of all sum to 1.
    sample_every : int or None
        Steps for which a draw of the latent is kept that the policy reads; None for a policy on the whole belief.
    detached : bool
        The encoder learns from the decoder alone, and not from the policy's loss too.
    initial_sd : float
        SD of each axis of a continuous action before training.
    """

    draws: Tensor

    def __init__(
        self,
        n_features: int,
        n_actions: int,
        n_queries: int,
        *,
        n_axes: int = 0,
        product: bool = False,
        n_latent: int = 5,
        n_units: int = 64,
        n_policy_units: int = 64,
        n_decoder_units: int = 32,
        one_rewarded: bool = False,
        sample_every: int | None = None,
        detached: bool = False,
        initial_sd: float = 1.0,
    ) -> None:
        super().__init__()
        self.n_features, self.sample_every, self.detached = n_features, sample_every, detached
        self.one_rewarded = one_rewarded
        kind = ProductEncoder if product else RecurrentEncoder
        self.encoder = kind(2 * n_features + (n_axes or n_actions) + 1, n_units, n_latent)
        self.decoder = nn.Sequential(
            nn.Linear(n_latent, n_decoder_units),
            nn.ReLU(),
            nn.Linear(n_decoder_units, n_decoder_units),
            nn.ReLU(),
            nn.Linear(n_decoder_units, n_queries),
        )
        read = n_features + (n_latent if sample_every else 2 * n_latent)
        self.policy = nn.Sequential(
            nn.Linear(read, n_policy_units), nn.Tanh(), nn.Linear(n_policy_units, n_policy_units), nn.Tanh()
        )
        self.head = nn.Linear(n_policy_units, (n_axes or n_actions) + 1)  # the policy's rows, then the value's
        self.log_sd = nn.Parameter(torch.full((n_axes,), math.log(initial_sd))) if n_axes else None
        with torch.no_grad():  # near-uniform choice and values near zero to begin with
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()
        of_latent = ("latent",)
        records: dict[str, tuple[str, ...]] = {"latent_mean": of_latent, "latent_logvar": of_latent}
        records["predicted_reward"] = ("query",)
        records |= {"hidden": ("unit",)} if self.encoder.activity else {}
        self.records = records | ({"sample": of_latent} if sample_every else {})
        fixed = torch.randn(N_DRAWS, 1, n_latent, generator=torch.Generator().manual_seed(0))
        self.register_buffer("draws", fixed, persistent=False)

    def begin(self, n_episodes: int) -> State:
        """State of the encoder, what was seen before, steps passed, and the draw with the luck that it takes."""
        none = self.head.bias.new_zeros(n_episodes)
        state = self.encoder.begin(n_episodes)
        state |= {"seen": none[:, None].expand(-1, self.n_features), "time": none}
        if self.sample_every:
            latent = none[:, None].expand(-1, self.draws.shape[-1])
            state |= {"sample": latent, "noise": latent}
        return state

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; see `Agent.forward`."""
        told = (action != 0).any(-1)
        step = torch.cat([state["seen"], action, reward[:, None], observation], -1)
        mean, logvar, hidden, after = self.encoder(step[None], told[None], state)
        mean, logvar = mean[0], logvar[0]
        after |= {"seen": observation, "time": state["time"] + 1}
        record = Answers(self, mean, logvar)
        if self.encoder.activity:
            record["hidden"] = hidden[0]
        if self.sample_every:
            fresh = (state["time"] % self.sample_every == 0)[:, None]
            drawn = mean + (logvar / 2).exp() * state["noise"]
            record["sample"] = torch.where(fresh, drawn, state["sample"])
            after |= {"sample": record["sample"], "noise": state["noise"]}
        logits, value = self.answer(observation, record)
        return Output(logits, value, after, record)

    def answer(self, observation: Tensor, record: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Policy (..., option), or (..., 2 * axis), and value (...), from what is seen and the belief or its draw."""
        names = ("sample",) if self.sample_every else ("latent_mean", "latent_logvar")
        belief = torch.cat([record[name] for name in names], -1)
        cut = self.detached or self.sample_every
        out = self.head(self.policy(torch.cat([observation, belief.detach() if cut else belief], -1)))
        policy, value = out[..., :-1], out[..., -1]
        if self.log_sd is not None:
            policy = torch.cat([policy, self.log_sd.expand_as(policy)], -1)
        return policy, value

    def predicted_reward(self, mean: Tensor, logvar: Tensor) -> Tensor:
        """Probability of a reward above 0 for each query, (episode, query), over draws of the latent."""
        return self.decode(mean + (logvar / 2).exp() * self.draws)[0].exp().mean(0)

    def decode(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Log probability of a reward, and of none, (..., query), given the latent (..., latent)."""
        odds = self.decoder(latent)
        if not self.one_rewarded:
            return logsigmoid(odds), logsigmoid(-odds)
        rewarded = torch.log_softmax(odds, -1)
        return rewarded, torch.log1p(-rewarded.exp().clamp(max=1 - LEAST_PROB))

    def sequence(self, segment: Segment, state: State, log: tuple[str, ...] = ()) -> Output:
        """Answer a segment in one call of the encoder; see `Agent.sequence`.

        Where the policy reads a draw, that is the one by which the segment was played, in its record.
        """
        seen = torch.cat([state["seen"][None], segment.observation[:-1]])
        before = segment.previous_action
        steps = torch.cat([seen, before, segment.previous_reward[..., None], segment.observation], -1)
        mean, logvar, hidden, after = self.encoder(steps, (before != 0).any(-1), state)
        record = {"latent_mean": mean, "latent_logvar": logvar, "hidden": hidden}
        after |= {"seen": segment.observation[-1], "time": state["time"] + len(segment.action)}
        if self.sample_every:
            record["sample"] = segment.record["sample"]
            after |= {"sample": record["sample"][-1], "noise": state["noise"]}
        logits, value = self.answer(segment.observation, record)
        return Output(logits, value, after, {name: record[name] for name in log})
