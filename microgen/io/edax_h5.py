"""EDAX OIM scans in HDF5 (.h5): groups `NAME/EBSD/Data` and `NAME/EBSD/Header`, one a scan.

The first scan is read; `file.h5::NAME` asks for another.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.io import file_of
from microgen.io.edax import EXPORT, Columns, make_points
from microgen.io.hdf5 import group_at, groups_with, keys, number, opened, others, text, vector
from microgen.io.scan import EDAX, Claim, assemble, tell_apart
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import laue_group_from

if TYPE_CHECKING:
    import h5py

NAME = "edax_h5"
SUFFIXES = (".h5", ".hdf5")

COLUMNS = ("Phi1", "Phi", "Phi2", "X Position", "Y Position", "CI", "Phase")
LATTICE = ("a", "b", "c", "alpha", "beta", "gamma")
INVALID = -1e6
"""Points that have no place on the map lie at -1111111."""


def read(path: str | Path) -> Microstructure:
    """Read a scan. Raises UnreadableFile for damaged files, UnsupportedFormat for HDF5 of other makers."""
    file_path = file_of(path)
    wanted = str(Path(path))[len(str(file_path)) + 2 :]
    with opened(file_path, remedy=EXPORT) as file:
        return _read(file_path, file, wanted)


def _read(path: Path, file: h5py.File, wanted: str) -> Microstructure:
    scans = groups_with(file, "EBSD", "Data")
    if not scans:
        raise UnsupportedFormat(f"{path}: holds no EBSD/Data of EDAX. Export the scan as .ang or .ctf.")
    if wanted and wanted not in scans:
        raise InvalidParameter("scan", expected=f"one of {', '.join(list(scans)[:20])}", got=wanted)
    name = wanted or next(iter(scans))
    data, header = group_at(scans[name], "EBSD", "Data"), group_at(scans[name], "EBSD", "Header")
    if data is None or header is None:
        raise UnreadableFile(path, f"the scan {name!r} has no EBSD/Header", remedy=EXPORT)
    phases = _phases(path, header)
    columns, dropped = _columns(path, data)
    points, notes = make_points(path, columns, sorted(phases))
    ordered = tuple(phases[k] for k in sorted(phases))
    notes = (*others(scans, name, "scan"), *dropped, *notes)
    return assemble(points, ordered, frame=EDAX, claim=_claim(path, header), notes=notes)


def _columns(path: Path, data: h5py.Group) -> tuple[Columns, tuple[str, ...]]:
    """The columns of an .ang file, without the points that have no place on the map."""
    found = {name: vector(path, data, name) for name in COLUMNS}
    # Damaged bytes may be signalling NaN, of which NumPy would warn; NaN are dealt with further on.
    with np.errstate(invalid="ignore"):
        columns = [v.astype(np.float64) for v in found.values() if v is not None and v.dtype.kind in "iuf"]
    if len(columns) < len(COLUMNS) or len({len(v) for v in columns}) != 1 or len(columns[0]) == 0:
        lengths = ", ".join(f"{name} {'none' if v is None else len(v)}" for name, v in found.items())
        problem = f"columns of numbers are missing, empty or of different lengths ({lengths})"
        raise UnreadableFile(path, problem, remedy=EXPORT)
    placed = (columns[3] > INVALID) & (columns[4] > INVALID)
    if not placed.any():
        raise UnreadableFile(path, "all its points are marked as invalid", remedy=EXPORT)
    dropped = int(np.count_nonzero(~placed))
    notes = (f"{dropped} points are marked as invalid and left out",) if dropped else ()
    rejected, said = _rejected(path, data, len(placed))
    phi1, phi, phi2, x, y, ci, phase = (v[placed] for v in columns)
    ci = np.where(rejected[placed], -1.0, ci)
    return Columns(np.stack([phi1, phi, phi2], axis=1), x, y, ci, phase), notes + said


def _rejected(path: Path, data: h5py.Group, count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Points whose `Valid` is not 0, EDAX's value for good ones; a column all alike says nothing."""
    valid = vector(path, data, "Valid")
    if valid is None or len(valid) != count or valid.dtype.kind not in "iu" or valid.min() == valid.max():
        return np.zeros(count, bool), ()
    rejected = valid != 0
    return rejected, (f"{np.count_nonzero(rejected)} points with Valid other than 0 taken as not indexed",)


def _claim(path: Path, header: h5py.Group) -> Claim:
    columns, rows, dx, dy = (number(path, header, name) for name in ("nColumns", "nRows", "Step X", "Step Y"))
    grid = text(path, header, "Grid Type").lower()
    hexagonal = True if grid.startswith("hex") else False if grid.startswith("sqr") else None
    # Every second row of a hexagonal grid has a point less than nColumns.
    points = int(columns) * int(rows) - (int(rows) // 2 if hexagonal else 0)
    return Claim(
        step=(_digits(dx) or None, _digits(dy) or None),
        points=points,
        columns=int(columns),
        rows=int(rows),
        hexagonal=hexagonal,
    )


def _phases(path: Path, header: h5py.Group) -> dict[int, Phase]:
    """Phases by number: the groups Phase/1, Phase/2, ..."""
    parent = group_at(header, "Phase")
    numbers = sorted(int(k) for k in keys(parent) if k.isdecimal() and len(k) < 6) if parent is not None else []
    groups = {n: g for n in numbers if parent is not None and (g := group_at(parent, str(n))) is not None}
    if not groups:
        raise UnreadableFile(path, "its header names no phase", remedy=EXPORT)
    named = [text(path, g, "MaterialName") or text(path, g, "Formula") or f"phase {n}" for n, g in groups.items()]
    return {n: _phase(path, g, name) for (n, g), name in zip(groups.items(), tell_apart(named))}


def _phase(path: Path, group: h5py.Group, name: str) -> Phase:
    symmetry = int(number(path, group, "Symmetry"))
    try:
        laue = laue_group_from(tsl=symmetry)
    except InvalidParameter:
        raise UnreadableFile(path, f"the phase {name!r} has the unknown symmetry {symmetry}", remedy=EXPORT) from None
    lattice = tuple(_digits(number(path, group, f"Lattice Constant {axis}")) for axis in LATTICE)
    return Phase(name, laue, lattice if all(lattice) else ())


def _digits(value: float) -> float:
    """A float32 of the file as the decimal number it was: 3.56 instead of 3.559999943."""
    return float(f"{value:.6g}")
