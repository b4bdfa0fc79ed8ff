"""The reversal task of Wang et al. (2018), simulation 3, in numbers."""

STEPS = ("fixation", "cue", "response", "outcome")  # of a trial
N_FEATURES = 6  # of an observation, one-hot: fixation, cue 0, cue 1, response to cue 0, to cue 1, outcome
