"""A file is the old whole one or the new whole one, and a run has one writer: whatever happens."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import xarray as xr

from neurometa.dataset import example, open_run, save_run
from neurometa.errors import InputError
from neurometa.storage import only_writer, replacing, write_text


def run_python(code: str, *args) -> list[str]:
    """Lines printed by `code` in a process of its own, which must end well and print no warning."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, args)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines()


def start_writing(run: Path) -> None:
    """Take a run's lock, and give it back."""
    with only_writer(run):
        pass


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    write_text(tmp_path / "new folder" / "config.json", "old")
    write_text(tmp_path / "new folder" / "config.json", "new")
    assert (tmp_path / "new folder" / "config.json").read_text() == "new"
    assert names(tmp_path / "new folder") == ["config.json"]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_writing_leaves_the_old_file_and_nothing_beside_it(tmp_path, interruption):
    file = tmp_path / "config.json"
    write_text(file, "old")
    with pytest.raises(interruption), replacing(file) as temporary:
        temporary.write_text("ne")
        raise interruption
    assert file.read_text() == "old"
    assert names(tmp_path) == ["config.json"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_file_is_as_readable_as_the_umask_allows(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "config.json", "{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "config.json").stat().st_mode) == mode


def test_a_file_in_the_place_of_the_folder_is_told_in_a_sentence(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InputError, match=r"Could not write .*/runs/restless/behaviour.nc: Not a directory."):
        save_run(example(n_episodes=1), tmp_path / "runs" / "restless")
    with pytest.raises(InputError, match=r"Could not write to the run folder .*/runs: File exists."):
        start_writing(tmp_path / "runs")


READ_ONLY = """
import os, sys
from pathlib import Path
from neurometa.dataset import example, open_run, save_run
from neurometa.errors import InputError
from neurometa.storage import only_writer

folder, trials = Path(sys.argv[1]), example(n_episodes=1)
save_run(trials, folder)
folder.chmod(0o555)
if os.geteuid() == 0:  # root writes anywhere
    os.seteuid(65534)
for refused in (lambda: save_run(example(n_episodes=2), folder), lambda: only_writer(folder).__enter__()):
    try:
        refused()
    except InputError as error:
        print(error)
print(open_run(folder).identical(trials), sorted(os.listdir(folder)))
"""


def test_a_read_only_folder_is_told_in_a_sentence_and_keeps_its_run():
    with tempfile.TemporaryDirectory() as above:  # not tmp_path, which is closed to every other user
        Path(above).chmod(0o755)
        run = Path(above) / "run"
        assert run_python(READ_ONLY, run) == [
            f"Could not write {run}/behaviour.nc: Permission denied. What was there before is untouched.",
            f"Could not write to the run folder {run}: Permission denied.",
            "True ['behaviour.nc']",
        ]


FULL_DISK = """
import os, resource, signal, sys
from pathlib import Path
from neurometa.dataset import example, open_run, save_run
from neurometa.errors import InputError
from neurometa.storage import write_text

folder, trials = Path(sys.argv[1]), example(n_episodes=2)
save_run(trials, folder)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing beyond the limit fails, as on a full disk
for size in (100, 10_000, 100_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    for refused in (lambda: save_run(example(n_episodes=100), folder), lambda: write_text(folder / "x", "x" * 200_000)):
        try:
            refused()
        except InputError as error:
            print(error)
    print(open_run(folder).identical(trials), os.listdir(folder))
"""


def test_a_full_disk_is_told_in_a_sentence_and_keeps_the_old_run(tmp_path):
    told = run_python(FULL_DISK, tmp_path)
    assert len(told) == 9
    for run, text, after in zip(told[::3], told[1::3], told[2::3], strict=True):
        assert run.startswith(f"Could not write {tmp_path}/behaviour.nc (NetCDF: HDF error): is the disk full?")
        assert text == f"Could not write {tmp_path}/x: File too large. What was there before is untouched."
        assert after == "True ['behaviour.nc']"


KILLED = """
import os, random, signal, sys, time
from neurometa.dataset import example, open_run, save_run

folder, old = sys.argv[1], example(n_episodes=300)
new = old.assign(reward=1 - old.reward)
save_run(old, folder)
random.seed(0)
wrote, told = os.pipe()
for _ in range(20):
    child = os.fork()
    if not child:
        while True:
            for trials in (new, old):
                save_run(trials, folder)
                os.write(told, b".")
    start = time.monotonic()
    os.read(wrote, random.choice([1, 2]))
    time.sleep(random.uniform(0, time.monotonic() - start))  # as long as a writing takes, on a busy machine too
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = open_run(folder)
    print("old" if found.identical(old) else "new" if found.identical(new) else "neither")
"""


def test_a_process_killed_while_writing_leaves_a_whole_run(tmp_path):
    found = run_python(KILLED, tmp_path)
    assert len(found) == 20
    assert set(found) == {"old", "new"}
    assert any(name.endswith(".part") for name in names(tmp_path)), "no kill met a writing: the test is too kind"


def test_a_run_can_be_replaced_while_a_notebook_has_it_open(tmp_path):
    old, new = example(n_episodes=3), example(n_episodes=3, seed=1)
    save_run(old, tmp_path)
    with xr.open_dataset(tmp_path / "behaviour.nc") as opened:
        save_run(new, tmp_path)
        xr.testing.assert_equal(opened.load(), old)
    xr.testing.assert_identical(open_run(tmp_path), new)


HOLD_THE_LOCK = """
import sys
from pathlib import Path
from neurometa.storage import only_writer

with only_writer(Path(sys.argv[1])):
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_the_second_of_two_writers_is_refused_until_the_first_is_gone(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout.readline() == "writing\n"
        with pytest.raises(InputError, match=r"Another process is writing .*; wait for it, or choose another folder."):
            start_writing(tmp_path)
        first.kill()
    start_writing(tmp_path)  # a killed process gives the lock back


def test_readers_do_not_wait_for_the_writer(tmp_path):
    trials = example(n_episodes=2)
    save_run(trials, tmp_path)
    with only_writer(tmp_path):
        xr.testing.assert_identical(open_run(tmp_path), trials)
