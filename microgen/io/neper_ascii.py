"""Neper raster tessellations (.tesr) with their data as text, `--format neper-ascii`; all else as in `neper`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microgen.io import neper
from microgen.io.digits import number_list
from microgen.io.grain_volume import grain_volume
from microgen.microstructure import Microstructure

NAME = "neper-ascii"
SUFFIXES = (".tesr",)
NEEDS = ("volume", "grains")

_A_LINE = 20

holds = neper.holds


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the cells as text. Raises InvalidParameter as `neper` does."""
    volume = grain_volume(ms, "Neper")
    with open(path, "wb") as file:
        file.writelines(neper.head_lines(volume))
        file.write(b" **data\n   ascii\n")
        for layer in np.moveaxis(volume.labels, 2, 0):
            file.write(number_list(layer.ravel(order="F"), _A_LINE, separator=" "))
        file.write(b"***end\n")
