"""Wang, Kurth-Nelson et al. 2018, Fig 7: choices bend when prediction errors are tampered with, no weight changing."""

from pathlib import Path

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from neurometa import plotting, reference, results

EXPERIMENT = "risky-safe"
PERTURBATIONS = {
    "block-risky-reward": "Reward of the risky arm blocked",
    "block-safe-reward": "Reward of the safe arm blocked",
    "block-risky-loss": "Loss of the risky arm blocked",
}
FILES = [f"perturbation-{name}.nc" for name in PERTURBATIONS]
NEEDS = {EXPERIMENT: ["behaviour.nc", *FILES, "risk.nc"]}
PUBLISHED = {"rats": "a  Rats", "agent (published)": "b  Agents, published"}
IDEAL = "ideal observer (computed)"


def draw(runs: list[Path]) -> Figure:
    found = results.find_runs(*runs)
    agents, _ = results.pool(found, EXPERIMENT, base=runs[0])
    ours, n_episodes = risk(agents)
    published = reference.load("w18_fig7")

    fig, panels = plt.subplots(3, 3, figsize=(6.2, 6.0), layout="constrained", sharex=True, sharey=True)
    for column, (name, title) in enumerate(PERTURBATIONS.items()):
        here = published.risky.sel(perturbation=name, drop=True)
        for row, who in enumerate(PUBLISHED):
            plotting.risk_by_probability(panels[row, column], xr.Dataset({"mean": here.sel(who=who, drop=True)}))
        during = ours.sel(perturbation=["control", name]).rename(perturbation="during")
        ax = plotting.risk_by_probability(panels[2, column], during.assign_coords(during=["control", "perturbed"]))
        ideal = 100 * here.sel(who=IDEAL, during="control")
        ax.plot(ideal.risky_prob, ideal, "--", color="0.55", lw=1.0, zorder=0, label="Bayes-optimal, control")
        panels[0, column].set_title(title, loc="center")
    for row, who in enumerate([*PUBLISHED.values(), "b  Agents, ours"]):
        panels[row, 0].set_ylabel(f"{who}\nrisky choices (%)")
    for ax in panels.flat:
        ax.label_outer()
    fig.legend(*panels[2, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    spread = "over agents" if len(agents) > 1 else "over episodes"
    plotting.foot(
        fig,
        f"Published: {published.attrs['n']}. Ours: {results.about_agents(agents)}, {n_episodes:,} test episodes "
        f"in each condition, the same worlds in all; free trials; 95 % intervals {spread}",
    )
    return fig


def risk(agents: list[results.Run]) -> tuple[xr.Dataset, int]:
    """Shares of risky choices by perturbation, with the interval over agents or of one agent over its episodes."""
    for run in agents:
        for file in FILES:
            results.check_result(run.path, file)
        there = results.read_result(run.path, "risk.nc").perturbation.values
        if missing := [name for name in PERTURBATIONS if name not in there]:
            command = results.command_for(run.path, "risk.nc")
            raise results.MissingError(
                f"{run.path / 'risk.nc'} is without {missing[0]}; make it anew: {command}", command
            )
    found = results.read_pooled(agents, "risk.nc")
    n_episodes = int(found.n.isel(agent=0).sum("risky_prob").max())
    if found.sizes["agent"] > 1:
        return plotting.agent_interval(found["mean"])[["mean", "lower", "upper"]], n_episodes
    return found[["mean", "lower", "upper"]].isel(agent=0, drop=True).reset_coords(drop=True), n_episodes


if __name__ == "__main__":
    plotting.save_figure("w18-fig7", [Path("runs")], Path(__file__).parent)
