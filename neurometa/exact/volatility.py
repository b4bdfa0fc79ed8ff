"""The volatile worlds of Wang et al. (2018), simulation 2, in numbers.

Two arms pay with r and 1 - r. In a volatile world r changes sides with probability v = `FAST` before a trial, in a
steady one never; which of the two it is changes with probability k, whose logarithm is uniform on `LOG_SWITCH`.
"""

FAST = 0.2  # v of a volatile world, per trial; that of a steady one is 0
LOG_SWITCH = (-4.5, -3.5)  # natural logarithm of k
STEADY, SWAPPING = 0.25, 0.0  # reward probability of the worse arm where v = 0, and where v = .2
PROB = ((STEADY, 1 - STEADY), (SWAPPING, 1 - SWAPPING))  # reward probability of arm 0: by volatility, then side
