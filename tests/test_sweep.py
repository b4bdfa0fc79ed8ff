"""Many settings side by side: what is drawn, that nothing is lost or done twice, and who counts as the best."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import distributed
import hypothesis
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from shell import neurometa

from neurometa import dataset, runs, settings, sweep
from neurometa.agents import LSTM
from neurometa.errors import InputError
from neurometa.sweep.rows import SCORE
from neurometa.tasks import IndependentBandit
from neurometa.training import Adam, Linear, a2c, curve

SMALL = a2c.Config(IndependentBandit(10), LSTM(6), optimizer=Adam(Linear(5e-3, 0.0)), n_updates=8, batch_size=4, seed=4)


def table(**changes):
    return sweep.make_table("independent", SMALL, **({"n_draws": 4, "n_episodes": 20} | changes))


def weights(folder):
    """The trained weights of every row, by its number."""
    return {path.parent.name: path.read_bytes() for path in sorted(folder.glob("*/agent.safetensors"))}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A sweep of four rows, trained one after another; tests read it and write elsewhere."""
    folder = tmp_path_factory.mktemp("sweeps") / "small"
    sweep.begin(folder, table())
    sweep.train(folder, backend="serial")
    sweep.collect(folder, top=2)
    return folder


def test_step_sizes_are_log_uniform_and_discounts_uniform():
    rows = sweep.make_table("independent", SMALL, n_draws=2000)["rows"]
    step_size, discount = (np.array([row["values"][name] for row in rows]) for name in ("step_size.start", "discount"))
    assert stats.kstest(np.log10(step_size), stats.uniform(-4, 2).cdf).pvalue > 0.01
    assert stats.kstest(discount, stats.uniform(0, 1).cdf).pvalue > 0.01
    assert abs(stats.spearmanr(step_size, discount).statistic) < 0.08
    assert len({row["seed"] for row in rows}) == 2000


@given(seed=st.integers(0, 2**31), short=st.integers(1, 8), more=st.integers(0, 8))
def test_a_longer_table_begins_with_the_shorter_one(seed, short, more):
    config = settings.replace(SMALL, [f"seed={seed}"])
    first, longer = (sweep.make_table("independent", config, n_draws=n)["rows"] for n in (short, short + more))
    assert longer[:short] == first


@given(st.integers(1, 50), st.integers(1, 50), st.booleans())
def test_a_whole_numbered_field_gets_whole_numbers_of_its_range(low, span, log):
    rows = table(draws=(sweep.Draw("n_units", low, low + span, log=log),), n_draws=20)["rows"]
    assert {type(row["values"]["n_units"]) for row in rows} == {int}
    assert all(low <= row["values"]["n_units"] <= low + span for row in rows)


def test_of_a_schedule_the_larger_end_is_drawn_unless_an_end_is_named():
    rising = settings.replace(SMALL, ["discount=0.4:0.95:0.6", "step_size=0.005:0"])
    named = (sweep.Draw("discount.start", 0, 0.3), sweep.Draw("step_size", 1e-3, 1e-2, log=True))
    for draws, fields in ((sweep.DEFAULT_DRAWS, {"step_size.start", "discount.end"}), (named, None)):
        rows = sweep.make_table("independent", rising, draws, n_draws=2)["rows"]
        assert rows[0]["values"].keys() == (fields or {"discount.start", "step_size.start"})


def test_every_row_is_the_run_that_its_settings_give(done):
    told = json.loads((done / "draws.json").read_text())
    for row, about in enumerate(told["rows"]):
        config = runs.open_config(sweep.row_folder(done, row))
        values = about["values"]
        assert (config.optimizer.step_size, config.returns.discount) == (
            Linear(values["step_size.start"], 0.0),
            values["discount"],
        )
        assert config.seed == about["seed"]
        expected = a2c.train(config).state_dict()
        found = runs.load_agent(sweep.row_folder(done, row)).state_dict()
        assert all(x.equal(expected[name]) for name, x in found.items())


def test_rows_that_are_done_are_not_touched_again(done):
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()}
    ticks = []
    sweep.train(done, backend="serial", progress=ticks.append)
    assert ticks == [] and sweep.unfinished(done) == [] and sweep.finished(done) == [0, 1, 2, 3]
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()} == before


def test_a_longer_sweep_keeps_the_rows_it_has(done, tmp_path):
    folder = tmp_path / "longer"
    sweep.begin(folder, table(n_draws=1))
    sweep.train(folder, backend="serial")
    sweep.begin(folder, table(n_draws=2))
    ticks = []
    sweep.train(folder, backend="serial", progress=ticks.append)
    assert ticks == [1]
    assert weights(folder) == {row: x for row, x in weights(done).items() if row in ("000", "001")}


OWN = "import os, pathlib; pathlib.Path(f'imported-{os.getpid()}').touch()"  # a module that says who imports it


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """The table of a sweep of three rows, and their weights when they are trained one after another."""
    table = sweep.make_table("independent", settings.replace(SMALL, ["n_updates=150"]), n_draws=3, n_episodes=4)
    alone = tmp_path_factory.mktemp("sweeps") / "alone"
    sweep.begin(alone, table)
    sweep.train(alone, backend="serial")
    return table, weights(alone)


@pytest.mark.parametrize("backend", ["loky", pytest.param("dask", marks=pytest.mark.slow)])
def test_a_worker_killed_amid_a_row_loses_nothing_and_no_row_is_done_twice(longer, backend, tmp_path, monkeypatch):
    told, alone = longer
    folder = tmp_path / backend
    sweep.begin(folder, told)
    (tmp_path / "own_rows.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    killed, over = [], threading.Event()

    def kill():
        while not killed and not over.wait(0.02):
            begun = [run for run in folder.glob("*/curve.jsonl") if len(run.read_text().splitlines()) > 5]
            if begun and not (begun[0].parent / SCORE).exists() and (workers := children(backend)):
                for worker in workers:
                    os.kill(worker, signal.SIGKILL)
                    killed.append(worker)

    thread = threading.Thread(target=kill)
    thread.start()
    ticks = []
    try:
        sweep.train(folder, backend=backend, n_jobs=2, modules=["own_rows"], progress=ticks.append)
    finally:
        over.set()
        thread.join()
    assert killed and {int(path.name.split("-")[1]) for path in tmp_path.glob("imported-*")} >= set(killed)
    assert set(ticks) <= {0, 1, 2} and len(ticks) == len(set(ticks))
    assert sweep.unfinished(folder) == []
    for row in range(3):
        assert [x["update"] for x in curve.read(sweep.row_folder(folder, row))] == list(range(1, 151))
    assert weights(folder) == alone


def children(backend):
    """Processes that train: descendants of this one that hold a row's lock open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = [os.readlink(link) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        if int(process.name) != os.getpid() and any(name.endswith("/.lock") and backend in name for name in held):
            found.append(int(process.name))
    return found


def write_scores(folder, regret, **about):
    """Give the rows of a sweep made-up scores, (row, episode)."""
    sweep.begin(folder, table(n_draws=len(regret), n_episodes=regret.shape[1], **about))
    for row, lost in enumerate(regret):
        score = xr.Dataset({"regret": ("episode", lost), "reward_per_trial": ("episode", -lost)}, attrs={"budget": 1})
        dataset.save_run(score, sweep.row_folder(folder, row) / SCORE)


@given(st.integers(0, 1000))
@hypothesis.settings(max_examples=10)
def test_the_best_are_picked_on_the_first_half_whatever_the_second_says(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    regret = rng.random((6, 20))
    folder = tmp_path_factory.mktemp("made-up")
    write_scores(folder, regret)
    result = sweep.collect(folder, top=2)
    by_hand = regret[:, :10].mean(1)
    assert result["rank"].values.tolist() == (stats.rankdata(by_hand)).astype(int).tolist()
    assert result.picking.values.tolist() == [1] * 10 + [0] * 10
    assert [int(run.name) for run in sweep.best(folder)] == np.argsort(by_hand)[:2].tolist()


def test_seeds_of_one_draw_share_its_rank(tmp_path):
    regret = np.array([[1.0, 9.0], [9.0, 1.0], [4.0, 4.0], [4.0, 4.0], [2.0, 2.0], [3.0, 3.0]]).repeat(2, 1)
    sweep.begin(tmp_path, table(n_draws=3, n_seeds=2, n_episodes=4))
    write = table(n_draws=3, n_seeds=2, n_episodes=4)
    assert [row["draw"] for row in write["rows"]] == [0, 0, 1, 1, 2, 2]
    assert write["rows"][0]["values"] == write["rows"][1]["values"]
    assert write["rows"][0]["seed"] != write["rows"][1]["seed"]
    for row, lost in enumerate(regret):
        score = xr.Dataset({"regret": ("episode", lost), "reward_per_trial": ("episode", -lost)}, attrs={"budget": 1})
        dataset.save_run(score, sweep.row_folder(tmp_path, row) / SCORE)
    result = sweep.collect(tmp_path, top=1)
    assert result["rank"].values.tolist() == [3, 3, 2, 2, 1, 1]
    assert [run.name for run in sweep.best(tmp_path)] == ["004", "005"]


def test_a_row_that_diverged_is_done_but_never_among_the_best(tmp_path):
    wild = (sweep.Draw("step_size", 1e30, 2e30),)
    sweep.begin(tmp_path, table(draws=wild, n_draws=2))
    sweep.train(tmp_path, backend="serial")
    result = sweep.collect(tmp_path)
    assert (result["rank"] == 0).all() and result.reward_per_trial.isnull().all()
    assert all("diverged" in told for told in result.failed.values)
    assert sweep.best(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"n_draws": 3}, "the number of rows is 4 there and 3 here"),
        ({"n_episodes": 30}, "n_episodes is 20 there and 30 here"),
        ({"draws": (sweep.Draw("discount", 0, 0.5),)}, "discount=0:1 there and discount=0:0.5 here"),
    ],
)
def test_a_sweep_with_another_table_is_refused_with_the_difference(done, changes, told):
    before = (done / "draws.json").read_bytes()
    with pytest.raises(InputError, match=told):
        sweep.begin(done, table(**changes))
    assert (done / "draws.json").read_bytes() == before


def test_runs_that_belong_to_no_sweep_are_not_mixed_with_its_rows(tmp_path):
    runs.train(SMALL, tmp_path / "000")
    with pytest.raises(InputError, match="holds runs that belong to no sweep"):
        sweep.begin(tmp_path, table())


def test_rows_are_picked_on_episodes_that_are_no_test_episodes(done):
    picked = dataset.read(done / "000" / SCORE)
    tested = runs.evaluate(done / "000", n_episodes=20, seed=SMALL.seed)
    assert not np.array_equal(picked.reward_per_trial.values, tested.reward.mean("trial").values)


def test_the_shell_trains_tells_the_best_and_lets_them_play(tmp_path):
    out = tmp_path / "sweeps"
    small = [f"--set={x}" for x in ("n_updates=4", "batch_size=4", "n_units=6", "task.n_trials=10")]
    asked = ["sweep", "independent", "--out", out, "--backend", "serial"]
    code, told, err = neurometa(*asked, "--draws", 3, "--episodes", 8, "--top", 2, *small)
    assert (code, err) == (0, "")
    assert "The best 2 of 3 rows, picked on 4 episodes." in told
    code, again, _ = neurometa(*asked, "--json")  # no settings: go on with what is there
    assert code == 0 and json.loads(again)["rows"] == 3
    code, _, err = neurometa(*asked, "--draws", 3, "--episodes", 8, *small, "--set", "discount=0.3")
    assert code == 2 and "another table: returns.discount is" in err
    neurometa(*asked, "--top", 2)
    code, shown, _ = neurometa("show", out)
    assert code == 0 and "3 of 3 done" in shown and f"Next: neurometa rollout {out}" in shown.replace("\n", "")
    code, played, _ = neurometa("rollout", out, "--episodes", 5, "--on", "dependent-easy", "--json")
    files = [Path(record["file"]) for record in json.loads(played)["rollouts"]]
    assert [file.parent for file in files] == sweep.best(out)
    assert {file.name for file in files} == {"on-dependent-easy.nc"}
    assert {dataset.open_run(file).sizes["episode"] for file in files} == {5}


def test_slurm_gets_a_script_that_trains_one_row_per_task_after_what_is_to_be_imported(tmp_path, monkeypatch):
    out = tmp_path / "a folder"
    (tmp_path / "own_tasks.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    small = [f"--set={x}" for x in ("n_updates=4", "batch_size=4", "n_units=6", "task.n_trials=10")]
    asked = ["sweep", "independent", "--out", out, "--draws", 5, "--episodes", 8, *small]
    neurometa(*asked, "--row", 2)
    code, told, _ = neurometa("--import", "own_tasks", *asked, "--slurm", "--hours", "1.5")
    script = out / "sweep.sbatch"
    assert code == 0 and f"sbatch {script}" in told.replace("\n", " ") and "neurometa --import own_tasks" in told
    lines = script.read_text().splitlines()
    assert "#SBATCH --array=0-1,3-4%100" in lines and "#SBATCH --time=01:30:00" in lines
    subprocess.run(["bash", script], env={**os.environ, "SLURM_ARRAY_TASK_ID": "4"}, check=True, capture_output=True)
    assert sweep.unfinished(out) == [0, 1, 3]
    assert len(list(tmp_path.glob("imported-*"))) == 2, "by this process and by the script's"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--draw", "stepsize=0:1"], "no field 'stepsize'. Did you mean 'step_size'?"),
        (["--draw", "step_size=1e-2:1e-4:log"], "its low end must be below its high end"),
        (["--draw", "step_size=0:1e-2:log"], "both ends must be above 0"),
        (["--draw", "discount=0:2"], "discount is 2.0; it must be at least 0 and at most 1"),
        (["--draw", "discount"], "is not field=low:high"),
        (["--draw", "discount=0:1", "--draw", "discount=0:.5"], "discount.end is drawn twice"),
        (["--draw", "optimizer=0:1"], "optimizer is 0.0; it must be Adam or RMSProp"),
        (["--draw", "task.n_arms=1:3"], "n_arms is 1; there is nothing to choose below 2"),
        (["--set", "task.n_trials=0"], "n_trials is 0; it must be at least 1"),
        (["--draws", "0"], "--draws is 0; it must be at least 1"),
        (["--episodes", "3"], "--episodes is 3; it must be at least 4"),
        (["--row", "7"], "--row is 7; the sweep has the rows 0 to 1"),
        (["--backend", "lokey"], "Did you mean 'loky'?"),
        (["--jobs", "0"], "--jobs is 0; it must be at least 1"),
        (["--backend", "loky", "--scheduler", "tcp://127.0.0.1:1"], "give --backend dask with it"),
        (["--top", "0"], "--top is 0"),
        (["--scheduler", "tcp://127.0.0.1:1"], "No Dask scheduler answers at 'tcp://127.0.0.1:1' within 1 s"),
        (["--scheduler", "nonsense"], "--scheduler is 'nonsense'; it must be an address"),
    ],
)
def test_a_wrong_sweep_is_told_in_one_sentence(asked, told, tmp_path, monkeypatch):
    monkeypatch.setattr("neurometa.sweep.running.SECONDS_TO_ANSWER", 1)
    given_draws = [] if "--draws" in asked else ["--draws", 2]
    small = ["--set", "n_updates=2", "--set", "batch_size=2"]
    code, out, err = neurometa("sweep", "independent", "--out", tmp_path / "s", *given_draws, *small, *asked)
    assert (code, out) == (2, "")
    assert told in err and err.count("\n") == 1


def test_a_scheduler_that_answers_is_worked_with(tmp_path):
    sweep.begin(tmp_path, table(n_draws=2))
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        sweep.train(tmp_path, backend="dask", scheduler=cluster.scheduler_address)
    assert sweep.unfinished(tmp_path) == []


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["silence", "another language"])
def test_what_answers_at_the_address_but_is_no_scheduler_is_given_up_in_time(tmp_path, monkeypatch, reply):
    monkeypatch.setattr("neurometa.sweep.running.SECONDS_TO_ANSWER", 1)
    sweep.begin(tmp_path, table(n_draws=1))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            connection.sendall(reply)
            time.sleep(3)
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(InputError, match="No Dask scheduler answers"):
            sweep.train(tmp_path, backend="dask", scheduler=address)
        assert time.monotonic() - started < 5


def test_a_damaged_table_or_score_is_refused_by_name(done, tmp_path):
    (tmp_path / "draws.json").write_text('{"experiment": "independent"}')
    with pytest.raises(InputError, match=r"draws.json is damaged"):
        sweep.unfinished(tmp_path)
    write_scores(tmp_path / "b", np.ones((2, 4)))
    whole = (tmp_path / "b/001" / SCORE).read_bytes()
    (tmp_path / "b/001" / SCORE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"001/score.nc is damaged"):
        sweep.collect(tmp_path / "b")
