"""Do the tests see a wrong sign? One-line mutants of the equations, each of which some test must kill.

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


def mutant(name, file, before, after, *tests):
    """A mutant of one edit."""
    return Mutant(name, file, ((before, after),), tests)


MUTANTS = (
    # models
    mutant(
        "Rescorla-Wagner moves away from the reward",
        "models/bandit.py",
        "return (value + learning_rate * chosen * (reward - value),)",
        "return (value - learning_rate * chosen * (reward - value),)",
        "test_models.py",
    ),
    mutant(
        "Rescorla-Wagner learns with 1 - learning rate",
        "models/bandit.py",
        "return (value + learning_rate * chosen * (reward - value),)",
        "return (value + (1 - learning_rate) * chosen * (reward - value),)",
        "test_models.py",
    ),
    mutant(
        "the chosen value is forgotten, not the others",
        "models/bandit.py",
        "- forgetting_rate * (1 - chosen) * value",
        "- forgetting_rate * chosen * value",
        "test_models.py",
    ),
    mutant(
        "good and bad news change places",
        "models/bandit.py",
        "* (rpe > 0)",
        "* (rpe < 0)",
        "test_models.py",
    ),
    mutant(
        "the softmax prefers the worse arm",
        "models/base.py",
        "return sum(getattr(self, weight) * feature",
        "return sum(-getattr(self, weight) * feature",
        "test_models.py",
    ),
    mutant(
        "habit is for what was not chosen",
        "models/bandit.py",
        "return (kernel + kernel_rate * (chosen - kernel),)",
        "return (kernel + kernel_rate * (1 - chosen - kernel),)",
        "test_models.py",
    ),
    mutant(
        "planning weighs what habit should, and the reverse",
        "models/two_step/equations.py",
        "net = model_based_weight * (planned[1] - planned[0]) + (1 - model_based_weight) * cached",
        "net = (1 - model_based_weight) * (planned[1] - planned[0]) + model_based_weight * cached",
        "test_two_step_models.py",
    ),
    mutant(
        "the eligibility trace is ignored",
        "models/two_step/equations.py",
        "(onset_rpe + eligibility * outcome_rpe)",
        "(onset_rpe + outcome_rpe)",
        "test_two_step_models.py",
    ),
    # fits
    mutant(
        "the likelihood's softmax has the wrong sign",
        "behaviour/likelihood.py",
        "np.subtract(feature[1:], feature[0], out=now[k])",
        "np.subtract(feature[0], feature[1:], out=now[k])",
        "test_fitting.py",
    ),
    mutant(
        "a fit learns from the reward of the trial before",
        "behaviour/likelihood.py",
        "choices.reward[trial], *rates)",
        "choices.reward[trial - 1], *rates)",
        "test_fitting.py",
    ),
    mutant(
        "a missed trial teaches",
        "behaviour/likelihood.py",
        "np.where(played[trial], new, old)",
        "np.where(True, new, old)",
        "test_models.py",
    ),
    mutant(
        "the profile interval drops twice as far",
        "behaviour/fitting.py",
        "drop = special.gammaincinv(0.5, level)",
        "drop = 2 * special.gammaincinv(0.5, level)",
        "test_fitting.py",
    ),
    mutant(
        "BIC counts the trials of all episodes",
        "behaviour/comparison.py",
        "np.log(fitted.n_trials.where(fitted.n_trials > 0))",
        "np.log(fitted.n_trials.sum())",
        "test_comparison.py",
    ),
    mutant(
        "AIC counts each parameter once",
        "behaviour/comparison.py",
        "value = 2 * _n_parameters(fitted) - 2",
        "value = _n_parameters(fitted) - 2",
        "test_comparison.py",
    ),
    # behaviour
    mutant(
        "regret is measured from the worst arm",
        "behaviour/performance.py",
        '(trials[worth].max("arm") - chosen',
        '(trials[worth].min("arm") - chosen',
        "test_performance.py",
    ),
    mutant(
        "an interval of 95 % is one of 90 %",
        "behaviour/performance.py",
        "np.maximum(n - 1, 1), (1 + level) / 2)",
        "np.maximum(n - 1, 1), level)",
        "test_performance.py",
    ),
    mutant(
        "a stay is counted across a missed trial",
        "behaviour/stay.py",
        "(before >= 0) & (after >= 0)",
        "after >= 0",
        "test_stay.py",
    ),
    Mutant(
        "a stay is counted across episodes",
        "behaviour/stay.py",
        (
            (
                "before, after = sessions.choice[..., :-1], sessions.choice[..., 1:]",
                "before, after = sessions.choice, np.roll(sessions.choice.ravel(), -1).reshape(sessions.choice.shape)",
            ),
            ("sessions.reward[..., :-1] > 0, sessions.common[..., :-1]", "sessions.reward > 0, sessions.common"),
        ),
        ("test_stay.py",),
    ),
    mutant(
        "common and rare change places",
        "behaviour/stay.py",
        "for c in (common, ~common)",
        "for c in (~common, common)",
        "test_stay.py",
    ),
    mutant(
        "a stay is sorted by the reward that follows it",
        "behaviour/stay.py",
        "sessions.reward[..., :-1] > 0",
        "sessions.reward[..., 1:] > 0",
        "test_stay.py",
    ),
    mutant(
        "lags begin at the choice itself",
        "behaviour/history.py",
        "axis=2)[:, :, :-1, :, ::-1]",
        "axis=2)[:, :, 1:, :, ::-1]",
        "test_history.py",
    ),
    mutant(
        "the last lag is the first",
        "behaviour/history.py",
        "axis=2)[:, :, :-1, :, ::-1]",
        "axis=2)[:, :, :-1]",
        "test_history.py",
    ),
    mutant(
        "padding counts as choices",
        "behaviour/sessions.py",
        "choice.astype(np.int64).where(played, -1)",
        "choice.astype(np.int64)",
        "test_stay.py",
        "test_history.py",
    ),
    mutant(
        "the matching law upside down",
        "behaviour/matching.py",
        "np.log2(x.isel(arm=1).where(kept) / x.isel(arm=0).where(kept)) for x in (n_chosen, earned)",
        "np.log2(x.isel(arm=i).where(kept) / x.isel(arm=1 - i).where(kept)) for i, x in enumerate((n_chosen, earned))",
        "test_foraging.py",
    ),
    # neural
    mutant(
        "a fold is predicted by the line that has seen it",
        "neural/ridge.py",
        "these = fold == held_out",
        "these = fold == (held_out + 1) % len(line.weight)",
        "test_decoding.py",
    ),
    mutant(
        "a line is fitted with the fold it is scored on",
        "neural/ridge.py",
        "line = fit(of.without(held_out))",
        "line = fit(of.without())",
        "test_decoding.py",
    ),
    mutant(
        "the penalty is chosen on the fold that is held out",
        "neural/ridge.py",
        "error[a] += squared_error(line, of.fold(b))",
        "error[a] += squared_error(line, of.fold(a))",
        "test_decoding.py",
    ),
    mutant(
        "a classifier sees the fold it is scored on",
        "neural/logistic.py",
        "fit(activity[fold != held_out], label[fold != held_out], n_classes, best[held_out])",
        "fit(activity, label, n_classes, best[held_out])",
        "test_decoding.py",
    ),
    Mutant(
        "activity is standardised before the folds are split",
        "neural/logistic.py",
        (
            (
                "mean, spread = activity.mean(0), activity.std(0)",
                "mean, spread = np.zeros(activity.shape[1]), np.ones(activity.shape[1])",
            ),
            (
                "    n_folds = fold.max() + 1\n",
                "    n_folds = fold.max() + 1\n    activity = (activity - activity.mean(0)) / activity.std(0)\n",
            ),
        ),
        ("test_decoding.py",),
    ),
    mutant(
        "folds are interleaved, not blocks",
        "neural/decoding.py",
        "np.repeat(np.arange(folds), [len(part) for part in np.array_split(np.arange(target.sizes[dim]), folds)])",
        "np.arange(target.sizes[dim]) % folds",
        "test_decoding.py",
    ),
    mutant(
        "a prediction error is found one event late",
        "neural/rpe.py",
        "np.array([*steps[1:], last], dtype=object)",
        "np.array([last, *steps[1:]], dtype=object)",
        "test_rpe.py",
    ),
    mutant(
        "the value after a trial is that of the trial after next",
        "neural/rpe.py",
        "shift(trial=-1)",
        "shift(trial=-2)",
        "test_rpe.py",
    ),
    mutant(
        "prediction errors on padding",
        "neural/rpe.py",
        "played = played & run.valid.astype(bool)",
        "played = played | run.valid.astype(bool)",
        "test_rpe.py",
    ),
    # playing and training
    mutant(
        "the seed is ignored",
        "rollout.py",
        "luck = torch.rand(len(logits), generator=rng, device=rng.device)",
        "luck = torch.rand(len(logits))",
        "test_rollout.py",
        "test_tasks.py",
    ),
    mutant(
        "the agent is not told of its reward",
        "rollout.py",
        "agent(observation, action, reward, memory)",
        "agent(observation, action, 0 * reward, memory)",
        "test_rollout.py",
    ),
    mutant(
        "the other arm pays",
        "tasks/bandit.py",
        "luck < prob.gather(1, action[:, None])[:, 0]",
        "luck < prob.flip(1).gather(1, action[:, None])[:, 0]",
        "test_tasks.py",
    ),
    mutant(
        "a common transition leads to the rare state",
        "tasks/two_step.py",
        "action ^ ~common",
        "action ^ common",
        "test_two_step.py",
    ),
    mutant(
        "the discount is dropped",
        "training/returns.py",
        "total[t] += discount * total[t + 1]",
        "total[t] += total[t + 1]",
        "test_training.py",
    ),
    mutant(
        "lambda without the discount",
        "training/returns.py",
        "discounted_sum(rpe, discount * gae_lambda)",
        "discounted_sum(rpe, gae_lambda)",
        "test_training.py",
    ),
    mutant(
        "entropy is punished",
        "training/a2c.py",
        "- at(config.entropy_weight, share) * entropy",
        "+ at(config.entropy_weight, share) * entropy",
        "test_training.py",
    ),
    # tables
    mutant(
        "trials are sorted backwards",
        "tables/grid.py",
        "np.lexsort((number, episode))",
        "np.lexsort((-number, episode))",
        "test_tables.py",
    ),
    mutant(
        "sessions of the same name are one, whoever's they are",
        "tables/grid.py",
        "pd.factorize(subject * len(sessions) + session)",
        "pd.factorize(0 * subject + session)",
        "test_tables.py",
    ),
)


def run_tests(tests, file="", edits=()):
    """Exit code, the tests that failed or what pytest printed, and seconds, on a copy of the package with the edits."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant_") as folder:
        place = Path(folder)
        for name in COPIED:
            shutil.copytree(ROOT / name, place / name)
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
    mutants = [one for one in MUTANTS if not asked.words or any(word in one.name for word in asked.words)]
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
