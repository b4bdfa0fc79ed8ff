"""Players of bandits whose arms keep still, the baselines that a trained network is held against."""

from neurometa.agents.bandit.heuristics import UCB, EpsilonGreedy, Greedy, MajorityRule, RandomChoice
from neurometa.agents.bandit.informative import AskThenExploit, ThompsonTarget
from neurometa.agents.bandit.planned import Gittins, TablePolicy
from neurometa.agents.bandit.sampled import SampledThompson
from neurometa.agents.bandit.thompson import OptimisticThompson, Thompson, vote

__all__ = [
    "UCB",
    "AskThenExploit",
    "EpsilonGreedy",
    "Gittins",
    "Greedy",
    "MajorityRule",
    "OptimisticThompson",
    "RandomChoice",
    "SampledThompson",
    "TablePolicy",
    "Thompson",
    "ThompsonTarget",
    "vote",
]
