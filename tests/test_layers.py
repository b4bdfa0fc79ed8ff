"""Imports point down only, and what reads never loads what trains."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.util import find_spec, resolve_name
from pathlib import Path

import pytest

import neurometa

PACKAGE = Path(neurometa.__file__).parent
LAYERS = (  # lowest first; a module imports from lower layers or from its own package, never from beside it
    ("_version", "errors"),
    ("contract", "machine", "memory", "modules"),
    ("provenance", "storage", "settings", "share", "models"),
    ("netcdf",),
    ("dataset", "exact", "learning", "reference", "render", "streams"),
    ("evidence", "policies"),
    ("fitting",),
    ("tables", "behaviour", "expected", "tasks", "agents"),
    ("neural", "timed", "clamping"),
    ("labelled",),
    ("plotting", "rollout"),
    ("analysis",),
    ("results",),
    ("criteria",),
    ("baselines", "compare"),
    ("training",),
    ("experiments", "report"),
    ("film", "runs"),
    ("sweep", "pretrained", "reproduction"),
    ("cli",),
)
LAYER = {module: height for height, layer in enumerate(LAYERS) for module in layer}
READERS = (
    *("errors", "provenance", "storage", "settings", "share", "models", "exact"),
    *("contract", "netcdf", "dataset", "evidence", "tables", "fitting", "behaviour", "plotting"),
    *("reference", "compare", "learning"),
    *("analysis", "results", "expected", "criteria", "neural", "report"),
)
WRITERS = (
    *("streams", "policies", "render", "tasks", "agents", "timed", "rollout", "film", "baselines"),
    *("clamping", "labelled", "machine", "modules"),
    *("training", "experiments", "runs", "sweep", "pretrained", "reproduction"),
)
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def module_of(path: Path) -> str:
    """The module or subpackage of neurometa that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def parsed(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imports(path: Path, package: str) -> Iterator[str]:
    """Full name of everything a file of `package` imports, at its top or inside a function."""
    for node in parsed(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "neurometa":
            yield f"neurometa.{node.attr}"  # loaded lazily by its mention


def used(path: Path) -> set[str]:
    """The other modules of neurometa, and the other libraries, that a file imports."""
    package = ".".join(["neurometa", *path.relative_to(PACKAGE).parent.parts])
    names = [name.split(".") for name in imports(path, package)]
    modules = {name[1] if name[0] == "neurometa" and len(name) > 1 else name[0] for name in names}
    return modules - {module_of(path), "neurometa", "__version__"}


def loaded_by(*modules: str) -> set[str]:
    """Every module that a fresh interpreter has loaded after importing `modules`."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_every_module_has_a_layer():
    assert {module_of(path) for path in FILES} <= LAYER.keys(), "say in LAYERS where the new module stands"


def offenders(wrong: Callable[[Path], object]) -> dict[str, object]:
    """What is wrong in each file in which something is."""
    found = {str(path.relative_to(PACKAGE)): wrong(path) for path in FILES}
    return {name: odd for name, odd in found.items() if odd}


def test_imports_point_down():
    heights = {path: LAYER[module_of(path)] for path in FILES}
    assert not offenders(lambda path: {name for name in used(path) if LAYER.get(name, -1) >= heights[path]})


def test_a_module_has_at_most_400_lines_and_a_function_60():
    def long(path):
        lines = path.read_text().count("\n")
        functions = [node for node in parsed(path) if isinstance(node, ast.FunctionDef)]
        bodies = {node.name: node.body[bool(ast.get_docstring(node)) :] for node in functions}
        sizes = {name: body[-1].end_lineno - body[0].lineno + 1 for name, body in bodies.items() if body}
        return ({"the module": lines} if lines > 400 else {}) | {name: n for name, n in sizes.items() if n > 60}

    assert not offenders(long), "split a module where it does two things, and give a part of a function a name"


def test_no_module_imports_itself_by_way_of_others():
    names = {path: ".".join(["neurometa", *path.relative_to(PACKAGE).with_suffix("").parts]) for path in FILES}
    there = {name.removesuffix(".__init__"): path for path, name in names.items()}
    arrows = {}
    for path in FILES:
        package = ".".join(["neurometa", *path.relative_to(PACKAGE).parent.parts])
        whole = set(imports(path, package))
        told = {name for name in there for each in whole if each == name or each.rpartition(".")[0] == name}
        arrows[names[path].removesuffix(".__init__")] = told - {names[path].removesuffix(".__init__")}
    packages = {name for name, path in there.items() if path.name == "__init__.py"}
    arrows = {  # a package is what its modules make of it: none of these imports from it, which would be a circle
        name: {one for one in told if one not in packages or not f"{name}.".startswith(f"{one}.")}
        for name, told in arrows.items()
    }
    order = graphlib.TopologicalSorter(arrows)
    order.prepare()  # raises CycleError, which names the circle


def test_what_reads_names_nothing_that_trains():
    training = {"torch", "safetensors", "tensorboard", *WRITERS}
    assert not offenders(lambda path: used(path) & training if module_of(path) in READERS else None)


def test_what_reads_loads_neither_torch_nor_what_trains():
    readers = [f"neurometa.{name}" for name in READERS if find_spec(f"neurometa.{name}")]
    loaded = loaded_by(*readers)
    assert set(readers) <= loaded
    assert not loaded & {"torch", *(f"neurometa.{name}" for name in WRITERS)}


@pytest.mark.parametrize("module", ["neurometa", "neurometa.cli", "neurometa.analysis"])
def test_nothing_heavy_is_loaded_before_it_is_used(module):
    heavy = {"torch", "numpy", "pandas", "xarray", "scipy", "numba", "matplotlib", "statsmodels", "netCDF4"}
    assert not loaded_by(module) & heavy


def test_analyses_start_without_what_only_some_of_them_need():
    loaded = loaded_by("neurometa.behaviour", "neurometa.neural", "neurometa.tables", "neurometa.report")
    assert not loaded & {"numba", "scipy.stats", "statsmodels", "sklearn", "torch"}, "each costs half a second of a fit"


def test_every_module_on_offer_is_there():
    missing = [name for name in neurometa.__all__ if not find_spec(f"neurometa.{name}")]
    assert not missing
    assert set(neurometa.__all__) <= set(dir(neurometa))
    with pytest.raises(AttributeError, match="module 'neurometa' has no attribute 'trainer'"):
        _ = neurometa.trainer


def test_this_guard_sees_every_form_of_import(tmp_path):
    file = tmp_path / "leaf.py"
    file.write_text(
        "import torch.nn as nn\n"
        "import neurometa\n"
        "from neurometa import tasks\n"
        "from neurometa.agents.base import Agent\n"
        "from . import sibling\n"
        "def later():\n"
        "    from ..rollout import unroll\n"
        "    from .. import runs\n"
        "    neurometa.training\n"
    )
    assert set(imports(file, "neurometa.behaviour")) == {
        "torch.nn",
        "neurometa",
        "neurometa.training",
        "neurometa.tasks",
        "neurometa.agents.base.Agent",
        "neurometa.behaviour.sibling",
        "neurometa.rollout.unroll",
        "neurometa.runs",
    }


NAMES = {"scikit-learn": "sklearn", "pyyaml": "yaml", "pillow": "PIL"}  # packages that are imported by another name


def declared() -> tuple[set[str], set[str]]:
    """What pyproject.toml says that neurometa needs, and may need, by the names under which they are imported."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    named = [re.match(r"[\w-]+", each).group() for each in project["dependencies"]]
    extra = [re.match(r"[\w-]+", each).group() for some in project["optional-dependencies"].values() for each in some]
    return tuple({NAMES.get(name, name.replace("-", "_")) for name in some} for some in (named, extra))


@pytest.mark.skipif(not (PACKAGE.parent / "pyproject.toml").exists(), reason="there is no checkout to read")
def test_what_is_declared_is_imported_and_what_is_imported_is_declared():
    needed, perhaps = declared()
    third = {name for path in FILES for name in used(path)} - LAYER.keys() - sys.stdlib_module_names
    assert not needed - third, "declared in pyproject.toml, and imported nowhere"
    assert not third - needed - perhaps, "imported, and not declared in pyproject.toml"
    assert len(third) > 15, "the reading of imports sees nothing"
