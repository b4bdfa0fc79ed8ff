"""What is there already of what claims are decided on."""

from pathlib import Path

import xarray as xr

from neurometa.reproduction.plan import Made


def survey(place: Path) -> dict[Path, Made]:
    """Read what the files of runs say of themselves; damaged ones count as absent, and are made anew.

    Parameters
    ----------
    place : Path
        Folder of run folders, at any depth; it may be absent.
    """
    there = {file: Made() for pattern in ("agent.safetensors", "*.png") for file in place.rglob(pattern)}
    for file in place.rglob("*.nc"):
        try:
            with xr.open_dataset(file, engine="netcdf4") as found:
                there[file] = Made(dict(found.attrs), int(found.sizes.get("episode", 0)), "hidden" in found)
        except (OSError, RuntimeError, ValueError):
            continue
    return there
