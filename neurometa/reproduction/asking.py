"""Which claims are asked for, what each is decided on, and the figures that go with them."""

from neurometa import compare, criteria, plotting, reference
from neurometa.reproduction.plan import Want, wants
from neurometa.share import folder


def asked(which: str | None = None) -> tuple[dict[str, list[Want]], dict[str, list[Want]]]:
    """Return what claims are decided on, and what the figures of whole records or papers are drawn from.

    Parameters
    ----------
    which : str, optional
        A paper (``"w16"``), a record (``"w16_fig4c"``) or a claim; by default all.

    Returns
    -------
    claims, figures : dict
        By the name of the claim or of the figure, as `plan` takes them.

    Raises
    ------
    InputError
        There is no such paper, record or claim.
    """
    names = compare.choose(which)
    records = reference.records()
    claims = {
        claim["id"]: wants(claim) for name, one in names for claim in records[name]["claim"] if claim["id"] == one
    }
    if which in claims:
        return claims, {}
    of_records = {name for name, _ in names}
    scripts = [path.stem for path in sorted(folder("figures").glob("*.py"))]
    drawn = [name.replace("_", "-") for name in scripts if any(record.startswith(name) for record in of_records)]
    return claims, {name: _drawn_from(name, claims) for name in drawn}


def _drawn_from(name: str, claims: dict[str, list[Want]]) -> list[Want]:
    """What a figure is drawn from; a result that claims are decided on as well is made as they ask for it."""
    script = plotting.load_figure(name)
    options = {
        (want.need.experiment, want.need.file): want.need.options for wanted in claims.values() for want in wanted
    }
    return [
        Want(criteria.Need(experiment, file, options.get((experiment, file), "")), getattr(script, "ACTIVITY", False))
        for experiment, files in script.NEEDS.items()
        for file in files
    ]
