"""Elements with displaced corners cut into tetrahedra, and their volumes; compiled. `tetrahedra` is the reference.

Every face is cut along one diagonal, which the elements on both sides see alike. An element whose faces are all cut
from their lowest corner is cut into the six tetrahedra of Kuhn (1960), others into twelve round their middle: where an
interface straightens a step, three corners of a face come to lie in a line, and one diagonal only leaves two triangles.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from microgen.compiled import compiled, inner

KUHN = np.array([[0, 1, 3, 7], [0, 5, 1, 7], [0, 3, 2, 7], [0, 2, 6, 7], [0, 4, 5, 7], [0, 6, 4, 7]])
"""Corners x + 2 y + 4 z: from 0 to 7 along the axes in every order, turned so that all volumes are positive."""


def _triangles() -> np.ndarray:
    """Triangles of the faces, anticlockwise seen from outside: int64 [face 2 axis + side, diagonal, 2, 3]."""
    out = np.empty((6, 2, 2, 3), np.int64)
    for axis in range(3):
        u, v = 1 << (axis + 1) % 3, 1 << (axis + 2) % 3
        for side in range(2):
            c = [side << axis, (side << axis) + u, (side << axis) + u + v, (side << axis) + v]
            cuts = [[(c[0], c[1], c[2]), (c[0], c[2], c[3])], [(c[0], c[1], c[3]), (c[1], c[2], c[3])]]
            out[2 * axis + side] = [[t if side else t[::-1] for t in cut] for cut in cuts]
    return out


TRIANGLES = _triangles()
MARGIN = 0.1  # of shape, by which the other diagonal must be better: flat faces are all cut alike


FACES = np.array([[t[0, 0, 0], t[0, 0, 1], t[0, 0, 2], t[0, 1, 2]] for t in TRIANGLES[1::2]])
"""The corners of the upper faces in turn."""
BLOCK = 2048  # elements that a thread takes at a time


@inner
def _shape(d, a, b, c):
    """4 sqrt(3) area over the sum of the squared edges of corners a, b, c: 1 for equal edges, 0 for a line.

    Ways between corners are taken, not places: the elements on both sides of a face, and periodic copies, get the same.
    """
    ux, uy, uz = (b & 1) - (a & 1) + (d[b, 0] - d[a, 0]), _y(a, b) + (d[b, 1] - d[a, 1]), _z(a, b) + (d[b, 2] - d[a, 2])
    vx, vy, vz = (c & 1) - (a & 1) + (d[c, 0] - d[a, 0]), _y(a, c) + (d[c, 1] - d[a, 1]), _z(a, c) + (d[c, 2] - d[a, 2])
    x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    edges = ux * ux + uy * uy + uz * uz + vx * vx + vy * vy + vz * vz
    edges += (ux - vx) ** 2 + (uy - vy) ** 2 + (uz - vz) ** 2
    return 2 * np.sqrt(3.0) * np.sqrt(x * x + y * y + z * z) / max(edges, 1e-300)


@inner
def _y(a, b):
    return (b >> 1 & 1) - (a >> 1 & 1)


@inner
def _z(a, b):
    return (b >> 2) - (a >> 2)


@inner
def _volume(p, a, b, c, d):
    ux, uy, uz = p[b, 0] - p[a, 0], p[b, 1] - p[a, 1], p[b, 2] - p[a, 2]
    vx, vy, vz = p[c, 0] - p[a, 0], p[c, 1] - p[a, 1], p[c, 2] - p[a, 2]
    wx, wy, wz = p[d, 0] - p[a, 0], p[d, 1] - p[a, 1], p[d, 2] - p[a, 2]
    return (ux * (vy * wz - vz * wy) + uy * (vz * wx - vx * wz) + uz * (vx * wy - vy * wx)) / 6


@inner
def _centre(p, ways):
    """Volume of an element with corners p [:8] and diagonals `ways` [6]; the middle of that volume goes to p [8]."""
    for a in range(3):
        p[8, a] = 0.0
        for c in range(8):
            p[8, a] += p[c, a] / 8
    x = y = z = whole = 0.0
    for f in range(6):
        for t in range(2):
            q, r, s = TRIANGLES[f, ways[f], t, 0], TRIANGLES[f, ways[f], t, 1], TRIANGLES[f, ways[f], t, 2]
            part = _volume(p, 8, q, r, s)
            whole += part
            x += part * (p[q, 0] + p[r, 0] + p[s, 0] - 3 * p[8, 0])
            y += part * (p[q, 1] + p[r, 1] + p[s, 1] - 3 * p[8, 1])
            z += part * (p[q, 2] + p[r, 2] + p[s, 2] - 3 * p[8, 2])
    scale = 0.25 / max(whole, 1e-3)
    p[8, 0] += x * scale
    p[8, 1] += y * scale
    p[8, 2] += z * scale
    return whole


@inner
def _diagonals(d, ways):
    """ways [6]: 1 where a face is better cut from its second corner to its fourth; True where none is."""
    plain = True
    for axis in range(3):
        for side in range(2):
            low = (1 - side) << axis
            a, b, c, e = FACES[axis, 0] - low, FACES[axis, 1] - low, FACES[axis, 2] - low, FACES[axis, 3] - low
            other = min(_shape(d, a, b, e), _shape(d, b, c, e))
            ways[2 * axis + side] = other > min(_shape(d, a, b, c), _shape(d, a, c, e)) + MARGIN
            plain = plain and ways[2 * axis + side] == 0
    return plain


@compiled(parallel=True)
def cut_elements(displaced, at, limit, flipped, total, middle, flat):
    """Cut the elements numbered `at`: int64 [m].

    displaced float64 [nx + 1, ny + 1, nz + 1, 3]: way of each corner from its place, in elements. Written are
    flipped bool [3, nx + 1, ny + 1, nz + 1]: face across an axis, lowest corner there, is cut by the other diagonal;
    total float64 [nx, ny, nz]: volume, in elements; middle bool: cut in twelve;
    flat bool [nx + 1, ny + 1, nz + 1]: corner of a tetrahedron below `limit`.
    """
    ny, nz = total.shape[1], total.shape[2]
    for block in prange((len(at) + BLOCK - 1) // BLOCK):
        d, p, ways = np.empty((8, 3)), np.empty((9, 3)), np.empty(6, np.int64)
        for n in range(block * BLOCK, min((block + 1) * BLOCK, len(at))):
            i, j, k = at[n] // (ny * nz), at[n] // nz % ny, at[n] % nz
            for c in range(8):
                x, y, z = c & 1, c >> 1 & 1, c >> 2
                for a in range(3):
                    d[c, a] = displaced[i + x, j + y, k + z, a]
                p[c, 0], p[c, 1], p[c, 2] = x + d[c, 0], y + d[c, 1], z + d[c, 2]
            plain = _diagonals(d, ways)
            for f in range(6):
                axis, side = f // 2, f % 2
                flipped[axis, i + side * (axis == 0), j + side * (axis == 1), k + side * (axis == 2)] = ways[f] == 1
            total[i, j, k] = _centre(p, ways)
            if plain:
                for t in range(6):
                    plain = plain and _volume(p, KUHN[t, 0], KUHN[t, 1], KUHN[t, 2], KUHN[t, 3]) >= limit
            middle[i, j, k] = not plain
            if plain:
                continue
            for f in range(6):
                for t in range(2):
                    q, r, s = TRIANGLES[f, ways[f], t, 0], TRIANGLES[f, ways[f], t, 1], TRIANGLES[f, ways[f], t, 2]
                    if _volume(p, 8, q, r, s) < limit:
                        for c in (q, r, s):
                            flat[i + (c & 1), j + (c >> 1 & 1), k + (c >> 2)] = True
