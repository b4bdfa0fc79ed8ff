"""What is written of a run is what is read of it, or refused by name: flipped bits, files cut short, full disks."""

import dataclasses
import json
import shutil
import subprocess

import pytest
import safetensors.torch
import torch
from shell import neurometa

from neurometa import runs, sweep
from neurometa.agents import LSTM
from neurometa.errors import InputError
from neurometa.storage import as_line, only_writer, read_json, read_lines, write_json
from neurometa.tasks import IndependentBandit
from neurometa.training import a2c, checkpoint, curve, loop
from neurometa.training.together import Together

TINY = a2c.Config(IndependentBandit(4), LSTM(2), n_updates=3, batch_size=2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A finished run, a checkpoint of its training and the table of a sweep; tests spoil copies."""
    folder = tmp_path_factory.mktemp("reliability")
    agent = runs.train(TINY, folder / "run", experiment="independent")
    agent, moments = Together([agent], TINY.batch_size, type(TINY.optimizer)).unload(0)
    for k, moment in enumerate(moments.values()):
        moment.normal_(generator=torch.Generator().manual_seed(k))
    checkpoint.save_state(folder / checkpoint.CHECKPOINT, agent, moments, torch.Generator(), 7)
    sweep.begin(folder / "sweep", sweep.make_table("independent", TINY, n_draws=2, n_episodes=4))
    return folder


AGENT = a2c.build(TINY)  # loaded into


def weights(path):
    agent = AGENT
    checkpoint.load_weights(path, agent)
    return {name: x.tolist() for name, x in agent.state_dict().items()}


def state(path):
    agent, rng = AGENT, torch.Generator()
    moments, update = checkpoint.load_state(path, agent, rng)
    found = {name: x.tolist() for name, x in (moments | agent.state_dict()).items()}
    return found | {"at": update, "rng": rng.get_state()}


READ = {
    "run/agent.safetensors": weights,
    checkpoint.CHECKPOINT: state,
    "run/config.json": read_json,
    "run/curve.jsonl": read_lines,
    "sweep/draws.json": read_json,
}


def spoilt(whole, name):
    """One bit flipped in every copy, spread over the file and over the bits of a byte."""
    for bit in range(0, 8 * len(whole), 13 if "json" in name else 61):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


@pytest.mark.parametrize("name", READ)
def test_a_flipped_bit_is_refused_by_name_or_changes_nothing(place, tmp_path, name):
    read, whole, path = READ[name], (place / name).read_bytes(), tmp_path / name.rpartition("/")[2]
    expected, n_refused, n = repr(read(place / name)), 0, 0
    for changed in spoilt(whole, name):
        path.write_bytes(changed)
        n += 1
        try:
            found = repr(read(path))
        except InputError as refused:
            n_refused += 1
            assert str(path) in str(refused) and "\n" not in str(refused)
            continue
        assert found == expected
    assert n_refused > 0.8 * n  # the rest is e.g. the case of an exponent


@pytest.mark.parametrize("name", READ)
def test_a_file_cut_short_is_refused_by_name(place, tmp_path, name):
    read, whole, path = READ[name], (place / name).read_bytes(), tmp_path / name.rpartition("/")[2]
    rows = read_lines(place / name) if name.endswith("jsonl") else []
    for size in range(0, len(whole) - 1, 31 if name.endswith("safetensors") else 5):
        path.write_bytes(whole[:size])
        if rows:  # a kill may leave whole rows and a part of one
            assert read_lines(path) == rows[: whole[:size].count(b"}")]
            if len(read_lines(path)) < len(rows):
                with pytest.raises(InputError, match=r"holds \d lines, and 3 were written"):
                    read_lines(path, 3)
            continue
        with pytest.raises(InputError) as refused:
            read(path)
        assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def test_a_finished_run_whose_curve_was_cut_is_refused_by_name_and_a_resumed_one_too(place, tmp_path):
    run = shutil.copytree(place / "run", tmp_path / "run")
    lines = (run / curve.CURVE).read_text().splitlines(keepends=True)
    (run / curve.CURVE).write_text("".join(lines[:2]))
    for args in (["show", run], ["train", "independent", "--out", run, "--resume"]):
        code, _, err = neurometa(*args)
        assert code == 2 and "curve.jsonl is damaged: it holds 2 lines, and 3 were written" in err
        assert err.count("\n") == 1
    (run / checkpoint.WEIGHTS).unlink()
    longer = dataclasses.replace(TINY, n_updates=9)
    shutil.copy(place / checkpoint.CHECKPOINT, run / checkpoint.CHECKPOINT)  # of update 7
    with pytest.raises(InputError, match=r"curve.jsonl lacks updates that checkpoint.safetensors has behind it"):
        a2c.train(longer, run)


def test_weights_records_and_rows_without_a_digest_are_read(place, tmp_path):
    older = safetensors.torch.load_file(place / "run" / checkpoint.WEIGHTS)
    safetensors.torch.save_file(older, tmp_path / "older.safetensors")
    assert weights(tmp_path / "older.safetensors") == weights(place / "run" / checkpoint.WEIGHTS)
    (tmp_path / "older.json").write_text('{"experiment": "a", "config": {}}')
    assert read_json(tmp_path / "older.json") == {"experiment": "a", "config": {}}
    (tmp_path / "older.jsonl").write_text('{"update": 1, "steps": 8}\n')
    assert read_lines(tmp_path / "older.jsonl") == [{"update": 1, "steps": 8}]


def test_records_and_rows_come_back_to_the_last_bit(tmp_path):
    record = {"a": 0.1 + 0.2, "b": [1, None, True], "ü": {"c": "x\n"}, "d": 1e-320}
    write_json(tmp_path / "x.json", record)
    assert read_json(tmp_path / "x.json") == record
    assert "sha256" in json.loads((tmp_path / "x.json").read_text())
    rows = [{"update": 1, "loss": 1 / 3}, {"update": 2, "loss": float("inf")}]
    (tmp_path / "x.jsonl").write_text("".join(map(as_line, rows)))
    assert read_lines(tmp_path / "x.jsonl", 2) == rows


def test_a_sweep_that_another_process_trains_is_left_alone_until_it_is_done(place, tmp_path):
    folder = shutil.copytree(place / "sweep", tmp_path / "sweep")
    with only_writer(folder):
        code, _, err = neurometa("sweep", "independent", "--out", folder, "--backend", "serial")
        assert code == 2 and err == (
            f"neurometa: Another process is writing {folder}; wait for it, or choose another folder.\n"
        )
    assert sweep.unfinished(folder) == [0, 1]
    told = []

    def second(row):
        told.append(row)
        if sweep.unfinished(folder):
            with pytest.raises(InputError, match="Another process is writing"):
                sweep.train(folder, backend="serial")

    sweep.train(folder, backend="serial", progress=second)
    assert told == [0, 1]
    sweep.train(folder)  # nothing is left to train, and nobody is in the way


@pytest.fixture
def disk(tmp_path):
    """A disk of 200 kB that can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("free", [0, 8])
def test_a_full_disk_is_told_in_one_line_and_training_goes_on_to_the_same_bits(disk, tmp_path, monkeypatch, free):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    settings = ["--set", "n_units=4", "--set", "n_updates=12", "--set", "batch_size=2", "--set", "task.n_trials=5"]
    assert neurometa("train", "independent", "--out", tmp_path / "whole", *settings)[0] == 0
    (disk / "filler").write_bytes(b"x" * (204_800 - 4096 * (free // 4)))
    args = ["train", "independent", "--out", disk / "run", "--resume"]
    code, _, err = neurometa(*args, *settings)
    assert code == 2 and err.startswith("neurometa: Could not write") and err.count("\n") == 1
    (disk / "filler").unlink()
    assert neurometa(*args, *settings)[0] == 0
    for name in (checkpoint.WEIGHTS, curve.CURVE):
        assert (disk / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
