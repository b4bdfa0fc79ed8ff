"""The page on adding your own: a task, a network and an algorithm of at most 40 lines, run as they are printed."""

import importlib
import re
import sys
from pathlib import Path

import pytest
import torch

from neurometa import dataset, runs, settings

PAGE = (Path(__file__).parents[1] / "docs" / "add_your_own.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FILES = {block.split("\n")[0].removeprefix("# "): block for block in BLOCKS if block.startswith("# ")}


def test_each_is_short():
    assert {"lights.py", "leaky.py", "reinforce.py"} <= FILES.keys()
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
