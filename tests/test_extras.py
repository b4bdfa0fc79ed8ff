"""What is not installed with neurometa: where it is needed and absent, one sentence says which extra brings it."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest
from shell import neurometa as shell

import neurometa
from neurometa import tables, tasks
from neurometa.behaviour import sample_group
from neurometa.dataset import example, save_run
from neurometa.errors import InputError
from neurometa.models import RescorlaWagner

PACKAGE = Path(neurometa.__file__).parent
NAMES = {"scikit-learn": "sklearn", "pillow": "PIL"}  # of distributions that are imported under another
OPTIONAL = {  # module: its extra
    "gymnasium": "gym",
    "pynwb": "nwb",
    "hdmf": "nwb",
    "h5py": "nwb",
    "pyarrow": "parquet",
    "distributed": "cluster",
    "numpyro": "bayes",
    "jax": "bayes",
}


def read_parquet(folder):
    (folder / "lab.parquet").write_bytes(b"PAR1 and so on")
    tables.read_trials(folder / "lab.parquet")


def read_nwb(folder):
    (folder / "lab.nwb").write_bytes(b"\x89HDF\r\n\x1a\n and so on")
    tables.read_trials(folder / "lab.nwb")


NEEDS = {  # what is asked for, which module it takes, and how it is asked for
    "an environment as a task": ("gymnasium", lambda folder: tasks.from_gymnasium("CartPole-v1")),
    "a task as an environment": ("gymnasium", lambda folder: tasks.to_gymnasium(tasks.RestlessBandit())),
    "a Parquet file": ("pyarrow", read_parquet),
    "writing Parquet": ("pyarrow", lambda folder: tables.write_table(example(), folder / "lab.parquet")),
    "an NWB file": ("pynwb", read_nwb),
    "the posterior of a group": ("numpyro", lambda folder: sample_group(RescorlaWagner, example(), group="episode")),
    "writing NWB": ("pynwb", lambda folder: tables.write_nwb(example(n_episodes=1), folder / "lab.nwb")),
}
COMMANDS = {  # the same at the shell
    "import lab.parquet --out run": "pyarrow",
    "import lab.nwb --out run": "pynwb",
    "export trials.nc --parquet --out new.parquet": "pyarrow",
    "export trials.nc --nwb --out new.nwb": "pynwb",
    "sweep independent --out sweep --draws 2 --backend dask": "distributed",
}


def test_every_library_that_is_imported_is_required_or_an_extra():
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    required = {line.split(">=")[0] for line in project["dependencies"]}
    known = {NAMES.get(name, name) for name in required} | {"neurometa"} | OPTIONAL.keys() | sys.stdlib_module_names
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or "neurometa"] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= known, path
    assert set(OPTIONAL.values()) <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("what", NEEDS)
def test_without_an_extra_one_sentence_says_what_to_install(what, tmp_path, monkeypatch):
    module, ask = NEEDS[what]
    monkeypatch.setitem(sys.modules, module, None)  # which makes its import fail
    with pytest.raises(InputError) as told:
        ask(tmp_path)
    assert f"pip install 'neurometa[{OPTIONAL[module]}]'" in str(told.value)
    assert "\n" not in str(told.value)
    assert {path.name for path in tmp_path.iterdir()} <= {"lab.parquet", "lab.nwb"}


@pytest.mark.parametrize("command", COMMANDS)
def test_at_the_shell_too_and_nothing_is_written(command, tmp_path, monkeypatch):
    module = COMMANDS[command]
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab.parquet").write_bytes(b"PAR1 and so on")
    (tmp_path / "lab.nwb").write_bytes(b"\x89HDF\r\n\x1a\n and so on")
    save_run(example(n_episodes=2), tmp_path / "trials.nc")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    code, out, err = shell(*command.split())
    assert (code, out, err.count("\n")) == (2, "", 1) and f"neurometa[{OPTIONAL[module]}]" in err
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before.items() <= kept.items()
    assert {path.name for path in kept.keys() - before.keys()} <= {
        "draws.json",
        ".lock",
    }  # of a sweep its table remains
