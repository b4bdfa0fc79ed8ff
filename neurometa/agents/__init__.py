"""Agents: anything that carries a state from step to step and answers with a policy."""

from neurometa.agents.apart import Apart, ApartAgent
from neurometa.agents.bandit import (
    UCB,
    AskThenExploit,
    EpsilonGreedy,
    Gittins,
    Greedy,
    MajorityRule,
    OptimisticThompson,
    RandomChoice,
    SampledThompson,
    TablePolicy,
    Thompson,
    ThompsonTarget,
)
from neurometa.agents.base import Agent, Output, Segment, State
from neurometa.agents.belief import BeliefAgent
from neurometa.agents.encoders import Conv, Frozen
from neurometa.agents.fixation import Fixating
from neurometa.agents.foraging import ForagingObserver, KnownForaging
from neurometa.agents.gridworld import GridworldObserver, GridworldSampling, SweepingGridworld
from neurometa.agents.harlow import HarlowObserver
from neurometa.agents.learners import LearningModelAgent
from neurometa.agents.lesions import Lesioned
from neurometa.agents.mdp import BEB, OPSRL, PSRL, UCRL2, GreedyPlanner, KnownMDP, MDPPrior, Planner
from neurometa.agents.networks import GRU, LSTM, Belief, Network, RectifiedGRU
from neurometa.agents.plastic import Plastic, PlasticAgent
from neurometa.agents.recurrent import LSTMAgent, RecurrentAgent
from neurometa.agents.restless import GreedyWalk, ThompsonWalk, WalkFilter, ideal_observer
from neurometa.agents.reversal import CueLearner, ReversalObserver
from neurometa.agents.risky_safe import RiskyLearner, RiskySafeObserver
from neurometa.agents.separate import SeparateActorCritic
from neurometa.agents.two_step import DawObserver, ModelFreeTwoStep, TwoStepObserver
from neurometa.agents.volatility import MagnitudeLearner, VolatilityObserver

__all__ = [
    "BEB",
    "GRU",
    "LSTM",
    "OPSRL",
    "PSRL",
    "UCB",
    "UCRL2",
    "Agent",
    "Apart",
    "ApartAgent",
    "AskThenExploit",
    "Belief",
    "BeliefAgent",
    "Conv",
    "CueLearner",
    "DawObserver",
    "EpsilonGreedy",
    "Fixating",
    "ForagingObserver",
    "Frozen",
    "Gittins",
    "Greedy",
    "GreedyPlanner",
    "GreedyWalk",
    "GridworldObserver",
    "GridworldSampling",
    "HarlowObserver",
    "KnownForaging",
    "KnownMDP",
    "LSTMAgent",
    "LearningModelAgent",
    "Lesioned",
    "MDPPrior",
    "MagnitudeLearner",
    "MajorityRule",
    "ModelFreeTwoStep",
    "Network",
    "OptimisticThompson",
    "Output",
    "Planner",
    "Plastic",
    "PlasticAgent",
    "RandomChoice",
    "RectifiedGRU",
    "RecurrentAgent",
    "ReversalObserver",
    "RiskyLearner",
    "RiskySafeObserver",
    "SampledThompson",
    "Segment",
    "SeparateActorCritic",
    "State",
    "SweepingGridworld",
    "TablePolicy",
    "Thompson",
    "ThompsonTarget",
    "ThompsonWalk",
    "TwoStepObserver",
    "VolatilityObserver",
    "WalkFilter",
    "ideal_observer",
]
