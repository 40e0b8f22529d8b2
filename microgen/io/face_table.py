"""Faces of exact cells (.faces.csv): which grains meet, over what area, across which side of a periodic box.

    grain_id,neighbour_id,shift_x,shift_y,shift_z,area

Each face has a row for each of its grains; the neighbour is 0 at a wall. Shifts are whole boxes by which the neighbour
is moved, areas are in µm². Volumes of the grains are in the grain table (.csv).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microgen.meshing.polyhedra import polyhedra
from microgen.microstructure import Microstructure

NAME = "faces"
SUFFIXES = (".faces.csv",)
NEEDS = ("volume", "grains")


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: which grains meet; neither voxels nor grains."""
    return frozenset({"periodic"})


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the faces of a sample made with cells laguerre. Raises InvalidParameter for other samples."""
    mesh = polyhedra(ms)
    both = ~mesh.shift.any(axis=1) & (mesh.cells[:, 1] >= 0)  # an image has a row of its own
    cells = np.concatenate([mesh.cells, mesh.cells[both, ::-1]])
    cells = np.maximum(cells + 1, 0)
    shift, area = np.concatenate([mesh.shift, mesh.shift[both]]), np.concatenate([mesh.area, mesh.area[both]])
    with open(path, "w", encoding="ascii", newline="") as file:
        file.write("grain_id,neighbour_id,shift_x,shift_y,shift_z,area\n")
        for k in np.lexsort((cells[:, 1], cells[:, 0])):
            file.write(f"{cells[k, 0]},{cells[k, 1]},{','.join(map(str, shift[k]))},{float(area[k])!r}\n")
