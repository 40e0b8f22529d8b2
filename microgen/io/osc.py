"""Scan formats that are known and refused by name, each with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from microgen.errors import UnsupportedFormat

NAME = "osc"
SUFFIXES = (".osc", ".h5oina")

_WAY_OUT = {
    ".osc": "EDAX .osc files cannot be read, their layout is not public. Export the scan as .ang in OIM Analysis.",
    ".h5oina": "Oxford .h5oina files cannot be read yet. Export the map as .ctf in AZtecCrystal.",
}


def read(path: str | Path) -> NoReturn:
    """Raises UnsupportedFormat."""
    way_out = _WAY_OUT.get(Path(path).suffix.lower(), _WAY_OUT[".osc"])
    raise UnsupportedFormat(f"{path}: {way_out}")
