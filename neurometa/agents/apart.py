"""Policy of one network, value of another: what an algorithm needs that fits its critic by itself."""

import dataclasses

from torch import Tensor

from neurometa.agents.base import Agent, Output, Segment, State
from neurometa.agents.networks import GRU, Network, Recurrent


class ApartAgent(Agent):
    """Two agents that are told the same and share nothing; the policy is the actor's and the value the critic's.

    Parameters
    ----------
    actor, critic : Agent
        Of the first only the policy is read, of the second only the value.
    """

    def __init__(self, actor: Agent, critic: Agent) -> None:
        super().__init__()
        self.actor, self.critic = actor, critic
        self.records = actor.records

    def begin(self, n_episodes: int) -> State:
        """States of both."""
        return _both(self.actor.begin(n_episodes), self.critic.begin(n_episodes))

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` is the actor's."""
        actor = self.actor(observation, action, reward, _of("actor ", state))
        critic = self.critic(observation, action, reward, _of("critic ", state))
        return Output(actor.logits, critic.value, _both(actor.state, critic.state), actor.record)

    def sequence(self, segment: Segment, state: State, log: tuple[str, ...] = ()) -> Output:
        """Answer a segment in one call of each; see `Agent.sequence`."""
        actor = self.actor.sequence(segment, _of("actor ", state), log)
        critic = self.critic.sequence(segment, _of("critic ", state))
        return Output(actor.logits, critic.value, _both(actor.state, critic.state), actor.record)


def _both(actor: State, critic: State) -> State:
    """The state of both, as one."""
    return {f"actor {name}": x for name, x in actor.items()} | {f"critic {name}": x for name, x in critic.items()}


def _of(who: str, state: State) -> State:
    """The part of it that is one's own."""
    return {name.removeprefix(who): x for name, x in state.items() if name.startswith(who)}


@dataclasses.dataclass(frozen=True)
class Apart(Network):
    """Actor and critic that are two networks and share nothing, as in Duan et al. (2016, section 2.3).

    Both are told the reward: in `SeparateActorCritic` the actor is told the critic's prediction error instead.

    Parameters
    ----------
    actor, critic : Recurrent
        Settings of each.
    """

    actor: Recurrent = GRU()
    critic: Recurrent = GRU()

    def check(self, observation_shape: tuple[int, ...]) -> None:
        """Raise unless both fit a task with observations of this shape."""
        self.actor.check(observation_shape)
        self.critic.check(observation_shape)

    def build(
        self,
        observation_shape: tuple[int, ...],
        n_actions: int,
        n_steps: int,
        *,
        reward_levels: tuple[float, ...] = (),
        discount: float,
    ) -> Agent:
        """Make the untrained agent; see `Network.build`."""
        actor, critic = (
            part.build(observation_shape, n_actions, n_steps, reward_levels=reward_levels, discount=discount)
            for part in (self.actor, self.critic)
        )
        return ApartAgent(actor, critic)
