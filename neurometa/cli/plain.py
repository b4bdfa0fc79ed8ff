"""The command of an analysis that has no file of its own here: it takes trials, and prints means."""

from collections.abc import Callable

from neurometa.analysis import Analysis
from neurometa.cli.options import JSON, Trials
from neurometa.cli.printing import number, say, say_json, table
from neurometa.cli.saving import save_beside


def command_of(one: Analysis) -> Callable[..., None]:
    """Make the command of an analysis from its record."""

    def ask(run: Trials, as_json: JSON = False) -> None:
        from neurometa import dataset

        trials = dataset.open_run(run)
        found = one.answer(trials, run)
        file = save_beside(found, trials, run, one.file)
        numbers = {str(name): x for name, x in found.data_vars.items() if x.dtype.kind in "biuf"}
        means = {name: float(x.mean()) for name, x in numbers.items()}
        if as_json:
            say_json({"file": str(file), "mean": means})
            return
        dims = {name: ", ".join(map(str, x.dims)) or "-" for name, x in numbers.items()}
        table(["variable", "mean", "over"], [[name, number(x), dims[name]] for name, x in means.items()])
        say(f"Everything is in {file}.")

    ask.__doc__ = f"{one.asks}\n\nWrites {one.file}."
    return ask
