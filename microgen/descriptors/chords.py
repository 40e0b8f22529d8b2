"""Chords: lengths of straight lines inside one grain."""

from __future__ import annotations

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.descriptors.moments import grain_ids
from microgen.errors import InvalidParameter
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure


def chord_length(ms: Microstructure, *, axis: int = 0) -> Distribution:
    """Lengths of straight lines inside one grain along an axis, µm.

    Lines follow the points of the grid; hexagonal maps have them along x only. Lines cut by the border or by a place
    without grain are left out; along a periodic axis they are followed across the border. Their mean is the linear
    intercept of ASTM E112.
    """
    grid = ms.grid
    if not 0 <= axis < grid.ndim or (isinstance(grid, HexGrid) and axis != 0):
        raise InvalidParameter("axis", expected="an axis of the grid (0 on a hexagonal one)", got=axis)
    grain_ids(ms)
    assert ms.grain_id is not None
    lines = np.moveaxis(ms.grain_id, axis, -1).reshape(-1, grid.shape[axis])
    if isinstance(grid, Grid) and grid.periodic[axis]:
        lines = _from_first_change(lines)
    length = _runs(lines, closed=grid.periodic[axis]) * grid.spacing[axis]
    return Distribution(length, None, "µm", "chord_length")


def _from_first_change(lines: np.ndarray) -> np.ndarray:
    """Each row turned so that it starts where a grain does; the rows of a single grain have no chord and go."""
    starts = lines != np.roll(lines, 1, axis=1)
    lines, starts = lines[starts.any(axis=1)], starts[starts.any(axis=1)]
    order = (starts.argmax(axis=1)[:, None] + np.arange(lines.shape[1])) % lines.shape[1]
    return np.take_along_axis(lines, order, axis=1)


def _runs(lines: np.ndarray, *, closed: bool) -> np.ndarray:
    """Points of the runs of one grain in each row; not of those that end at the row's ends (unless closed) or at 0."""
    ends = lines[:, [0]] if closed else np.zeros((len(lines), 1), lines.dtype)
    starts = np.ones(lines.shape, bool)
    starts[:, 1:] = lines[:, 1:] != lines[:, :-1]
    first = np.flatnonzero(starts)
    length = np.diff(np.append(first, lines.size))
    before = np.hstack([lines[:, [-1]] if closed else ends, lines[:, :-1]]).ravel()[first]
    after = np.hstack([lines[:, 1:], ends]).ravel()[first + length - 1]
    return length[(lines.ravel()[first] > 0) & (before > 0) & (after > 0)]
