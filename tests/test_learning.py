"""Learning curves: every update of a run, parts of training of an agent that comes along, and what is no curve."""

import numpy as np
import pytest

from neurometa import learning, storage
from neurometa.errors import InputError


def curve(folder, n=230):
    """A run folder with so many updates."""
    rows = [{"update": i, "steps": 10 * i, "reward": i / n, "entropy": 1.0} for i in range(1, n + 1)]
    (folder / "curve.jsonl").write_text("".join(map(storage.as_line, rows)))
    return np.array([row["reward"] for row in rows])


def test_parts_of_a_curve_end_where_training_does_and_keep_its_mean(tmp_path):
    reward = curve(tmp_path)
    found = learning.read(tmp_path)
    assert found.sizes == {"part": 100} and found.steps[-1] == 2300
    weight = np.diff(found.steps, prepend=0)
    assert float((found.reward * weight).sum() / weight.sum()) == pytest.approx(reward.mean())
    assert float(found.reward[0]) == pytest.approx(reward[:3].mean())


def test_a_thinned_curve_reads_as_that_of_the_run_it_is_of(tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir(), out.mkdir()
    curve(run)
    learning.write_thinned(run, out)
    one, other = learning.read(run), learning.read(out)
    np.testing.assert_allclose(one.reward, other.reward, atol=1e-5)
    assert one.steps.equals(other.steps)


def test_no_curve_a_damaged_and_an_empty_one_are_told(tmp_path):
    with pytest.raises(InputError, match="holds no learning curve"):
        learning.read(tmp_path)
    (tmp_path / "curve.csv").write_text("steps,rewards\n1,2\n")
    with pytest.raises(InputError, match=r"curve\.csv is damaged"):
        learning.read(tmp_path)
    (tmp_path / "curve.jsonl").write_text("")
    with pytest.raises(InputError, match="its learning curve is empty"):
        learning.read(tmp_path)
