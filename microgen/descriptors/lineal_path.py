"""Straight lines in the solid or the void: chords and the lineal-path function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgen.descriptors.curve import Curve
from microgen.descriptors.distribution import Distribution
from microgen.descriptors.solid import Side, side_of, voxel_grid
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.microstructure import Microstructure


def solid_chord_length(
    ms: Microstructure, *, axis: int = 0, of: Side = "solid", phase: int | None = None
) -> Distribution:
    """Lengths of straight lines along an axis inside the solid (or the void), µm; those cut by the border left out.

    One value for each length that occurs, weighted by their number. Their mean tends to 4 V/S of the solid.
    """
    grid, inside = voxel_grid(ms), side_of(ms, of, phase)
    _check_axis(grid, axis)
    runs = run_lengths(np.moveaxis(inside, axis, -1).reshape(-1, grid.shape[axis]), wraps=grid.periodic[axis])
    counts = np.bincount(runs.length[~runs.cut])
    there = np.flatnonzero(counts)
    return Distribution(there * grid.spacing[axis], counts[there], "µm", "chord_length", grouped=True)


def lineal_path(ms: Microstructure, *, axis: int = 0, of: Side = "solid", phase: int | None = None) -> Curve:
    """L(r): probability that a line of length r along an axis lies wholly in the solid (or the void); r in µm.

    A line of r = k h covers k + 1 voxels, so that L(0) is the volume fraction. Lines go on across a periodic border;
    elsewhere they lie inside the box. Lu & Torquato, Phys. Rev. A 45 (1992) 922.
    """
    grid, inside = voxel_grid(ms), side_of(ms, of, phase)
    _check_axis(grid, axis)
    n, wraps = grid.shape[axis], grid.periodic[axis]
    runs = run_lengths(np.moveaxis(inside, axis, -1).reshape(-1, n), wraps=wraps)
    counts = np.bincount(runs.length, minlength=n + 1).astype(float)
    # A run of m voxels holds m - k lines of k + 1 voxels: sum the tail of the counts twice.
    longer = np.cumsum(counts[::-1])[::-1][1:]
    held = np.cumsum(longer[::-1])[::-1] + runs.endless * n
    lines = inside.size // n
    possible = lines * (np.full(n, n) if wraps else n - np.arange(n))
    return Curve(np.arange(n) * grid.spacing[axis], held / possible, "µm", "lineal_path")


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of true in rows of points."""

    length: np.ndarray
    """int [n]: points."""
    cut: np.ndarray
    """bool [n]: ends where the row does, so that its true length is not known."""
    endless: int
    """Rows that are one run without an end, around a periodic axis; they have no length."""


def run_lengths(lines: np.ndarray, *, wraps: bool) -> Runs:
    """All runs of true in the rows [m, n], followed across the ends of a row if it `wraps`."""
    endless = lines.all(axis=1) if wraps else np.zeros(len(lines), bool)
    lines = lines[~endless]
    n = lines.shape[1]
    padded = np.zeros((len(lines), n + 2), np.int8)
    padded[:, 1:-1] = lines
    steps = np.diff(padded, axis=1)
    row, first = np.nonzero(steps == 1)
    length = np.nonzero(steps == -1)[1] - first
    cut = (first == 0) | (first + length == n)
    if wraps and len(row):
        # The run that leaves a row at its end is the one that begins it.
        last = np.flatnonzero(np.append(row[1:] != row[:-1], True))
        head = np.append(0, last[:-1] + 1)
        joined = (first[head] == 0) & (first[last] + length[last] == n) & (head != last)
        length[head[joined]] += length[last[joined]]
        length, cut = np.delete(length, last[joined]), np.zeros(len(length) - joined.sum(), bool)
    return Runs(length, cut, int(endless.sum()))


def _check_axis(grid: Grid, axis: int) -> None:
    if not 0 <= axis < grid.ndim:
        raise InvalidParameter("axis", expected="an axis of the grid", got=axis)
