"""From claims to verdicts: what is missing is worked out, made in order, and set beside the papers."""

from neurometa.reproduction.agents import Agent, of_runs, of_the_box, to_train
from neurometa.reproduction.asking import asked
from neurometa.reproduction.plan import Made, Plan, Step, Want, plan, wants
from neurometa.reproduction.running import run
from neurometa.reproduction.survey import survey

__all__ = [
    "Agent",
    "Made",
    "Plan",
    "Step",
    "Want",
    "asked",
    "of_runs",
    "of_the_box",
    "plan",
    "run",
    "survey",
    "to_train",
    "wants",
]
