"""Marching cubes with a table derived here: which lattice edges a surface cuts, and the triangles between them.

Vertices lie on the edges between a voxel centre inside and one outside. On every face of a cube of eight centres,
inner voxels that only touch diagonally are kept apart, the same way from both sides, and no chord of a polygon
lies in a face: so each edge has exactly two triangles and each vertex one fan of them, wherever on its edge it lies
(surface nets, tried first, left 2 to 30 % of the grains of a real polycrystal not manifold).
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np

_CORNERS = list(product((0, 1), repeat=3))
"""Corner k of a cube, k = 4x + 2y + z."""
_EDGES = [(a, b) for a, b in combinations(range(8), 2) if (a ^ b) in (1, 2, 4)]
"""The twelve edges, each from the lower corner to the upper one."""


def cut_edges(padded: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voxel in the grain and step to the one outside for each cut edge, int [n, 3]; and the number of the vertex on
    edge (axis, lower voxel), int32 [3, size]."""
    number = np.full((3, *padded.shape), -1, np.int32)
    starts, steps, total = [], [], 0
    for axis in range(3):
        upper, lower = np.moveaxis(padded, axis, 0)[1:], np.moveaxis(padded, axis, 0)[:-1]
        cut = np.moveaxis(upper != lower, 0, axis)
        at = np.argwhere(cut)
        rises = padded[tuple((at + np.eye(3, dtype=int)[axis]).T)]
        start, step = at.copy(), np.zeros_like(at)
        start[:, axis] += rises
        step[:, axis] = np.where(rises, -1, 1)
        number[axis][tuple(at.T)] = np.arange(total, total + len(at))
        starts, steps, total = [*starts, start], [*steps, step], total + len(at)
    return np.concatenate(starts), np.concatenate(steps), number.reshape(3, -1)


def triangles_between(padded: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Rows of the vertices `cut_edges` numbered, anticlockwise seen from outside: int32 [m, 3]."""
    cubes = tuple(n - 1 for n in padded.shape)
    code = np.zeros(cubes, np.uint8)
    for k, corner in enumerate(_CORNERS):
        code |= padded[tuple(slice(c, c + n) for c, n in zip(corner, cubes))].astype(np.uint8) << k
    cut = np.flatnonzero((code != 0) & (code != 255))
    edges = _TABLE[code.ravel()[cut]]
    cube, row = np.nonzero(edges[:, :, 0] >= 0)
    edges = edges[cube, row]
    strides = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
    lower = np.stack(np.unravel_index(cut[cube], cubes), axis=-1) @ strides
    corner = np.array([_CORNERS[a] for a, _ in _EDGES]) @ strides
    axis = np.array([{4: 0, 2: 1, 1: 2}[a ^ b] for a, b in _EDGES])
    return number[axis[edges], lower[:, None] + corner[edges]]


def _faces() -> list[list[int]]:
    """The corners of the six faces of the cube, anticlockwise seen from outside."""
    faces = []
    for axis, side in product(range(3), (0, 1)):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        ring = [(0, 0), (1, 0), (1, 1), (0, 1)]
        corners = []
        for a, b in ring if side else ring[::-1]:
            corner = [side] * 3
            corner[u], corner[v] = a, b
            corners.append(corner[0] * 4 + corner[1] * 2 + corner[2])
        faces.append(corners)
    return faces


def _loops(code: int, faces: list[list[int]]) -> list[list[int]]:
    """The closed polygons, as lists of edges, between the corners of `code` and the others.

    On each face a segment goes round every run of corners in the grain; diagonal ones make two runs.
    """
    edge = {frozenset(e): k for k, e in enumerate(_EDGES)}
    follows: dict[int, int] = {}
    for face in faces:
        for k in range(4):
            if code >> face[k] & 1 and not code >> face[k - 1] & 1:
                last = k
                while code >> face[(last + 1) % 4] & 1:
                    last += 1
                leaves = edge[frozenset((face[last % 4], face[(last + 1) % 4]))]
                follows[edge[frozenset((face[k - 1], face[k]))]] = leaves
    loops = []
    while follows:
        loop = [next(iter(follows))]
        while (after := follows.pop(loop[-1])) != loop[0]:
            loop.append(after)
        loops.append(loop)
    return loops


def _cut(loop: list[int], faces: list[list[int]]) -> list[tuple[int, ...]] | None:
    """Triangles of a polygon none of whose chords lies in a face of the cube, where the next cube may have it too."""

    def flat(a: int, b: int) -> bool:
        return any(set(_EDGES[a]) | set(_EDGES[b]) <= set(face) for face in faces)

    if len(loop) == 3:
        return [tuple(loop)]
    for k in range(2, len(loop)):
        # The triangle on the first side of the polygon has its tip at k: what lies to its left and right is cut alike.
        sides = [loop[1 : k + 1], [loop[0], *loop[k:]]]
        chords = [(loop[1], loop[k])] * (k > 2) + [(loop[0], loop[k])] * (k < len(loop) - 1)
        if any(flat(a, b) for a, b in chords):
            continue
        rest = [_cut(side, faces) for side in sides if len(side) > 2]
        if all(piece is not None for piece in rest):
            return [(loop[0], loop[1], loop[k]), *(t for piece in rest if piece for t in piece)]
    return None


def _table() -> np.ndarray:
    """Edges of the triangles of each of the 256 cubes: int8 [256, 5, 3], -1 where there are fewer."""
    faces = _faces()
    table = np.full((256, 5, 3), -1, np.int8)
    for code in range(1, 255):
        cut = [_cut(loop, faces) for loop in _loops(code, faces)]
        triangles = [t for piece in cut if piece for t in piece]
        assert all(cut)
        table[code, : len(triangles)] = triangles
    return table


_TABLE = _table()
