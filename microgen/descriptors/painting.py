"""Largest inscribed balls: every point of the solid gets the radius of the largest ball in the solid that covers it.

Balls are painted from the largest down, so each point is written once: rows keep where their next blank point is. Only
balls around the ridges of the distance are painted; the others lie within one of these, or all but a thin crescent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import prange

from microgen.compiled import compiled, inner

SLABS = 32
"""Parts of the volume that are painted independently; fixed, and without influence on the result."""
SMALL = 5.0
"""Radius in voxels up to which all is exact: there a crescent less than a voxel thick is a good part of a ball."""
WIDE = 16.0
"""Radius in voxels from which on not every ridge point gets a ball."""
STEEP = 0.9
"""Slope of the distance from which on a larger ball is no ridge. Away from ridges it is 1 towards them, and at least
0.96 towards one of the neighbours up to two voxels away."""


def largest_ball(
    squared: np.ndarray, spacing: Sequence[float], periodic: Sequence[bool], *, steep: float = STEEP
) -> np.ndarray:
    """Squared radius of the largest ball covering each point, float32 [x, y, z], from squared distances to the void.

    A ball around p holds the points nearer to p than the void is. Lengths in units of the smallest spacing. With a
    `steep` above 1 all points are exact; else some near the void miss the largest ball that just reaches them.
    """
    weights, wraps = np.asarray(spacing, float) ** 2, np.asarray(periodic, bool)
    order = np.flatnonzero(squared)
    order = order[np.argsort(-squared.ravel()[order], kind="stable")].astype(_index_type(squared.size))
    ridge = _ridge(squared, weights, wraps, _covering(squared, weights), steep)
    if steep <= 1:
        _thin(ridge, squared)
    ridge = ridge.ravel()[order]
    painted = np.zeros_like(squared)
    blank = np.empty((*squared.shape[:2], squared.shape[2] + 1), np.int16 if squared.shape[2] < 2**15 else np.int32)
    blank[:] = np.arange(squared.shape[2] + 1)
    _paint(painted, blank, order[ridge], squared, weights, wraps)
    # What no ridge reaches has at least the ball around itself.
    left = order[painted.ravel()[order] == 0]
    _paint(painted, blank, left, squared, weights, wraps)
    return painted


def _index_type(size: int) -> type[np.signedinteger]:
    return np.int32 if size < 2**31 else np.int64


def _covering(squared: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What r² of a neighbour must exceed to cover all points nearer than s: float32 [3, s]; [3, 0] for uneven voxels.

    Row k is for neighbours k + 1 axes away. Saito & Toriwaki, Pattern Recognition 27 (1994) 1551.
    """
    if not np.allclose(weights, 1.0):
        return np.zeros((3, 0), np.float32)
    return _cover_table(int(squared.max()))


@compiled
def _cover_table(largest):  # pragma: no cover - compiled
    table = np.zeros((3, largest + 2), np.float32)
    side = int(np.sqrt(largest)) + 1
    for a in range(side):
        for b in range(a + 1):
            for c in range(b + 1):
                s = a * a + b * b + c * c
                if s <= largest:
                    # Farthest from a neighbour at (1, 0, 0), (1, 1, 0), (1, 1, 1) is the point on the other side.
                    table[0, s + 1] = max(table[0, s + 1], s + 2 * a + 1)
                    table[1, s + 1] = max(table[1, s + 1], s + 2 * (a + b) + 2)
                    table[2, s + 1] = max(table[2, s + 1], s + 2 * (a + b + c) + 3)
    for k in range(3):
        for s in range(1, largest + 2):
            table[k, s] = max(table[k, s], table[k, s - 1])
    return table


@compiled(parallel=True)
def _ridge(squared, weights, wraps, cover, steep):  # pragma: no cover - compiled
    nx, ny, nz = squared.shape
    ridge = np.zeros(squared.shape, np.bool_)
    for x in prange(nx):
        for y in range(ny):
            for z in range(nz):
                if squared[x, y, z] > SMALL**2 and steep <= 1:
                    ridge[x, y, z] = not _on_slope(squared, np.int64(x), y, z, weights, wraps, steep)
                elif squared[x, y, z] > 0:
                    ridge[x, y, z] = not _covered(squared, np.int64(x), y, z, weights, wraps, cover)
    return ridge


@compiled(parallel=True)
def _thin(ridge, squared):  # pragma: no cover - compiled
    """Keep the largest of wide balls whose centres lie close together.

    Balls of radius r whose centres are d apart leave less than d²/8r between them. One is kept in each box of 2 voxels
    from a radius of WIDE on, of 4 from four times that: about a tenth of a voxel. Means come out up to 0.4 % low.
    """
    nx, ny, nz = squared.shape
    side = 2
    while side * side * WIDE / 4 <= np.sqrt(squared.max()):
        low = (side * side * WIDE / 4) ** 2
        for a in prange((nx + side - 1) // side):
            for b in range((ny + side - 1) // side):
                for c in range((nz + side - 1) // side):
                    _keep_largest(ridge, squared, (np.int64(a) * side, b * side, c * side), side, low)
        side *= 2


@inner
def _keep_largest(ridge, squared, corner, side, low):  # pragma: no cover - compiled
    nx, ny, nz = squared.shape
    x, y, z = corner
    best, at = np.float32(low), (-1, -1, -1)
    for i in range(x, min(x + side, nx)):
        for j in range(y, min(y + side, ny)):
            for k in range(z, min(z + side, nz)):
                if ridge[i, j, k] and squared[i, j, k] >= low:
                    ridge[i, j, k] = False
                    if squared[i, j, k] >= best:
                        best, at = squared[i, j, k], (i, j, k)
    if at[0] >= 0:
        ridge[at] = True


@inner
def _on_slope(squared, x, y, z, weights, wraps, steep):  # pragma: no cover - compiled
    """True when the distance rises towards some neighbour by at least `steep` times the way to it."""
    nx, ny, nz = squared.shape
    own = squared[x, y, z]
    radius = np.sqrt(own)
    for dx in range(-2, 3):
        i = (x + dx) % nx
        if i != x + dx and not wraps[0]:
            continue
        for dy in range(-2, 3):
            j = (y + dy) % ny
            if j != y + dy and not wraps[1]:
                continue
            for dz in range(-2, 3):
                k = (z + dz) % nz
                other = squared[i, j, k]
                if other <= own or (k != z + dz and not wraps[2]):
                    continue
                way = dx * dx * weights[0] + dy * dy * weights[1] + dz * dz * weights[2]
                if other >= (radius + steep * np.sqrt(way)) ** 2:
                    return True
    return False


@inner
def _covered(squared, x, y, z, weights, wraps, cover):  # pragma: no cover - compiled
    """True when the ball around a neighbour holds all points of this one."""
    nx, ny, nz = squared.shape
    own = squared[x, y, z]
    radius = np.sqrt(own)
    for dx in range(-1, 2):
        i = (x + dx) % nx
        if i != x + dx and not wraps[0]:
            continue
        for dy in range(-1, 2):
            j = (y + dy) % ny
            if j != y + dy and not wraps[1]:
                continue
            for dz in range(-1, 2):
                k = (z + dz) % nz
                other = squared[i, j, k]
                if other <= own or (k != z + dz and not wraps[2]):
                    continue
                if cover.shape[1]:
                    if other > cover[abs(dx) + abs(dy) + abs(dz) - 1, int(own)]:
                        return True
                else:
                    way = dx * dx * weights[0] + dy * dy * weights[1] + dz * dz * weights[2]
                    if np.sqrt(other) >= radius + np.sqrt(way):
                        return True
    return False


@inner
def _unravel(place, shape):  # pragma: no cover - compiled
    x, rest = divmod(np.int64(place), shape[1] * shape[2])
    y, z = divmod(rest, shape[2])
    return x, y, z


@compiled(parallel=True)
def _paint(painted, blank, places, squared, weights, wraps):  # pragma: no cover - compiled
    nx = painted.shape[0]
    for slab in prange(SLABS):
        low, high = slab * nx // SLABS, (slab + 1) * nx // SLABS
        for n in range(len(places) if low < high else 0):
            x, y, z = _unravel(places[n], painted.shape)
            whole = squared[x, y, z]
            reach = int(np.ceil(np.sqrt(whole / weights[0])))
            for dx in range(-reach, reach + 1):
                i = (x + dx) % nx
                left = whole - dx * dx * weights[0]
                if low <= i < high and left > 0 and (i == x + dx or wraps[0]):
                    _disc(painted[i], blank[i], y, z, left, whole, weights, wraps)


@inner
def _disc(painted, blank, y, z, left, value, weights, wraps):  # pragma: no cover - compiled
    ny, nz = painted.shape
    reach = int(np.ceil(np.sqrt(left / weights[1])))
    for dy in range(-reach, reach + 1):
        j = (y + dy) % ny
        here = left - dy * dy * weights[1]
        if here <= 0 or (j != y + dy and not wraps[1]):
            continue
        half = int(np.ceil(np.sqrt(here / weights[2]))) - 1
        a, b = z - half, z + half
        _row(painted[j], blank[j], max(a, 0), min(b, nz - 1), value)
        if wraps[2] and a < 0:
            _row(painted[j], blank[j], max(a + nz, 0), nz - 1, value)
        if wraps[2] and b >= nz:
            _row(painted[j], blank[j], 0, min(b - nz, nz - 1), value)


@inner
def _row(painted, blank, a, b, value):  # pragma: no cover - compiled
    z = _next(blank, a)
    while z <= b:
        painted[z] = value
        blank[z] = z + 1
        z = _next(blank, z + 1)


@inner
def _next(blank, z):  # pragma: no cover - compiled
    while blank[z] != z:
        blank[z] = blank[blank[z]]
        z = blank[z]
    return z
