"""What a claim's criterion asks for: the files that it needs, and its value in each agent.

A record names a measure, one short function of `neurometa.criteria.measures`, and its arguments beside the agents, the
source, the bounds and the tolerance. Most claims of the papers share a shape (a regret up to a trial, a share of right
choices, one number of a result), so that a dozen functions with arguments serve them all.
"""

from neurometa.criteria.measures import MEASURES
from neurometa.criteria.measuring import Measured, budget, exact_value, means, measure
from neurometa.criteria.needs import AGENTS, Need, check, is_share, needs

__all__ = [
    "AGENTS",
    "MEASURES",
    "Measured",
    "Need",
    "budget",
    "check",
    "exact_value",
    "is_share",
    "means",
    "measure",
    "needs",
]
