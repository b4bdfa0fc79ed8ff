"""What is missing is worked out from the claims, made in an order that works, and never made twice."""

import itertools
import json
import re
import shlex
from pathlib import Path

import pytest
import stand_in
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import neurometa

from neurometa import analysis, cli, provenance, reference, reproduction, results
from neurometa.criteria import Need, needs
from neurometa.errors import InputError
from neurometa.pretrained import seeds
from neurometa.reproduction import Made, Step, Want, plan
from neurometa.reproduction.running import _ready
from neurometa.share import folder

PLACE = Path("runs/reproduced")
CLAIMS, FIGURES = reproduction.asked()
BOX = reproduction.of_the_box(PLACE)


def of_the_box(there=None, **how):
    return plan(CLAIMS, FIGURES, BOX, there or {}, PLACE, **how)


WHOLE = of_the_box()


def as_made(steps):
    """What a survey finds where steps were done: files with what their commands say."""
    there = {}
    for step in steps:
        words = shlex.split(step.command)
        options = {words[i][2:].replace("-", "_"): words[i + 1] for i in range(len(words) - 1) if words[i][:2] == "--"}
        for word in words:
            if word.startswith("--"):
                options.setdefault(word[2:].replace("-", "_"), True)
        options |= {"per_episode": "--per-episode" in words}
        options = {k: [v] if k in ("target", "factor") else v for k, v in options.items()}
        told = {"created": "now", "options": json.dumps(options)}
        there[step.makes] = Made(told, int(options.get("episodes", 0)), "--no-activity" not in words)
    return there


def test_a_fresh_install_decides_every_claim_for_which_the_box_holds_agents():
    boxed = {run.experiment for run in results.find_runs(folder("data/agents"))}
    assert {"restless", "harlow", "two-step"} <= boxed
    for claim, wanted in CLAIMS.items():
        held = all(want.need.experiment in boxed and set(want.need.settings) <= {"rpe_noise=0.0"} for want in wanted)
        assert (claim not in WHOLE.undecided) == held, claim
    assert all("--train trains 8 (" in why and "CPU minutes" in why for why in WHOLE.undecided.values())
    assert not WHOLE.undrawn and {f"{name}.png" for name in FIGURES} <= {step.makes.name for step in WHOLE.steps}


def test_every_step_stands_after_what_it_needs_and_no_file_is_made_twice():
    made = set()
    for step in WHOLE.steps:
        assert set(step.needs) <= made and step.makes not in made, step.command
        made.add(step.makes)


def test_every_step_is_a_command_that_can_be_typed():
    app = typer.main.get_command(cli.app)
    for command in {step.command for step in WHOLE.steps}:
        program, name, *words = shlex.split(command)
        assert program == "neurometa"
        app.commands[name].make_context(name, words)  # raises where an option or a value is wrong


def test_all_that_claims_need_is_made_with_the_options_and_episodes_that_they_ask_for():
    there = as_made(WHOLE.steps)
    for claim, wanted in CLAIMS.items():
        for need in (want.need for want in wanted if claim not in WHOLE.undecided):
            for agent in BOX(need):
                made = there[agent.run / need.file]
                assert not provenance.made_otherwise(made.attrs, need.options), claim
                assert made.episodes >= need.episodes or analysis.of_file(need.file) is not None, claim


def test_what_is_played_is_of_an_evaluation_seed_that_tuned_nothing():
    assert played(WHOLE) and all(" --seed 3" in command for command in played(WHOLE))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, len(WHOLE.steps)))
def test_killed_anywhere_it_goes_on_with_the_steps_that_are_left(n_done):
    left = of_the_box(as_made(WHOLE.steps[:n_done]))
    assert left.steps == WHOLE.steps[n_done:]


def test_new_trials_make_what_was_worked_out_from_them_anew_and_other_results_stay():
    there = as_made(WHOLE.steps)
    (file,) = {step.makes for step in WHOLE.steps if step.makes == PLACE / "two-step-3" / "behaviour.nc"}
    del there[file]
    again = {step.makes for step in of_the_box(there).steps}
    run = file.parent
    assert again == {file, *(run / f"{name}.nc" for name in ("stay", "history", "rpe")), *again_drawn("two-step")}
    there = as_made(WHOLE.steps)
    there[run / "rpe.nc"] = Made({"created": "before"})
    there[run / "history.nc"] = Made({"created": "now", "options": '{"encoding": "bari"}'})
    again = {step.makes for step in of_the_box(there).steps}
    assert again == {run / "rpe.nc", run / "history.nc", *again_drawn("two-step")}


def again_drawn(experiment):
    return {PLACE / f"{name}.png" for name, wanted in FIGURES.items() if wanted[0].need.experiment == experiment}


def test_fewer_agents_and_more_episodes_are_as_many_as_are_asked_for():
    few = plan(CLAIMS, {}, reproduction.of_the_box(PLACE, 2), {}, PLACE, n_episodes=2500)
    folders = {step.makes.parent.name for step in few.steps}
    assert {name for name in folders if name.rpartition("-")[0] == "harlow"} == {"harlow-0", "harlow-1"}
    episodes = {int(re.search(r"--episodes (\d+)", command)[1]) for command in played(few)}
    assert episodes == {2500, 3000, 4000, 10000}  # where a claim asks for more, those


def played(made):
    return [step.command for step in made.steps if " rollout " in step.command]


def test_agents_that_the_box_lacks_are_trained_first_and_controls_have_folders_of_their_own():
    claims, _ = reproduction.asked("w16-5-no-reward")
    trained = plan(claims, {}, reproduction.to_train(Path("t"), 2), {}, Path("t"))
    first, *others = trained.steps
    assert first.command == (  # both side by side
        "neurometa train two-step-w16 --set inputs=observation,action,time --seeds 2 "
        "--out t/two-step-w16-no-reward --resume"
    )
    assert first.makes == Path("t/two-step-w16-no-reward/1/agent.safetensors")
    rollouts = [step for step in others if step.command.startswith("neurometa rollout ")]
    assert [step.command.split()[2] for step in rollouts] == [f"t/two-step-w16-no-reward/{seed}" for seed in (0, 1)]
    assert all(step.needs == (first.makes,) for step in rollouts)
    done = as_made([first])
    assert first in plan(claims, {}, reproduction.to_train(Path("t"), 2), done, Path("t")).steps  # seed 0 is not done
    done[Path("t/two-step-w16-no-reward/0/agent.safetensors")] = done[first.makes]
    assert first not in plan(claims, {}, reproduction.to_train(Path("t"), 2), done, Path("t")).steps


def test_a_claim_that_cannot_be_decided_here_says_what_is_absent_and_what_it_would_take():
    code, out, err = neurometa("reproduce", "w16-5-no-reward", "--dry-run")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "The claim w16-5-no-reward cannot be decided here. No agent of two-step-w16 trained with inputs=" in err
    assert "--train trains 8 (" in err


@pytest.mark.parametrize(
    ("need", "told"),
    [
        (Need("two-step", "dreams.nc"), r"No command makes dreams\.nc; a run holds behaviour\.nc"),
        (Need("two-stepp", "behaviour.nc"), "No agent of two-stepp comes with neurometa, and there is no such exper"),
    ],
)
def test_a_claim_that_no_command_can_decide_is_refused_in_one_sentence(need, told):
    with pytest.raises(InputError, match=f"The claim odd cannot be decided here. {told}"):
        plan({"odd": [Want(need)]}, {}, BOX, {}, PLACE)
    both = plan({"odd": [Want(need)], "fine": [Want(Need("two-step", "stay.nc"))]}, {}, BOX, {}, PLACE)
    assert list(both.undecided) == ["odd"] and len(both.steps) == 2 * len(seeds("two-step"))


def test_two_claims_that_ask_for_one_file_in_two_ways_are_told_so():
    one, other = (Want(Need("two-step", "history.nc", f"--lags {n}")) for n in (3, 5))
    with pytest.raises(
        InputError, match=r"b needs history\.nc of two-step made with --lags 5, and another .* --lags 3"
    ):
        plan({"a": [one], "b": [other]}, {}, BOX, {}, PLACE)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["w17"], r"There is no paper, record or claim 'w17'\."),
        (["--pretrained", "--train"], "--pretrained, --runs and --train exclude each other"),
        (["--runs", "NEW"], "There is no folder NEW of runs"),
        (["--runs", ".", "--out", "x"], "--out is for --pretrained and --train"),
        (["--jobs", "0"], "--jobs is 0; it must be at least 1"),
        (["--seeds", "-1"], "--seeds is -1; it must be at least 1"),
        (["--episodes", "0"], "--episodes is 0; it must be at least 1"),
    ],
)
def test_a_mistake_is_told_in_one_line(args, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = neurometa("reproduce", *args)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told.replace("\\", "") in err
    assert not list(tmp_path.iterdir())


def some_steps(place):
    for name in "ab":
        (place / name).mkdir()
    a, b = place / "a", place / "b"
    steps = [Step(a / "1", f"do {a} 1"), Step(b / "1", f"do {b} 1"), Step(b / "bad", f"do {b} bad")]
    steps += [Step(a / "2", f"do {a} 2", (a / "1", b / "1")), Step(b / "3", f"do {b} 3", (b / "bad",))]
    steps += [Step(b / f"long-{i}", f"do {b} long-{i}") for i in range(6)]
    return [*steps, Step(a / "4", f"do {a} 4", (b / "3",)), Step(b / "5", f"do {b} 5", (a / "2",))]


def test_steps_that_are_ready_together_are_of_different_folders(tmp_path):
    steps = [Step(tmp_path / folder / name, f"make {name}") for folder, name in ("a1", "a2", "b3", "b4", "c5")]
    ready = _ready(steps, [])
    assert len(ready) == 3 and len({step.makes.parent for step in ready}) == 3
    assert {step.makes.parent.name for step in _ready(steps[1:], steps[:1])} == {"b", "c"}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_steps_wait_for_their_needs_and_one_that_fails_takes_only_what_needs_it(n_jobs, tmp_path):
    steps, seen = some_steps(tmp_path), []
    failed = reproduction.run(steps, stand_in.write, n_jobs=n_jobs, progress=seen.append)
    assert {step.makes.name: why for step, why in failed.items()} == {
        "bad": "It is raining.",
        "3": f"It needs {tmp_path / 'b' / 'bad'}, which could not be made.",
        "4": f"It needs {tmp_path / 'b' / 'bad'}, which could not be made.",
    }
    ran = {step: json.loads(step.makes.read_text()) for step in steps if step.makes.exists()}
    alone = {f"long-{i}" for i in range(6)}
    assert {step.makes.name for step in ran} == {"1", "2", "5", "bad", *alone} == {step.makes.name for step in seen}
    for step, (start, _) in ran.items():
        assert all(json.loads(need.read_text())[1] <= start for need in step.needs)
    for name in "ab":
        times = sorted(when for step, when in ran.items() if step.makes.parent.name == name)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def test_one_record_is_reproduced_at_the_shell_and_a_second_time_there_is_nothing_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how = ["w16_fig3", "--jobs", 1]
    code, out, err = neurometa("reproduce", *how)
    assert (code, err) == (0, "")
    assert "not run" not in out.split("claims:")[0] and "Verdicts and figures are in runs/reproduced/claims.html" in out
    page = (tmp_path / "runs/reproduced/claims.html").read_text()
    assert "data:image/png;base64," in page and ">w16-fig3</figcaption>" in page
    assert neurometa("reproduce", *how, "--dry-run") == (0, "", "")
    told = json.loads(neurometa("reproduce", *how, "--json")[1])
    assert {claim["verdict"] for claim in told["claims"]} <= {"reproduced", "not reproduced"}
    (tmp_path / "runs/reproduced/informative-0/behaviour.nc").unlink()
    assert len(neurometa("reproduce", *how, "--dry-run")[1].splitlines()) == 2


def test_the_agents_of_a_folder_of_ones_own_are_taken_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    neurometa("rollout", "informative", "--pretrained", "--episodes", 1000, "--seed", 8, "--no-activity")
    code, out, _ = neurometa("reproduce", "w16_fig3", "--runs", "runs", "--dry-run")
    assert (code, out) == (0, "neurometa figure w16-fig3 --run runs --out runs\n")


def test_every_claim_is_asked_for_as_often_as_it_stands_in_the_records():
    every = [claim for record in reference.records().values() for claim in record["claim"]]
    assert list(CLAIMS) == [claim["id"] for claim in every]
    for claim in every:
        assert [want.need for want in CLAIMS[claim["id"]]] == needs(claim)
