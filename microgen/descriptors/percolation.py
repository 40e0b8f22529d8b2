"""Connected pieces of the solid, and how much of it connects opposite faces of the box."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import generate_binary_structure, label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from microgen.descriptors.solid import Side, side_of, voxel_grid
from microgen.grid import Grid
from microgen.microstructure import Microstructure


def components(ms: Microstructure, *, of: Side = "solid", phase: int | None = None) -> int:
    """Number of pieces: 26-connected solid (8 in a plane), 6-connected void (4), across periodic borders."""
    labels, count = _labels(ms, of, phase)
    joined = _joined(labels, count, voxel_grid(ms), of, range(labels.ndim))
    return len(np.unique(joined[1:]))


def percolation(ms: Microstructure, *, of: Side = "solid", phase: int | None = None) -> tuple[float, ...]:
    """For each axis the share of the solid (void) in pieces that reach from one face of the box to the other.

    Pieces connect across the periodic borders of the other axes, and as in `components`. nan where there is nothing.
    """
    grid = voxel_grid(ms)
    labels, count = _labels(ms, of, phase)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    return tuple(_through(labels, sizes, grid, of, axis) for axis in range(grid.ndim))


def _through(labels: np.ndarray, sizes: np.ndarray, grid: Grid, of: Side, axis: int) -> float:
    total = sizes[1:].sum()
    if total == 0:
        return float("nan")
    piece = _joined(labels, len(sizes) - 1, grid, of, [k for k in range(grid.ndim) if k != axis])
    layers = np.moveaxis(labels, axis, 0)
    first, last = (piece[np.unique(layer[layer > 0])] for layer in (layers[0], layers[-1]))
    spanning = np.isin(piece, np.intersect1d(first, last))
    spanning[0] = False
    return float(sizes[spanning].sum() / total)


def _labels(ms: Microstructure, of: Side, phase: int | None) -> tuple[np.ndarray, int]:
    """Pieces within the box: int32, 0 elsewhere, and their number."""
    inside = side_of(ms, of, phase)
    connected = generate_binary_structure(inside.ndim, inside.ndim if of == "solid" else 1)
    labels = np.empty(inside.shape, np.int32)
    return labels, int(label(inside, connected, output=labels))  # pyright: ignore[reportArgumentType]


def _joined(labels: np.ndarray, count: int, grid: Grid, of: Side, axes: list[int] | range) -> np.ndarray:
    """Number of the piece of each label 0 .. count once the borders along periodic `axes` are closed: int [count + 1].

    Solid also meets across an edge of the box, where two or three axes repeat at once.
    """
    wraps = [axis for axis in axes if grid.periodic[axis] and grid.shape[axis] > 1]
    pairs = [np.zeros((2, 0), np.int64)]
    for axis in wraps:
        layers = np.moveaxis(labels, axis, 0)
        pairs += _touching(layers[-1], layers[0], [k in wraps for k in range(grid.ndim) if k != axis], of)
    first, second = np.hstack(pairs)
    links = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count + 1, count + 1))
    return connected_components(links, directed=False)[1]


def _touching(low: np.ndarray, high: np.ndarray, periodic: list[bool], of: Side) -> list[np.ndarray]:
    """Pairs of labels of two layers that meet: face to face, for the solid also by edges and corners."""
    pairs = []
    shifts = np.ndindex(*(3,) * low.ndim) if of == "solid" else [(1,) * low.ndim]
    for shift in shifts:
        here, there = low, high
        for axis, step in enumerate(int(s) - 1 for s in shift):
            there = np.roll(there, step, axis)
            if step and not periodic[axis]:
                keep = [slice(None)] * low.ndim
                keep[axis] = slice(1, None) if step > 0 else slice(None, -1)
                here, there = here[tuple(keep)], there[tuple(keep)]
        both = (here > 0) & (there > 0)
        pairs.append(np.unique(np.stack([here[both], there[both]]).astype(np.int64), axis=1))
    return pairs
