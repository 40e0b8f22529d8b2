"""DREAM.3D's feature data as CSV (`--format dream3d-csv`): a line with their number, the names, a row a feature.

Written with the columns that its filter Write Feature Data as CSV File gives a synthetic volume. Lengths in µm, angles
in radians, phases from 1; quaternions vector first and of P = +1.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile
from microgen.io.dream3d_grains import diagram
from microgen.io.dream3d_tables import content_of
from microgen.io.ellipsoids import Ellipsoids, grain_ellipsoids
from microgen.io.grain_table import GrainTable
from microgen.io.text import parse_table, read_lines
from microgen.microstructure import Grains, Microstructure
from microgen.orientation import from_euler, to_euler

NAME = "dream3d-csv"
SUFFIXES = (".csv",)
NEEDS = ("volume", "grains")

_REMEDY = "Export it again, with Phases, AvgEulerAngles and EquivalentDiameters."
_LARGEST = 2**30


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`: a row a grain, with the ellipsoid of its voxels."""
    return frozenset({"grain_orientations", "volumes"})


def write(ms: Microstructure, path: str | Path) -> None:
    """Write a row a grain. Raises InvalidParameter for planes, and for samples without grains or orientations."""
    content = content_of(ms)
    shapes = grain_ellipsoids(content.volume)
    columns = {name: table[1:] for name, table in content.features.items()}
    columns |= {"Centroids": shapes.centre, "AxisLengths": shapes.semi, "AxisEulerAngles": to_euler(shapes.turn)}
    columns |= {"Omega3s": np.ones((len(shapes.semi), 1))}
    names, values = ["Feature_ID"], [np.arange(1, len(shapes.semi) + 1)[:, None]]
    for name, table in columns.items():
        width = table.shape[1]
        names += [name] if width == 1 else [f"{name}_{k}" for k in range(width)]
        values.append(np.nan_to_num(table))
    with open(path, "w", encoding="ascii", newline="") as file:
        file.write(f"{len(shapes.semi)}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([[f"{x:.9g}" for part in row for x in part] for row in zip(*values)])


def read_table(path: str | Path) -> GrainTable:
    """Read feature data: phases, orientations, volumes; sites and metrics where centroids and axes are among them.

    Blocks of neighbours that follow are left out. Raises UnreadableFile, with the line where there is one.
    """
    path = Path(path)
    if path.stat().st_size > _LARGEST:
        raise UnreadableFile(path, f"is larger than {_LARGEST} bytes, too large for a list of grains")
    lines = [line.replace(",", " ") for line in read_lines(path)]
    if not lines[0].strip().isdecimal() or len(lines) < 3:
        raise UnreadableFile(path, "expected the number of features on the first line", line=1, remedy=_REMEDY)
    count, names = int(lines[0]), lines[1].split()
    if len(lines) < 2 + count or not names:
        raise UnreadableFile(path, f"announces {count} features and ends before", remedy=_REMEDY)
    table = parse_table(path, lines[: 2 + count], 2, columns=len(names))
    if table.values.shape != (count, len(names)):
        raise UnreadableFile(path, f"names {len(names)} columns, the rows have others", line=2, remedy=_REMEDY)
    table.refuse(~(np.abs(table.values) < 1e15).all(axis=1), "holds no finite number")
    column = dict(zip(names, table.values.T))
    return _table(path, column)


def _table(path: Path, column: dict[str, np.ndarray]) -> GrainTable:
    euler = [column.get(f"AvgEulerAngles_{k}", column.get(f"EulerAngles_{k}")) for k in range(3)]
    phase, diameter = column.get("Phases"), column.get("EquivalentDiameters")
    if phase is None or diameter is None or any(angle is None for angle in euler):
        raise UnreadableFile(path, f"lacks Phases, AvgEulerAngles or EquivalentDiameters: {list(column)[:20]}")
    if (phase < 1).any() or (phase > 32767).any() or (phase % 1 != 0).any() or (diameter < 0).any():
        raise UnreadableFile(path, "expected phases from 1 and diameters that are not negative", remedy=_REMEDY)
    phase_id, orientation = (phase - 1).astype(np.int16), from_euler(*(angle for angle in euler if angle is not None))
    parts = [[column.get(f"{name}_{k}") for k in range(3)] for name in ("Centroids", "AxisLengths", "AxisEulerAngles")]
    if all(part is not None for three in parts for part in three):
        centre, semi, angles = (np.stack([x for x in three if x is not None], axis=1) for three in parts)
        if (semi > 1e-9).all():
            return diagram(Ellipsoids(centre, semi, from_euler(*angles.T)), phase_id, orientation)
    volume = np.pi / 6 * diameter**3
    side = float(np.cbrt(max(volume.sum(), 1e-300)))
    return GrainTable(Grains(phase_id, orientation, volume), (side, side, side), (False, False, False))
