"""Mean intercept length in many directions, the fabric tensor and the degree of anisotropy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import prange

from microgen.compiled import compiled, inner
from microgen.descriptors.solid import as_volume, has_surface, solid, voxel_grid
from microgen.microstructure import Microstructure

DIRECTIONS = 200
LINES = 2000
"""Lines in each direction."""


@dataclass(frozen=True, eq=False)
class MeanIntercepts:
    """Mean intercept length by direction."""

    directions: np.ndarray
    """float64 [n, d]: unit vectors, one of each opposite pair."""
    length: np.ndarray
    """float64 [n]: length of line for each time it enters or leaves the solid, µm; inf where it never does."""

    @property
    def fabric(self) -> np.ndarray:
        """float64 [d, d]: the tensor M of n^T M n = 1 / length², fitted by least squares. Harrigan & Mann 1984."""
        n = self.directions
        rows, columns = np.triu_indices(n.shape[1])
        products = n[:, rows] * n[:, columns] * np.where(rows == columns, 1.0, 2.0)
        found = np.linalg.lstsq(products, self.length**-2.0, rcond=None)[0]
        tensor = np.zeros((n.shape[1],) * 2)
        tensor[rows, columns] = tensor[columns, rows] = found
        return tensor


def mean_intercept_lengths(ms: Microstructure, *, phase: int | None = None) -> MeanIntercepts:
    """Mean intercept lengths: straight lines through points spread evenly over the box, in steps of one voxel.

    Harrigan & Mann, J. Mater. Sci. 19 (1984) 761. Lines end at the border, or are as long as the box where it repeats.
    They cross where the field between the voxels' centres, linear along each axis, changes sign: of the level set, or
    of 1 in the solid and 0 in the void less a half. (Lines through the voxels themselves cross their stairs as well,
    and find too little anisotropy.) A step is as long as the smallest spacing.
    """
    grid = voxel_grid(ms)
    field = ms.level_set if has_surface(ms, phase) else solid(ms, phase=phase) - np.float32(0.5)
    assert field is not None
    field, spacing, periodic = as_volume(np.ascontiguousarray(field, dtype=np.float32), grid)
    directions = _hemisphere(DIRECTIONS) if grid.ndim == 3 else _half_circle(DIRECTIONS)
    starts = _spread(LINES) * field.shape
    steps = np.pad(directions, ((0, 0), (0, 3 - grid.ndim))) * (min(spacing) / np.asarray(spacing))
    longest = round(max(grid.lengths) / min(spacing))
    walked, crossed = _walk(field, starts, steps, np.asarray(periodic), longest)
    with np.errstate(divide="ignore"):
        return MeanIntercepts(directions, walked * min(spacing) / crossed)


def degree_of_anisotropy(ms: Microstructure, *, phase: int | None = None) -> float:
    """DA = 1 - smallest / largest eigenvalue of the fabric tensor: 0 isotropic, 1 lines that never end (as BoneJ).

    The eigenvalues are 1/MIL² along the principal axes, so DA = 1 - (MIL_min / MIL_max)². nan without any surface.
    """
    lengths = mean_intercept_lengths(ms, phase=phase)
    if not np.isfinite(lengths.length).any():
        return math.nan
    values = np.linalg.eigvalsh(lengths.fabric)
    return float(np.clip(1 - values[0] / values[-1], 0.0, 1.0))


def _hemisphere(count: int) -> np.ndarray:
    """Unit vectors evenly over half the sphere: a Fibonacci spiral."""
    z = (np.arange(count) + 0.5) / count
    angle = np.arange(count) * math.pi * (3 - math.sqrt(5))
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)


def _spread(count: int) -> np.ndarray:
    """Points evenly over the unit cube, float64 [count, 3]: multiples of the powers of x^4 = x + 1, modulo 1.

    Even points need far fewer lines than random ones, and no seed. After Roberts' generalised golden ratio.
    """
    return (0.5 + np.arange(count)[:, None] * 1.2207440846057596 ** -np.arange(1.0, 4.0)) % 1.0


def _half_circle(count: int) -> np.ndarray:
    angle = (np.arange(count) + 0.5) * math.pi / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


@compiled(parallel=True)
def _walk(field, starts, steps, periodic, longest):  # pragma: no cover - compiled
    """Steps within the box and changes of sign along them, for each direction."""
    walked, crossed = np.zeros(len(steps)), np.zeros(len(steps))
    for d in prange(len(steps)):
        for n in range(len(starts)):
            back = _one_way(field, starts[n], -steps[d], periodic, longest // 2)
            ahead = _one_way(field, starts[n], steps[d], periodic, longest - longest // 2)
            walked[d] += back[0] + ahead[0]
            crossed[d] += back[1] + ahead[1]
    return walked, crossed


@inner
def _one_way(field, start, step, periodic, longest):  # pragma: no cover - compiled
    x, y, z = start
    inside = _between(field, x, y, z, periodic) > 0
    crossed = 0
    for k in range(longest):
        x, y, z = x + step[0], y + step[1], z + step[2]
        out = not periodic[0] and not 0 <= x < field.shape[0]
        out = out or (not periodic[1] and not 0 <= y < field.shape[1])
        if out or (not periodic[2] and not 0 <= z < field.shape[2]):
            return k, crossed
        here = _between(field, x, y, z, periodic) > 0
        crossed += here != inside
        inside = here
    return longest, crossed


@inner
def _between(field, x, y, z, periodic):  # pragma: no cover - compiled
    """Value at a place, in voxels from the corner of the box: linear between the centres of eight voxels."""
    i, i1, u = _cell(x, field.shape[0], periodic[0])
    j, j1, v = _cell(y, field.shape[1], periodic[1])
    k, k1, w = _cell(z, field.shape[2], periodic[2])
    low = (field[i, j, k] * (1 - v) + field[i, j1, k] * v) * (1 - w)
    low += (field[i, j, k1] * (1 - v) + field[i, j1, k1] * v) * w
    high = (field[i1, j, k] * (1 - v) + field[i1, j1, k] * v) * (1 - w)
    high += (field[i1, j, k1] * (1 - v) + field[i1, j1, k1] * v) * w
    return low * (1 - u) + high * u


@inner
def _cell(x, n, wraps):  # pragma: no cover - compiled
    """Voxels on both sides of a place along an axis, and how far it is from the first to the second."""
    below = math.floor(x - 0.5)
    part = x - 0.5 - below
    if wraps:
        return below % n, (below + 1) % n, part
    return min(max(below, 0), n - 1), min(max(below + 1, 0), n - 1), part
