"""Largest inscribed balls: every point of the solid gets the radius of the largest ball in the solid that covers it.

Balls are painted from the largest down, so each point is written once: rows keep where their next unpainted point is.
Only balls of the distance ridge are needed: those that no ball around a neighbour covers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit, prange

SLABS = 32
"""Parts of the volume that are painted independently; fixed, and without influence on the result."""


def largest_ball(squared: np.ndarray, spacing: Sequence[float], periodic: Sequence[bool]) -> np.ndarray:
    """Squared radius of the largest ball covering each point, float32 [x, y, z], from squared distances to the void.

    A ball around p holds the points nearer to p than the void is. Lengths in any unit, the same for all.
    """
    weights = np.asarray(spacing, float) ** 2
    wraps = np.asarray(periodic, bool)
    centres = np.flatnonzero(_ridge(squared, weights, wraps, _covering(squared, weights)))
    radii = squared.ravel()[centres]
    order = np.argsort(-radii, kind="stable")
    painted = np.zeros_like(squared)
    _paint(painted, centres[order], radii[order], weights, wraps)
    return painted


def _covering(squared: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What r² of a neighbour must exceed to cover all points nearer than s: float32 [3, s]; [3, 0] for uneven voxels.

    Row k is for neighbours k + 1 axes away. Saito & Toriwaki, Pattern Recognition 27 (1994) 1551.
    """
    if not np.allclose(weights, 1.0):
        return np.zeros((3, 0), np.float32)
    return _cover_table(int(squared.max()))


@njit(cache=True)
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


@njit(parallel=True, cache=True)
def _ridge(squared, weights, wraps, cover):  # pragma: no cover - compiled
    nx, ny, nz = squared.shape
    ridge = np.zeros(squared.shape, np.bool_)
    for x in prange(nx):
        for y in range(ny):
            for z in range(nz):
                if squared[x, y, z] > 0:
                    ridge[x, y, z] = not _covered(squared, x, y, z, weights, wraps, cover)
    return ridge


@njit(cache=True)
def _covered(squared, x, y, z, weights, wraps, cover):  # pragma: no cover - compiled
    nx, ny, nz = squared.shape
    own = squared[x, y, z]
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
                steps = abs(dx) + abs(dy) + abs(dz)
                other = squared[i, j, k]
                if steps == 0 or other <= own or (k != z + dz and not wraps[2]):
                    continue
                if cover.shape[1]:
                    if other > cover[steps - 1, int(own)]:
                        return True
                elif np.sqrt(other) >= np.sqrt(own) + np.sqrt(
                    dx * dx * weights[0] + dy * dy * weights[1] + dz * dz * weights[2]
                ):
                    return True
    return False


@njit(parallel=True, cache=True)
def _paint(painted, centres, radii, weights, wraps):  # pragma: no cover - compiled
    nx, ny, nz = painted.shape
    blank = np.empty((nx, ny, nz + 1), np.int32)  # the next blank point of the row, from each one on
    for slab in prange(SLABS):
        low, high = slab * nx // SLABS, (slab + 1) * nx // SLABS
        for z in range(nz + 1):
            blank[low:high, :, z] = z
        for n in range(len(centres)):
            if low < high:
                x, rest = divmod(centres[n], ny * nz)
                y, z = divmod(rest, nz)
                reach = int(np.ceil(np.sqrt(radii[n] / weights[0])))
                for dx in range(-reach, reach + 1):
                    i = (x + dx) % nx
                    left = radii[n] - dx * dx * weights[0]
                    if low <= i < high and left > 0 and (i == x + dx or wraps[0]):
                        _disc(painted[i], blank[i], y, z, left, radii[n], weights, wraps)


@njit(cache=True)
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


@njit(cache=True)
def _row(painted, blank, a, b, value):  # pragma: no cover - compiled
    z = _next(blank, a)
    while z <= b:
        painted[z] = value
        blank[z] = z + 1
        z = _next(blank, z + 1)


@njit(cache=True)
def _next(blank, z):  # pragma: no cover - compiled
    while blank[z] != z:
        blank[z] = blank[blank[z]]
        z = blank[z]
    return z
