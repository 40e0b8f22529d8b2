"""Corners of voxels where grains meet, and which of their neighbours pull them when interfaces are smoothed.

A corner is of class 2 on the interface of two grains, 3 where three meet (a triple line), 4 and more at their ends.
Multi-material surface nets (Frisken, JCGT 11, 2022): a corner moves to the mean of its neighbours along interfaces, one
of a triple line to that of its neighbours along the line, so that lines stay sharp.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.sparse import csr_array

AXES = np.eye(3, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Pulls:
    """The averaging step d -> P d + b of the displacements d [n, 3] of corners where grains meet, in voxels."""

    shape: tuple[int, ...]
    """Number of corners along each axis; the last ones of a periodic axis are the first."""
    corners: np.ndarray
    """int64 [n]: flat numbers of these corners, of the corners of a grid without its periodic copies."""
    mean: csr_array
    """P, [n, n]: rows sum to 1, or are empty for corners that stay."""
    offset: np.ndarray
    """b, float64 [n, 3]: mean way to the neighbours' places in the lattice."""
    slides: np.ndarray
    """bool [all corners, 3]: directions that do not lead out of a face of the box."""


def pulls(labels: np.ndarray, periodic: tuple[bool, ...]) -> Pulls:
    """Corners between voxels of different labels, and what each is drawn to."""
    shape = tuple(n + (not wraps) for n, wraps in zip(labels.shape, periodic))
    around = padded(labels, periodic)
    kind = _distinct(around, shape, (0, 1, 2))
    corners = np.flatnonzero(kind.ravel() > 1)
    row = np.full(kind.size, -1, np.int64)
    row[corners] = np.arange(len(corners))
    wanted = np.minimum(kind, 3)
    ends, starts, ways = [], [], []
    for axis in range(3):
        there = _distinct(around, shape, tuple(a for a in range(3) if a != axis))
        at = np.argwhere(there > 1)
        at = at[at[:, axis] < labels.shape[axis]]  # the last corner of a box starts no edge
        to = at + AXES[axis]
        if periodic[axis]:
            to[:, axis] %= shape[axis]
        i, j = (numbers(p, shape) for p in (at, to))
        strength = there[tuple(at.T)]
        for one, other, way in ((i, j, 1.0), (j, i, -1.0)):
            used = strength >= wanted.ravel()[one]
            starts, ends = [*starts, row[one[used]]], [*ends, row[other[used]]]
            ways.append(np.broadcast_to(way * AXES[axis], (int(used.sum()), 3)))
    i, j, way = np.concatenate(starts), np.concatenate(ends), np.concatenate(ways)
    number = np.bincount(i, minlength=len(corners))
    share = np.where(number > 1, 1.0 / np.maximum(number, 1), 0.0)  # the end of a line stays
    mean = csr_array((share[i], (i, j)), shape=(len(corners),) * 2)
    offset = np.stack([np.bincount(i, share[i] * way[:, a], minlength=len(corners)) for a in range(3)], axis=1)
    return Pulls(shape, corners, mean, offset, slides(shape, labels.shape))


def numbers(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Flat numbers of places [..., 3]."""
    return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(places, -1, 0)), shape))


def slides(shape: tuple[int, ...], voxels: tuple[int, ...]) -> np.ndarray:
    """Directions in which corners may move: those of a face of the box only within it; bool [corners, 3]."""
    free = np.ones((*shape, 3), bool)
    for axis in range(3):
        side = np.moveaxis(free[..., axis], axis, 0)
        side[0] = False
        if shape[axis] > voxels[axis]:  # else the other face is the same
            side[-1] = False
    return free.reshape(-1, 3)


def padded(labels: np.ndarray, periodic: tuple[bool, ...]) -> np.ndarray:
    """Labels with one more layer all round: what lies beyond a periodic face, else the last layer again."""
    for axis, wraps in enumerate(periodic):
        labels = np.pad(labels, [(int(a == axis),) * 2 for a in range(3)], mode="wrap" if wraps else "edge")
    return labels


def _distinct(around: np.ndarray, shape: tuple[int, ...], across: tuple[int, ...]) -> np.ndarray:
    """Number of labels round a corner (across three axes) or round the edge that starts there (across two)."""
    steps = product(*[(0, 1) if axis in across else (1,) for axis in range(3)])
    cuts = (tuple(slice(s, s + n) for s, n in zip(step, shape)) for step in steps)
    values = np.sort(np.stack([around[cut] for cut in cuts], axis=-1), axis=-1)
    return 1 + (values[..., 1:] != values[..., :-1]).sum(axis=-1, dtype=np.int8)
