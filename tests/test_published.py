"""The records of what was published: whole, sourced, and right where exact theory can tell."""

import json
import math

import numpy as np
import pytest
import xarray as xr

from neurometa import criteria, reference
from neurometa.compare import compare
from neurometa.errors import InputError
from neurometa.results import command_for

RECORD = """paper = "w16"
citation = "Someone 2016"
doi = "10.0/0"
where = "Fig 1"
how = "text"
units = "reward"
n = "10"
[[claim]]
id = "one"
statement = "One holds"
tolerance = "none"
criterion = { experiment = "restless", measure = "reward_per_trial", min = 0.5 }
"""


def all_claims():
    return [claim for record in reference.records().values() for claim in record["claim"]]


def test_every_record_is_complete_and_no_claim_is_said_twice():
    records = reference.records()
    assert {record["paper"] for record in records.values() if record["claim"]} >= {"w16", "w18", "z20", "rl2"}
    assert len(records) >= 32


@pytest.mark.parametrize("name", reference.names())
def test_every_record_loads_as_a_dataset_with_its_source(name):
    published = reference.load(name)
    assert published.attrs["citation"] and published.attrs["doi"].startswith("10.")
    assert published.published.dims == ("claim",)
    assert published.sizes["claim"] == len(reference.record(name)["claim"])


def test_bounds_enclose_what_was_published_so_that_the_paper_reproduces_itself():
    for claim in all_claims():
        if "published" in claim:
            bounds = claim["criterion"]
            assert bounds.get("min", -math.inf) <= claim["published"] <= bounds.get("max", math.inf), claim["id"]


def test_every_claim_asks_for_a_measure_that_takes_its_arguments_of_a_file_that_some_command_makes(tmp_path):
    for claim in all_claims():
        criteria.check(claim)
        for need in criteria.needs(claim):
            assert command_for(tmp_path, need.file).startswith("neurometa "), claim["id"]


def test_no_two_claims_are_decided_by_one_criterion_unless_they_say_so():
    seen = {}
    for claim in all_claims():
        if "same_as" not in claim:
            other = seen.setdefault(json.dumps(claim["criterion"], sort_keys=True), claim["id"])
            assert other == claim["id"], f"{claim['id']} has the criterion of {other}"


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ('measure = "rewards"', "Did you mean 'reward'"),
        ('measure = "reward", learner = "UCB"', "gives 'learner' to 'reward', which takes nothing"),
        ('measure = "right", answered = true', "does not give 'trials', which 'right' needs"),
    ],
)
def test_a_measure_that_is_unknown_or_given_what_it_does_not_take_is_refused(tmp_path, measure, message):
    (tmp_path / "small.toml").write_text(RECORD.replace('measure = "reward_per_trial"', measure))
    with pytest.raises(InputError, match=message):
        compare(place=tmp_path)


def test_a_ratio_to_other_agents_is_refused(tmp_path):
    other = 'min = 0.5, over = { experiment = "independent" }'
    (tmp_path / "small.toml").write_text(RECORD.replace("min = 0.5", other))
    with pytest.raises(InputError, match="'one' is 'over' other agents; a ratio is of one agent: take 'minus'"):
        compare(place=tmp_path)


def test_a_claim_that_is_the_same_as_none_is_refused(tmp_path):
    text = RECORD.split("criterion = ")[0] + 'same_as = "two"\n'
    (tmp_path / "small.toml").write_text(text)
    with pytest.raises(InputError, match="the same as 'two', which has no criterion"):
        compare(place=tmp_path)


def test_exact_theory_agrees_with_every_claim_about_a_baseline_or_an_optimum(tmp_path):
    exact = [one for one in compare(runs=tmp_path) if one.verdict != "not run"]
    assert len(exact) >= 13
    assert {one.claim: one.ours for one in exact if one.verdict != "reproduced"} == {}


def test_a_published_curve_overlays_on_labelled_axes():
    curve = reference.load("w18_fig1d").cumulative_regret
    assert curve.dims == ("learner", "trial") and curve.attrs["units"] == "reward"
    assert np.array_equal(curve.trial, [1, 5, 10, 20, 50, 100])
    assert (curve.diff("trial") >= 0).all()


def overlay(name, variable, **where):
    return reference.load(name)[variable].sel(where)


@pytest.mark.parametrize(
    ("name", "variable", "sizes"),
    [
        ("w18_fig2ad", "slope", {"who": 5}),
        ("w18_fig2be", "mean_correlation", {"factor": 4}),
        ("w18_fig2cf", "weight", {"who": 3, "regressor": 2, "lag": 5}),
        ("w18_fig3cd", "learning_rate", {"who": 3, "block": 4}),
        ("w18_fig4ab", "rpe", {"condition": 3, "event": 4}),
        ("w18_fig5c", "stay_probability", {"who": 6, "previous_outcome": 2, "previous_transition": 2}),
        ("w18_fig5de", "weight", {"who": 4, "previous_outcome": 2, "previous_transition": 2, "lag": 5}),
        ("w18_fig6b", "accuracy", {"problem": 8, "trial": 6}),
        ("w18_fig6c", "accuracy", {"stage": 7, "trial": 6}),
        ("w18_fig7", "risky", {"who": 4, "perturbation": 3, "during": 2, "risky_prob": 2}),
        ("w16_fig5", "stay_probability", {"who": 1, "previous_outcome": 2, "previous_transition": 2}),
        ("daw2011", "median", {"parameter": 7}),
        ("tsutsui2016", "n_responses", {"factor": 4}),
    ],
)
def test_every_table_is_laid_out_as_the_figure_it_overlays(name, variable, sizes):
    assert overlay(name, variable).sizes == sizes


def test_the_weights_of_past_trials_add_up_to_the_published_indices():
    weight = overlay("w18_fig5de", "weight", who=["agent (published)", "rats"])
    total = weight.sum("lag", skipna=False)
    outcome, transition = (
        xr.where(total[dim] == label, 1, -1)
        for dim, label in (("previous_outcome", "rewarded"), ("previous_transition", "common"))
    )
    planning = (total * outcome * transition).sum(["previous_outcome", "previous_transition"])
    model_free = (total * outcome).sum(["previous_outcome", "previous_transition"])
    assert planning.values == pytest.approx([21.5, 4.2], abs=0.051)
    assert model_free.values == pytest.approx([-0.1, 0.6], abs=0.051)


def test_shares_of_neurons_are_the_published_counts_over_205():
    shares = overlay("w18_fig2be", "share_of_neurons")
    assert (shares * 205).values == pytest.approx([44, 34, 27, 68], abs=0.5)
    responses = reference.load("tsutsui2016")
    assert (responses.n_responses / 1222).values == pytest.approx(responses.share_of_responses.values, abs=0.005)


def test_learning_rates_are_higher_in_volatile_blocks_for_everybody():
    blocks = reference.load("w18_fig3cd")
    rate = blocks.learning_rate.fillna((blocks.lowest + blocks.highest) / 2)
    for volatile, stable in (("Volatile 1", "Stable 2"), ("Volatile 2", "Stable 1")):
        assert (rate.sel(block=volatile) > 1.5 * rate.sel(block=stable)).all()
    assert (rate.sel(block="Stable 2") > rate.sel(block="Stable 1")).all()
    seeds = blocks.sel(who="agent (published)")
    assert ((seeds.lowest < seeds.learning_rate) & (seeds.learning_rate < seeds.highest)).all()


def test_learning_sets_start_at_a_guess_and_rise_from_one_row_to_the_next():
    monkeys, agents = overlay("w18_fig6b", "accuracy"), overlay("w18_fig6c", "accuracy")
    assert (monkeys.sel(trial=1) == 0.5).all() and (abs(agents.sel(trial=1) - 0.5) < 0.1).all()
    for curve in (monkeys, agents):
        rows = curve.dims[0]
        assert (curve.sel(trial=2).diff(rows) > 0).all(), "rows are in the order of training"
        assert (curve.isel({rows: -1}).sel(trial=slice(2, 6)) > 0.96).all()
    totals = [curve[-1].sum().item() for curve in (monkeys, agents)]
    assert totals == pytest.approx([5.390, 5.436])


def test_prediction_errors_turn_round_with_the_reversal():
    rpe = overlay("w18_fig4ab", "rpe")
    contrast = rpe.sel(event="new cue") - rpe.sel(event="old cue")
    assert contrast.values == pytest.approx([-0.65, 0.69, 0.69])
    assert (abs(rpe.sel(event=["fixation", "response"])).max() < 0.1).all()


def test_perturbations_shift_choices_as_published():
    risky = overlay("w18_fig7", "risky", who=["rats", "agent (published)", "Q-learner (computed)"])
    shift = risky.sel(during="perturbed") - risky.sel(during="control")
    assert (shift.sel(perturbation="block-risky-reward", risky_prob=0.5) <= -0.2).all()
    assert (shift.sel(perturbation=["block-safe-reward", "block-risky-loss"], risky_prob=0.125) > 0.1).all()
    agent = shift.sel(who="agent (published)")
    assert agent.sel(perturbation="block-risky-reward").values == pytest.approx([-0.04, -0.47])


def test_claims_about_a_table_carry_its_values():
    claims = {c["id"]: c["published"] for r in reference.records().values() for c in r["claim"] if "published" in c}
    stay = overlay("w18_fig5c", "stay_probability", who="agent (published)")
    for outcome in ("rewarded", "unrewarded"):
        for transition in ("common", "rare"):
            value = stay.sel(previous_outcome=outcome, previous_transition=transition)
            assert claims[f"w18-5c-{transition}-{outcome}"] == value
    slope = overlay(
        "w18_fig2ad", "slope", who=["agent (published), trained ranges", "agent (published), held-out ranges"]
    )
    assert [claims["w18-2d-slope-trained"], claims["w18-2d-slope-held-out"]] == slope.values.tolist()
    accuracy = overlay("w18_fig6c", "accuracy", stage="final")
    assert claims["w18-6c-second"] == accuracy.sel(trial=2)
    assert claims["w18-6c-later"] == pytest.approx(accuracy.sel(trial=slice(3, 6)).mean().item())
    controls = overlay("w18_fig7", "risky", who="agent (published)", during="control").mean("perturbation")
    assert [claims["w18-7-control-low"], claims["w18-7-control-high"]] == pytest.approx(controls.values, abs=0.005)


def test_a_table_without_a_claim_loads_and_compare_says_that_there_is_nothing_to_decide():
    found = reference.load("daw2011")
    assert found.sizes["claim"] == 0 and found["median"].sel(parameter="model_based_weight") == 0.39
    with pytest.raises(InputError, match=r"'daw2011' claims nothing; its table comes with reference\.load"):
        compare("daw2011")


def test_names_of_a_table_keep_the_order_of_the_file_and_numbers_ascend(tmp_path):
    (tmp_path / "small.toml").write_text(
        RECORD.split("[[claim]]")[0] + '[table]\ndims = ["who", "lag"]\nvariables.x = {}\n'
    )
    (tmp_path / "small.csv").write_text("who,lag,x\nrats,3,1\nrats,1,2\nagent,2,3\n")
    x = reference.load("small", tmp_path).x
    assert x.who.values.tolist() == ["rats", "agent"] and x.lag.values.tolist() == [1, 2, 3]
    assert x.sel(who="rats").values == pytest.approx([2, np.nan, 1], nan_ok=True)


@pytest.mark.parametrize("field", ["paper", "citation", "doi", "where", "how", "units", "n"])
def test_a_record_without_a_field_is_refused_by_file_and_field(tmp_path, field):
    lines = [line for line in RECORD.splitlines() if not line.startswith(f"{field} =")]
    (tmp_path / "small.toml").write_text("\n".join(lines))
    with pytest.raises(InputError, match=rf"small\.toml has no field '{field}'"):
        reference.load("small", tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('tolerance = "none"', "", "claim 'one', has no field 'tolerance'"),
        ("min = 0.5", "mean = 0.5", "criterion without a bound"),
        (", min = 0.5", "", "without a bound"),
        ('measure = "reward_per_trial", ', "", "no field 'measure'"),
        ("[[claim]]", "[other]", "no field 'claim'"),
        ('id = "one"', "id = one", "is not TOML"),
    ],
)
def test_a_record_that_is_wrong_is_refused_in_one_sentence(tmp_path, before, after, message):
    (tmp_path / "small.toml").write_text(RECORD.replace(before, after))
    with pytest.raises(InputError, match=message):
        reference.load("small", tmp_path)


def test_an_unknown_record_names_the_nearest_and_a_claim_said_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'w18_fig1d'"):
        reference.load("w18_figd")
    (tmp_path / "a.toml").write_text(RECORD)
    (tmp_path / "b.toml").write_text(RECORD)
    with pytest.raises(InputError, match="'one' is in a and in b"):
        reference.records(tmp_path)
