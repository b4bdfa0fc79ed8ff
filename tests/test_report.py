"""The page to mail: what it tells, that what is absent is not shown, that text stays text, and that it stays small."""

import base64
import dataclasses
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from shell import neurometa

from neurometa import behaviour, dataset, models, plotting, pretrained, report
from neurometa.analysis import ANALYSES
from neurometa.errors import InputError
from neurometa.report import episodes, pictures
from neurometa.report.page import contents, render
from neurometa.report.parameters import table
from neurometa.report.words import number

ABOUT = {"created": "2026-01-01T00:00:00+00:00", "budget": 9600, "seed": 3, "evaluation_seed": 1, "agent": "LSTMAgent"}
INPUTS = ["observation", "action", "reward", "time"]


def agent_trials(n_episodes=6, n_trials=20, n_units=4, **about):
    """A run's trials with everything that an agent logs, from random numbers."""
    rng = np.random.default_rng(0)
    grain, size = ("episode", "trial", "step"), (n_episodes, n_trials, 1)
    choice = rng.integers(0, 2, size[:2]).astype(np.int8)
    reward = rng.integers(0, 2, size[:2]).astype(float)
    config = {"discount": 0.5, "n_units": n_units, "seed": 3, "inputs": INPUTS}
    return xr.Dataset(
        {
            "choice": (grain[:2], choice, {"n_options": 2}),
            "reward": (grain[:2], reward),
            "action": (grain, choice[..., None]),
            "step_reward": (grain, reward[..., None]),
            "value": (grain, rng.normal(0.5, 0.1, size)),
            "logits": ((*grain, "option"), rng.normal(size=(*size, 2))),
            "hidden": ((*grain, "unit"), np.tanh(rng.normal(size=(*size, n_units))).astype(np.float32)),
            "reward_prob": ((*grain[:2], "arm"), rng.uniform(size=(*size[:2], 2))),
        },
        coords={"step": ["choice"]},
        attrs=ABOUT | {"config": json.dumps(config), "task": json.dumps({"type": "RestlessBandit"})} | about,
    )


def agent_run(folder, trials=None, **config):
    """A run folder of an agent: settings, weights, a learning curve, trials and fits."""
    folder.mkdir(parents=True)
    trials = agent_trials() if trials is None else trials
    about = {"experiment": "restless", "config": json.loads(trials.attrs["config"]) | config, "commit": "abc123"}
    (folder / "config.json").write_text(json.dumps(about | {"torch": "2.13.0", "created": "2026-01-01"}))
    (folder / "agent.safetensors").write_bytes(b"")
    rows = [{"update": i, "steps": 96 * i, "reward": 0.5 + i / 1000} for i in range(1, 101)]
    (folder / "curve.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset.save_run(trials, folder)
    fitted = behaviour.fit(models.RescorlaWagner, trials)
    dataset.save_run(fitted.assign_attrs(created=trials.attrs["created"]), folder / "fit_rw.nc")
    return folder


def mouse_trials(subjects=("a", "a", "b"), n_trials=12):
    """Sessions as the importer makes them: padded, labelled, without anything that only an agent has."""
    trials = dataset.example(n_episodes=len(subjects)).isel(trial=slice(0, n_trials))[["choice", "reward"]]
    valid = np.ones(trials.choice.shape, dtype=bool)
    valid[0, -4:] = False
    trials = trials.assign(valid=(("episode", "trial"), valid)).drop_vars(["learning_rate", "inverse_temperature"])
    trials["choice"] = (
        trials.choice.where(trials.valid, -1).astype(np.int8).assign_attrs(n_options=2, options=["L", "R"])
    )
    session = [f"s{i}" for i in range(len(subjects))]
    names = {"subject": ("episode", list(subjects)), "session": ("episode", session)}
    return trials.assign_coords(names).assign_attrs(task="table: mice.csv")


class Page(HTMLParser):
    """What a browser would make of a page: its elements in order, ids, and the text of each kind of element."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.cells, self.inside, self.attributes = [], set(), [], [], [], set()
        self.text, self.data = "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.add(value)
            if name in ("src", "href", "action", "data", "srcset"):
                self.links.append(value)
        if tag not in ("meta", "img", "input", "br"):
            self.inside.append((tag, dict(attrs)))
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        self.inside.pop()

    def handle_data(self, text):
        tag, attrs = self.inside[-1] if self.inside else ("", {})
        if tag == "script" and attrs.get("type") == "application/json":
            self.data += text
        elif tag not in ("script", "style"):
            self.text += text
            if tag == "td":
                self.cells[-1] += text


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return agent_run(tmp_path_factory.mktemp("runs") / "restless")


@pytest.fixture(scope="module")
def page(run):
    return Page(report.write_report(run).read_text())


def test_a_page_tells_what_was_run(page):
    for told in ("restless", "LSTMAgent", "abc123", "2.13.0", "9,600", "6 episodes", "120 trials", "training seed"):
        assert told in page.text, told
    assert page.ids >= {"training", "behaviour", "trials", "fits", "run"}


def test_the_mean_reward_and_its_interval_are_those_of_the_episodes(run, page):
    mean = behaviour.mean_interval(dataset.read(run).reward.mean("trial"))
    assert f"95 % [{number(float(mean.lower))}, {number(float(mean.upper))}], over 6 episodes" in page.text
    assert number(float(mean["mean"])) in page.text


def test_the_scrubber_holds_what_the_run_logged(run, page):
    trials = dataset.read(run)
    scrubber = json.loads(page.data)["scrubber"]
    shown = {int(one["label"].removeprefix("episode ")): one for one in scrubber["episodes"]}
    earned = trials.reward.sum("trial")
    assert int(earned.values.argmin()) in shown
    assert float(earned.max()) in {float(earned[i]) for i in shown}
    for i, one in shown.items():
        there = trials.isel(episode=i)
        panels = {panel["title"]: panel for panel in one["panels"]}
        assert one["choice"] == there.choice.values.tolist()
        assert one["reward"] == there.reward.values.tolist()
        assert np.allclose(panels["Value predicted by the agent"]["series"][0]["x"], there.value[:, 0], atol=1e-3)
        logits = there.logits.values[:, 0]
        policy = [series["x"] for series in panels["Policy"]["series"]]
        assert np.allclose(policy, (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).T, atol=1e-3)
        assert np.allclose(
            [series["x"] for series in panels["Reward probability"]["series"]], there.reward_prob.values.T, atol=1e-3
        )
        value = [*there.value.values[:, 0], 0.0]
        slow = [there.reward.values[t] + 0.5 * value[t + 1] - value[t] for t in range(20)]  # r + gamma V' - V
        assert np.allclose(panels["Reward prediction error at outcome"]["series"][0]["x"], slow, atol=6e-3)


def test_the_heat_map_is_the_hidden_state_in_eight_bits(run, page):
    hidden = dataset.read(run).hidden.values[:, :, 0]
    for one in json.loads(page.data)["scrubber"]["episodes"]:
        told = one["hidden"]
        levels = np.frombuffer(base64.b64decode(told["levels"]), np.uint8).reshape(told["units"], one["n"])
        found = (levels / 127.5 - 1) * told["reach"]
        own = hidden[int(one["label"].removeprefix("episode "))].T
        left = list(range(len(own)))
        for row in found:  # units come in another order
            nearest = min(left, key=lambda unit: np.abs(own[unit] - row).max())
            assert np.abs(own[nearest] - row).max() < 0.01
            left.remove(nearest)


def test_the_table_holds_every_fit(run, page):
    fitted = dataset.read(run / "fit_rw.nc")
    told = json.loads(page.data)["tables"]["fit_rw"]
    names = [column["name"] for column in told["columns"]]
    rates = [row[names.index("learning_rate")] for row in told["rows"]]
    found = [np.nan if rate is None else rate for rate in rates]
    assert found == pytest.approx(fitted.learning_rate.values.tolist(), rel=1e-5, nan_ok=True)
    assert [row[names.index("episode")] for row in told["rows"]] == list(range(6))


def test_a_page_asks_for_nothing_and_runs_nothing_but_its_own_script(page):
    assert {"script", "style", "img"} <= set(page.tags)
    assert not set(page.tags) & {"link", "iframe", "object", "embed", "base", "form"}
    assert all(link.startswith(("#", "data:image/svg+xml;base64,")) for link in page.links)
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}


def test_its_policy_forbids_the_network_and_knows_its_own_script_by_hash(run):
    text = (run / "report.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    assert all(re.fullmatch(r"'sha256-[\w+/]{43}='", rules[name]) for name in ("script-src", "style-src"))


def test_figures_in_a_page_hold_no_script_and_no_reference_outwards(page):
    for link in page.links:
        if link.startswith("data:"):
            drawn = base64.b64decode(link.partition(",")[2]).decode()
            assert drawn.startswith("<svg") and "<script" not in drawn
            assert not re.findall(r'href="(?!#|data:image/png;base64,)[^"]*"', drawn)


def test_trials_of_an_animal_are_shown_without_what_only_an_agent_has(tmp_path):
    dataset.save_run(mouse_trials(), tmp_path / "mice")
    page = Page(report.write_report(tmp_path / "mice").read_text())
    assert page.ids >= {"behaviour", "trials", "run"} and not page.ids & {"training", "fits", "claims"}
    assert "2 subjects, 3 episodes, 32 trials" in page.text
    scrubber = json.loads(page.data)["scrubber"]
    assert all(one["panels"] == [] and "hidden" not in one for one in scrubber["episodes"])
    assert scrubber["options"] == ["option L", "option R"]
    lengths = {one["label"]: one["n"] for one in scrubber["episodes"]}
    assert lengths == {"subject a, session s0": 8, "subject a, session s1": 12, "subject b, session s2": 12}


def test_where_an_animal_was_fitted_the_model_says_what_it_expected(tmp_path):
    trials = mouse_trials(n_trials=40)
    dataset.save_run(trials, tmp_path / "mice")
    fitted = behaviour.fit(models.RescorlaWagner, trials)
    dataset.save_run(fitted, tmp_path / "mice" / "fit_rw.nc")
    page = Page(report.write_report(tmp_path / "mice").read_text())
    one = next(one for one in json.loads(page.data)["scrubber"]["episodes"] if "s1" in one["label"])
    slow, value = [], [0.5, 0.5]
    for t in range(40):
        arm = int(trials.choice[1, t])
        slow.append(float(trials.reward[1, t]) - value[arm])
        value[arm] += float(fitted.learning_rate[1]) * slow[-1]
    panels = {panel["title"]: panel for panel in one["panels"]}
    error = panels["Reward prediction error, fitted RescorlaWagner"]["series"][0]["x"]
    assert np.allclose(error, slow, atol=2e-3)


def test_a_file_of_trials_has_its_report_beside_it(tmp_path):
    file = dataset.save_run(mouse_trials(), tmp_path / "mice.nc")
    assert report.write_report(file) == tmp_path / "mice_report.html"


def test_an_agent_that_has_not_played_is_told_of_by_its_training(tmp_path):
    run = agent_run(tmp_path / "run")
    (run / "behaviour.nc").unlink()
    (run / "fit_rw.nc").unlink()
    page = Page(report.write_report(run).read_text())
    assert "training" in page.ids and not page.ids & {"trials", "behaviour"}
    assert json.loads(page.data)["scrubber"] is None
    assert "has not played" in page.text


def test_a_result_of_an_earlier_rollout_is_named_and_not_drawn(tmp_path):
    run = agent_run(tmp_path / "run")
    dataset.save_run(agent_trials(created="2026-02-02"), run)
    page = Page(report.write_report(run).read_text())
    assert "fit_rw.nc is of an earlier rollout" in page.text
    assert json.loads(page.data)["tables"] == {}


def test_claims_are_those_that_compare_decides_for_this_run_alone(tmp_path):
    from neurometa.compare import compare

    trials = agent_trials(n_episodes=1000, n_trials=4)
    run = agent_run(tmp_path / "one", trials)
    learners = ["agent", "UCB", "Thompson"]
    lost = np.stack([np.full((1000, 4), x) + np.random.default_rng(0).normal(0, 0.01, (1000, 4)) for x in (1, 2, 0.5)])
    regret = xr.Dataset({"regret": (("learner", "episode", "trial"), lost)}, {"learner": learners}, ABOUT)
    dataset.save_run(regret, run / "regret.nc")
    told = {one["claim"]: one["verdict"] for one in contents(report.find(run))["decided"]}
    assert told["w16-4-below-ucb"] == "reproduced" and told["w16-4-below-thompson"] == "not reproduced"
    for claim, verdict in told.items():
        assert compare(claim, run)[0].verdict == verdict
    page = Page(report.write_report(run).read_text())
    assert "✓ reproduced" in page.text and "✗ not reproduced" in page.text


@pytest.fixture(scope="module")
def told_of_a_mouse(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mice")
    trials = mouse_trials(n_trials=40)
    dataset.save_run(trials, folder)
    fitted = behaviour.fit(models.RescorlaWagner, trials)
    dataset.save_run(fitted, folder / "fit_rw.nc")
    told = contents(report.find(folder))
    plain = Page(render(named(told, fitted, "x")))
    return lambda name: (Page(render(named(told, fitted, name))), plain)


def named(told, fitted, name):
    """What a page tells, with a name in every place that can bear one a user chose."""
    subject = fitted.assign_coords(subject=("episode", np.array([name, "b", "c"], dtype=object)))
    told = told | {"name": name, "lead": name, "rows": [(name, name)], "settings": [(name, name)], "notes": [name]}
    one = table(subject, "fit_rw")
    one = dataclasses.replace(one, title=name, about=name, columns=[column | {"label": name} for column in one.columns])
    scrubber = json.loads(json.dumps(told["scrubber"]))
    scrubber["episodes"][0]["label"] = name
    scrubber["options"][0] = name
    picture = dataclasses.replace(told["figures"][0], title=name, caption=name)
    claim = {key: name for key in ("claim", "statement", "where", "published", "criterion", "ours", "interval", "note")}
    claim |= {"n": name, "verdict": "reproduced", "mark": "✓"}
    return told | {
        "fits": [{"table": one, "figures": [picture], "scores": picture}],
        "compared": [picture],
        "group_notes": [name],
        "scrubber": scrubber,
        "figures": [picture],
        "decided": [claim],
        "undecided": [(name, name)],
        "imported": [(name, name)],
        "fit_notes": [name],
    }


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=40))
@settings(max_examples=25)
def test_whatever_a_subject_is_called_it_is_text(told_of_a_mouse, name):
    check_text(told_of_a_mouse, name)


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "</script><script>x", "<!--", "]]>", "\"' onload=x", "&lt;", "{{ 7 * 7 }}"]
)
def test_markup_in_a_name_is_text(told_of_a_mouse, name):
    check_text(told_of_a_mouse, name)


def check_text(told_of_a_mouse, name):
    found, plain = told_of_a_mouse(name)
    assert found.tags == plain.tags and found.ids == plain.ids and found.attributes == plain.attributes
    assert found.cells.count(name) >= 1  # the cell of the subject
    data = json.loads(found.data)
    assert data["tables"]["fit_rw"]["rows"][0][0] == name
    assert data["scrubber"]["episodes"][0]["label"] == name


def test_a_page_of_a_thousand_episodes_stays_below_a_megabyte(tmp_path):
    run = agent_run(tmp_path / "run", agent_trials(n_episodes=1000, n_trials=150, n_units=48))
    assert report.write_report(run).stat().st_size < 1e6


def test_episodes_too_long_for_a_page_are_cut_and_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(episodes, "LONGEST", 15)
    dataset.save_run(mouse_trials(n_trials=30), tmp_path)
    page = Page(report.write_report(tmp_path).read_text())
    assert {one["n"] for one in json.loads(page.data)["scrubber"]["episodes"]} == {15}
    assert "only the first 15 trials" in page.text


def test_fewer_episodes_are_kept_where_each_is_large(tmp_path, monkeypatch):
    monkeypatch.setattr(episodes, "ROOM", 3000)
    dataset.save_run(agent_trials(n_episodes=6), tmp_path)
    told = episodes.of_source(report.find(tmp_path))
    assert len(told["episodes"]) == 2
    assert told["about"] == "2 of 6 episodes: those with the lowest and highest reward"


def test_the_hidden_state_of_other_episodes_is_left_on_disk(run):
    assert not {"hidden", "logits", "value"} & set(report.find(run).trials.data_vars)


def test_a_file_is_read_without_what_is_left_on_disk(run):
    whole = dataset.read(run)
    assert dataset.read(run, without=("hidden", "none")).identical(whole.drop_vars("hidden"))
    with dataset.opened(run) as (file, trials):
        assert file == run / "behaviour.nc"
        assert np.array_equal(trials.hidden.isel(episode=2).values, whole.hidden.values[2])


def test_members_of_a_group_are_told_with_the_group_that_they_were_fitted_with(tmp_path):
    trials = dataset.example(n_episodes=6).assign_coords(subject=("episode", list("aabbcc")))
    fitted = behaviour.fit(models.RescorlaWagner, trials, group="subject")
    one = table(fitted, "fit_rw_hierarchical")
    assert one.title == "RescorlaWagner, each subject as a member of a group" and one.heads == ("group", "members")
    assert f"integrated BIC {number(float(fitted.integrated_bic), 6)}." in one.about
    told = {label: rest for label, *rest in one.summary}
    for name, link in (("learning_rate", "logit"), ("inverse_temperature", "log")):
        of_group, text = fitted.sel(parameter=name), name.replace("_", " ")
        assert told[f"median {text}"][0] == number(float(of_group.group_median))
        assert told[f"SD of {link} {text}"][0] == number(float(of_group.group_sd))
        assert f"{text}, posterior SD" in [column["label"] for column in one.columns]
    assert [row[0] for row in one.rows] == ["a", "b", "c"] and {n for *_, n in one.summary} == {"3"}
    held = behaviour.fit(models.RescorlaWagner, trials, group="subject", bounds={"learning_rate": (0.4, 0.4)})
    assert table(held, "x").summary[0] == ("learning rate", "0.400", "held", "3")


RESULTS = {  # of each experiment what its commands save, in trials that are long enough for them
    "two-step": (["behaviour.nc", "stay.nc", "history.nc", "rpe.nc"], ("n_trials=20",)),
    "foraging": (["behaviour.nc", "matching.nc", "history.nc", "encode.nc"], ("n_trials=60",)),
    "independent": (["behaviour.nc", "decode.nc"], ("n_trials=20",)),
    "volatility": (["behaviour.nc", "blocks.nc"], ("n_trials=40",)),
    "reversal": (["behaviour.nc", "reversals.nc"], ("n_trials=20",)),
    "harlow": (["behaviour.nc", "learning_set.nc"], ()),
    "restless": (["behaviour.nc", "regret.nc", "fit_rw.nc"], ("n_trials=20",)),
    "risky-safe": (["behaviour.nc", "perturbation-block-safe-reward.nc", "risk.nc"], ()),
}


@pytest.mark.parametrize("experiment", RESULTS)
def test_every_result_that_a_command_saves_has_its_figure(experiment, tmp_path):
    files, assignments = RESULTS[experiment]
    needs = {experiment: files}
    (run,) = pretrained.prepare(needs, tmp_path, n_episodes=40, assignments=assignments)
    figures, notes = pictures.of_behaviour(report.find(run))
    drawn = {one.drawing.title for one in ANALYSES if one.file in files and not isinstance(one.drawing, str)}
    assert notes == [] and {figure.title for figure in figures} == {"Reward by trial", *drawn}
    assert all(figure.caption.endswith(".") for figure in figures)


def test_estimates_are_drawn_in_a_column_for_each_subject_or_else_counted():
    rate = xr.DataArray([0.1, 0.3, 0.2, np.nan], {"subject": ("episode", ["b", "b", "a", "a"])}, "episode", "rate")
    ax = Figure().add_subplot()
    plotting.estimates(ax, rate, by="subject")
    points, medians = ax.collections
    place, value = points.get_offsets().T
    assert {one: sorted(value[place.round() == at].tolist()) for at, one in ((1, "a"), (2, "b"))} == {
        "a": [0.2],
        "b": [0.1, 0.3],
    }
    median = medians.get_segments()[0][0][1]
    assert median == pytest.approx(0.2)
    ax = plotting.estimates(Figure().add_subplot(), rate)
    assert sum(bar.get_height() for bar in ax.patches) == 3
    with pytest.raises(InputError, match="no coordinate 'mouse'"):
        plotting.estimates(ax, rate, by="mouse")


def test_a_number_reads_the_same_in_every_size():
    shown = {0.12345: "0.123", -1234.5: "−1,234", 1e-5: "1.00e−5", 2.5e7: "2.50e7", 0.0: "0", 41: "41"}
    assert {x: number(x) for x in shown} == shown
    assert number(float("nan")) == number(None) == "–"


def test_the_command_writes_the_page_and_says_how_large_it_is(run, tmp_path):
    code, out, _ = neurometa("report", run, "--out", tmp_path / "page.html")
    assert code == 0 and "page.html" in out and (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    code, out, _ = neurometa("report", run, "--out", tmp_path / "page.html", "--json")
    assert json.loads(out)["bytes"] == (tmp_path / "page.html").stat().st_size


def test_the_command_opens_the_page(run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    neurometa("report", run, "--out", tmp_path / "page.html", "--open")
    assert opened == [(tmp_path / "page.html").as_uri()]


def test_bad_input_is_told_in_one_sentence(run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "draws.json").write_text("{}")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "behaviour.nc").write_bytes(b"no netCDF")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text("{")
    for path, told in {
        tmp_path / "none": "There is no run or file",
        tmp_path / "empty": "holds neither behaviour.nc nor config.json",
        tmp_path / "sweep": "is a sweep; a report is of one run",
        tmp_path / "damaged": "is damaged or not netCDF",
        tmp_path / "odd": "config.json is damaged",
    }.items():
        code, out, err = neurometa("report", path)
        assert code == 2 and told in err and err.count("\n") == 1 and not out, err
    with pytest.raises(InputError, match="is a folder; name the file"):
        report.write_report(run, tmp_path)


def test_a_damaged_line_of_the_learning_curve_is_named(tmp_path):
    run = agent_run(tmp_path / "run")
    with open(run / "curve.jsonl", "a") as file:
        file.write('{"update": 101, "st')
    assert "line 101" in Page(report.write_report(run).read_text()).text or pictures.learning_curve(report.find(run))[1]


def test_a_learning_curve_says_what_its_rewards_are_means_over(tmp_path):
    found = report.find(agent_run(tmp_path / "run"))
    in_time = dataclasses.replace(found, trials=found.trials.assign(event=("time", [0])))
    for source, per in ((found, "trial"), (in_time, "step")):
        picture, _ = pictures.learning_curve(source)
        assert f"reward per {per}" in picture.caption
