"""Actor and critic as two networks, of which the actor is told of rewards only through the critic's surprise."""

import dataclasses

import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, Segment, State
from neurometa.agents.encoders import Conv
from neurometa.agents.recurrent import INPUTS, LSTMAgent, RecurrentAgent


class SeparateActorCritic(Agent):
    r"""Two LSTMs: the critic gets the reward, the actor the prediction error that the critic makes of it.

    .. math:: \delta_t = r_t + \gamma V_{t+1} - V_t

    is known once the critic has answered step t + 1, so that within a step the critic comes
    first. The actor gets it in place of the previous reward, and 0 at the first step of an
    episode; no gradient flows through it (Wang et al. 2018, simulation 6 and Supplementary Fig 9,
    where it stands for dopamine). Both get the observation and the previous action. `actor` and
    `critic` are `RecurrentAgent`, of which only the policy and only the value is read.

    An experimenter may add to the prediction error of a step, through ``state["perturbation"]``;
    the critic still gets the true reward.

    Parameters
    ----------
    observation_shape, n_actions, n_steps, core, reward_levels, n_units, n_layers, top_units, learned_start, recurrent,
    encoder, initial, longest_memory
        As for `RecurrentAgent`, for each of the two; reward levels are the critic's alone.
    inputs : tuple of {"observation", "action", "reward", "time"}
        What both are given; to the actor ``"reward"`` is the prediction error.
    discount : float
        Gamma of the prediction error, in [0, 1].
    """

    def __init__(
        self,
        observation_shape: int | tuple[int, ...],
        n_actions: int,
        n_steps: int,
        *,
        core: str = "lstm",
        reward_levels: tuple[float, ...] = (),
        n_units: int = 48,
        n_layers: int = 1,
        top_units: int | None = None,
        inputs: tuple[str, ...] = INPUTS,
        learned_start: bool = False,
        recurrent: bool = True,
        encoder: Conv | None = None,
        initial: str = "uniform",
        longest_memory: float = 1.0,
        discount: float = 0.9,
    ) -> None:
        super().__init__()
        self.discount = discount
        kind = LSTMAgent if core == "lstm" else RecurrentAgent
        self.critic, self.actor = (
            kind(
                observation_shape,
                n_actions,
                n_steps,
                core=core,
                reward_levels=levels,
                n_units=n_units,
                n_layers=n_layers,
                top_units=top_units,
                inputs=inputs,
                learned_start=learned_start,
                recurrent=recurrent,
                encoder=encoder,
                initial=initial,
                longest_memory=longest_memory,
            )
            for levels in (reward_levels, ())
        )
        self.records = {**self.actor.records, "rpe_input": ()}

    def begin(self, n_episodes: int) -> State:
        """State of both, the value of the step before, whether there was one, and what is added to its error."""
        of_each = {"actor": self.actor.begin(n_episodes), "critic": self.critic.begin(n_episodes)}
        state = {f"{who}_{name}": x for who, state in of_each.items() for name, x in state.items()}
        none = self.actor.start.new_zeros(n_episodes)
        return state | {"value": none, "started": none, "perturbation": none}

    def rpe(self, value: Tensor, reward: Tensor, state: State) -> Tensor:
        """Prediction error of the step before, now that the critic has answered this one; (episode,), no gradient."""
        error = reward + self.discount * value - state["value"]
        return (error * state["started"] + state["perturbation"]).detach()

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step.

        ``record`` holds ``hidden`` and ``cell`` (episode, unit), the actor's units before the
        critic's, and ``rpe_input`` (episode,), the prediction error that the actor was given.
        """
        critic = self.critic(observation, action, reward, _of("critic", state))
        rpe = self.rpe(critic.value, reward, state)
        actor = self.actor(observation, action, rpe, _of("actor", state))
        both = {"actor": actor.state, "critic": critic.state}
        after = {f"{who}_{name}": x for who, state in both.items() for name, x in state.items()}
        after |= {"value": critic.value, "started": torch.ones_like(reward), "perturbation": torch.zeros_like(reward)}
        record = {name: torch.cat([actor.record[name], critic.record[name]], -1) for name in actor.record}
        return Output(actor.logits, critic.value, after, record | {"rpe_input": rpe})

    def sequence(self, segment: Segment, state: State, log: tuple[str, ...] = ()) -> Output:
        """Answer a segment, the critic first; see `Agent.sequence`. No gradient flows between the two."""
        activity = tuple(name for name in log if name != "rpe_input")
        critic = self.critic.sequence(segment, _of("critic", state), activity)
        before = torch.cat([state["value"][None], critic.value[:-1]])
        error = segment.previous_reward + self.discount * critic.value - before
        first = error[:1] * state["started"] + state["perturbation"]
        rpe = torch.cat([first, error[1:]]).detach()
        told = dataclasses.replace(segment, reward=torch.cat([rpe[1:], rpe[:1]]), reward_before=rpe[0])
        actor = self.actor.sequence(told, _of("actor", state), activity)
        both = {"actor": actor.state, "critic": critic.state}
        after = {f"{who}_{name}": x for who, state in both.items() for name, x in state.items()}
        none = torch.zeros_like(rpe[0])
        after |= {"value": critic.value[-1], "started": torch.ones_like(none), "perturbation": none}
        record = {name: torch.cat([actor.record[name], critic.record[name]], -1) for name in activity}
        return Output(actor.logits, critic.value, after, record | ({"rpe_input": rpe} if "rpe_input" in log else {}))


def _of(who: str, state: State) -> State:
    """The part of a state that is the actor's or the critic's."""
    return {name.removeprefix(f"{who}_"): x for name, x in state.items() if name.startswith(f"{who}_")}
