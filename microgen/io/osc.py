"""Scan formats that are known and refused by name: EDAX .osc is undocumented and differs between versions."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from microgen.errors import UnsupportedFormat

NAME = "osc"
SUFFIXES = (".osc",)


def read(path: str | Path) -> NoReturn:
    """Raises UnsupportedFormat with the way out."""
    raise UnsupportedFormat(f"{path}: EDAX .osc files cannot be read. Export the scan as .ang in OIM Analysis.")
