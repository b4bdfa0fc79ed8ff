"""The command that names what can be trained: list."""

from neurometa.cli.options import JSON
from neurometa.cli.printing import say, say_json, table

EXAMPLE = "neurometa list"


def list_(as_json: JSON = False) -> None:
    """List the experiments by paper, with budget and time."""
    from neurometa.experiments import EXPERIMENTS, Experiment

    papers: dict[str, dict[str, Experiment]] = {}
    for name, found in EXPERIMENTS.items():
        papers.setdefault(found.source.partition(",")[0], {})[name] = found
    if as_json:
        say_json(
            {
                name: {
                    "paper": paper,
                    "about": found.about,
                    "source": found.source,
                    "environment_steps": found.config.budget,
                    "cpu_minutes": found.cpu_minutes,
                }
                for paper, experiments in papers.items()
                for name, found in experiments.items()
            }
        )
        return
    for paper, experiments in papers.items():
        rows = []
        for name, found in experiments.items():
            where = found.source.removeprefix(paper).strip(", ")
            about = f"{found.about}\n{where[:1].upper()}{where[1:]}"
            rows.append([name, f"{found.config.budget / 1e6:.1f} M\n{found.cpu_minutes:g} min", about])
        table(["experiment", "steps and\nCPU time", "question and source"], rows, paper)
    say("Train one with: neurometa train EXPERIMENT --out runs/NAME")
