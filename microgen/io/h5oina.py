"""Oxford Instruments' EBSD maps in HDF5 (.h5oina), by its public specification, versions 1.0 to 8.0.

Groups `SLICE/EBSD/Data` and `SLICE/EBSD/Header`; angles in radians, lengths in µm, phase 0 = not indexed. The first map
is read; `file.h5oina::SLICE` asks for another. https://github.com/oinanoanalysis/h5oina
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.io import file_of
from microgen.io.hdf5 import group_at, groups_with, keys, number, opened, others, text, vector
from microgen.io.hkl import Entry, make_phases, make_points
from microgen.io.scan import OXFORD, Claim, assemble
from microgen.microstructure import Microstructure

if TYPE_CHECKING:
    import h5py

NAME = "h5oina"
SUFFIXES = (".h5oina",)

EXPORT = "Export the map again."


def read(path: str | Path) -> Microstructure:
    """Read a map. Raises UnreadableFile for damaged files, UnsupportedFormat for files without an EBSD map."""
    file_path = file_of(path)
    wanted = str(Path(path))[len(str(file_path)) + 2 :]
    with opened(file_path, remedy=EXPORT) as file:
        return _read(file_path, file, wanted)


def _read(path: Path, file: h5py.File, wanted: str) -> Microstructure:
    slices = groups_with(file, "EBSD", "Data")
    if not slices:
        raise UnsupportedFormat(f"{path}: holds no EBSD data. Export an EBSD map, or its .ctf, from AZtec.")
    if wanted and wanted not in slices:
        raise InvalidParameter("scan", expected=f"one of {', '.join(list(slices)[:20])}", got=wanted)
    name = wanted or next(iter(slices))
    data, header = group_at(slices[name], "EBSD", "Data"), group_at(slices[name], "EBSD", "Header")
    if data is None or header is None:
        raise UnreadableFile(path, f"the slice {name!r} has no EBSD/Header", remedy=EXPORT)
    claim = _claim(path, header)
    numbers, entries = _entries(path, header)
    phases, said = make_phases(path, entries)
    columns, x, y, dropped = _columns(path, data, claim)
    points, notes = make_points(
        path,
        (x, y),
        columns["Euler"].astype(np.float64),
        phase=_positions(path, columns["Phase"], numbers),
        bands=columns.get("Bands"),
        phases=phases,
    )
    told = (*others(slices, name, "slice"), *said, *_turned(path, header), *dropped, *notes)
    return assemble(points, phases, frame=OXFORD, claim=claim, notes=told)


def _claim(path: Path, header: h5py.Group) -> Claim:
    """The grid of the header. Raises UnsupportedFormat for line scans."""
    columns, rows = (int(number(path, header, f"{axis} Cells")) for axis in "XY")
    step = tuple(float(f"{number(path, header, f'{axis} Step'):.6g}") or None for axis in "XY")
    if rows == 1 and step[1] is None and columns > 1:
        raise UnsupportedFormat(f"{path}: is a line scan of {columns} points, a map was expected.")
    return Claim(step=(step[0], step[1]), points=columns * rows, columns=columns, rows=rows)


def _columns(
    path: Path, data: h5py.Group, claim: Claim
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, tuple[str, ...]]:
    """Phase, Euler and Bands of all points with a place, and these places."""
    found = {name: vector(path, data, name) for name in ("Phase", "Euler", "Bands", "X", "Y")}
    given = {name: v for name, v in found.items() if v is not None and v.dtype.kind in "iuf"}
    missing = [name for name in ("Phase", "Euler") if name not in given]
    count = len(given.get("Phase", ()))
    if missing or count == 0:
        what = f"has no column of numbers {missing[0]!r}" if missing else "holds no points"
        raise UnreadableFile(path, what, remedy=EXPORT)
    if any(len(v) != (3 * count if name == "Euler" else count) for name, v in given.items()):
        lengths = ", ".join(f"{name} {len(v)}" for name, v in given.items())
        raise UnreadableFile(path, f"columns have different lengths ({lengths}; Euler three a point)", remedy=EXPORT)
    given["Euler"] = given["Euler"].reshape(count, 3)
    x, y = _places(path, given, count, claim)
    placed = np.isfinite(x) & np.isfinite(y)
    if not placed.any():
        raise UnreadableFile(path, "none of its points has a place", remedy=EXPORT)
    outside = int(np.count_nonzero(~placed))
    notes = (f"{outside} points lie outside the acquired area and are left out",) if outside else ()
    return {name: v[placed] for name, v in given.items()}, x[placed], y[placed], notes


def _places(path: Path, given: dict[str, np.ndarray], count: int, claim: Claim) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the points, µm: columns X and Y, or row by row on the grid of the header."""
    if "X" in given and "Y" in given:
        with np.errstate(invalid="ignore"):  # damaged bytes may be signalling NaN
            return given["X"].astype(np.float64), given["Y"].astype(np.float64)
    dx, dy = claim.step
    if claim.points != count or dx is None or dy is None:
        problem = f"has no coordinates, and {count} points are none of {claim.columns} x {claim.rows} cells"
        raise UnreadableFile(path, problem, remedy=EXPORT)
    row, column = np.divmod(np.arange(count), claim.columns)
    return column * dx, row * dy


def _entries(path: Path, header: h5py.Group) -> tuple[list[int], list[Entry]]:
    """Numbers of the phases, and the phases: groups Phases/1, Phases/2, ..."""
    parent = group_at(header, "Phases")
    numbers = sorted(int(k) for k in keys(parent) if k.isdecimal() and len(k) < 6) if parent is not None else []
    groups = {n: g for n in numbers if parent is not None and (g := group_at(parent, str(n))) is not None}
    if not groups:
        raise UnreadableFile(path, "its header names no phase", remedy=EXPORT)
    return list(groups), [_entry(path, group) for group in groups.values()]


def _entry(path: Path, group: h5py.Group) -> Entry:
    lengths, angles = (vector(path, group, f"Lattice {kind}") for kind in ("Dimensions", "Angles"))
    lattice: tuple[float, ...] = ()
    if lengths is not None and angles is not None and len(lengths) == len(angles) == 3:
        both = np.concatenate([lengths.astype(float), np.degrees(angles.astype(float))])
        lattice = tuple(float(f"{v:.6g}") for v in both) if np.isfinite(both).all() else ()
    laue, space = (int(number(path, group, f"{kind} Group")) for kind in ("Laue", "Space"))
    return Entry(text(path, group, "Phase Name"), laue, space, lattice)


def _positions(path: Path, phase: np.ndarray, numbers: list[int]) -> np.ndarray:
    """Phases of the points counted from 1 in the order of the header, 0 where not indexed."""
    table = {0: 0} | {n: k for k, n in enumerate(numbers, start=1)}
    values, which = np.unique(phase, return_inverse=True)
    strange = [v for v in values.tolist() if v not in table]
    if strange:
        raise UnreadableFile(path, f"the phase {strange[0]} of a point is not in the header", remedy=EXPORT)
    return np.array([table[v] for v in values.tolist()], np.int64)[which.ravel()]


def _turned(path: Path, header: h5py.Group) -> tuple[str, ...]:
    """Angles and map are both in the frame of the surface; how it lies in the sample is only told."""
    angles = vector(path, header, "Specimen Orientation Euler")
    turned = angles is not None and angles.dtype.kind == "f" and bool((np.abs(angles) > 1e-6).any())
    return ("the acquisition surface was turned in the sample (Specimen Orientation): not applied",) if turned else ()
