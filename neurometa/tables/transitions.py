"""Was a transition the common one? What the column of a two-step table says, against its choices and states."""

from collections.abc import Mapping

import numpy as np

from neurometa import evidence
from neurometa.errors import InputError
from neurometa.tables import cells, lines
from neurometa.tables.entries import FEW, Entries, Stage, entries_of, given, refuse_many_empty

COMMON = dict.fromkeys(["1", "true", "t", "yes", "y", "common", "c", "frequent", "likely", "usual", "expected"], 1)
COMMON |= dict.fromkeys(
    ["0", "false", "f", "no", "n", "rare", "r", "uncommon", "infrequent", "unlikely", "unusual", "unexpected"], 0
)
WORDS = frozenset({"common", "rare", "uncommon", "frequent", "infrequent", "likely", "unlikely"})
AGREE = 0.95  # of the trials: a transition that follows from choice and state, but for slips


def read_common(table: cells.Table, column: str, coding: Mapping | None, stage: Stage) -> None:
    """Read a column as ``common`` into `stage`, if its entries, states and choices agree on what it says.

    Raises
    ------
    InputError
        Nothing says which entry is common, it is the state, or it would be common on less than half of the trials.
    """
    entries, state, choice = entries_of(table, column, stage.choice >= 0), stage.found.get("second_state"), stage.choice
    words = {"common": 1, "rare": 0}
    if coding is not None:
        _keep_common(given(entries, coding, "common", 1, words), entries, stage)
        return
    filled = entries.filled()
    if filled == ["1"] and "-1" in entries.texts and (entries.spread({"1": 1})[choice >= 0] < 0).mean() > FEW:
        raise InputError(
            f"{entries.where}: the transitions are -1 and 1, also where choices were made, and nothing says which is "
            f"common; type {lines.coding('common', {'-1': 'rare', '1': 'common'})}, or the other way round."
        )
    known = [text for text in filled if text in COMMON]
    rows = {text: int((entries.spread({text: 0}) == 0)[choice >= 0].sum()) for text in filled}
    if sum(rows[text] for text in known) < (1 - FEW) * sum(rows.values()) or set(filled) == {"1", "2"}:
        known = []
    pair = sorted(filled, key=lambda text: -rows[text])[:2]
    line = lines.coding("common", dict(zip(pair, ("common", "rare"), strict=False)))
    if not known:
        for one in (pair, pair[::-1]):
            as_state = entries.spread({text: k for k, text in enumerate(one)})
            if state is not None and len(filled) == 2 and _equal(as_state, state, choice >= 0):
                raise InputError(_same(entries))
        agreement = _agreement(entries.spread({pair[0]: 1} | dict.fromkeys(pair[1:], 0)), state, choice)
        if len(filled) == 2 and agreement is not None and max(agreement, 1 - agreement) >= AGREE:
            stage.recoded.append(f"transitions {pair[0]} -> common, {pair[1]} -> rare, as choices and states agree.")
            _keep_common(entries.spread({pair[0]: 1, pair[1]: 0}), entries, stage)
            return
        raise InputError(
            f"{entries.where}: the transitions are {filled[:6]}, and nothing says which is common; if it is the more "
            f"frequent, type {line}, or leave the column as it is with {lines.column('common', '')}."
        )
    found = entries.spread({text: COMMON[text] for text in known})
    made = (choice >= 0) & (found >= 0)
    if state is not None and _equal(found, state, made):
        raise InputError(_same(entries))
    if evidence.mostly_rare(found[made] == 1):
        share = (found[made] == 1).mean()
        told = f"only {share:.0%} of {made.sum():,} transitions would be common"
        if set(known) & WORDS:
            stage.warnings.append(f"{column!r}: {told}; look whether its words are the right way round.")
        else:
            raise InputError(
                f"{entries.where}: {told}, as if it were 1 where the transition was rare; if so, type {line}; if not, "
                f"{lines.coding('common', {text: 'common' if COMMON[text] else 'rare' for text in known})}."
            )
    agreement = _agreement(found, state, choice)
    if agreement is not None and max(agreement, 1 - agreement) < AGREE:
        best = max(agreement, 1 - agreement)
        stage.warnings.append(
            f"{column!r} contradicts the choices and second-stage states: however options lead to states, it fits "
            f"{best:.0%} of {made.sum():,} trials. If options do not change where they lead, leave it as it is with "
            f"{lines.column('common', '')}, and derive it with behaviour.common_transition(trials)."
        )
    if moved := ", ".join(f"{text} -> {'common' if COMMON[text] else 'rare'}" for text in known if len(text) == 1):
        stage.recoded.extend([] if set(known) <= {"0", "1"} else [f"transitions {moved}."])
    _keep_common(found, entries, stage)


def _same(entries: Entries) -> str:
    return (
        f"{entries.where}: it is the same as the second-stage state on every trial, so it does not say whether the "
        f"transition was common; leave it as it is with {lines.column('common', '')}, and derive it with "
        "behaviour.common_transition(trials)."
    )


def _equal(found: np.ndarray, state: np.ndarray, made: np.ndarray) -> bool:
    both = made & (state >= 0)
    same = found[both] == state[both]
    return both.sum() >= evidence.ENOUGH and bool(same.all()) and 0 < found[both].mean() < 1


def _agreement(found: np.ndarray, state: np.ndarray | None, choice: np.ndarray) -> float | None:
    """Share of trials on which a transition is common where option k leads to state k; None if it cannot be said."""
    if state is None or choice.max(initial=-1) > 1:
        return None
    both = (choice >= 0) & (found >= 0) & (state >= 0)
    return float(((choice == state) == (found == 1))[both].mean()) if both.sum() >= evidence.ENOUGH else None


def _keep_common(found: np.ndarray, entries: Entries, stage: Stage) -> None:
    stage.found["common"] = found
    refuse_many_empty(entries, stage, "common")
