"""The colours of every figure."""

# Okabe and Ito's, told apart by colour-blind readers; the agent is always the first
COLOURS = ("#0072B2", "#000000", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#F0E442")
DASHES = ("-", "--", "-", "-", "-", "-.", ":", ":", "-.")
BASELINES = {  # where an agent trained elsewhere takes the third colour
    "Bayes-optimal": (COLOURS[1], "--"),
    "Gittins": (COLOURS[3], "-"),
    "Thompson": (COLOURS[4], "-"),
    "UCB": (COLOURS[5], "-."),
}
