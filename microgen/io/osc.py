"""EDAX's binary .osc scans: known, and refused by name with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from microgen.errors import UnsupportedFormat

NAME = "osc"
SUFFIXES = (".osc",)


def read(path: str | Path) -> NoReturn:
    """Raises UnsupportedFormat."""
    raise UnsupportedFormat(
        f"{path}: EDAX .osc files cannot be read, their layout is not public. Export the scan as .ang in OIM Analysis."
    )
