"""The page "Add your own" does what it says."""

import re
from pathlib import Path

import pytest
from shell import neurometa

from neurometa import analysis, cli, dataset, report
from neurometa.report import pictures

PAGE = Path(__file__).parents[1] / "docs" / "add_your_own.md"


def code(heading):
    """The first listing of Python below a heading of the page."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]


def test_an_analysis_takes_forty_lines_and_its_record_makes_the_command_the_file_and_the_figure(tmp_path, monkeypatch):
    written = code("An analysis")
    assert len([line for line in written.splitlines() if line.strip()]) <= 40
    defined: dict = {}
    exec(compile(written, str(PAGE), "exec"), defined)
    monkeypatch.setattr(analysis, "ANALYSES", (*analysis.ANALYSES, defined["LOSE_SHIFT"]))
    monkeypatch.setattr(cli, "app", cli.make_app())
    trials = dataset.example(n_episodes=20)
    dataset.save_run(trials, tmp_path)
    assert defined["LOSE_SHIFT"].asks in neurometa("--help")[1]
    assert neurometa("lose-shift", tmp_path)[0] == 0
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
