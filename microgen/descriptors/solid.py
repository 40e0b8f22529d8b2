"""The solid of a microstructure, as true and false on its grid: what the descriptors of pores and struts measure."""

from __future__ import annotations

from typing import Literal

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.microstructure import Microstructure

Side = Literal["solid", "void"]


def solid(ms: Microstructure, *, phase: int | None = None) -> np.ndarray:
    """bool [shape]: points of the solid.

    Where there is a level set u it is u > 0, else every point that belongs to a phase (phase_id >= 0, or a grain);
    `phase` names one phase_id instead, and all the rest is void. Raises InvalidParameter for a phase that is nowhere.
    """
    voxel_grid(ms)
    if phase is not None:
        found = ms.phase_id == phase
        if phase < 0 or not found.any():
            there = np.unique(ms.phase_id[ms.phase_id >= 0]).tolist()
            raise InvalidParameter("phase", expected=f"a phase that occurs: one of {there}", got=phase)
        return found
    if ms.level_set is not None:
        return ms.level_set > 0
    return ms.phase_id >= 0


def side_of(ms: Microstructure, of: Side, phase: int | None) -> np.ndarray:
    """bool [shape]: points of the solid, or of all the rest that was measured."""
    if of not in ("solid", "void"):
        raise InvalidParameter("of", expected="solid or void", got=of)
    inside = solid(ms, phase=phase)
    if of == "solid":
        return inside
    return ~inside if ms.measured is None else ms.measured & ~inside


def has_surface(ms: Microstructure, phase: int | None) -> bool:
    """True when the level set is the boundary of what is measured, so that it may be used below the voxel."""
    return phase is None and ms.level_set is not None


def voxel_grid(ms: Microstructure) -> Grid:
    """The grid of square pixels or voxels. Raises InvalidParameter for a hexagonal map."""
    if not isinstance(ms.grid, Grid):
        raise InvalidParameter("grid", expected="square pixels or voxels", got=type(ms.grid).__name__)
    return ms.grid


def as_volume(array: np.ndarray, grid: Grid) -> tuple[np.ndarray, tuple[float, ...], tuple[bool, ...]]:
    """Array, spacing and periodicity in three dimensions; a plane becomes a single layer that does not repeat."""
    if grid.ndim == 3:
        return array, grid.spacing, grid.periodic
    return array[:, :, None], (*grid.spacing, min(grid.spacing)), (*grid.periodic, False)


def volume_fraction(ms: Microstructure, *, phase: int | None = None) -> float:
    """Volume of the solid over that of the sample (BV/TV): the share of the measured points that are solid."""
    found = solid(ms, phase=phase)
    return float(found.mean() if ms.measured is None else found[ms.measured].mean())
