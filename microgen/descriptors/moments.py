"""Counts, centres and second moments of all grains of a map or volume, across periodic borders where there are some."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure


@dataclass(frozen=True, eq=False)
class Moments:
    """Row k belongs to grain_id k + 1; rows of grains without a point are nan."""

    count: np.ndarray
    """int [n]: points."""
    centroid: np.ndarray
    """float64 [n, d], µm; inside the box along periodic axes."""
    covariance: np.ndarray
    """float64 [n, d, d], µm²: second moments of the area (volume) about the centroid, the cells' own included."""


def grain_ids(ms: Microstructure) -> tuple[np.ndarray, int]:
    """Flat grain_id [size] and number of grains n (ids 1..n). Raises InvalidParameter when there are no grains."""
    if ms.grain_id is None:
        raise InvalidParameter("ms", expected="a microstructure with grains (segment_grains makes them)", got=None)
    largest = int(ms.grain_id.max(initial=0))
    return ms.grain_id.ravel(), max(largest, len(ms.grains) if ms.grains is not None else 0)


def grains_there(ms: Microstructure) -> int:
    """Number of grains with points: numbers may have gaps, as in a crop, and tables hold grains that are elsewhere."""
    return int(np.count_nonzero(grain_counts(ms)))


def grain_counts(ms: Microstructure) -> np.ndarray:
    """Points of each grain: int [n]."""
    ids, n = grain_ids(ms)
    return np.bincount(ids, minlength=n + 1)[1:]


def grain_moments(ms: Microstructure) -> Moments:
    """Moments of all grains.

    covariance = mean of (x - c)(x - c)^T over the points + the second moment of one cell, which is h²/12 an axis for a
    pixel or voxel of size h and 5 h²/72 in all directions for a hexagon of step h. So a rectangle of a x b pixels has
    exactly a² h²/12 and b² h²/12. Along a periodic axis each grain is first unwrapped at its widest gap.
    """
    ids, n = grain_ids(ms)
    grid, d = ms.grid, ms.grid.ndim
    count = np.bincount(ids, minlength=n + 1)
    positions = _positions(ms, ids, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        centroid = np.stack([np.bincount(ids, p, n + 1) / count for p in positions], axis=1)
        covariance = np.empty((n + 1, d, d))
        for a in range(d):
            for b in range(a + 1):
                second = np.bincount(ids, positions[a] * positions[b], n + 1) / count
                covariance[:, a, b] = covariance[:, b, a] = second - centroid[:, a] * centroid[:, b]
    covariance += np.diag(_cell_moments(grid))
    corner, lengths = np.asarray(grid.origin), np.asarray(grid.lengths)
    centroid = np.where(grid.periodic, centroid % lengths, centroid) + corner
    return Moments(count[1:], centroid[1:], covariance[1:])


def _cell_moments(grid: Grid | HexGrid) -> np.ndarray:
    if isinstance(grid, HexGrid):
        return np.full(2, 5 * grid.step**2 / 72)
    return np.asarray(grid.spacing) ** 2 / 12


def _positions(ms: Microstructure, ids: np.ndarray, n: int) -> list[np.ndarray]:
    """Coordinates of all points from the grid's corner, µm, unwrapped: d arrays [size]."""
    grid = ms.grid
    if isinstance(grid, HexGrid):
        return list((grid.points() - np.asarray(grid.origin)).T)
    positions = []
    for axis, (size, h) in enumerate(zip(grid.shape, grid.spacing)):
        along = np.arange(size).reshape([-1 if k == axis else 1 for k in range(grid.ndim)])
        index = np.broadcast_to(along, grid.shape).ravel()
        if grid.periodic[axis]:
            start = _after_widest_gap(ids, index, n=n, size=size)[ids]
            index = start + (index - start) % size
        positions.append((index + 0.5) * h)
    return positions


def _after_widest_gap(ids: np.ndarray, index: np.ndarray, *, n: int, size: int) -> np.ndarray:
    """First layer after the widest run of layers that a grain does not reach: int [n + 1].

    A grain that reaches all layers winds around the box and has no extent; it is cut where it is thinnest.
    """
    counts = np.bincount(ids * size + index, minlength=(n + 1) * size).reshape(n + 1, size)
    twice = np.tile(counts > 0, 2)
    last = np.maximum.accumulate(np.where(twice, np.arange(2 * size), -1), axis=1)
    run = np.arange(2 * size) - last
    gap_end = size + run[:, size:].argmax(axis=1)
    full = (counts > 0).all(axis=1)
    return np.where(full, counts.argmin(axis=1), (gap_end + 1) % size)
