"""Mean intercept length in many directions, the fabric tensor and the degree of anisotropy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from microgen.descriptors.solid import as_volume, solid, voxel_grid
from microgen.microstructure import Microstructure

DIRECTIONS = 200
LINES = 4000
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
    Each step takes the voxel it falls into and is as long as the smallest spacing.
    """
    grid = voxel_grid(ms)
    full, spacing, periodic = as_volume(solid(ms, phase=phase), grid)
    directions = _hemisphere(DIRECTIONS) if grid.ndim == 3 else _half_circle(DIRECTIONS)
    starts = _spread(LINES) * full.shape
    steps = np.pad(directions, ((0, 0), (0, 3 - grid.ndim))) * (min(spacing) / np.asarray(spacing))
    longest = round(max(grid.lengths) / min(spacing))
    walked, crossed = _walk(np.ascontiguousarray(full), starts, steps, np.asarray(periodic), longest)
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


@njit(parallel=True, cache=True)
def _walk(full, starts, steps, periodic, longest):  # pragma: no cover - compiled
    """Steps within the box and changes between solid and void along them, for each direction."""
    walked, crossed = np.zeros(len(steps)), np.zeros(len(steps))
    for d in prange(len(steps)):
        for n in range(len(starts)):
            back = _one_way(full, starts[n], -steps[d], periodic, longest // 2)
            ahead = _one_way(full, starts[n], steps[d], periodic, longest - longest // 2)
            walked[d] += back[0] + ahead[0]
            crossed[d] += back[1] + ahead[1]
    return walked, crossed


@njit(cache=True)
def _one_way(full, start, step, periodic, longest):  # pragma: no cover - compiled
    inside = full[int(start[0]), int(start[1]), int(start[2])]
    crossed = 0
    x, y, z = start
    for k in range(longest):
        x, y, z = x + step[0], y + step[1], z + step[2]
        i, j, m = math.floor(x), math.floor(y), math.floor(z)
        out = (i < 0 or i >= full.shape[0]) and not periodic[0]
        out = out or ((j < 0 or j >= full.shape[1]) and not periodic[1])
        if out or ((m < 0 or m >= full.shape[2]) and not periodic[2]):
            return k, crossed
        here = full[i % full.shape[0], j % full.shape[1], m % full.shape[2]]
        crossed += here != inside
        inside = here
    return longest, crossed
