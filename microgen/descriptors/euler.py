"""Euler number of the solid and connectivity density, exact for the voxels as given."""

from __future__ import annotations

from itertools import product

import numpy as np

from microgen.descriptors.solid import solid, voxel_grid
from microgen.microstructure import Microstructure


def euler_number(ms: Microstructure, *, phase: int | None = None) -> int:
    """Pieces - tunnels + cavities (a plane: pieces - holes) of the solid as the union of its closed voxels.

    Voxels that share a corner are connected (26 neighbours, 8 in a plane). Counted as chi = sum over cells of
    (-1)^dimension: corners - edges + faces - voxels. Periodic axes are closed to a torus; elsewhere the solid ends at
    the box.
    """
    return round(_cells(ms, phase, edge=1.0))


def euler_contribution(ms: Microstructure, *, phase: int | None = None) -> float:
    """What the box adds to the Euler number of a larger body it was cut from.

    As `euler_number`, but cells in a face of the box count half, in its edges a quarter, in its corners an eighth: so
    contributions of adjacent boxes add up. Odgaard & Gundersen, Bone 14 (1993) 173. Equal on a torus.
    """
    return _cells(ms, phase, edge=0.5)


def connectivity_density(ms: Microstructure, *, phase: int | None = None) -> float:
    """(1 - chi) / V with the contribution of the box: tunnels per volume of one piece without cavities (Conn.D), 1/µm³.

    As in BoneJ, floating pieces lower it; a plane has 1/µm².
    """
    grid = voxel_grid(ms)
    return (1 - euler_contribution(ms, phase=phase)) / float(np.prod(grid.lengths))


def _cells(ms: Microstructure, phase: int | None, *, edge: float) -> float:
    """Alternating sum over the cells of the closed voxels; those in a face of the box weigh `edge`, for each face."""
    grid, full = voxel_grid(ms), solid(ms, phase=phase)
    total = 0.0
    for flat in product((False, True), repeat=grid.ndim):
        cells, weights = full, []
        for axis, along in enumerate(flat):
            if along:
                cells = _between(cells, axis, wraps=grid.periodic[axis])
            weight = np.ones(cells.shape[axis])
            if along and not grid.periodic[axis]:
                weight[[0, -1]] = edge
            weights.append(weight)
        total += (-1) ** flat.count(False) * _weighted_count(cells, weights)
    return total


def _between(cells: np.ndarray, axis: int, *, wraps: bool) -> np.ndarray:
    """Cells between two neighbours along an axis: there when one of the two is."""
    if wraps:
        return cells | np.roll(cells, 1, axis)
    ends = [(1, 1) if k == axis else (0, 0) for k in range(cells.ndim)]
    wide = np.pad(cells, ends)
    low, high = ([slice(None)] * cells.ndim for _ in range(2))
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return wide[tuple(low)] | wide[tuple(high)]


def _weighted_count(cells: np.ndarray, weights: list[np.ndarray]) -> float:
    """Sum of the cells, weighted along each axis."""
    sums = (
        np.count_nonzero(cells, axis=-1) - cells[..., 0] * (1 - weights[-1][0]) - cells[..., -1] * (1 - weights[-1][-1])
    )
    for weight in reversed(weights[:-1]):
        sums = sums @ weight
    return float(sums)
