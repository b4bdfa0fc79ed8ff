"""What is given away: the wheel and the source distribution, each installed alone and used from an empty folder."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import neurometa

ROOT = Path(__file__).parents[1]
BUILT = Path(neurometa.__file__).parents[1] == ROOT  # not so where the tests run beside an installed wheel
FOR_PEOPLE = ("figures", "data/agents", "data/published")  # folders that travel with the package
SHARED = (".py", ".mplstyle", ".toml", ".csv", ".json", ".safetensors")
NOT_GIVEN = (".ci/",)  # of the repository only
SECONDS = 1800  # installing torch, on a busy machine

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BUILT, reason="there is no checkout to build from")]


def run(*command, cwd):
    """What a command prints, in an environment that does not know this checkout."""
    around = {name: x for name, x in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=around, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source distribution, by name, as `make wheel` makes them."""
    pytest.importorskip("build", reason="build is not installed: pip install 'neurometa[release]'")
    place = tmp_path_factory.mktemp("dist")
    reached = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(place / "index"), "hatchling"],
        capture_output=True,
    )
    if reached.returncode:
        pytest.skip("pip reaches no package index, from which building and installing take what they need")
    run(sys.executable, "-m", "build", "--outdir", place, ROOT, cwd=place)
    return {"wheel": next(place.glob("*.whl")), "sdist": next(place.glob("*.tar.gz"))}


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def installed(request, built, tmp_path_factory):
    """The folder of commands of an environment that holds nothing but neurometa and what it needs."""
    place = tmp_path_factory.mktemp(f"from_{request.param}")
    venv.create(place, with_pip=True)
    pip = [place / "bin" / "python", "-m", "pip", "install", "-q", "--no-compile", "-c", ROOT / "constraints.txt"]
    run(*pip, "torch", cwd=place)  # first and alone: a build without CUDA is on another index, which constraints name
    run(*pip, built[request.param], cwd=place)
    yield place / "bin"
    shutil.rmtree(place)


def write_mice(path):
    """A lab's table: two mice, three sessions each of which 60 trials, the left port baited in the first half."""
    rows = []
    for mouse, session, trial in itertools.product(("m1", "m2"), range(3), range(60)):
        left = (trial + session) % 3 > 0
        rows.append(f"{mouse},{session},{trial},{'L' if left else 'R'},{int((trial < 30) == left)}")
    path.write_text("\n".join(["mouse,session,trial,choice,reward", *rows]) + "\n")


def test_the_wheel_has_the_folders_for_people_and_all_that_modules_read(built):
    with zipfile.ZipFile(built["wheel"]) as wheel:
        held = {name: wheel.read(name) for name in wheel.namelist()}
    own = [path for path in (ROOT / "neurometa").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    wanted = {str(path.relative_to(ROOT)): path for path in own}
    for name in FOR_PEOPLE:
        files = [path for path in (ROOT / name).rglob("*") if path.is_file() and path.suffix in SHARED]
        assert files
        wanted |= {f"neurometa/_share/{path.relative_to(ROOT)}": path for path in files}
    assert {name for name, path in wanted.items() if held.get(name) != path.read_bytes()} == set()
    assert {name for name in held if ".dist-info/" not in name} == wanted.keys()


def test_the_source_distribution_is_the_repository_without_its_gate_and_its_caches(built):
    with tarfile.open(built["sdist"]) as sdist:
        held = {member.name.split("/", 1)[1] for member in sdist.getmembers() if member.isfile()}
    kept = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if kept.returncode:
        pytest.skip("this is no git checkout")
    there = {name for name in kept.stdout.splitlines() if (ROOT / name).exists() and not name.startswith(NOT_GIVEN)}
    assert held == there | {"PKG-INFO"}


def test_an_installed_neurometa_needs_no_checkout(installed, tmp_path):
    write_mice(tmp_path / "mice.csv")
    command = installed / "neurometa"
    where = run(installed / "python", "-c", "import neurometa; print(neurometa.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)

    assert "restless" in run(command, "list", cwd=tmp_path)

    run(command, "import", "mice.csv", "--choice-coding", "L=0,R=1", "--out", "runs/mice", cwd=tmp_path)
    fitted = json.loads(run(command, "fit-rw", "runs/mice", "--json", cwd=tmp_path))
    assert (fitted["fits"], fitted["failed"]) == (6, 0)
    assert 0 <= fitted["learning_rate"]["median"] <= 1

    run(command, "figure", "w16-fig3", "--pretrained", "--episodes", "30", "--out", "figures", cwd=tmp_path)
    assert (tmp_path / "figures" / "w16-fig3.pdf").read_bytes().startswith(b"%PDF")

    run(command, "report", "runs/mice", cwd=tmp_path)
    page = (tmp_path / "runs" / "mice" / "report.html").read_text()
    assert "m1" in page and "<script" in page and "<style" in page

    published = "from neurometa import reference; print(len(reference.names()))"
    assert int(run(installed / "python", "-c", published, cwd=tmp_path)) == len(
        list(ROOT.glob(f"{FOR_PEOPLE[2]}/*.toml"))
    )
