"""Finds the folders for people, `figures` and `data/published`, in a checkout or inside an installed wheel."""

from pathlib import Path

from neurometa.errors import InputError


def folder(name: str) -> Path:
    """Return the folder `name`.

    Raises
    ------
    InputError
        It is in neither place, so the installation is not whole.
    """
    package = Path(__file__).parent
    for place in (package / "_share" / name, package.parent / name):
        if place.is_dir():
            return place
    raise InputError(f"The folder {name!r} did not come with this neurometa; install it from its wheel or checkout.")
