"""The columns of a two-step table that say where the first choice led."""

import numpy as np

from neurometa.errors import InputError
from neurometa.tables import cells
from neurometa.tables.coding import MISSED, canonical

ROLES = ("common", "second_state")
WORDS = {
    "common": {"1": 1, "0": 0, "true": 1, "false": 0, "common": 1, "rare": 0, "uncommon": 0},
    "second_state": {"0": 0, "1": 1},
}
SEEN = {*WORDS["common"], "2"} | MISSED  # what a column that is only guessed may hold
TELL = {
    "common": "it must be 1 (common) or 0 (rare), true or false, or these words",
    "second_state": "second-stage states must be 0 and 1",
}


def may_be(table: cells.Table, column: str) -> bool:
    """Whether a column that is called like a transition could be one."""
    return all(canonical(text).casefold() in SEEN for text in cells.labels(table.frame[column])[1])


def read_transitions(table: cells.Table, column: str, role: str, choice: np.ndarray) -> np.ndarray:
    """Read a column as ``common`` (bool, False where missed) or ``second_state`` (int8, -1 where missed).

    Raises
    ------
    InputError
        States are coded 1 and 2, an entry is none of those allowed, or it is empty where a choice was made.
    """
    codes, texts = cells.labels(table.frame[column])
    texts = [canonical(text).casefold() for text in texts]
    filled = sorted({text for text in texts if text not in MISSED})
    allowed = WORDS[role]
    if filled and set(filled) <= {"1", "2"} and "2" in filled:
        what = "states" if role == "second_state" else "transitions"
        how = "take 1 off" if role == "second_state" else "write 0 for the rare ones"
        raise InputError(
            f"{table.source}, column {column!r}: the {what} are coded {' and '.join(filled)}; {TELL[role]}: {how}, or "
            f'leave the column as it is with {role}="".'
        )
    for code, text in enumerate(texts):
        if text not in allowed and text not in MISSED:
            place = table.place(int(np.argmax(codes == code)), column)
            raise InputError(
                f'{place}: {text!r} is no {role}; {TELL[role]}, or leave the column as it is with {role}="".'
            )
    found = np.array([allowed.get(text, -1) for text in texts], dtype=np.int8)[codes]
    lacking = np.flatnonzero((found < 0) & (choice >= 0))
    if lacking.size:
        raise InputError(
            f"{table.place(lacking[0], column)}: it is empty where a choice was made ({lacking.size:,} such rows); "
            f'mark these choices as missed (-1), or leave the column as it is with {role}="".'
        )
    return found == 1 if role == "common" else found
