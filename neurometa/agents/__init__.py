"""Agents: anything that carries a state from step to step and answers with a policy."""

from neurometa.agents.bandits import UCB, MajorityRule, RandomChoice, Thompson
from neurometa.agents.base import Agent, Output, State
from neurometa.agents.learners import LearningModelAgent
from neurometa.agents.observers import (
    AskThenExploit,
    GreedyWalk,
    ThompsonTarget,
    ThompsonWalk,
    WalkFilter,
    ideal_observer,
)
from neurometa.agents.recurrent import LSTMAgent

__all__ = [
    "UCB",
    "Agent",
    "AskThenExploit",
    "GreedyWalk",
    "LSTMAgent",
    "LearningModelAgent",
    "MajorityRule",
    "Output",
    "RandomChoice",
    "State",
    "Thompson",
    "ThompsonTarget",
    "ThompsonWalk",
    "WalkFilter",
    "ideal_observer",
]
