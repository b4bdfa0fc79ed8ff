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
        every = {str(name): x for name, x in found.data_vars.items() if x.dtype.kind in "biuf"}
        means = {name: float(x.mean()) for name, x in every.items() if "bound" not in x.dims}
        bounds = {
            name.removesuffix("_interval"): x.values.tolist() for name, x in every.items() if x.dims == ("bound",)
        }
        if as_json:
            say_json({"file": str(file), "mean": means, "interval": bounds})
            return
        dims = {name: ", ".join(map(str, every[name].dims)) or "-" for name in means}
        between = {f"{name}_mean": " to ".join(map(number, x)) for name, x in bounds.items()}
        columns = ["variable", "mean", *(["95 % interval"] if bounds else []), "over"]
        rows = [
            [name, number(x), *([between.get(name, "")] if bounds else []), dims[name]] for name, x in means.items()
        ]
        table(columns, rows)
        say(f"Everything is in {file}.")

    ask.__doc__ = f"{one.asks}\n\nWrites {one.file}."
    return ask
