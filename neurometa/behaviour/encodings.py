"""How past trials enter a history regression: the named encodings of the field, one line each.

Every regressor is +1, -1 or 0 (times the reward in ``reward``), for the choice of arm 1 against
that of arm 0, as if it had been chosen `lag` choices ago.
"""

from collections.abc import Mapping

import numpy as np

TERMS: Mapping[str, str] = {  # each is the product of what stands beside it
    "choice": "side",
    "reward": "side * reward",
    "rewarded choice": "side * rewarded",
    "unrewarded choice": "side * unrewarded",
    "outcome": "outcome",
    "choice x outcome": "side * outcome",
    "common rewarded": "side * common * rewarded",
    "common unrewarded": "side * common * unrewarded",
    "rare rewarded": "side * rare * rewarded",
    "rare unrewarded": "side * rare * unrewarded",
}

ENCODINGS: Mapping[str, tuple[str, ...]] = {
    # Lau & Glimcher 2005, J. Exp. Anal. Behav. 84:555-579: rewards of any size
    "lau-glimcher": ("reward", "choice"),
    # Miller, Botvinick & Brody 2017, Nat. Neurosci. 20:1269-1276: two-step tasks
    "miller": ("common rewarded", "common unrewarded", "rare rewarded", "rare unrewarded"),
    # Bari et al. 2019, Neuron 103:922-933
    "bari": ("rewarded choice", "choice"),
    # Hattori et al. 2023, Nat. Neurosci. 26:2182-2191
    "hattori": ("rewarded choice", "choice"),
    # Hattori et al. 2019, Cell 177:1858-1872: the third is the sum of the others, so that it takes a ridge
    "hattori-2019": ("rewarded choice", "unrewarded choice", "choice"),
    # Su & Cohen 2022, bioRxiv
    "su": ("rewarded choice", "unrewarded choice"),
    # Miller, Botvinick & Brody 2021, bioRxiv 461743: habit, reward seeking, and a drift after rewards
    "miller-2021": ("choice", "outcome", "choice x outcome"),
}

# Weights of the regressors of "miller", summed over lags (Miller et al. 2017)
INDICES: Mapping[str, tuple[int, ...]] = {
    "planning": (1, -1, -1, 1),
    "model_free": (1, -1, 1, -1),
}


def encode(
    encoding: str, choice: np.ndarray, reward: np.ndarray, common: np.ndarray | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Regressors of every trial.

    Parameters
    ----------
    encoding : str
        A key of `ENCODINGS`.
    choice : int array
        0 or 1.
    reward : float array
        As `choice`.
    common : bool array or None
        As `choice`; for encodings of transitions.

    Returns
    -------
    regressors : float array (..., regressor)
        Of one trial each.
    names : tuple of str
        Their names.
    """
    parts = {
        "side": 2.0 * choice - 1.0,
        "reward": reward,
        "rewarded": (reward > 0).astype(float),
        "unrewarded": (reward <= 0).astype(float),
        "outcome": np.where(reward > 0, 1.0, -1.0),
    }
    if common is not None:
        parts |= {"common": common.astype(float), "rare": 1.0 - common}
    names = ENCODINGS[encoding]
    return np.stack([np.prod([parts[part] for part in TERMS[name].split(" * ")], axis=0) for name in names], -1), names
