"""How far the grains of a diagram are from those of a label map: points, overlaps, boundaries, pieces."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from microgen.grid import Grid, HexGrid


def overlaps(labels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """float64 [n]: intersection over union (Jaccard 1901) of each grain 1..n of `labels` with its cell in `seen`.

    Points with 0 in `labels` do not count, whatever cell they lie in.
    """
    inside = labels > 0
    n = int(labels.max())
    grain, cell = labels[inside], seen[inside]
    both = np.bincount(grain[grain == cell], minlength=n + 1)[1:]
    either = np.bincount(grain, minlength=n + 1)[1:] + np.bincount(cell, minlength=n + 1)[1 : n + 1] - both
    return both / np.maximum(either, 1)


def boundary_distances(grid: Grid | HexGrid, labels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Distances, µm, of boundary points of one map from the nearest of the other, both ways.

    A boundary point lies halfway between neighbouring points of different grains, both with one in `labels`. Empty
    where one of the maps has no boundary.
    """
    i, j = grid.neighbour_pairs()
    known = (labels.ravel()[i] > 0) & (labels.ravel()[j] > 0)
    i, j = i[known], j[known]
    places = grid.points() - np.asarray(grid.origin)
    period = np.where(grid.periodic, grid.lengths, 0.0)
    across = places[j] - places[i]
    across -= np.where(period > 0, period * np.rint(across / np.where(period > 0, period, 1.0)), 0.0)
    middle = places[i] + across / 2
    middle = np.where(period > 0, middle % np.where(period > 0, period, 1.0), middle)
    first, second = (middle[m.ravel()[i] != m.ravel()[j]] for m in (labels, seen))
    if not len(first) or not len(second):
        return np.empty(0)
    boxsize = period if any(grid.periodic) else None
    there, back = (KDTree(a, boxsize=boxsize).query(b)[0] for a, b in ((second, first), (first, second)))
    return np.concatenate([there, back])


def pieces(grid: Grid | HexGrid, labels: np.ndarray) -> np.ndarray:
    """int64 [n]: connected pieces of each grain 1..n (points with neighbours of their own)."""
    i, j = grid.neighbour_pairs()
    flat = labels.ravel()
    alike = (flat[i] == flat[j]) & (flat[i] > 0)
    links = coo_array((np.ones(alike.sum(), np.int8), (i[alike], j[alike])), shape=(flat.size, flat.size))
    component = connected_components(links, directed=False)[1]
    inside = np.flatnonzero(flat)
    _, first = np.unique(component[inside], return_index=True)
    return np.bincount(flat[inside[first]], minlength=int(flat.max()) + 1)[1:]
