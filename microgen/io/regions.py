"""Masks and starts of textures from files: an outline in an STL, or any volume that can be read, put onto a grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io import read, stl
from microgen.meshing import Clip, is_watertight
from microgen.microstructure import Microstructure

SHAPES = ("cylinder", "sphere")


def read_mask(name: str | Path, grid: Grid, *, diameter: float | None = None) -> Clip | np.ndarray:
    """A mask by name: cylinder (along z) or sphere of a diameter in mm, the largest that fits when None; or a file.

    An STL (mm) is the outline of the inside, put in the middle of the box. Of volumes the inside is the solid, all
    grains, or the brighter of two grey values. Raises InvalidParameter, UnreadableFile, UnsupportedFormat.
    """
    if str(name) in SHAPES:
        return Clip(cast("Literal['cylinder', 'sphere']", str(name)), diameter=diameter)
    if diameter is not None:
        raise InvalidParameter("mask.diameter", expected="a cylinder or sphere as mask", got=str(name))
    if Path(name).suffix.lower() != ".stl":
        return _onto(_solid(read(name), "mask"), name, grid, what="mask") > 0
    if grid.ndim != 3:
        raise InvalidParameter("mask", expected="a shape or a picture for a plane", got=str(name))
    outline = stl.read_mesh(name)
    if not is_watertight(outline):
        raise InvalidParameter("mask", expected="an STL with a closed surface", got=str(name))
    return Clip("outline", outline=outline)


def mask_again(told: Mapping[str, Any]) -> Clip | None:
    """The shape that the provenance of a sample tells of; None for masks that were no shape."""
    if told.get("kind") not in SHAPES:
        return None
    return Clip(told["kind"], diameter=told.get("diameter"), axis=told.get("axis", 2))


def inside(mask: Clip | np.ndarray, grid: Grid) -> np.ndarray:
    """bool [shape]: the voxels of a mask."""
    return mask if isinstance(mask, np.ndarray) else mask.distance(grid.shape, np.array(grid.spacing) * 1e-3) > 0


def read_start(path: str | Path, grid: Grid) -> np.ndarray:
    """A field to start from, float32 [shape]: the level set in a file, or 1 in its solid and -1 in its void."""
    return _onto(_solid(read(path), "start"), path, grid, what="start")


_DIVIDE = "Make solid and void of them first: microgen.threshold in Python."


def _solid(ms: Microstructure, what: str) -> Microstructure:
    """A volume with a level set: its own, or one of 1 and -1."""
    if ms.level_set is not None:
        return ms
    inside = ms.phase_id >= 0 if ms.grain_id is None else ms.grain_id > 0
    if ms.grain_id is not None and ms.provenance is None and len(ms.grain_id) > 1:
        unlike = float((ms.grain_id[1:] != ms.grain_id[:-1]).mean())  # of labels only those at boundaries
        got = f"numbers of which {unlike:.0%} differ from their neighbour: grey values?"
        if unlike > 0.5:
            raise InvalidParameter(what, expected="solid and void, or grains", got=got, remedy=_DIVIDE)
    if ms.grey is not None and not ms.phases:
        values = np.unique(ms.grey)
        if len(values) != 2:
            raise InvalidParameter(what, expected="solid and void", got=f"{len(values)} grey values", remedy=_DIVIDE)
        inside = ms.grey == values[1]
    return Microstructure(ms.grid, ms.phase_id, level_set=np.where(inside, np.float32(1), np.float32(-1)))


def _onto(ms: Microstructure, path: str | Path, grid: Grid, *, what: str) -> np.ndarray:
    """Its level set on another grid of the same size in mm, linear between the centres of its voxels."""
    assert ms.level_set is not None
    if ms.grid.shape == grid.shape:
        return ms.level_set
    fine = len(ms.grid.shape) == grid.ndim
    if not fine or any(abs(a - b) > h / 2 for a, b, h in zip(ms.grid.lengths, grid.lengths, grid.spacing)):
        remedy = "Use --shape or --spacing that fit, or resample the file."
        raise InvalidParameter(what, expected=_size(grid), got=f"{path} of {_size(ms.grid)}", remedy=remedy)
    field = ms.level_set
    for axis, (before, after) in enumerate(zip(field.shape, grid.shape)):
        place = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
        low = np.minimum(place.astype(int), max(before - 2, 0))
        part = (place - low).astype(np.float32).reshape([-1 if k == axis else 1 for k in range(grid.ndim)])
        high = np.minimum(low + 1, before - 1)
        field = field.take(low, axis) * (1 - part) + field.take(high, axis) * part
    return field


def _size(grid: Any) -> str:
    """A grid in words."""
    voxels, lengths = " x ".join(map(str, grid.shape)), " x ".join(f"{side / 1000:.4g}" for side in grid.lengths)
    return f"{voxels} voxels ({lengths} mm)"
