"""DREAM.3D's list of features (.txt): a line with their number, then `phase x y z a b c omega3 phi1 PHI phi2` for each.

Centre and semi-axes in µm, Bunge angles in radians from the sample's frame to that of the axes, omega3 = 1 for
ellipsoids, phases from 1: what the filters Pack Primary Phases and Insert Precipitate Phases of DREAM.3D read.
The list holds shapes, no orientations of crystals.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile
from microgen.io.ellipsoids import Ellipsoids, grain_ellipsoids
from microgen.io.grain_table import GrainTable
from microgen.io.grain_volume import grain_volume
from microgen.io.text import parse_table, read_lines
from microgen.microstructure import Grains, Microstructure
from microgen.orientation import from_euler, to_euler

NAME = "dream3d-grains"
SUFFIXES = (".txt",)
NEEDS = ("volume", "grains")

_REMEDY = "Write or copy it again."
_LARGEST = 2**30


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: the ellipsoids of grains, with the volumes of their voxels."""
    return frozenset({"volumes"})


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the ellipsoid of each grain that has voxels.

    Raises InvalidParameter for planes, and for samples without grains or orientations.
    """
    volume = grain_volume(ms, "DREAM.3D")
    shapes = grain_ellipsoids(volume)
    rows = np.column_stack([shapes.centre, shapes.semi, np.ones(len(shapes.semi)), to_euler(shapes.turn)])
    there = np.flatnonzero(volume.voxels[1:])
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.write(f"{len(there)}\n")
        for k in there.tolist():
            file.write(f"{volume.phase_id[k] + 1} {' '.join(f'{x:.9g}' for x in rows[k])}\n")


def read_table(path: str | Path) -> GrainTable:
    """Read a list as a diagram of its ellipsoids, in the smallest box around them, whose corner becomes the origin.

    Weights are 0 and crystals lie along the axes of the sample, for the list says nothing of them.
    Raises UnreadableFile, with the line where there is one.
    """
    path = Path(path)
    if path.stat().st_size > _LARGEST:
        raise UnreadableFile(path, f"is larger than {_LARGEST} bytes, too large for a list of grains")
    lines = read_lines(path)
    first = next(k for k, line in enumerate(lines) if line.strip())
    if not lines[first].strip().isdecimal():
        problem = "expected the number of grains on the first line"
        raise UnreadableFile(path, problem, line=first + 1, remedy="Give a list of features of DREAM.3D.")
    table = parse_table(path, lines, first + 1, columns=11)
    values = table.values
    if len(values) != int(lines[first]) or values.shape[1] != 11:
        problem = f"announces {lines[first].strip()} grains and holds {len(values)} rows of {values.shape[1]} numbers"
        raise UnreadableFile(path, problem, remedy=_REMEDY)
    table.refuse(~np.isfinite(values).all(axis=1) | (np.abs(values) > 1e9).any(axis=1), "holds no finite number")
    table.refuse((values[:, 0] < 1) | (values[:, 0] > 32767) | (values[:, 0] % 1 != 0), "expected a phase from 1")
    table.refuse((values[:, 4:7] <= 1e-9).any(axis=1), "expected semi-axes above 0")
    shapes = Ellipsoids(values[:, 1:4], values[:, 4:7], from_euler(*values[:, 8:].T))
    return diagram(shapes, (values[:, 0] - 1).astype(np.int16), np.tile([1.0, 0, 0, 0], (len(values), 1)))


def diagram(shapes: Ellipsoids, phase_id: np.ndarray, orientation: np.ndarray) -> GrainTable:
    """A table of ellipsoids in the smallest box around them, not periodic."""
    metrics = shapes.metrics()
    reach = np.sqrt(np.linalg.inv(metrics)[:, [0, 1, 2], [0, 1, 2]])
    low, high = (shapes.centre - reach).min(axis=0), (shapes.centre + reach).max(axis=0)
    grains = Grains(
        phase_id,
        orientation,
        shapes.volume,
        volume_target=shapes.volume,
        sites=shapes.centre - low,
        metrics=metrics,
        weights=np.zeros(len(phase_id)),
    )
    return GrainTable(grains, tuple((high - low).tolist()), (False, False, False), corner=tuple(low.tolist()))
