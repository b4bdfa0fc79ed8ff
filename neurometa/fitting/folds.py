"""Which sessions are held out together: folds over the sessions of each subject, or over subjects."""

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError

ANSWERED = {"cue": "a cue", "side": "stimuli"}  # variables of tasks whose choices answer what is shown at the moment
KEPT = ("choice", "reward", "second_state", "second_choice", "left_option", "valid", "n_options", "magnitude")


def split(trials: xr.Dataset, n_folds: int = 5, *, cluster: str = "episode", unseen: str | None = None) -> xr.Dataset:
    """Say of each session in which fold it is held out.

    The sessions of each subject are dealt out in order, the first to fold 0, the second to fold 1, and so on, so that a
    slow change over sessions reaches all folds alike. With `unseen` subjects are dealt out instead, each with all
    its sessions. Nothing is drawn.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward`` over ``trial`` and perhaps ``episode``, with ``subject`` over ``episode`` where there
        are several.
    n_folds : int
        How many folds, at least 2.
    cluster : str
        ``"episode"``, or a coordinate over it whose equal values are one session, e.g. where sessions were cut in
        blocks; what belongs together is held out together.
    unseen : {None, "subject"}
        Hold out whole subjects.

    Returns
    -------
    Dataset
        What is read of the trials over ``episode`` and ``trial``, with the coordinates ``subject``, ``cluster`` (a
        number from 0 for each session) and ``fold``.

    Raises
    ------
    InputError
        The trials span another dim, choices answer a cue, there are too few sessions or subjects for the folds, or an
        argument is wrong.
    """
    if isinstance(n_folds, bool) or n_folds < 2:
        raise InputError(f"n_folds is {n_folds}; it must be 2 or more, as each fold is predicted from the others.")
    if unseen not in (None, "subject"):
        raise InputError(f"unseen is {unseen!r}; allowed are None and 'subject'.")
    for name, what in ANSWERED.items():
        if name in trials:
            raise InputError(
                f"The trials hold {name!r}: each choice answers {what} that the models of held-out choices are not "
                "shown, so that its observations do not fit; give trials of a task whose options stay the same."
            )
    kept = _plain(trials)
    subject = _labels(kept, "subject") if "subject" in kept.coords else np.full(kept.sizes["episode"], "all")
    session = np.arange(kept.sizes["episode"]) if cluster == "episode" else _labels(kept, cluster)
    code = _numbers([f"{who}\0{which}" for who, which in zip(subject, session, strict=True)])
    fold = _subjects(subject, n_folds) if unseen else _sessions(subject, code, n_folds)
    kept = kept.drop_vars([name for name in ("subject", "cluster", "fold") if name in kept.coords])
    over = {name: ("episode", each) for name, each in (("subject", subject), ("cluster", code), ("fold", fold))}
    return kept.assign_coords(over).assign_attrs(n_folds=n_folds, unseen=unseen or "")


def train(held: xr.Dataset, fold: int) -> xr.Dataset:
    """The trials of `split` without those of a fold, which count as padding."""
    return held.assign(valid=dataset.valid(held) & (held.fold != fold))


def _plain(trials: xr.Dataset) -> xr.Dataset:
    """``choice``, ``reward`` and what else models read, over ``episode`` and ``trial`` alone."""
    dataset.require(trials, choice=("trial",), reward=("trial",))
    dataset.check(trials[["choice", "reward"]])
    kept = trials.reset_coords([name for name in ("n_options",) if name in trials.coords])
    kept = kept[[name for name in KEPT if name in kept]]
    if "episode" not in kept.dims:
        kept = kept.expand_dims("episode")
    others = sorted(map(str, set(kept.choice.dims) - {"episode", "trial"}))
    if others:
        raise InputError(f"The choices span {others[0]!r}; select one entry of it, as each is predicted by itself.")
    kept.choice.attrs = dict(trials.choice.attrs) | {"n_options": dataset.n_options(trials)}
    order = [dim for dim in ("episode", "trial") if dim in kept.dims]
    return kept.transpose(*order, ...).drop_vars([name for name in kept.coords if "trial" in kept[name].dims])


def _labels(kept: xr.Dataset, name: str) -> np.ndarray:
    if name not in kept.coords or kept[name].dims != ("episode",):
        there = sorted(str(c) for c in kept.coords if kept[c].dims == ("episode",))
        raise InputError(f"{name!r} is no coordinate over episode; there are {there}.")
    return np.array([str(each) for each in kept[name].values])


def _numbers(labels: list[str]) -> np.ndarray:
    place: dict[str, int] = {}
    return np.array([place.setdefault(each, len(place)) for each in labels])


def _sessions(subject: np.ndarray, session: np.ndarray, n_folds: int) -> np.ndarray:
    fold, few = np.zeros(len(subject), int), {}
    for who in dict.fromkeys(subject.tolist()):
        own = subject == who
        order = list(dict.fromkeys(session[own].tolist()))
        fold[own] = [order.index(each) % n_folds for each in session[own]]
        if len(order) < n_folds:
            few[who] = len(order)
    if few:
        named = ", ".join(f"{who}: {n}" for who, n in list(few.items())[:3]) + (", ..." if len(few) > 3 else "")
        several = len(dict.fromkeys(subject.tolist())) > 1
        whole = ", hold out whole subjects, unseen='subject' (--unseen subject)" if several else ""
        fewer = min(few.values())
        how = f"ask for n_folds={fewer} (--folds {fewer})" if fewer > 1 else "ask for fewer folds"
        raise InputError(
            f"{len(few)} subject{'s have' if len(few) > 1 else ' has'} fewer sessions than the {n_folds} folds "
            f"({named}); {how}{whole}, or leave out those with too few."
        )
    return fold


def _subjects(subject: np.ndarray, n_folds: int) -> np.ndarray:
    everyone = list(dict.fromkeys(subject.tolist()))
    if len(everyone) < n_folds:
        n = len(everyone)
        raise InputError(
            f"There {'is 1 subject' if n == 1 else f'are {n} subjects'}, too few for {n_folds} folds of subjects; "
            "hold out sessions instead (unseen=None)" + (", or ask for fewer folds." if n > 1 else ".")
        )
    return np.array([everyone.index(each) % n_folds for each in subject])
