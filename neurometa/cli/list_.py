"""The command that names what can be trained: list."""

from neurometa.cli.options import JSON
from neurometa.cli.printing import say, say_json, table

EXAMPLE = "neurometa list"


def list_(as_json: JSON = False) -> None:
    """List the experiments by paper, with budget and time."""
    from neurometa.experiments import EXPERIMENTS

    if as_json:
        say_json(
            {
                name: {
                    "about": found.about,
                    "source": found.source,
                    "environment_steps": found.config.budget,
                    "cpu_minutes": found.cpu_minutes,
                }
                for name, found in EXPERIMENTS.items()
            }
        )
        return
    rows = [
        [name, f"{found.config.budget / 1e6:.1f} M", f"{found.cpu_minutes:g} min", f"{found.about}\n{found.source}"]
        for name, found in EXPERIMENTS.items()
    ]
    table(["experiment", "steps", "CPU time", "question and source"], rows)
    say("Train one with: neurometa train EXPERIMENT --out runs/NAME")
