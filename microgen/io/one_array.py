"""Formats that hold one array: which of a sample's arrays that is, and how the sample comes back from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import embedded as emb
from microgen.io.grey import grey_volume
from microgen.microstructure import Microstructure

GRAINS, LEVEL, GREY, PHASES = "grain_id", "level_set", "grey", "phase_id"
GRID = frozenset({"spacing", "origin", "periodic"})
UNSEGMENTED = "Segment the scan first (microgen.segment_grains), or write a .vti or .npz, which hold the points."


def chosen(ms: Microstructure, what: str) -> tuple[str, np.ndarray]:
    """Name and values [x, y(, z)] of the array a file of one array shows.

    That is grain labels (int32), else the level set, else grey values as long as nothing was made of them, else
    phase_id + 1 (void 0; uint8, or int16 above 254 phases). Raises InvalidParameter for scans and hexagonal grids.
    """
    emb.square_grid(ms, what)
    if ms.grain_id is not None:
        return GRAINS, ms.grain_id
    if ms.orientation is not None:
        raise InvalidParameter("grain_id", expected="a sample with grains", got=None, remedy=UNSEGMENTED)
    if ms.level_set is not None:
        return LEVEL, ms.level_set if ms.level_set.dtype.kind == "f" else ms.level_set.astype(np.float32)
    if ms.grey is not None and _as_measured(ms, ms.grey):
        return GREY, ms.grey.view(np.uint8) if ms.grey.dtype.kind == "b" else ms.grey
    highest = int(ms.phase_id.max(initial=0))
    return PHASES, (ms.phase_id + 1).astype(np.uint8 if highest < 255 else np.int16)


def _as_measured(ms: Microstructure, grey: np.ndarray) -> bool:
    """Are the phases no more than what a reader makes of the grey values by itself?"""
    if not ms.phases:
        return True
    low, high = grey.min(), grey.max()
    full = grey == high
    return bool(((grey == low) | full).all() and np.array_equal(full, ms.phase_id >= 0))


def holds(ms: Microstructure) -> frozenset[str]:
    """What of the sample comes back from a file of one array with our description in it."""
    name, _ = chosen(ms, "the file")
    return GRID | {name, "phases", PHASES}


def sample_json(ms: Microstructure, name: str) -> str:
    """Grid and phases as JSON, and which array the file shows."""
    return emb.sample_json(ms, array=name)


def restored(values: np.ndarray, found: emb.Embedded, path: Path) -> Microstructure:
    """The sample from the values [x, y(, z)] and the description in its file.

    Raises UnreadableFile where they disagree, UnsupportedFormat for values that are none of their kind.
    """
    grid = found.grid
    assert grid is not None
    if values.size != grid.size:
        raise UnreadableFile(path, f"describes a grid of {grid.shape} and holds {values.size} values")
    # Axes one voxel long are lost in some formats: the grid says where they are.
    values = values.reshape(grid.shape, order="F")
    if found.array == GREY:
        return described(grey_volume(values, path, spacing=grid.spacing), found)
    if found.array == LEVEL:
        return _level_set(values, grid, found, path=path)
    if values.dtype.kind == "f":
        values = _whole(values, path)
    labels = emb.as_labels(values, path)
    return emb.phased(labels, grid, found) if found.array == PHASES else emb.labelled(labels, grid, found)


def described(ms: Microstructure, found: emb.Embedded) -> Microstructure:
    """A sample with grid, phases and provenance of its file."""
    return replace(ms, grid=found.grid, phases=found.phases or ms.phases, provenance=found.provenance, notes=())


def _level_set(values: np.ndarray, grid: Grid, found: emb.Embedded, *, path: Path) -> Microstructure:
    if values.dtype.kind != "f" or not np.isfinite(values).all():
        raise UnsupportedFormat(f"{path}: expected a level set of finite numbers, got {values.dtype}.")
    u = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    phase_id = np.where(u > 0, 0, -1).astype(np.int16)
    return Microstructure(grid, phase_id, found.phases, level_set=u, provenance=found.provenance)


def _whole(values: np.ndarray, path: Path) -> np.ndarray:
    """Labels that a format has as floats."""
    if not np.isfinite(values).all() or np.abs(values).max() > 2**31 or (values % 1).any():
        raise UnsupportedFormat(f"{path}: expected labels, got numbers that are not whole.")
    return values.astype(np.int64)


def placed(ms: Microstructure, *, origin: tuple[float, ...]) -> Microstructure:
    """The sample with the corner of its first voxel at `origin`, µm."""
    assert isinstance(ms.grid, Grid)
    return replace(ms, grid=replace(ms.grid, origin=origin))
