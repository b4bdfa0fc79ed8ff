"""One word for one thing: the names that users type, and those that a dataset carries."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import neurometa
from neurometa import behaviour, neural, plotting
from neurometa.dataset import VARIABLES

PACKAGE = Path(neurometa.__file__).parent
DOCS = PACKAGE.parent / "docs"
SAY_INSTEAD = {
    r"num_\w+|number_of_\w+|\w+_(count|num)": "n_...",
    r"alpha|lr|\w*_lr": "learning_rate (of behaviour) or step_size (of the optimiser)",
    r"beta|temp|inv_temp|temperature": "inverse_temperature",
    r"gamma": "discount",
    r"delta|td_error|surprise|prediction_error": "rpe",
    r"sigma|std|\w+_(std|sigma)": "..._sd",
    r"p|prob_\w+|\w+_probability": "..._prob or p_...",
    r"response|move": "choice (of a trial) or action (of a step)",
    r"net|network": "agent",
    r"activations?|neurons?": "hidden, cell or unit",
    r"inner_\w+|outer_\w+": "adaptation or training",
}
MEASURES = {"stay_probability"}  # results that are named in full
SETTINGS = {"Training": {"network"}}  # the settings from which an agent is made, which is not the agent


def public(path: Path) -> Iterator[tuple[str, str]]:
    """(Where, name) of every parameter and field that a user of the module can name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            yield from ((node.name, argument.arg) for argument in arguments)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            fields = [line.target for line in node.body if isinstance(line, ast.AnnAssign)]
            names = {field.id for field in fields if isinstance(field, ast.Name)} - SETTINGS.get(node.name, set())
            yield from ((node.name, name) for name in names)


def advice(name: str) -> str | None:
    """What to say instead of `name`; None if it is as it should be."""
    if name in MEASURES:
        return None
    return next((better for pattern, better in SAY_INSTEAD.items() if re.fullmatch(pattern, name)), None)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_parameters_and_fields_use_the_vocabulary(path):
    wrong = {f"{where}({name})": advice(name) for where, name in public(path) if advice(name)}
    assert not wrong, f"say instead: {wrong}"


def test_variables_and_dims_of_a_dataset_use_the_vocabulary():
    names = VARIABLES.keys() | {dim for variable in VARIABLES.values() for dim in variable.dims}
    assert not {name: advice(name) for name in names if advice(name)}
    assert {name for name in names if name.endswith("s")} == {"logits", "axis"}, "variables and dims are singular"


def test_the_vocabulary_page_lists_every_name_that_is_refused():
    page = (DOCS / "vocabulary.md").read_text()
    assert all(f"`{word}`" in page for word in ("num_", "alpha", "lr", "beta", "gamma", "delta", "sigma", "response"))


def test_the_contract_page_explains_every_dim():
    page = (DOCS / "contract.md").read_text()
    for dim in {dim for variable in VARIABLES.values() for dim in variable.dims}:
        assert re.search(rf"^\| `{dim}`", page, re.MULTILINE), dim


@pytest.mark.parametrize(
    ("name", "better"),
    [("num_trials", "n_..."), ("drift_std", "..._sd"), ("lr", "learning_rate"), ("td_error", "rpe")],
)
def test_a_look_alike_is_sent_to_the_right_word(name, better):
    assert advice(name).startswith(better)


@pytest.mark.parametrize("name", ["n_trials", "drift_sd", "learning_rate", "p_common", "reward_prob", "trials"])
def test_the_right_word_is_left_alone(name):
    assert advice(name) is None


ARGUMENTS = {  # of functions that read: one word for one thing
    r"n_boot|n_resamples|bootstrap|bootstraps": "n_bootstrap",
    r"permutations|n_perm": "n_permutations",
    r"folds": "n_folds",
    r"starts": "n_starts",
    r"ci|confidence|coverage": "level",
    r"groupby|split": "by",
    r"clusters|unit_of_bootstrap": "cluster",
    r"axis|axes": "ax",
}
SIMULATE = {"drifting_rewards", "model_recovery", "posterior_predictive", "recover", "simulate"}
COLOURED = {"end_points", "generalisation", "trajectory"}  # return what a colour bar needs


def offered(module):
    """(Name, parameters, function) of every function that a module offers."""
    for name in module.__all__:
        if inspect.isfunction(function := getattr(module, name)):
            yield name, inspect.signature(function).parameters, function


@pytest.mark.parametrize("module", [behaviour, neural, plotting], ids=lambda module: module.__name__)
def test_an_argument_means_the_same_in_every_function(module):
    for name, parameters, _ in offered(module):
        for argument, about in parameters.items():
            better = [word for pattern, word in ARGUMENTS.items() if re.fullmatch(pattern, argument)]
            assert not better, f"{name}({argument}): say {better[0]}"
            if argument == "level" and about.default is not about.empty:
                assert about.default == 0.95, name
            if argument == "significance":
                assert about.default == 0.05, name


def test_what_simulates_takes_a_generator_and_what_works_out_a_result_takes_a_seed():
    taking = {name for module in (behaviour, neural) for name, found, _ in offered(module) if "rng" in found}
    assert taking == SIMULATE
    seeded = {name for module in (behaviour, neural) for name, found, _ in offered(module) if "seed" in found}
    assert {"fit", "stay_probability", "reversal_contrasts", "decode", "encode"} <= seeded and not seeded & taking


def test_what_draws_takes_axes_first_and_returns_them():
    for name, parameters, function in offered(plotting):
        if "ax" in parameters:
            assert next(iter(parameters)) == "ax", name
            returned = inspect.signature(function).return_annotation
            assert (returned.__name__ == "Axes") == (name not in COLOURED), name


def test_the_page_of_arguments_tells_each_of_them():
    page = (DOCS / "arguments.md").read_text()
    told = set(re.findall(r"^\| `(\w+)", page, re.MULTILINE))
    assert {*ARGUMENTS.values(), "significance", "group", "pool", "dim", "n_draws", "seed", "rng"} == told
