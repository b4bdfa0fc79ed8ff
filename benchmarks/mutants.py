"""Do the tests see a wrong sign? The one-line mutants of mutants.toml, each of which some test must kill.

    python benchmarks/mutants.py                  # all, a table; exit code 1 if one survives (minutes)
    python benchmarks/mutants.py discount "a fold"  # those whose names hold these words
    python benchmarks/mutants.py -n 2             # two at once

Each mutant is a copy of the package with one thing wrong, on which the named test files run until the first failure.
The tests that killed must pass on a copy with nothing wrong, or it would mean nothing.
"""

import argparse
import contextlib
import io
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
COPIED, LINKED = ("neurometa", "tests"), ("data", "figures", "docs", "analyses", "pyproject.toml", "constraints.txt")
PRELOADED = (
    *("torch", "xarray", "netCDF4", "numba", "matplotlib.pyplot", "scipy.stats", "scipy.optimize", "statsmodels.api"),
    *("sklearn.linear_model", "typer", "rich.progress", "jinja2", "pytest", "hypothesis.strategies"),
)
KILLED, SURVIVED = 1, 0  # exit codes of pytest; any other says that the tests did not run


class Mutant(NamedTuple):
    """What is broken; the file, under neurometa/; its text before and after; the test files that must see it."""

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]


def read(path=ROOT / "benchmarks" / "mutants.toml"):
    """The mutants of a file, in its order."""
    told = tomllib.loads(path.read_text())["mutant"]
    return [Mutant(one["name"], one["file"], tuple(map(tuple, one["edits"])), tuple(one["tests"])) for one in told]


def run_tests(tests, file="", edits=()):
    """Exit code, the tests that failed or what pytest printed, and seconds, on a copy of the package with the edits."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant_") as folder:
        place = Path(folder)
        for name in COPIED:
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in LINKED:
            (place / name).symlink_to(ROOT / name)
        for before, after in edits:
            path = place / "neurometa" / file
            path.write_text(path.read_text().replace(before, after))
        os.chdir(place)
        sys.path[:0] = [str(place), str(place / "tests")]
        import pytest

        import neurometa

        assert Path(neurometa.__file__).is_relative_to(place), "the tests would run on another neurometa"
        failed, told = Failed(), io.StringIO()
        options = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "--tb=short", "--no-showlocals"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of hypothesis, which is loaded
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            code = pytest.main([*options, *(f"tests/{name}" for name in tests)], plugins=[failed])
    return int(code), failed.names or told.getvalue()[-2000:], time.monotonic() - start


class Failed:
    """A plugin of pytest that notes which tests failed."""

    def __init__(self):
        self.names = []

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.names.append(report.nodeid.removeprefix("tests/"))


def judge(one):
    """What became of a mutant."""
    return one, *run_tests(one.tests, one.file, one.edits)


def check(mutants):
    """Raise unless every edit is of text that its file holds once."""
    for one in mutants:
        text = (ROOT / "neurometa" / one.file).read_text()
        for before, _ in one.edits:
            if text.count(before) != 1:
                raise SystemExit(f"{one.file} does not hold {before!r} once; mend the mutant {one.name!r}.")


def main():
    """Run the mutants that are asked for, print a table, and end with 1 if one survives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only the mutants whose names hold one of these")
    parser.add_argument("-n", type=int, default=1, help="how many at once")
    asked = parser.parse_args()
    mutants = [one for one in read() if not asked.words or any(word in one.name for word in asked.words)]
    check(mutants)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in PRELOADED:  # once, as every mutant runs in a fork of this process
        __import__(name)
    survivors, killers = [], set()
    with multiprocessing.get_context("fork").Pool(asked.n, maxtasksperchild=1) as pool:
        print("| mutant | file | killed by | s |\n|---|---|---|---|", flush=True)
        for one, code, told, seconds in pool.imap(judge, mutants, chunksize=1):
            if code not in (KILLED, SURVIVED) or (code == KILLED and isinstance(told, str)):
                raise SystemExit(f"The tests did not run on the mutant {one.name!r}: {told}")
            killer = told[0] if code == KILLED else "**none: it survived**"
            killers |= {killer} if code == KILLED else set()
            survivors += [one.name] if code == SURVIVED else []
            print(f"| {one.name} | `{one.file}` | {killer.split('[')[0]} | {seconds:.0f} |", flush=True)
        if killers:
            code, told, _ = pool.apply(run_tests, [sorted(killers)])
            if code != SURVIVED:
                raise SystemExit(f"A test that killed fails on the package as it is, so that it proves nothing: {told}")
    print(f"\n{len(mutants) - len(survivors)} of {len(mutants)} killed.")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
