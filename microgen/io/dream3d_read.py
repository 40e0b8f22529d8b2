"""Reading DREAM.3D files of versions 7.0 and 8.0: grains by FeatureIds, or points with Euler angles alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import embedded as emb
from microgen.io.dream3d_tables import STRUCTURES
from microgen.io.hdf5 import group_at, groups_below, keys, opened, text, vector
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.orientation import from_euler
from microgen.provenance import Provenance

if TYPE_CHECKING:
    import h5py

_REMEDY = "Write or copy it again."
_LAUE = {code: laue for laue, code in STRUCTURES.items()}
_NOTE = "lengths are taken as µm"


@dataclass(frozen=True, eq=False)
class _Place:
    """A geometry, and the group its matrices lie in."""

    base: h5py.Group
    grid: Grid
    cells: h5py.Group


def read(path: str | Path) -> Microstructure:
    """Read the first image geometry that has cells.

    Raises UnreadableFile for damaged files, UnsupportedFormat for other versions and contents.
    """
    path = Path(path)
    with opened(path, remedy=_REMEDY) as file:
        version = _text(file.attrs.get("FileVersion", b""))
        if version not in ("7.0", "8.0"):
            raise UnsupportedFormat(f"{path}: expected a DREAM.3D file of version 7.0 or 8.0, got {version[:20]!r}.")
        place = _place(path, file, version)
        found = _ours(path, file, place.grid)
        ms = _sample(path, place, found.phases)
        return replace(ms, grid=found.grid or ms.grid, provenance=found.provenance)


def read_embedded(path: str | Path) -> Provenance | None:
    """The provenance in a file; None in one that is not ours. Raises UnreadableFile."""
    path = Path(path)
    with opened(path, remedy=_REMEDY) as file:
        ours = group_at(file, "microgen")
        return None if ours is None else emb.parse_provenance(text(path, ours, "provenance"), path)


def _text(value: object) -> str:
    found = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return found.strip("\0 ")


def _ours(path: Path, file: h5py.File, grid: Grid) -> emb.Embedded:
    """What files of our own say more exactly."""
    ours = group_at(file, "microgen")
    if ours is None:
        return emb.Embedded()
    found = emb.parse_sample(text(path, ours, "sample"), path)
    if found.grid is None or found.grid.shape != grid.shape:
        raise UnreadableFile(path, f"describes another grid than its {grid.shape} cells", remedy=_REMEDY)
    return replace(found, provenance=emb.parse_provenance(text(path, ours, "provenance"), path))


def _place(path: Path, file: h5py.File, version: str) -> _Place:
    root = group_at(file, "DataContainers" if version == "7.0" else "DataStructure")
    for base in groups_below(root).values() if root is not None else ():
        numbers = _numbers_7(path, base) if version == "7.0" else _numbers_8(base)
        if numbers is None:
            continue
        shape, spacing, origin = (np.asarray(x).ravel()[:3].tolist() for x in numbers)
        grid = Grid(tuple(shape), tuple(_digits(h) for h in spacing), tuple(_digits(o) for o in origin))
        for name in keys(base):
            cells = group_at(base, name)
            if cells is not None and any(_is_cells(cells, key, grid) for key in keys(cells)):
                return _Place(base, grid, cells)
    raise UnsupportedFormat(f"{path}: expected an image geometry with cells, found none.")


def _numbers_7(path: Path, base: h5py.Group) -> list[np.ndarray] | None:
    geometry = group_at(base, "_SIMPL_GEOMETRY")
    if geometry is None:
        return None
    found = [vector(path, geometry, name) for name in ("DIMENSIONS", "SPACING", "ORIGIN")]
    return [x for x in found if x is not None] if all(x is not None for x in found) else None


def _numbers_8(base: h5py.Group) -> list[np.ndarray] | None:
    names = ("_DIMENSIONS", "_SPACING", "_ORIGIN")
    return [np.asarray(base.attrs[name]) for name in names] if all(name in base.attrs for name in names) else None


def _digits(value: float) -> float:
    """A float32 of the file as the decimal number it was."""
    return float(f"{value:.7g}")


def _is_cells(group: h5py.Group, key: str, grid: Grid) -> bool:
    import h5py

    found = group.get(key, getlink=True)
    if not isinstance(found, h5py.HardLink):
        return False
    array = group[key]
    return isinstance(array, h5py.Dataset) and tuple(array.shape[:-1]) == grid.shape[::-1]


def _sample(path: Path, place: _Place, known: tuple[Phase, ...]) -> Microstructure:
    grid = place.grid
    phases = known or _phases(path, place.base)
    ids, own = _cells(path, place, "FeatureIds", 1), _cells(path, place, "Phases", 1)
    euler = _cells(path, place, "EulerAngles", 3, "Eulers")
    if ids is None:
        if own is None or euler is None:
            raise UnsupportedFormat(f"{path}: expected FeatureIds, or Phases and EulerAngles, of its cells.")
        phase_id = _phase_id(path, own[..., 0], phases)
        orientation = from_euler(*np.moveaxis(euler.astype(float), -1, 0))
        return Microstructure(grid, phase_id, phases, orientation=orientation, notes=(_NOTE,))
    labels = emb.as_labels(ids[..., 0], path)
    grains = _grains(path, place, labels, phases)
    if grains is not None:
        table = np.append(np.int16(-1), grains.phase_id)
        return Microstructure(grid, table[labels], phases, labels, grains=grains, notes=(_NOTE,))
    given = np.ones(grid.shape, int) if own is None else own[..., 0]
    phase_id = np.where(labels > 0, _phase_id(path, given, phases), -1).astype(np.int16)
    orientation = None if euler is None else from_euler(*np.moveaxis(euler.astype(float), -1, 0))
    return Microstructure(grid, phase_id, phases, labels, orientation, notes=(_NOTE,))


def _cells(path: Path, place: _Place, name: str, components: int, other: str = "") -> np.ndarray | None:
    """An array a cell as [x, y, z, components]; None where there is none of that name."""
    found = vector(path, place.cells, name)
    found = vector(path, place.cells, other) if found is None and other else found
    if found is None or found.dtype.kind not in "iuf":
        return None
    if found.size != place.grid.size * components:
        raise UnreadableFile(path, f"{name} has {found.size} values for {place.grid.size} cells", remedy=_REMEDY)
    if not np.isfinite(found).all():
        raise UnreadableFile(path, f"{name} holds values that are no numbers", remedy=_REMEDY)
    return np.moveaxis(found.reshape(*place.grid.shape[::-1], components), (0, 2), (2, 0))


def _phase_id(path: Path, given: np.ndarray, phases: tuple[Phase, ...]) -> np.ndarray:
    if given.dtype.kind not in "iu" or given.min() < 0 or given.max() > len(phases):
        raise UnreadableFile(path, f"names {len(phases)} phases, its cells or features have others", remedy=_REMEDY)
    return (given.astype(np.int64) - 1).astype(np.int16)


def _phases(path: Path, base: h5py.Group) -> tuple[Phase, ...]:
    """Phases 1 ... of the ensembles, one cubic one where there are none."""
    for name in keys(base):
        ensembles = group_at(base, name)
        codes = vector(path, ensembles, "CrystalStructures") if ensembles is not None else None
        if ensembles is None or codes is None or codes.dtype.kind not in "iu":
            continue
        names = vector(path, ensembles, "PhaseName")
        names = vector(path, ensembles, "MaterialName") if names is None else names
        told = [_text(x) for x in names] if names is not None and len(names) == len(codes) else []
        groups = [_LAUE.get(int(code), "-1") for code in codes[1:]]
        return tuple(Phase(told[k] if told else f"phase {k}", laue) for k, laue in enumerate(groups, 1))
    return (Phase("phase 1"),)


def _grains(path: Path, place: _Place, labels: np.ndarray, phases: tuple[Phase, ...]) -> Grains | None:
    """The features with orientations; None where the file has none that fit."""
    for name in keys(place.base):
        features = group_at(place.base, name)
        if features is None or features.name == place.cells.name:
            continue
        phase, euler = vector(path, features, "Phases"), vector(path, features, "AvgEulerAngles")
        euler = vector(path, features, "EulerAngles") if euler is None else euler
        if phase is None or euler is None or euler.dtype.kind != "f" or len(euler) != 3 * len(phase):
            continue
        if labels.max() >= len(phase) or not np.isfinite(euler).all():
            raise UnreadableFile(path, f"has {len(phase)} features, number {labels.max()} is one", remedy=_REMEDY)
        orientation = from_euler(*euler.astype(float).reshape(-1, 3)[1:].T)
        voxels = np.bincount(labels.ravel(), minlength=len(phase))[1:]
        # Features of phase 0 have no cells in whole files.
        phase_id = np.maximum(_phase_id(path, phase[1:], phases), 0)
        return Grains(phase_id, orientation, voxels * place.grid.cell_measure)
    return None
