"""SPPARKS site values (.spparks), as its command read_sites takes them: the grain of each site of a square lattice.

IDs run from 1, x fastest, as create_sites numbers a block of an sq or sc lattice. Only values are written: with sites
of their own SPPARKS would want all neighbours too, and create_sites finds those itself. Potts models know no void: its
sites get the number after the last grain.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io.digits import number_rows
from microgen.io.embedded import square_grid
from microgen.microstructure import Microstructure

NAME = "spparks"
SUFFIXES = (".spparks",)
NEEDS = ("grains",)

_CHUNK = 2**12


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: the values of the sites, and in the first line which axes repeat."""
    return frozenset({"grain_id", "periodic"})


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the number of the grain at each site; the first line says which commands make the lattice.

    Raises InvalidParameter for samples without grains.
    """
    grid = square_grid(ms, "SPPARKS")
    if ms.grain_id is None or ms.grain_id.max(initial=0) < 1:
        remedy = "Write a polycrystal, or a scan whose grains were found (segment_grains)."
        raise InvalidParameter("grains", expected="numbered grains for SPPARKS", got="none", remedy=remedy)
    values = np.where(ms.grain_id > 0, ms.grain_id, ms.grain_id.max() + 1).ravel(order="F")
    lines = [_commands(grid, int(values.max()), Path(path).name.split(".")[0]), ""]
    lines += [f"{grid.ndim} dimension", f"{grid.size} sites", "id site values"]
    lines += [f"{a} {b} {axis}lo {axis}hi" for axis, (a, b) in zip("xyz", _bounds(grid))]
    with open(path, "wb") as file:
        file.write(("\n".join([*lines, "", "Values", ""]) + "\n").encode("ascii", "replace"))
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            rows = np.column_stack([np.arange(start + 1, start + 1 + len(chunk)), chunk])
            file.write(number_rows(rows, separator=" "))


def _bounds(grid: Grid) -> list[tuple[str, str]]:
    """The box in lattice constants; planes lie in the middle of theirs."""
    bounds = [("0", str(n)) for n in grid.shape]
    return bounds if grid.ndim == 3 else [*bounds, ("-0.5", "0.5")]


def _commands(grid: Grid, spins: int, name: str) -> str:
    boundary = " ".join("p" if wraps else "n" for wraps in (*grid.periodic, True)[:3])
    lattice, block = ("sq/8n" if grid.ndim == 2 else "sc/26n"), " ".join(" ".join(pair) for pair in _bounds(grid))
    commands = [f"app_style potts {spins}", f"dimension {grid.ndim}", f"boundary {boundary}", f"lattice {lattice} 1.0"]
    commands += [f"region box block {block}", "create_box box", "create_sites box", f"read_sites {name}.spparks"]
    return "; ".join(commands)
