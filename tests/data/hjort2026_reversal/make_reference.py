"""Work out reference.json with scipy and statsmodels alone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.optimize import minimize

HERE = Path(__file__).parent


def loss(parameters, choice, reward):
    """Negative log-likelihood of a Rescorla-Wagner learner, trial by trial."""
    rate, slope = parameters
    value, total = np.array([0.5, 0.5]), 0.0
    for chose, paid in zip(choice, reward, strict=True):
        total += np.logaddexp(0, slope * (value[1 - chose] - value[chose]))
        value[chose] += rate * (paid - value[chose])
    return total


def best(choice, reward):
    """Highest log-likelihood: the ten best places of a grid that is dense near a rate of 0, each climbed from."""
    rates = [*np.geomspace(1e-4, 0.05, 12), *np.linspace(0.1, 1, 10)]
    grid = [(rate, slope) for rate in rates for slope in (0.3, 1, 2, 4, 7, 11, 15, 20)]
    starts = sorted(grid, key=lambda start: loss(start, choice, reward))[:10]
    bounds = [(0, 1), (0, 20)]
    return -min(minimize(loss, start, (choice, reward), "L-BFGS-B", bounds=bounds).fun for start in starts)


def history(sessions, n_lags=5):
    """Coefficients and standard errors: choice +-1 and choice x reward of each of the last trials."""
    x, y = [], []
    for choice, reward in sessions:
        side = 2 * choice - 1
        for t in range(n_lags, len(choice)):
            past = slice(t - n_lags, t)
            x.append([1, *side[past][::-1], *(side * reward)[past][::-1]])
            y.append(choice[t])
    fitted = sm.Logit(np.array(y), np.array(x, float)).fit(disp=0)
    names = ["bias", *(f"{kind}_{lag}" for kind in ("choice", "reward") for lag in range(1, n_lags + 1))]
    return {name: [float(b), float(se)] for name, b, se in zip(names, fitted.params, fitted.bse, strict=True)}


if __name__ == "__main__":
    rows = pd.read_csv(HERE / "trials.csv.gz").sort_values(["mouse", "trial"])
    mice = {mouse: (one.choice.to_numpy(), one.outcome.to_numpy()) for mouse, one in rows.groupby("mouse")}
    found = {
        "rescorla_wagner": {mouse: round(best(*each), 5) for mouse, each in mice.items()},
        "history": history(mice.values()),
    }
    (HERE / "reference.json").write_text(json.dumps(found, indent=1) + "\n")
