"""Verdicts on small synthetic runs, and how the command tells them."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from shell import neurometa

from neurometa import dataset, reference
from neurometa.compare import compare
from neurometa.criteria import needs
from neurometa.errors import InputError

BELOW = "w16-4-below-ucb"
NEAR = "w16-4-near-ideal"


def make_run(
    base,
    name="a",
    *,
    experiment="restless",
    seed=0,
    regret=0.06,
    learners=("agent", "UCB", "ideal observer"),
    done=True,
    **config,
):
    """A run folder of the restless bandit whose agent loses `regret` a trial, UCB .08 and the ideal observer .058."""
    run = base / name
    run.mkdir(parents=True)
    settings = {"inputs": ["observation", "action", "reward", "time"], "seed": seed} | config
    (run / "config.json").write_text(json.dumps({"experiment": experiment, "config": settings}))
    if not done:
        return run
    (run / "agent.safetensors").write_bytes(b"")
    rng = np.random.default_rng(seed)
    means = {"agent": regret, "UCB": 0.08, "ideal observer": 0.058}
    lost = np.stack([means[learner] + rng.normal(0, 0.001, (1000, 10)) for learner in learners])
    about = {"created": "now", "budget": 1000, "seed": seed}
    trials = dataset.example(n_episodes=3).assign_attrs(about)
    dataset.save_run(trials, run)
    regrets = xr.Dataset({"regret": (("learner", "episode", "trial"), lost)}, {"learner": list(learners)}, about)
    dataset.save_run(regrets, run / "regret.nc")
    return run


def one(claim, base, place=None):
    (found,) = compare(claim, base, place=place)
    return found


def test_seeds_are_pooled_and_a_bound_that_holds_in_each_is_reproduced(tmp_path):
    for seed in range(3):
        make_run(tmp_path, f"r{seed}", seed=seed)
    found = one(BELOW, tmp_path)
    assert (found.verdict, found.seeds, found.n, found.budget) == ("reproduced", (0, 1, 2), 3000, 1000)
    assert found.lower < found.ours < found.upper
    assert found.ours == pytest.approx(10 * (0.06 - 0.08), abs=1e-3)
    assert one(NEAR, tmp_path).ours == pytest.approx(0.06 / 0.058, abs=1e-3)


def test_one_seed_that_misses_the_bound_is_not_reproduced(tmp_path):
    make_run(tmp_path, "good", seed=0)
    make_run(tmp_path, "bad", seed=1, regret=0.09)
    found = one(BELOW, tmp_path)
    assert found.verdict == "not reproduced"
    assert found.note.startswith("Holds in 1 of 2.")


def test_a_missing_run_says_which_command_makes_it(tmp_path):
    found = one(BELOW, tmp_path)
    assert (found.verdict, found.n) == ("not run", 0)
    assert f"neurometa train restless --out {tmp_path / 'restless'}" in found.note


def test_an_unfinished_run_says_how_to_go_on(tmp_path):
    run = make_run(tmp_path, done=False)
    found = one(BELOW, tmp_path)
    assert found.verdict == "not run"
    assert f"neurometa train restless --out {run} --resume" in found.note


def test_a_result_that_is_absent_stale_cut_short_or_lacks_a_learner_is_not_run(tmp_path):
    run = make_run(tmp_path / "absent")
    (run / "regret.nc").unlink()
    assert f"neurometa regret {run}" in one(BELOW, tmp_path / "absent").note
    run = make_run(tmp_path / "stale")
    dataset.save_run(dataset.example(n_episodes=3).assign_attrs(created="later", seed=0), run)
    assert "earlier rollout" in one(BELOW, tmp_path / "stale").note
    run = make_run(tmp_path / "cut")
    (run / "regret.nc").write_bytes((run / "regret.nc").read_bytes()[:2000])
    assert "damaged" in one(BELOW, tmp_path / "cut").note
    make_run(tmp_path / "lacks", learners=("agent",))
    found = one(BELOW, tmp_path / "lacks")
    assert found.verdict == "not run" and "which lacks it" in found.note


def test_runs_of_other_settings_or_without_reward_are_not_pooled(tmp_path):
    for seed in range(2):
        make_run(tmp_path, f"r{seed}", seed=seed)
    make_run(tmp_path, "other", seed=2, n_units=6)
    make_run(tmp_path, "blind", seed=3, inputs=["action"])
    found = one(BELOW, tmp_path)
    assert found.seeds == (0, 1)
    assert str(tmp_path / "other") in found.note and "blind" not in found.note


def test_the_best_of_a_sweep_are_judged_as_agents_and_its_other_rows_are_not(tmp_path):
    for row, regret in enumerate((0.06, 0.2, 0.061, 0.059)):
        make_run(tmp_path / "sweep", f"{row:03d}", regret=regret, step_size=row / 100)
    told = json.loads((tmp_path / "sweep" / "000" / "config.json").read_text())
    (tmp_path / "sweep" / "draws.json").write_text(json.dumps(told))
    assert "neurometa sweep restless" in one(BELOW, tmp_path).note
    rows = xr.Dataset({"run": ("row", ["000", "001", "002", "003"]), "rank": ("row", [2, 4, 3, 1])})
    dataset.save_run(rows.assign_attrs(experiment="restless", top=3), tmp_path / "sweep" / "sweep.nc")
    found = one(BELOW, tmp_path)
    assert (found.verdict, found.agents, found.seeds, found.n) == ("reproduced", 3, (0,), 3000)
    assert found.each == pytest.approx([10 * (x - 0.08) for x in (0.059, 0.06, 0.061)], abs=1e-3)
    assert found.lower < found.ours < found.upper


PAIRS = """paper = "w16"
citation = "Someone 2016"
doi = "10.0/0"
where = "Fig 1"
how = "text"
units = "reward"
n = "10"
[[claim]]
id = "in-all"
statement = "One kind loses less than the other"
tolerance = "none"
[claim.criterion]
experiment = "a"
file = "regret.nc"
measure = "regret"
learner = "agent"
minus = { experiment = "b" }
max = 0.0
[[claim]]
id = "on-mean"
statement = "One kind loses less than the other, on average"
tolerance = "none"
[claim.criterion]
on_mean = true
experiment = "a"
file = "regret.nc"
measure = "regret"
learner = "agent"
minus = { experiment = "b" }
max = 0.0
"""


def test_two_kinds_of_agents_differ_by_welchs_interval_and_in_every_pair_or_on_average(tmp_path):
    losses = {"a": (0.050, 0.062, 0.055), "b": (0.060, 0.066, 0.064, 0.070)}
    for kind, regrets in losses.items():
        for seed, regret in enumerate(regrets):
            make_run(tmp_path / "runs", f"{kind}{seed}", experiment=kind, seed=seed, regret=regret)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "pairs.toml").write_text(PAIRS)
    every, average = compare(runs=tmp_path / "runs", place=tmp_path / "records")
    assert (every.verdict, average.verdict) == ("not reproduced", "reproduced")
    assert every.note.startswith("Holds in 11 of 12.") and every.agents == 4
    totals = [[10 * regret for regret in losses[kind]] for kind in "ab"]
    expected = stats.ttest_ind(*totals, equal_var=False).confidence_interval()
    assert (every.lower, every.upper) == pytest.approx((expected.low, expected.high), abs=2e-3)


KERNEL = """paper = "w18"
citation = "Someone 2018"
doi = "10.0/0"
where = "Fig 1"
how = "text"
units = "weight"
n = "10"
[[claim]]
id = "positive"
statement = "All three weights are above 0"
tolerance = "a sign"
[claim.criterion]
experiment = "a"
file = "regret.nc"
measure = "least"
of = "coef"
at = { lag = [1, 2, 3] }
above = 0.0
[[claim]]
id = "largest-first"
statement = "The first weight is above the largest of the others"
tolerance = "an ordering"
[claim.criterion]
experiment = "a"
file = "regret.nc"
measure = "value"
of = "coef"
at = { lag = 1 }
minus = { measure = "most", at = { lag = [2, 3, 4] } }
above = 0.0
[[claim]]
id = "coded"
statement = "Units have weights beyond .5"
tolerance = "a share"
[claim.criterion]
experiment = "a"
file = "regret.nc"
measure = "coded"
factor = "value"
beyond = 0.5
min = 0.5
[[claim]]
id = "size"
statement = "Mean size of the weights"
tolerance = "none"
[claim.criterion]
experiment = "a"
file = "regret.nc"
measure = "coding"
factor = "value"
max = 1.0
"""


@pytest.mark.parametrize(
    ("weights", "positive", "ahead", "share", "size"),
    [
        ([0.9, 0.6, 0.2, -0.4], 0.2, 0.3, 0.5, 0.525),
        ([0.3, -0.6, 0.2, 0.4], -0.6, -0.1, 0.25, 0.375),
    ],
)
def test_extremes_shares_and_sizes_over_labels_are_those_worked_out_by_hand(
    tmp_path, weights, positive, ahead, share, size
):
    run = make_run(tmp_path / "runs", experiment="a")
    coding = {"spearman": (("factor", "unit"), [weights])}
    kernel = xr.Dataset({"coef": ("lag", weights)} | coding, {"lag": [1, 2, 3, 4], "factor": ["value"]})
    kernel.attrs["created"] = "now"
    dataset.save_run(kernel, run / "regret.nc")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "kernel.toml").write_text(KERNEL)
    found = {one.claim: one for one in compare(runs=tmp_path / "runs", place=tmp_path / "records")}
    assert [found[claim].ours for claim in ("positive", "largest-first", "coded", "size")] == pytest.approx(
        [positive, ahead, share, size]
    )
    assert (found["positive"].verdict == "reproduced") == (positive > 0)
    assert (found["largest-first"].verdict == "reproduced") == (ahead > 0)


@pytest.mark.parametrize(
    ("share", "good", "agents", "verdict"),
    [
        ("", 7, 8, "reproduced"),
        ("", 6, 8, "not reproduced"),
        ("share_of_agents = 0.75", 6, 8, "reproduced"),
        ("share_of_agents = 0.75", 5, 8, "not reproduced"),
        ("share_of_agents = 0.75", 3, 4, "not reproduced"),  # of fewer than eight none may miss
        ("share_of_agents = 1.0", 7, 8, "not reproduced"),
        ("share_of_agents = 1.0", 8, 8, "reproduced"),
    ],
)
def test_a_claim_says_in_how_many_of_eight_agents_it_must_hold(tmp_path, share, good, agents, verdict):
    for seed in range(agents):
        make_run(tmp_path / "runs", f"r{seed}", experiment="a", seed=seed, regret=0.05 if seed < good else 0.2)
    record = PAIRS.split("[[claim]]")[0] + "[[claim]]" + PAIRS.split("[[claim]]")[1]
    record = record.replace('minus = { experiment = "b" }\nmax = 0.0', f"max = 1.0\n{share}")
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "share.toml").write_text(record)
    assert one("in-all", tmp_path / "runs", tmp_path / "records").verdict == verdict


def claim_file(place, name, criterion):
    """A file of one claim, called `name`."""
    place.mkdir(exist_ok=True)
    head = PAIRS.split("[[claim]]")[0] + f'[[claim]]\nid = "{name}"\nstatement = "It holds"\ntolerance = "none"\n'
    (place / f"{name}.toml").write_text(f"{head}[claim.criterion]\n{criterion}\n")


def test_trials_are_picked_by_what_other_variables_say_and_other_trials_set_beside_them(tmp_path):
    run = make_run(tmp_path / "runs", experiment="risky-safe")
    rng = np.random.default_rng(1)
    prob = np.repeat([0.125, 0.5], 500)[:, None] * np.ones((1, 30))
    forced = np.arange(30) < 10
    for file, shares in (("behaviour.nc", (0.2, 0.9)), ("perturbation-block-risky-loss.nc", (0.5, 0.9))):
        chance = np.where(prob < 0.3, *shares)
        risky = np.where(forced, 0.5, chance) > rng.random((1000, 30))
        grain = ("episode", "trial")
        missed = rng.random(risky.shape) < 0.1
        trials = {"risky": risky & ~missed, "risky_prob": prob, "forced": np.broadcast_to(forced, prob.shape)}
        trials["choice"] = np.where(missed, -1, risky).astype(np.int8)
        dataset.save_run(xr.Dataset({name: (grain, x) for name, x in trials.items()}), run / file)
    found = {one.claim: one for one in compare("w18_fig7", tmp_path / "runs")}
    assert found["w18-7-control-high"].ours == pytest.approx(0.9, abs=0.02)
    assert found["w18-7-control-low"].ours == pytest.approx(0.2, abs=0.02)
    assert found["w18-7-block-risky-loss-low"].ours == pytest.approx(0.3, abs=0.03)
    assert found["w18-7-block-risky-loss-high"].ours == pytest.approx(0.0, abs=0.03)
    assert found["w18-7-control-high"].lower < 0.9 < found["w18-7-control-high"].upper
    needed = f"neurometa rollout {run} --perturbation block-safe-reward"
    assert needed in found["w18-7-block-safe-reward-low"].note


def test_a_readout_is_right_on_the_trials_that_its_rollout_says_could_be_known(tmp_path):
    run = make_run(tmp_path / "runs", experiment="reversal")
    rng = np.random.default_rng(2)
    truth, switched = rng.integers(2, size=(40, 50)), rng.random((40, 50)) < 0.1
    wrong = switched | (rng.random((40, 50)) < 0.05)
    grain = ("episode", "trial")
    trials = xr.Dataset({"rewarded_cue": (grain, truth), "reversed": (grain, switched)}, attrs={"created": "now"})
    dataset.save_run(trials, run)
    read = np.where(wrong, 1 - truth, truth) + rng.uniform(-0.4, 0.4, truth.shape)
    read[0, 0] = np.nan
    readout = {"prediction": (("target", *grain), read[None])}
    dataset.save_run(xr.Dataset(readout, {"target": ["rewarded cue"]}, {"created": "now"}), run / "decode.nc")
    found = one("w18-4c-latent-state", tmp_path / "runs")
    assert found.verdict == "reproduced" and found.ours == pytest.approx(0.95, abs=0.01)


def test_a_result_of_other_options_is_not_run_and_says_how_it_is_made(tmp_path):
    run = make_run(tmp_path / "runs", experiment="two-step")
    place = tmp_path / "records"
    kernel = 'experiment = "two-step"\nfile = "history.nc"\noptions = "--encoding miller --lags 5"\nof = "coef"\n'
    claim_file(place, "kernel", kernel + 'measure = "value"\nat = { lag = 5 }\nmin = 0.0')
    command = f"neurometa history {run} --encoding miller --lags 5"
    assert command in one("kernel", tmp_path / "runs", place).note
    short = xr.Dataset({"coef": ("lag", [0.5, 0.1])}, {"lag": [1, 2]}, {"created": "now"})
    dataset.save_run(short, run / "history.nc")
    note = one("kernel", tmp_path / "runs", place).note
    assert "which lacks it" in note and note.endswith(f"make it anew with: {command}")


def test_a_result_over_no_episodes_counts_those_that_it_was_worked_out_from(tmp_path):
    run = make_run(tmp_path / "runs", experiment="two-step")
    place = tmp_path / "records"
    claim_file(
        place, "kernel", 'experiment = "two-step"\nfile = "history.nc"\nmeasure = "value"\nof = "coef"\nmin = 0.0'
    )
    dataset.save_run(xr.Dataset({"coef": ("lag", [0.5, 0.1])}, {"lag": [1, 2]}, {"created": "now"}), run / "history.nc")
    found = one("kernel", tmp_path / "runs", place)
    assert (found.verdict, found.n) == ("reproduced", 3)


def test_agents_of_other_settings_are_set_beside_each_other(tmp_path):
    for seed in range(3):
        make_run(tmp_path / "runs", f"r{seed}", experiment="a", seed=seed, recurrent=True)
        make_run(tmp_path / "runs", f"cut{seed}", experiment="a", seed=seed, regret=0.09, recurrent=False)
    place = tmp_path / "records"
    regret = 'experiment = "a"\nfile = "regret.nc"\nmeasure = "regret"\nlearner = "agent"\n'
    claim_file(
        place, "cut", regret + "config = { recurrent = false }\nminus = { config = { recurrent = true } }\nabove = 0.0"
    )
    found = one("cut", tmp_path / "runs", place)
    assert found.verdict == "reproduced" and found.agents == 3 and len(found.each) == 9
    assert found.ours == pytest.approx(0.3, abs=1e-2)


def test_too_few_episodes_decide_nothing(tmp_path):
    make_run(tmp_path)
    found = one("w16-4-tracks", tmp_path)
    assert found.verdict == "not run" and "has 3" in found.note


def test_an_unknown_claim_folder_or_damaged_settings_are_refused(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'w16-4-below-ucb'"):
        compare("w16-4-below-ucbb", tmp_path)
    with pytest.raises(InputError, match="no folder"):
        compare("w16", tmp_path / "absent")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        compare("w16", tmp_path)


def test_the_command_prints_a_table_that_fits_and_json_that_parses(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    make_run(tmp_path)
    code, out, err = neurometa("compare", "w16_fig4b", "--runs", tmp_path)
    assert (code, err) == (0, "")
    assert BELOW in out and " reproduced" in out
    assert max(len(line) for line in out.splitlines() if "Next" not in line) <= 80
    code, out, _ = neurometa("compare", "w16_fig4b", "--runs", tmp_path, "--json")
    claims = {claim["claim"]: claim for claim in json.loads(out)["claims"]}
    assert code == 0 and claims[BELOW]["verdict"] == "reproduced" and claims[BELOW]["published"] is None


def test_bad_input_ends_in_one_sentence_and_code_2(tmp_path):
    code, out, err = neurometa("compare", "w17", "--runs", tmp_path)
    assert (code, out) == (2, "") and err.count("\n") == 1 and "'w17'" in err


def test_a_page_stands_alone_and_shows_names_as_text(tmp_path):
    base = tmp_path / "<script>alert(1)"
    base.mkdir()
    page = tmp_path / "page.html"
    assert neurometa("compare", BELOW, "--runs", base, "--html", page)[0] == 0
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append((tag, dict(attrs)))
    parser.feed(page.read_text())
    assert "table" in [tag for tag, _ in tags]
    assert not {tag for tag, _ in tags} & {"script", "link", "img"}
    assert "&lt;script&gt;alert(1)" in page.read_text()


def test_agents_of_two_experiments_are_set_beside_each_other_where_neither_was_trained(tmp_path):
    for name, better in (("dependent-uniform", 0.9), ("independent", 0.7)):
        run = make_run(tmp_path, name)
        told = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps(told | {"experiment": name}))
        choice = (np.random.default_rng(0).random((2000, 100)) > better).astype(np.int8)
        worth = np.broadcast_to([0.75, 0.25], (2000, 100, 2))
        grain = ("episode", "trial")
        trials = xr.Dataset({"choice": (grain, choice), "reward_prob": ((*grain, "arm"), worth)})
        dataset.save_run(trials, run / "on-dependent-medium.nc")
    found = one("w16-2a-uniform-on-medium", tmp_path)
    assert found.verdict == "reproduced"
    assert found.ours == pytest.approx(100 * 0.5 * (0.1 - 0.3), abs=0.2)
    assert one("w16-2a-easy-on-medium", tmp_path).verdict == "not run"


def test_a_claim_names_the_files_that_decide_it_trials_first():
    claims = {claim["id"]: claim for record in reference.records().values() for claim in record["claim"]}
    lesioned = [(need.file, need.options) for need in needs(claims["w18-p-lesion-rpe"])]
    assert lesioned == [("lesion-reset.nc", ""), ("lesion-reset_rpe.nc", ""), ("behaviour.nc", ""), ("rpe.nc", "")]
    (blind,) = needs(claims["w16-5-no-reward"])
    assert (blind.experiment, blind.settings, blind.episodes) == (
        "two-step-w16",
        ("inputs=observation,action,time",),
        1000,
    )
    noisy = needs(claims["w18-p-training-rpe"])
    assert {need.settings for need in noisy} == {("rpe_noise=1.0",), ("rpe_noise=0.0",)}
    assert {need.options for need in noisy if need.file == "history.nc"} == {
        "--encoding miller --lags 5 --penalty ridge"
    }
    both = {(need.experiment, need.file) for need in needs(claims["w16-2b-easy"])}
    assert both == {("dependent-easy", "on-independent.nc"), ("independent", "behaviour.nc")}
    assert not needs(claims["w16-1-exact-ucb"])


def test_every_claim_that_is_not_of_exact_theory_needs_something():
    for record in reference.records().values():
        for claim in record["claim"]:
            assert bool(needs(claim)) == ("exact" not in claim["criterion"]), claim["id"]


def test_a_claim_of_learning_is_decided_on_the_difference_from_before_training_as_well(tmp_path):
    place, runs = tmp_path / "records", tmp_path / "runs"
    criterion = 'experiment = "a"\nmeasure = "reward_per_trial"\nmin = 0.5\nuntrained = {{ min = {} }}'
    claim_file(place, "learned", criterion.format(0.2))
    claim_file(place, "as-before", criterion.format(0.4))
    run = make_run(runs, experiment="a")
    found = one("learned", runs, place)
    assert found.verdict == "not run" and f"neurometa rollout {run} --untrained" in found.note
    for file, share in (("behaviour.nc", 0.9), ("untrained.nc", 0.6)):
        paid = (np.random.default_rng(0).random((400, 50)) < share).astype(float)
        trials = {"reward": (("episode", "trial"), paid), "choice": (("episode", "trial"), paid.astype(np.int8))}
        dataset.save_run(xr.Dataset(trials, attrs={"created": "now"}), run / file)
    learned, as_before = one("learned", runs, place), one("as-before", runs, place)
    assert (learned.verdict, as_before.verdict) == ("reproduced", "not reproduced")
    assert learned.ours == pytest.approx(0.9, abs=0.02) and learned.untrained == pytest.approx(0.6, abs=0.02)
    assert learned.note.startswith("Untrained: 0.") and "must be ≥ 0.2" in learned.note


@pytest.mark.parametrize(
    ("shares", "rank", "rise", "verdicts"),
    [
        ((0.5, 0.7, 0.9), 1.0, 0.2, ("reproduced", "reproduced")),
        ((0.7, 0.5, 0.9), 0.5, -0.2, ("not reproduced", "not reproduced")),
    ],
)
def test_stages_of_training_are_runs_of_less_and_the_experiments_own_is_the_last(
    tmp_path, shares, rank, rise, verdicts
):
    place, runs = tmp_path / "records", tmp_path / "runs"
    criterion = 'experiment = "a"\nmeasure = "reward_per_trial"\nstages = {{ n_updates = [10, 20]{} }}\n{} = {}'
    claim_file(place, "rank", criterion.format("", "min", 0.9))
    claim_file(place, "rise", criterion.format(', statistic = "least rise"', "above", 0.0))
    for n_updates, share in zip((10, 20, 40), shares, strict=True):
        if n_updates == 20:
            note = one("rank", runs, place).note
            assert "neurometa train a --set n_updates=20" in note
        run = make_run(runs, f"{n_updates}", experiment="a", n_updates=n_updates)
        paid = (np.random.default_rng(0).random((400, 50)) < share).astype(float)
        dataset.save_run(xr.Dataset({"reward": (("episode", "trial"), paid)}, attrs={"created": "now"}), run)
    found = [one(name, runs, place) for name in ("rank", "rise")]
    assert [each.ours for each in found] == pytest.approx([rank, rise], abs=0.02)
    assert tuple(each.verdict for each in found) == verdicts
    assert found[0].over == "1 agent" and found[0].agents == 1


def test_an_interval_is_over_agents_and_the_episodes_that_they_share(tmp_path):
    place, runs = tmp_path / "records", tmp_path / "runs"
    claim_file(place, "reward", 'experiment = "a"\nmeasure = "reward_per_trial"\nmin = 0.0')
    rng = np.random.default_rng(0)
    world = rng.normal(0, 1, (300, 1))
    for seed in range(8):
        run = make_run(runs, f"{seed}", experiment="a", seed=seed)
        paid = world + rng.normal(0, 0.1, (300, 5))
        dataset.save_run(xr.Dataset({"reward": (("episode", "trial"), paid)}, attrs={"created": "now"}), run)
    found = one("reward", runs, place)
    assert found.over == "8 agents x 300 episodes"
    expected = stats.t.interval(0.95, 299, world.mean(), stats.sem(world[:, 0]))
    assert (found.lower, found.upper) == pytest.approx(expected, abs=0.01), "agents add nothing of their own here"
    alone = one("reward", runs / "3", place)
    assert alone.over == "1 agent, 300 episodes"
