"""Triangles of one surface that go through each other: pairs found cell by cell of a lattice, compiled by Numba."""

from __future__ import annotations

import numpy as np

from microgen.compiled import compiled, inner

MOST_CELLS = 200
"""Along the longest side."""
BUSY = 50_000_000
"""Entries of triangles in cells above which nothing is looked for."""
TINY = 1e-9
"""Of the size of the two triangles cubed: volumes below this are rounding."""


def crossing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray | None:
    """Pairs of triangles that cross, int [n, 2]; None where they are too many for the lattice to sort.

    Triangles with a common corner are left out: they always meet there. So are those that lie on each other.
    """
    corners = np.ascontiguousarray(points[triangles], dtype=np.float64)
    if not len(corners):
        return np.zeros((0, 2), np.int64)
    low, high = corners.min(axis=1), corners.max(axis=1)
    size = max(2 * float(np.median((high - low).max(axis=1))), float(np.ptp(points, axis=0).max()) / MOST_CELLS, 1e-300)
    first = ((low - low.min(axis=0)) / size).astype(np.int64)
    last = ((high - low.min(axis=0)) / size).astype(np.int64)
    if (last - first + 1).prod(axis=1).sum() > BUSY:
        return None
    shape = last.max(axis=0) + 1
    start, members = _sorted(first, last, shape)
    return _pairs(corners, np.ascontiguousarray(triangles, dtype=np.int64), start, members, first, shape)


@compiled
def _sorted(first: np.ndarray, last: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of each cell: members[start[c] : start[c + 1]]."""
    start = np.zeros(shape[0] * shape[1] * shape[2] + 1, np.int64)
    members = np.zeros(0, np.int32)
    for turn in range(2):  # count, then fill from the back
        for k in range(len(first)):
            for x in range(first[k, 0], last[k, 0] + 1):
                for y in range(first[k, 1], last[k, 1] + 1):
                    for z in range(first[k, 2], last[k, 2] + 1):
                        cell = (x * shape[1] + y) * shape[2] + z
                        if turn == 0:
                            start[cell + 1] += 1
                        else:
                            start[cell + 1] -= 1
                            members[start[cell + 1]] = k
        if turn == 0:
            for c in range(1, len(start)):
                start[c] += start[c - 1]
            members = np.zeros(start[-1], np.int32)
    begin = np.empty_like(start)
    begin[:-1], begin[-1] = start[1:], len(members)
    return begin, members


@compiled
def _pairs(
    corners: np.ndarray,
    triangles: np.ndarray,
    start: np.ndarray,
    members: np.ndarray,
    first: np.ndarray,
    shape: np.ndarray,
) -> np.ndarray:
    found = []
    for cell in range(len(start) - 1):
        for s in range(start[cell], start[cell + 1]):
            for r in range(s + 1, start[cell + 1]):
                i, j = members[s], members[r]
                # Two that share several cells are looked at in the first of them only.
                x, y, z = max(first[i, 0], first[j, 0]), max(first[i, 1], first[j, 1]), max(first[i, 2], first[j, 2])
                if (x * shape[1] + y) * shape[2] + z == cell and not _meet(triangles[i], triangles[j]):
                    a, b = corners[i], corners[j]
                    if _boxes(a, b) and (_pierces(a, b) or _pierces(b, a)):
                        found.append((min(i, j), max(i, j)))
    result = np.zeros((len(found), 2), np.int64)
    for k in range(len(found)):
        result[k, 0], result[k, 1] = found[k][0], found[k][1]
    return result


@inner
def _meet(a: np.ndarray, b: np.ndarray) -> bool:
    for i in range(3):
        for j in range(3):
            if a[i] == b[j]:
                return True
    return False


@compiled
def _boxes(a: np.ndarray, b: np.ndarray) -> bool:
    for k in range(3):
        if max(a[0, k], a[1, k], a[2, k]) < min(b[0, k], b[1, k], b[2, k]):
            return False
        if max(b[0, k], b[1, k], b[2, k]) < min(a[0, k], a[1, k], a[2, k]):
            return False
    return True


@inner
def _volume(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """Six times the volume of a tetrahedron, with its sign."""
    x, y, z = b - a, c - a, d - a
    return x[0] * (y[1] * z[2] - y[2] * z[1]) - x[1] * (y[0] * z[2] - y[2] * z[0]) + x[2] * (y[0] * z[1] - y[1] * z[0])


@inner
def _pierces(a: np.ndarray, b: np.ndarray) -> bool:
    """Does an edge of triangle a go from one side of b to the other, through b or its rim?"""
    size = 0.0
    for k in range(3):
        size = max(size, np.abs(b[k] - b[0]).max(), np.abs(a[k] - b[0]).max())
    tiny = TINY * size**3
    for k in range(3):
        p, q = a[k], a[(k + 1) % 3]
        u, v = _volume(b[0], b[1], b[2], p), _volume(b[0], b[1], b[2], q)
        if abs(u) <= tiny or abs(v) <= tiny or (u > 0) == (v > 0):
            continue
        e, f, g = _volume(p, q, b[0], b[1]), _volume(p, q, b[1], b[2]), _volume(p, q, b[2], b[0])
        if (e >= -tiny and f >= -tiny and g >= -tiny) or (e <= tiny and f <= tiny and g <= tiny):
            return True
    return False
