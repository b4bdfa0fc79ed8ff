"""The page on adding your own: a task, network, algorithm and analysis of at most 40 lines, run as they are printed."""

import importlib
import re
import sys
from pathlib import Path

import pytest
import torch
from shell import neurometa

from neurometa import analysis, dataset, report, runs, settings
from neurometa.report import pictures

PAGE = (Path(__file__).parents[1] / "docs" / "add_your_own.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FILES = {block.split("\n")[0].removeprefix("# "): block for block in BLOCKS if block.startswith("# ")}


def test_each_is_short():
    assert {"lights.py", "leaky.py", "reinforce.py", "lose_shift.py"} <= FILES.keys()
    for name, block in FILES.items():
        assert len([line for line in block.split("\n")[1:] if line.strip()]) <= 40, name


def test_they_run_as_printed_and_learn(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    for name, block in FILES.items():
        (tmp_path / name).write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = {}
    for block in BLOCKS:
        if not block.startswith("# "):
            exec(compile(block, "add_your_own.md", "exec"), names)
    by_trial = names["by_trial"]
    assert float(by_trial[0]) == pytest.approx(0.5, abs=0.08) and float(by_trial[3:].mean()) > 0.65  # chance is .5
    trials = names["trials"]
    dataset.check(trials)
    assert trials.hidden.dims == ("episode", "trial", "step", "unit")
    saved = settings.to_json(names["config"])
    assert saved["type"] == "reinforce:Config" and saved["network"]["type"] == "leaky:Leaky"
    assert runs.open_config(Path("runs/lights")) == names["config"]
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)
    importlib.invalidate_caches()


def test_an_analysis_of_ones_own_is_a_command_a_file_and_a_figure(tmp_path, monkeypatch):
    (tmp_path / "lose_shift.py").write_text(FILES["lose_shift.py"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(analysis, "ANALYSES", analysis.ANALYSES)  # and back
    trials = dataset.example(n_episodes=20)
    dataset.save_run(trials, tmp_path)
    assert neurometa("lose-shift", tmp_path)[0] == 2
    assert neurometa("--import", "lose_shift", "lose-shift", tmp_path)[0] == 0
    assert "How soon is a choice changed after losses?" in neurometa("--import", "lose_shift", "--help")[1]
    found = dataset.read(tmp_path / "lose_shift.nc")
    choice, reward = trials.choice.values, trials.reward.values
    for n in (1, 2):
        shifts = [
            choice[e, t] != choice[e, t + 1]
            for e in range(choice.shape[0])
            for t in range(n - 1, choice.shape[1] - 1)
            if not reward[e, t - n + 1 : t + 1].any() and (t == n - 1 or reward[e, t - n])
        ]
        assert float(found.p_shift.sel(losses=n)) == pytest.approx(sum(shifts) / len(shifts))
    drawn, notes = pictures.of_behaviour(report.find(tmp_path))
    assert "Shifts after losses" in {each.title for each in drawn} and not notes
    sys.modules.pop("lose_shift", None)
