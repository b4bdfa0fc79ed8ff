"""Drawing: labelled data and axes in, axes out; and the figures of the papers by name."""

from neurometa.plotting.adaptation import adaptation_curve
from neurometa.plotting.beside import alignments, determination
from neurometa.plotting.choices import choice_shares, choices_on_probability, raster
from neurometa.plotting.coding import generalisation, rpe_scatter, unit_coding
from neurometa.plotting.colours import BASELINES, COLOURS, DASHES
from neurometa.plotting.cue_values import cue_responses, states_by_role
from neurometa.plotting.curves import (
    agent_interval,
    baseline_curves,
    correlations,
    matrix,
    mean_curve,
    published_points,
    rate_by_volatility,
    regret_curves,
)
from neurometa.plotting.dynamics import phase_portrait
from neurometa.plotting.estimates import estimates
from neurometa.plotting.foraging import history_weights, matching_law, matching_points, unit_correlations
from neurometa.plotting.groups import groups
from neurometa.plotting.histories import history_kernels, stay_bars
from neurometa.plotting.learning_sets import learning_set_curves
from neurometa.plotting.mazes import latency_by_trial, maze_path, value_before_goal
from neurometa.plotting.points import spread_points
from neurometa.plotting.prediction import held_out_differences, switch_curves
from neurometa.plotting.predictive import posterior_predictive
from neurometa.plotting.risk import risk_by_probability
from neurometa.plotting.scripts import foot, load_figure, save_figure
from neurometa.plotting.signals import coefficient_bands
from neurometa.plotting.states import end_points, trajectory
from neurometa.plotting.tables import beside_published
from neurometa.plotting.training import learning_curve
from neurometa.plotting.two_step import stay_levels, stay_scale, two_step_sketch
from neurometa.plotting.volatility import (
    outcomes_on_probability,
    range_by_block,
    rates_by_block,
    shade_volatile,
    sliding_rates,
)

__all__ = [
    "BASELINES",
    "COLOURS",
    "DASHES",
    "adaptation_curve",
    "agent_interval",
    "alignments",
    "baseline_curves",
    "beside_published",
    "choice_shares",
    "choices_on_probability",
    "coefficient_bands",
    "correlations",
    "cue_responses",
    "determination",
    "end_points",
    "estimates",
    "foot",
    "generalisation",
    "groups",
    "held_out_differences",
    "history_kernels",
    "history_weights",
    "latency_by_trial",
    "learning_curve",
    "learning_set_curves",
    "load_figure",
    "matching_law",
    "matching_points",
    "matrix",
    "maze_path",
    "mean_curve",
    "outcomes_on_probability",
    "phase_portrait",
    "posterior_predictive",
    "published_points",
    "range_by_block",
    "raster",
    "rate_by_volatility",
    "rates_by_block",
    "regret_curves",
    "risk_by_probability",
    "rpe_scatter",
    "save_figure",
    "shade_volatile",
    "sliding_rates",
    "spread_points",
    "states_by_role",
    "stay_bars",
    "stay_levels",
    "stay_scale",
    "switch_curves",
    "trajectory",
    "two_step_sketch",
    "unit_coding",
    "unit_correlations",
    "value_before_goal",
]
