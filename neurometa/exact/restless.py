"""Volatilities of the restless bandit (Wang et al. 2016, experiment 4), nu in 1/trial."""

BANDS = {"low": (0.0, 1 / 15), "unseen": (1 / 15, 2 / 15), "high": (2 / 15, 3 / 15)}
TRAINING = (BANDS["low"], BANDS["high"])  # the band between is unseen before the test
TESTING = ((0.0, 3 / 15),)
