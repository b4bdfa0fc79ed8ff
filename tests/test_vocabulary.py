"""One word for one thing: the names that users type, and those that a dataset carries."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import neurometa
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
    assert {name for name in names if name.endswith("s")} == {"logits"}, "variables and dims are singular"


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
