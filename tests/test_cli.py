"""The command line: the whole path, its help, and every mistake in one line that loses nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch
import xarray as xr
from shell import neurometa

from neurometa import behaviour, cli, dataset, models, plotting, runs
from neurometa.cli import app
from neurometa.dataset import example
from neurometa.storage import only_writer, read_json, write_json

COMMANDS = {one.name: one for one in app.registered_commands}
SMALL = ["n_updates=30", "batch_size=8", "n_units=6", "task.n_trials=20"]
SETTINGS = [part for setting in SMALL for part in ("--set", setting)]


def fine(*args):
    """What a command that must end well prints."""
    code, out, err = neurometa(*args)
    assert (code, err) == (0, "")
    return out


def bits(folder):
    """Every file under a folder, by name, but for the lock."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A run that went the whole way, and what each command printed on it."""
    run = tmp_path_factory.mktemp("runs") / "small"
    printed = {"train": fine("train", "restless", "--out", run, "--seed", 4, *SETTINGS)}
    printed["rollout"] = fine("rollout", run, "--episodes", 60)
    printed["fit-rw"] = fine("fit-rw", run)
    printed["regret"] = fine("regret", run)
    printed["figure"] = fine("figure", "w16-fig4", "--run", run)
    printed["show"] = fine("show", run)
    return run, printed


@pytest.fixture
def run(path, tmp_path):
    """A copy of that run, to be spoilt."""
    copy = tmp_path / "small"
    for name, content in bits(path[0]).items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    return copy


def test_the_whole_path_leaves_every_result_in_the_run(path):
    run, _ = path
    expected = {"config.json", "curve.jsonl", "agent.safetensors", "behaviour.nc", "fit_rw.nc", "regret.nc"}
    assert expected | {"w16-fig4.pdf", "w16-fig4.png"} <= {path.name for path in run.iterdir()}
    assert (run / "w16-fig4.pdf").read_bytes().startswith(b"%PDF")
    assert (run / "w16-fig4.png").read_bytes().startswith(b"\x89PNG")


def test_each_step_of_the_path_names_its_files_and_the_next_step(path):
    run, printed = path
    assert "Trained restless (seed 4)" in printed["train"]
    assert f"Next: neurometa rollout {run}" in printed["train"]
    assert "Played 60 episodes of 20 trials" in printed["rollout"]
    assert f"Next: neurometa fit-rw {run}; neurometa regret {run}" in printed["rollout"]
    assert f"Everything is in {run}/fit_rw.nc" in printed["fit-rw"]
    assert f"Next: neurometa figure w16-fig4 --run {run}" in printed["regret"]
    assert printed["figure"].splitlines() == [f"Drew {run}/w16-fig4.{kind}" for kind in ("pdf", "png")]
    assert "finished, 30 of 30 updates" in printed["show"]


def test_a_command_saves_what_its_public_function_returns(path):
    run, _ = path
    trials = dataset.open_run(run)
    assert runs.evaluate(run, n_episodes=60).equals(trials)
    fitted, alone = dataset.read(run / "fit_rw.nc"), behaviour.fit(models.RescorlaWagner, trials)
    for name in alone.data_vars:
        xr.testing.assert_equal(fitted[name].drop_vars(fitted[name].coords), alone[name].drop_vars(alone[name].coords))
    assert {"slope", "intercept", "r_squared", "p_value", "volatility"} <= set(fitted.data_vars)
    assert dataset.read(run / "regret.nc").learner.values[0] == "agent"


def test_results_say_which_run_they_are_of(path):
    run, _ = path
    for name in ("behaviour.nc", "regret.nc", "fit_rw.nc"):
        assert dataset.read(run / name).attrs["seed"] == 4
        assert json.loads(dataset.read(run / name).attrs["task"])["type"] == "tasks.RestlessBandit"


def test_controls_and_transfer_have_files_of_their_own(run, path, tmp_path):
    trained = path[0]
    before = (trained / "behaviour.nc").read_bytes()
    fine("rollout", trained, "--episodes", 5, "--on", "independent", "--on", "dependent-easy", "--no-activity")
    fine("rollout", trained, "--episodes", 5, "--untrained")
    transferred = dataset.open_run(trained / "on-dependent-easy.nc")
    assert "hidden" not in transferred and transferred.sizes["episode"] == 5
    assert dataset.open_run(trained / "untrained.nc").attrs["budget"] == 0
    assert (trained / "on-independent.nc").exists()
    assert (trained / "behaviour.nc").read_bytes() == before


def test_several_seeds_share_a_figure(run, path, tmp_path):
    fine("figure", "w16-fig4", "--run", run, "--run", path[0], "--out", tmp_path / "figures")
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"w16-fig4.pdf", "w16-fig4.png"}


def test_show_draws_the_curve_from_the_first_update_to_the_last(run):
    (run / "agent.safetensors").unlink()  # of a finished training the curve must be whole
    for n in (1, 23, 24, 25, 47, 100):
        rows = [{"update": i + 1, "steps": 8 * (i + 1), "reward": i / n} for i in range(n)]
        (run / "curve.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        shown = json.loads(fine("show", run, "--json"))
        assert shown["reward_per_trial"]["first"] == 0
        assert shown["reward_per_trial"]["last"] == (n - 1) / n
        curve = shown["reward_per_trial"]["curve"]
        assert curve[0] == "▁"
        assert curve[-1] == ("█" if n > 1 else "▁")
        assert 1 <= len(curve) <= 24
        assert shown["environment_steps"] == 8 * n


def test_show_says_what_a_reward_of_the_curve_is_of(run):
    about = read_json(run / "config.json")
    assert about["curve_counts"] == "trial"
    write_json(run / "config.json", about | {"curve_counts": "step"})
    assert json.loads(fine("show", run, "--json"))["reward_per_step"]["curve"]


def test_trials_of_a_laboratory_are_imported_fitted_and_shown(tmp_path):
    table = example(n_episodes=3).reset_coords(drop=True)[["choice", "reward"]].to_dataframe().reset_index()
    table.rename(columns={"episode": "session"}).assign(mouse="m1").to_csv(tmp_path / "trials.csv", index=False)
    folder = tmp_path / "mice"
    named = [
        "--subject",
        "mouse",
        "--episode",
        "session",
        "--trial",
        "trial",
        "--choice",
        "choice",
        "--reward",
        "reward",
    ]
    told = fine("import", tmp_path / "trials.csv", *named, "--out", folder)
    assert f"Next: neurometa fit-rw {folder}" in told
    record = json.loads(fine("fit-rw", folder, "--model", "two-learning-rates", "--json"))
    assert record["model"] == "TwoLearningRates"
    assert "learning_rate_positive" in record
    assert "behaviour.nc" in fine("show", folder)
    before = bits(folder)
    code, _, err = neurometa("import", tmp_path / "trials.csv", *named, "--out", folder)
    assert code == 2
    assert "holds trials already; write over them with --replace" in err
    assert bits(folder) == before
    fine("import", tmp_path / "trials.csv", *named, "--out", folder, "--replace")


def test_any_file_that_keeps_the_contract_can_be_fitted(tmp_path):
    file = dataset.save_run(example(n_episodes=4), tmp_path / "mine.nc")
    record = json.loads(fine("fit-rw", file, "--json"))
    assert record["fits"] == 4
    assert Path(record["file"]) == tmp_path / "mine_fit_rw.nc"
    assert dataset.read(tmp_path / "mine_fit_rw.nc").sizes["episode"] == 4
    fine("fit-rw", file, "--start", ".15,.85")
    assert dataset.read(tmp_path / "mine_fit_rw.nc").attrs["start"].tolist() == [0.15, 0.85]
    told = fine("fit-rw", file, "--start", "fitted")
    assert "initial_value" in told and dataset.read(tmp_path / "mine_fit_rw.nc").attrs["start"] == "fitted"


@pytest.mark.parametrize(
    "args",
    [
        ("list",),
        ("rollout", "RUN", "--episodes", 7),
        ("fit-rw", "RUN"),
        ("regret", "RUN"),
        ("figure", "w16-fig4", "--run", "RUN"),
        ("show", "RUN"),
        ("train", "restless", "--out", "RUN", "--resume"),
        ("train", "restless", "--out", "RUN/new", *SETTINGS),
    ],
    ids=lambda args: args[0],
)
def test_json_is_one_object_and_nothing_else(run, args):
    printed = fine(*(str(arg).replace("RUN", str(run)) for arg in args), "--json")
    assert isinstance(json.loads(printed, parse_constant=pytest.fail), dict)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_holds_an_example_that_begins_with_the_command(command):
    for flag in ("--help", "-h"):
        printed = " ".join(fine(command, flag).split())
        assert f"Example: neurometa {command}" in printed
        assert f"Usage: neurometa {command}" in printed


def test_help_lists_every_command_under_a_heading_in_one_line_and_says_where_to_begin(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    printed = fine("--help")
    for name, command in COMMANDS.items():
        line = command.help.split("\n")[0]
        assert re.search(rf"^│ {name} +{re.escape(line)} +│$", printed, re.MULTILINE), name
        assert f"─ {command.rich_help_panel} ─" in printed
    assert len({command.rich_help_panel for command in COMMANDS.values()}) == 6
    assert "Begin with: neurometa train restless --out runs/restless" in " ".join(printed.split())
    monkeypatch.setenv("COLUMNS", "60")
    narrow = fine("--help")
    assert max(map(len, narrow.splitlines())) <= 60
    words = " ".join(re.sub("[│╭╰─╮╯]", " ", narrow).split())
    assert all(f"{name} {command.help.splitlines()[0]}" in words for name, command in COMMANDS.items())


@pytest.mark.parametrize("command", ["list", "train", "regret", "fit-rw", "figure", "show", "help"])
def test_output_fits_a_narrow_terminal_and_breaks_no_word(run, monkeypatch, command):
    monkeypatch.chdir(run.parent)
    args = {
        "list": ["list"],
        "train": ["train", "restless", "--resume", "--out", "small"],
        "help": ["train", "--help"],
        "figure": ["figure", "w16-fig4", "--run", "small"],
    }.get(command, [command, "small"])
    if command == "figure":  # what it draws has tests of its own
        monkeypatch.setattr(plotting, "save_figure", lambda name, runs, out: [Path(out) / f"{name}.pdf"])
    monkeypatch.setenv("COLUMNS", "200")
    wide = fine(*args)
    monkeypatch.setenv("COLUMNS", "60")
    narrow = fine(*args)
    tables = [line for line in narrow.splitlines() if line[:1] in " ╭│╰"]  # the terminal wraps what else there is
    assert [line for line in tables if len(line) > 60] == []
    assert set(re.findall(r"\w+", narrow)) <= set(re.findall(r"\w+", wide))


def test_seeds_trained_side_by_side_are_the_runs_of_each_seed(tmp_path):
    settings = ["--set", "n_updates=4", "--set", "n_units=5", "--set", "batch_size=2", "--set", "task.n_trials=5"]
    out = tmp_path / "several"
    told = json.loads(fine("train", "restless", *settings, "--seed", "3", "--seeds", "2", "--out", str(out), "--json"))
    assert [(agent["seed"], agent["failed"]) for agent in told["agents"]] == [(3, ""), (4, "")]
    fine("train", "restless", *settings, "--seed", "4", "--out", str(tmp_path / "alone"))
    for name in ("agent.safetensors", "curve.jsonl"):
        assert (out / "4" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    more = fine("train", "restless", *settings, "--seed", "3", "--seeds", "3", "--out", str(out), "--resume")
    assert "Trained 3 agents of restless" in more
    again = fine("train", "restless", "--out", str(out / "4"), "--resume")
    own = "n_updates, batch_size, task.n_trials, network.n_units"
    assert "trained to the end already" in again and "settings of its own, which restless does not have: " in again
    assert set(own.split(", ")) == set(again.split("does not have: ")[1].split(".\n")[0].split(", "))
    wild = [*settings, "--seeds", "1", "--out", str(tmp_path / "wild"), "--set", "step_size=1e30", "--json"]
    (agent,) = json.loads(fine("train", "restless", *wild))["agents"]
    assert agent["reward_per_trial"] is None
    assert agent["failed"].startswith("Training diverged at update 2: ")


def test_an_unfinished_word_of_a_command_is_no_command():
    code, out, err = neurometa("trian")
    assert code == 2
    assert out == ""
    assert "trian" in err
    assert "Traceback" not in err


REFUSED = [
    (["train", "restles"], r"There is no experiment 'restles'. Did you mean 'restless'\?"),
    (
        ["train", "restless", "--out", "RUN"],
        "RUN holds a run already; resume it, or choose another folder",
    ),
    (
        ["train", "restless", "--out", "RUN", "--resume", "--set", "n_units=7"],
        "RUN holds a run of other settings: network.n_units is 6",
    ),
    (["train", "restless-w16", "--out", "RUN", "--resume"], "RUN holds a run of restless, not of restless-w16"),
    (["train", "restless", "--out", "NEW", "--seeds", "0"], "--seeds is 0; it must be at least 1"),
    (["train", "restless", "--out", "RUN", "--seeds", "2"], "RUN holds a run, not a folder of several"),
    (
        ["train", "restless", "--out", "NEW", "--set", "n_unit=7"],
        r"Config has no field 'n_unit'. Did you mean 'n_units'\?",
    ),
    (
        ["train", "restless", "--out", "NEW", "--set", "task.n_trail=7"],
        r"no field 'n_trail'. Did you mean 'n_trials'\?",
    ),
    (["train", "restless", "--out", "NEW", "--set", "n_units=many"], "n_units is 'many'; it must be a whole number"),
    (["train", "restless", "--out", "NEW", "--set", "n_units"], "'n_units' is not field=value"),
    (["train", "restless", "--out", "NEW", "--set", "n_updates=-5"], "n_updates is -5; it must be at least 1"),
    (["train", "restless", "--out", "NEW", "--set", "task.n_trials=0"], "n_trials is 0; it must be at least 1"),
    (
        ["train", "restless", "--out", "NEW", "--set", "optimizer=rmsprop", "--set", "decay=-1"],
        "decay is -1.0; it must be at least 0",
    ),
    (["train", "restless", "--out", "NEW", "--set", "inputs=observation"], "inputs is .*, but the task shows nothing"),
    (["train", "restless", "--out", "NEW", "--seed", "-1"], "seed is -1; it must be a whole number from 0"),
    (["train", "restless", "--out", "NEW", "--device", "tpu"], "--device is 'tpu'; allowed are 'cpu' and 'cuda'"),
    (
        ["train", "restless", "--out", "RUN/config.json"],
        "Could not write to the run folder RUN/config.json: File exists",
    ),
    (["rollout", "NEW"], "There is no run folder NEW; make one with: neurometa train EXPERIMENT --out NEW"),
    (["rollout", "RUN", "--episodes", "-3"], "--episodes is -3; it must be at least 1"),
    (["rollout", "RUN", "--on", "restles"], r"no experiment 'restles'. Did you mean 'restless'\?"),
    (["rollout", "RUN", "--on", "independent", "--untrained"], "--untrained and --on exclude each other"),
    (["rollout", "RUN", "--seed", "-3"], "--seed is -3; it must be 0 or more"),
    (["rollout", "RUN", "--set", "n_trail=3"], r"RestlessBandit has no field 'n_trail'. Did you mean 'n_trials'\?"),
    (["regret", "NEW"], "There is no run folder NEW"),
    (["regret", "RUN", "--seed", "-3"], "--seed is -3; it must be 0 or more"),
    (["fit-rw", "NEW"], "There is no run or file NEW"),
    (["fit-rw", "RUN/curve.jsonl"], "RUN/curve.jsonl is not a .nc file; turn a table into one with: neurometa import"),
    (["fit-rw", "RUN", "--model", "rescorla-wagnre"], r"no model 'rescorla-wagnre'. Did you mean 'rescorla-wagner'\?"),
    (["fit-rw", "RUN", "--pool", "session"], "session"),
    (["fit-rw", "RUN", "--window", "0"], "window is 0"),
    (["fit-rw", "RUN", "--start", "low"], "--start is 'low'"),
    (["fit-rw", "RUN", "--start", ".1,.2,.3"], "start gives 3 values, but there are 2 options"),
    (
        ["figure", "w16-fig1", "--run", "RUN"],
        r"There is no figure 'w16-fig1'. Did you mean 'w18-fig1'\? There are: .*w16-fig4",
    ),
    (["figure", "w16-fig4", "--run", "NEW"], "There is no folder NEW of runs; make one with"),
    (["show", "NEW"], "There is no run folder NEW"),
    (["import", "NEW.csv", "--out", "NEW"], "There is no file NEW.csv"),
    (["import", "RUN/config.json", "--out", "RUN"], "RUN holds trials already; write over them with --replace"),
    (["import", "T.csv", "--out", "NEW", "--choice-coding", "L"], "--choice-coding is 'L'; write ENTRY=VALUE pairs"),
    (
        ["import", "T.csv", "--out", "NEW", "--reward-coding", "1=a"],
        "--reward-coding is '1=a'; what follows = must be numbers",
    ),
    (["import", "T.csv", "--out", "NEW", "--choice-coding", "L=--1,R=²"], "."),
]


def refused(told, *args):
    """Check that a command ends in code 2 and the one line told."""
    code, out, err = neurometa(*args)
    assert (code, out) == (2, "")
    assert re.match(rf"neurometa: .*{told}", err), err
    assert err.count("\n") == 1
    assert err.endswith("\n")


@pytest.mark.parametrize(("args", "told"), REFUSED, ids=[" ".join(args) for args, _ in REFUSED])
def test_a_mistake_is_told_in_one_line_and_nothing_on_disk_changes(run, tmp_path, args, told):
    (tmp_path / "T.csv").write_text("session,trial,choice,reward\n1,1,L,1\n1,2,R,0\n")
    places = {"RUN": str(run), "NEW": str(tmp_path / "new"), "T.csv": str(tmp_path / "T.csv")}
    before = bits(tmp_path)
    for name, place in places.items():
        args = [arg.replace(name, place) for arg in args]
        told = told.replace(name, re.escape(place))
    refused(told, *args)
    assert bits(tmp_path) == before
    assert not (tmp_path / "new").exists()


def half_written(run):
    import netCDF4

    with netCDF4.Dataset(run / "behaviour.nc", "a") as file:
        del file.complete


def of_another_contract(run):
    import netCDF4

    with netCDF4.Dataset(run / "behaviour.nc", "a") as file:
        file.contract = 99


SPOILT = [
    (half_written, "behaviour.nc is not whole .*; write it anew"),
    (of_another_contract, "behaviour.nc keeps contract 99, this neurometa reads contracts 1 and 2"),
    (
        lambda run: (run / "behaviour.nc").write_bytes((run / "behaviour.nc").read_bytes()[:5000]),
        "behaviour.nc is damaged",
    ),
    (lambda run: (run / "behaviour.nc").write_text("trials"), "behaviour.nc is damaged or not netCDF"),
]


@pytest.mark.parametrize(("spoil", "told"), SPOILT)
@pytest.mark.parametrize("command", ["fit-rw", "regret", "figure", "show"])
def test_spoilt_trials_are_refused_by_every_command_that_reads_them(run, spoil, told, command):
    spoil(run)
    before = bits(run)
    refused(told, *(["figure", "w16-fig4", "--run", run] if command == "figure" else [command, run]))
    assert bits(run) == before


def test_spoilt_trials_can_be_written_anew(run):
    (run / "behaviour.nc").write_text("trials")
    fine("rollout", run, "--episodes", 60)
    fine("fit-rw", run)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", "{", "config.json is damaged"),
        ("config.json", '{"config": 3}', "config.json is damaged|config is 3; it must be an object"),
        ("config.json", "[]", "config.json is damaged"),
        ("curve.jsonl", "{nonsense}\n", "curve.jsonl is damaged"),
    ],
)
def test_a_spoilt_record_is_refused(run, name, content, told):
    (run / name).write_text(content)
    refused(f"({told})", "show", run)
    if name == "config.json":
        refused(f"({told})", "rollout", run)


def test_a_result_that_is_missing_is_told_with_the_command_that_makes_it(run):
    for name, command in (("fit_rw.nc", "fit-rw"), ("regret.nc", "regret"), ("behaviour.nc", "rollout")):
        (run / name).unlink()
        refused(
            f"holds no {name}; make it with: neurometa {command} {re.escape(str(run))}",
            "figure",
            "w16-fig4",
            "--run",
            run,
        )


def test_an_unfinished_run_is_not_played_and_shows_that_it_is_unfinished(run):
    (run / "agent.safetensors").unlink()
    refused("not trained to the end; go on with: neurometa train restless --out .* --resume", "rollout", run)
    assert "not finished, 30 of 30 updates" in fine("show", run)


def test_a_run_that_another_process_writes_is_left_alone(run):
    before = bits(run)
    with only_writer(run):
        for args in (
            ["train", "restless", "--out", run, "--resume"],
            ["rollout", run],
            ["fit-rw", run],
            ["regret", run],
        ):
            refused("Another process is writing .*; wait for it, or choose another folder", *args)
        assert "finished" in fine("show", run)
    assert bits(run) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_where_there_is_none(run, tmp_path):
    told = "--device is 'cuda', but torch sees no CUDA device here; use --device cpu"
    refused(told, "train", "restless", "--out", tmp_path / "new", "--device", "cuda")
    refused(told, "rollout", run, "--device", "cuda")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "args",
    [
        ["train"],
        ["train", "restless", "--seed", "x"],
        ["rollout", "RUN", "--episodes", "many"],
        ["rollout", "RUN", "--epsiodes", "3"],
        ["fit-rw", "RUN", "--window", "1.5"],
    ],
    ids=" ".join,
)
def test_a_command_that_cannot_be_read_ends_in_code_2_without_a_traceback(run, args):
    before = bits(run)
    code, out, err = neurometa(*(arg.replace("RUN", str(run)) for arg in args))
    assert (code, out) == (2, "")
    assert err
    assert "Traceback" not in err
    assert bits(run) == before


def test_a_bug_keeps_its_traceback_and_bad_input_shows_one_when_asked(monkeypatch):
    monkeypatch.setenv("NEUROMETA_DEBUG", "1")
    with pytest.raises(ValueError, match="There is no experiment 'x'"):
        neurometa("train", "x")


# In a process of its own, which may give up the rights of root.
def test_a_read_only_run_is_refused_in_one_line(path):
    with tempfile.TemporaryDirectory() as above:  # not tmp_path, which is closed to every other user
        Path(above).chmod(0o755)
        run = Path(above) / "run"
        run.mkdir()
        for name, content in bits(path[0]).items():
            if "/" not in name:
                (run / name).write_bytes(content)
        run.chmod(0o555)
        told = f"neurometa: Could not write to the run folder {run}: Permission denied.\n"
        root = os.geteuid() == 0  # whom nothing stops
        os.seteuid(65534 if root else os.geteuid())
        try:
            for args in (["rollout"], ["fit-rw"], ["regret"], ["train", "restless", "--resume", "--out"]):
                assert neurometa(*args, run) == (2, "", told)
        finally:
            os.seteuid(0 if root else os.geteuid())
            run.chmod(0o755)


def start(*args):
    """A command in a process of its own, that heeds Ctrl-C also where these tests run in the background."""
    command = [sys.executable, "-m", "neurometa.cli", *map(str, args)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen(command, **pipes, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def test_ctrl_c_in_training_ends_in_one_line_that_says_how_to_go_on(tmp_path):
    run = tmp_path / "run"
    with start("train", "restless", "--out", run, *SETTINGS, "--set", "n_updates=100000") as training:
        while not (run / "curve.jsonl").exists() or not (run / "curve.jsonl").stat().st_size:
            assert training.poll() is None, training.stderr.read()
            time.sleep(0.01)
        training.send_signal(signal.SIGINT)
        try:
            out, err = training.communicate(timeout=60)
        finally:
            training.kill()
    assert (training.returncode, out) == (1, "")
    assert err == f"neurometa: interrupted. Go on with: neurometa train restless --out {run} --resume\n"
    assert "not finished" in fine("show", run)
    refused("not trained to the end", "rollout", run)
    refused("holds a run already", "train", "restless", "--out", run, *SETTINGS)
    record = json.loads((run / "config.json").read_text())
    record["config"]["n_updates"] = 30  # so that the rest is short
    (run / "config.json").write_text(json.dumps(record))
    refused("if you changed them yourself, remove its last entry", "train", "restless", "--out", run, "--resume")
    del record["sha256"]
    (run / "config.json").write_text(json.dumps(record))
    fine("train", "restless", "--out", run, "--resume")
    fine("rollout", run, "--episodes", 5)


LOADED = """
import contextlib, io, json, sys
from neurometa.cli import main
run, table, folder = sys.argv[1:]
figure = ["figure", "w16-fig4", "--run", run]
for args in (["--help"], ["show", run], ["import", table, "--out", folder], ["fit-rw", run], figure):
    sys.argv = ["neurometa", *args]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            main()
    except SystemExit as ended:
        print(args[0], ended.code or 0, *({"torch", "numpy"} & sys.modules.keys()))
"""


def test_what_reads_never_loads_torch_and_help_loads_nothing(run, tmp_path):
    (tmp_path / "T.csv").write_text("session,trial,choice,reward\n1,1,0,1\n1,2,1,0\n")
    told = subprocess.run(
        [sys.executable, "-c", LOADED, run, tmp_path / "T.csv", tmp_path / "new"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.stdout.splitlines() == [
        "--help 0",
        "show 0 numpy",
        "import 0 numpy",
        "fit-rw 0 numpy",
        "figure 0 numpy",
    ], told.stderr
    assert told.stderr == ""


def test_an_argument_is_told_as_the_option_that_was_typed():
    assert cli._as_typed("n_episodes is 0; it must", ["rollout", "--episodes", "0"]) == "--episodes is 0; it must"
    assert cli._as_typed("seed is -1; it must", ["train", "--seed=-1"]) == "--seed is -1; it must"
    assert cli._as_typed("seed is -1; it must", ["train", "--set", "seed=-1"]) == "seed is -1; it must"
    assert cli._as_typed("n_units is 0; use device='cpu'.", ["x"]) == "n_units is 0; use --device cpu."
