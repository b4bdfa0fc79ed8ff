"""Planners of tabular Markov decision processes, the baselines of Duan et al. 2016, Table 2."""

from neurometa.agents.mdp.certainty import GreedyPlanner
from neurometa.agents.mdp.known import KnownMDP
from neurometa.agents.mdp.optimism import BEB, UCRL2
from neurometa.agents.mdp.planner import MDPPrior, Planner
from neurometa.agents.mdp.sampling import OPSRL, PSRL

__all__ = ["BEB", "OPSRL", "PSRL", "UCRL2", "GreedyPlanner", "KnownMDP", "MDPPrior", "Planner"]
