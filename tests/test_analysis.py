"""An analysis is declared once: its command, its file, its figure and its place in a report follow from the record."""

import json

import pytest
import xarray as xr
from shell import neurometa

from neurometa import analysis, cli, dataset, report, results
from neurometa.analysis import ANALYSES, Analysis, Drawing
from neurometa.analysis.record import ACTIVITY, BEHAVIOUR, FIT
from neurometa.report import pictures

COMMANDS = {command.name: command for command in cli.app.registered_commands}


def _switches(trials):
    """How often the choice is another than the last one, of each episode."""
    switched = (trials.choice != trials.choice.shift(trial=1, fill_value=-1)).isel(trial=slice(1, None))
    return xr.Dataset({"p_switch": switched.mean("trial").assign_attrs(long_name="share of switches")})


def _draw(ax, found):
    ax.hist(found.p_switch)
    return f"{found.sizes['episode']} episodes."


SWITCHES = Analysis(
    name="switches",
    file="switches.nc",
    heading=BEHAVIOUR,
    asks="Count how often another option is chosen.",
    compute=_switches,
    drawing=Drawing("Switches", _draw, "p_switch", ("episode",)),
)


@pytest.fixture
def run(tmp_path):
    trials = dataset.example(n_episodes=5).assign_attrs(created="now", seed=3)
    dataset.save_run(trials, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("one", ANALYSES, ids=lambda one: one.name)
def test_every_analysis_has_a_command_a_file_and_a_figure_or_says_why_not(one):
    assert one.file == f"{one.name.replace('-', '_')}.nc" and one.heading in (BEHAVIOUR, ACTIVITY, FIT)
    command = COMMANDS[one.name]
    assert command.rich_help_panel == one.heading and command.help.splitlines()[0] == one.asks
    assert len(one.asks) <= 62 and one.asks.endswith(".")
    assert callable(one.compute) or one.compute.endswith(".")
    assert isinstance(one.drawing, Drawing) or one.drawing.endswith(".")
    assert not one.suits or one.suits in dataset.VARIABLES


def test_no_two_analyses_share_a_name_a_file_or_a_title():
    titles = [one.drawing.title for one in ANALYSES if isinstance(one.drawing, Drawing)]
    for names in ([one.name for one in ANALYSES], [one.file for one in ANALYSES], titles):
        assert len(set(names)) == len(names)


def test_one_more_record_is_a_command_a_result_and_a_figure_of_the_report(run, monkeypatch):
    assert "switches" not in COMMANDS
    monkeypatch.setattr(analysis, "ANALYSES", (*ANALYSES, SWITCHES))
    monkeypatch.setattr(cli, "app", cli.make_app())
    with pytest.raises(results.MissingError, match=f"make it with: neurometa switches {run}"):
        results.read_result(run, "switches.nc")
    code, out, err = neurometa("switches", run, "--json")
    assert (code, err) == (0, "")
    expected = _switches(dataset.open_run(run)).p_switch
    assert json.loads(out)["mean"]["p_switch"] == pytest.approx(float(expected.mean()))
    saved = results.read_result(run, "switches.nc")
    assert (saved.p_switch.values == expected.values).all()
    assert (saved.attrs["created"], saved.attrs["seed"], saved.attrs["trials"]) == ("now", 3, "behaviour.nc")
    drawn, notes = pictures.of_behaviour(report.find(run))
    assert ("Switches", "5 episodes.") in {(each.title, each.caption) for each in drawn} and not notes
    _, helped, _ = neurometa("--help")
    assert SWITCHES.asks in helped
    assert "Example: neurometa switches" in neurometa("switches", "--help")[1]


def test_a_result_says_which_command_made_it_with_which_options(run):
    assert neurometa("history", run, "--lags", 3, "--encoding", "bari", "--json")[0] == 0
    about = dataset.read(run / "history.nc").attrs
    assert about["command"] == f"neurometa history {run} --lags 3 --encoding bari --json"
    options = json.loads(about["options"])
    assert (options["encoding"], options["lags"], options["by"], options["burn_in"]) == ("bari", 3, None, 0.0)
    assert "run" not in options and "as_json" not in options


def test_a_result_of_other_options_than_are_asked_for_is_refused_and_an_older_one_is_not(run):
    assert neurometa("history", run, "--lags", 3, "--burn-in", 0.25)[0] == 0
    for fine in ("", "--lags 3", "--burn-in .25", "--encoding lau-glimcher --lags 3"):
        results.check_result(run, "history.nc", fine)
    for options, told in (("--lags 5", "--lags 3"), ("--penalty ridge", "no --penalty"), ("--by episode", "no --by")):
        with pytest.raises(results.MissingError, match=f"made with {told}; make it anew with: .* {options}"):
            results.check_result(run, "history.nc", options)
    old = dataset.read(run / "history.nc")
    old.attrs = {name: value for name, value in old.attrs.items() if name not in ("command", "options", "trials")}
    dataset.save_run(old, run / "history.nc")
    results.check_result(run, "history.nc", "--lags 5")


def test_a_result_of_an_earlier_rollout_is_made_anew_as_it_was_made(run):
    assert neurometa("history", run, "--lags", 3)[0] == 0
    dataset.save_run(dataset.example(n_episodes=5).assign_attrs(created="later"), run)
    with pytest.raises(results.MissingError, match=f"make it anew with: neurometa history {run} --lags 3$"):
        results.check_result(run, "history.nc")


def test_a_file_that_no_command_makes_is_named_with_those_that_are_made(run):
    with pytest.raises(ValueError, match=r"No command makes dreams\.nc; a run holds behaviour\.nc, .*stay\.nc"):
        results.read_result(run, "dreams.nc")
