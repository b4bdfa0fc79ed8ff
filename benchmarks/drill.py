"""Reliability: commands killed at random moments, on a full disk, and two at once, beside undisturbed ones.

    python benchmarks/drill.py                          # a table (some minutes)
    python benchmarks/drill.py --kills 5 --only fit

Each command runs as at the shell, through the same entry point, in a process group of its own that is forked from one
that has loaded torch already: so the moments at which it is killed with SIGKILL, uniform over the time that it takes
undisturbed, fall on its work. Checkpoints come every few hundredths of a second instead of every five seconds. After
every kill each file that has its final name must be the old whole one or the new whole one. What is compared leaves out
when and from which commit a file was made (`created`, `commit`), and tensorboard's log. The full disk is a tmpfs, which
only root can mount.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from neurometa import dataset, runs
from neurometa.cli import main as shell
from neurometa.errors import InputError
from neurometa.storage import read_json, read_lines
from neurometa.training import a2c, checkpoint, loop

PROVENANCE = ("created", "commit")
SETTINGS = ("--set", "n_units=8", "--set", "batch_size=8", "--set", "task.n_trials=20")
COMMANDS = {  # of each the versions that it writes by turns, over one another; FOLDER is a run or a sweep
    "train": (["train", "restless", "--out", "FOLDER", "--resume", *SETTINGS, "--set", "n_updates=80"],),
    "rollout": tuple(["rollout", "FOLDER", "--episodes", "30", "--seed", seed] for seed in ("1", "2")),
    "fit": tuple(["fit-rw", "FOLDER", "--model", model] for model in ("rescorla-wagner", "single-value")),
    "sweep": (
        ["sweep", "independent", "--out", "FOLDER", "--draws", "3", "--episodes", "8", "--backend", "serial"]
        + [*SETTINGS, "--set", "n_updates=25"],
    ),
}
RESUMED = ("train", "sweep")  # go on where they stopped; the others run again
FREE = (0, 4, 12, 24, 48, 96)  # kB left on the full disk


def start(args: list[str], folder: Path, said: Path) -> int:
    """Process id of a command, which leads a process group of its own; what it says goes into a file."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    loop.SECONDS_BETWEEN_CHECKPOINTS = 0.03
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = ["neurometa", *(str(folder) if arg == "FOLDER" else arg for arg in args)]
    code = 1
    try:
        shell()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(args: list[str], folder: Path, said: Path) -> tuple[int, list[str]]:
    """Exit code of a command, and the lines that it said."""
    _, status = os.waitpid(start(args, folder, said), 0)
    return os.waitstatus_to_exitcode(status), said.read_text().splitlines()


def files(folder: Path) -> list[str]:
    """Files under a folder that have their final name, relative to it."""
    there = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in there if path.name[0] != "." and "tensorboard" not in path.parts)


def part_left(folder: Path) -> bool:
    """Whether a file was being written when its process was killed."""
    return any(folder.rglob(".*.part"))


def contents(path: Path):
    """What a file holds, but for its provenance; raises if it is not whole."""
    if path.suffix == ".nc":
        found = dataset.read(path)
        return {"attrs": {key: x for key, x in found.attrs.items() if key not in PROVENANCE}} | {
            str(name): (x.dims, str(x.dtype), x.values.tobytes() if x.dtype != object else x.values.tolist())
            for name, x in found.variables.items()
        }
    if path.suffix == ".json":
        return {key: x for key, x in read_json(path).items() if key not in PROVENANCE}
    if path.suffix == ".jsonl":
        return read_lines(path)
    return path.read_bytes()


def torn(folder: Path, references: list[Path]) -> list[str]:
    """Files of a folder that are neither of the versions that they may be, each with why."""
    found = []
    for name in files(folder):
        path = folder / name
        try:
            if path.name == checkpoint.CHECKPOINT:  # of any update; its digest says whether it is whole
                agent = a2c.build(runs.open_config(path.parent))
                checkpoint.load_state(path, agent, torch.optim.Adam(agent.parameters()), torch.Generator())
                continue
            now = contents(path)
            allowed = [contents(there / name) for there in references if (there / name).exists()]
            if path.suffix == ".jsonl":  # grows by whole lines
                allowed = [rows[: len(now)] for rows in allowed]
            if now not in allowed:
                found.append(f"{path}: neither the old nor the new")
        except InputError as error:
            found.append(str(error))
    return found


def same(folder: Path, reference: Path) -> bool:
    """Whether two folders hold the same files, bit for bit, but for their provenance."""
    return files(folder) == files(reference) and all(
        contents(folder / name) == contents(reference / name) for name in files(folder)
    )


def warm(place: Path) -> None:
    """Run each command here, so that what numba compiles is compiled once, before there are children."""
    for kind, versions in COMMANDS.items():
        for args in versions:
            folder = str(place / ("sweep" if kind == "sweep" else "run"))
            sys.argv = ["neurometa", *(folder if arg == "FOLDER" else arg for arg in args), "--json"]
            with contextlib.redirect_stdout(None), contextlib.suppress(SystemExit):
                shell()


def undisturbed(kind: str, place: Path) -> tuple[list[Path], float]:
    """A folder for each version that a command writes, and the seconds that one took."""
    references, seconds = [], 0.0
    for i, args in enumerate(COMMANDS[kind]):
        folder = place / f"{kind}-whole-{i}"
        if kind not in RESUMED:
            shutil.copytree(place / "run", folder)
        started = time.monotonic()
        code, told = run(args, folder, place / "said")
        seconds = max(seconds, time.monotonic() - started)
        assert code == 0, told
        references.append(folder)
    return references, seconds


def kill(kind: str, place: Path, references: list[Path], seconds: float, n_kills: int, rng: random.Random) -> dict:
    """Kill a command `n_kills` times, and let it come to its end each time that it was not killed in time."""
    folder, found = place / f"{kind}-killed", {"kills": 0, "met": 0, "resumed": 0, "ends": 0, "same": 0, "torn": []}

    def began() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        if kind not in RESUMED:
            shutil.copytree(references[-1], folder)

    def ended(version: int) -> None:
        found["ends"] += 1
        found["same"] += same(folder, references[version])
        if kind in RESUMED:
            began()

    began()
    turn = 0
    while found["kills"] < n_kills:
        version = turn % len(references)
        turn += 1
        before = bool(files(folder)) and kind in RESUMED
        child = start(COMMANDS[kind][version], folder, place / "said")
        time.sleep(rng.uniform(0, seconds))
        done, status = os.waitpid(child, os.WNOHANG)
        found["resumed"] += before
        if done:
            assert status == 0, (place / "said").read_text()
            ended(version)
            continue
        os.killpg(child, signal.SIGKILL) if os.getpgid(child) == child else os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):  # it ended in the meantime
            assert status == 0, (place / "said").read_text()
            ended(version)
            continue
        found["kills"] += 1
        found["met"] += folder.exists() and part_left(folder)
        found["torn"] += torn(folder, references) if folder.exists() else []
    for version in range(len(references)):
        code, told = run(COMMANDS[kind][version], folder, place / "said")
        assert code == 0, told
        if kind not in RESUMED or version == len(references) - 1:
            found["ends"] += 1
            found["same"] += same(folder, references[version])
    return found


def fill(kind: str, place: Path, references: list[Path], disk: Path) -> dict:
    """Run a command on a disk that is full but for some kB, and go on when there is space again."""
    found = {"refused": 0, "fitted": 0, "one sentence": 0, "torn": [], "same": 0}
    for free in FREE:
        folder, filler = disk / f"{kind}-{free}", disk / "filler"
        if kind not in RESUMED:
            shutil.copytree(references[-1], folder)
        left = os.statvfs(disk)
        filler.write_bytes(b"x" * max(0, left.f_bavail * left.f_frsize - 1024 * free))
        code, told = run(COMMANDS[kind][0], folder, place / "said")
        if code == 0:
            found["fitted"] += 1
        else:
            found["refused"] += 1
            found["one sentence"] += code == 2 and len(told) == 1 and told[0].startswith("neurometa: Could not")
            if code != 2 or len(told) != 1:
                print(kind, free, code, *told, sep="\n", file=sys.stderr)
        found["torn"] += torn(folder, references) if folder.exists() else []
        filler.unlink()
        code, told = run(COMMANDS[kind][0], folder, place / "said")
        assert code == 0, told
        found["same"] += same(folder, references[0])
        shutil.rmtree(folder)
    return found


def both(kind: str, place: Path, references: list[Path], n_rounds: int, rng: random.Random) -> dict:
    """Start a command twice at nearly the same time, and let both come to their end."""
    found = {"one refused": 0, "one after the other": 0, "otherwise": 0, "torn": [], "same": 0}
    for i in range(n_rounds):
        folder = place / f"{kind}-both"
        shutil.rmtree(folder, ignore_errors=True)
        if kind not in RESUMED:
            shutil.copytree(references[-1], folder)
        said = [place / "said-a", place / "said-b"]
        children = []
        for file in said:
            children.append(start(COMMANDS[kind][0], folder, file))
            time.sleep(rng.uniform(0, 0.05) if i % 2 else 0.0)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        refused = [file.read_text() for file, code in zip(said, codes, strict=True) if code]
        told = all(
            text.startswith("neurometa: Another process is writing") and text.count("\n") == 1 for text in refused
        )
        kind_of_end = {0: "one after the other", 1: "one refused"}.get(len(refused), "otherwise")
        if not told or kind_of_end == "otherwise":
            print(kind, codes, *refused, sep="\n", file=sys.stderr)
        found[kind_of_end if told else "otherwise"] += 1
        found["torn"] += torn(folder, references)
        found["same"] += same(folder, references[0])
    return found


def report(title: str, rows: dict[str, dict]) -> None:
    """Print a table, a row for each command."""
    print(f"\n{title}", flush=True)
    for kind, row in rows.items():
        told = {key: len(x) if isinstance(x, list) else x for key, x in row.items()}
        print(f"{kind:8}", "  ".join(f"{key} {x}" for key, x in told.items()), flush=True)
        for line in row["torn"][:5]:
            print("        ", line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="of each command")
    parser.add_argument("--seed", type=int, default=0, help="fixes the moments, as shares of the time it takes")
    parser.add_argument("--only", default=",".join(COMMANDS), help="train,rollout,fit,sweep")
    parser.add_argument("--place", help="folder to work in; in /dev/shm it does not wait for a busy disk")
    given = parser.parse_args()
    kinds, rng = given.only.split(","), random.Random(given.seed)
    sys.modules["torch.utils.tensorboard"] = None  # type: ignore[assignment]  # its log is not compared
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=given.place) as above:
        place = Path(above)
        warm(place)  # makes the run that rollout and fit work on
        whole = {kind: undisturbed(kind, place) for kind in kinds}
        for kind, (references, seconds) in whole.items():
            print(f"{kind}: {seconds:.2f} s, files: {', '.join(files(references[0]))}", flush=True)
        started = time.monotonic()
        for kind in kinds:
            report(f"Killed, seed {given.seed}", {kind: kill(kind, place, *whole[kind], given.kills, rng)})
        disk = place / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True).returncode:
            print("\nNo full disk: only root can mount a tmpfs.")
        else:
            try:
                report(f"Full disk, {FREE} kB free", {kind: fill(kind, place, whole[kind][0], disk) for kind in kinds})
            finally:
                subprocess.run(["umount", str(disk)], check=True)
        report("Two at once", {kind: both(kind, place, whole[kind][0], 10, rng) for kind in kinds})
        print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
