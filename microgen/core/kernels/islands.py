"""Connected components of a label volume, and islands given to the neighbour that shares most faces with them."""

from __future__ import annotations

import numpy as np

from microgen.compiled import compiled, inner


@inner
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@inner
def _join(parent, i, j):
    a, b = _root(parent, i), _root(parent, j)
    if a < b:  # the lowest voxel is the root: components do not depend on the order of joining
        parent[b] = a
    elif b < a:
        parent[a] = b


@compiled
def components(labels, periodic):
    """int32 [size]: root voxel of each voxel's face-connected component (memory order)."""
    nx, ny, nz = labels.shape
    parent = np.arange(nx * ny * nz, dtype=np.int32)
    for x in range(nx):
        for y in range(ny):
            for z in range(nz):
                i, label = (x * ny + y) * nz + z, labels[x, y, z]
                if z > 0 and labels[x, y, z - 1] == label:
                    _join(parent, i, i - 1)
                if y > 0 and labels[x, y - 1, z] == label:
                    _join(parent, i, i - nz)
                if x > 0 and labels[x - 1, y, z] == label:
                    _join(parent, i, i - ny * nz)
                if periodic[2] and z == nz - 1 and labels[x, y, 0] == label:
                    _join(parent, i, i - z)
                if periodic[1] and y == ny - 1 and labels[x, 0, z] == label:
                    _join(parent, i, i - y * nz)
                if periodic[0] and x == nx - 1 and labels[0, y, z] == label:
                    _join(parent, i, i - x * ny * nz)
    for i in range(len(parent)):
        parent[i] = _root(parent, i)
    return parent


@compiled
def _islands(labels, parent, n):
    """int32 voxel indices that are not in the largest component of their grain (ties: the lowest root)."""
    flat = labels.ravel()
    size = np.zeros(len(flat), np.int32)
    for i in range(len(flat)):
        size[parent[i]] += 1
    main = np.full(n + 1, -1, np.int32)
    for i in range(len(flat)):
        if parent[i] == i and flat[i] > 0 and (main[flat[i]] < 0 or size[i] > size[main[flat[i]]]):
            main[flat[i]] = i
    count = 0
    for i in range(len(flat)):
        count += flat[i] > 0 and parent[i] != main[flat[i]]
    out, k = np.empty(count, np.int32), 0
    for i in range(len(flat)):
        if flat[i] > 0 and parent[i] != main[flat[i]]:
            out[k] = i
            k += 1
    return out


@compiled
def _faces(labels, periodic, voxels, parent):
    """int64 [m, 2]: (root of the island, label across the face) of each face of the islands' voxels."""
    nx, ny, nz = labels.shape
    shape = (nx, ny, nz)
    flat = labels.ravel()
    out, k = np.empty((6 * len(voxels), 2), np.int64), 0
    at = np.empty(3, np.int64)
    for i in voxels:
        for axis in range(3):
            for step in (-1, 1):
                at[0], at[1], at[2] = i // (ny * nz), i // nz % ny, i % nz
                at[axis] += step
                if not 0 <= at[axis] < shape[axis]:
                    if not periodic[axis]:
                        continue
                    at[axis] %= shape[axis]
                other = flat[(at[0] * ny + at[1]) * nz + at[2]]
                if other != flat[i] and other > 0:
                    out[k, 0], out[k, 1] = parent[i], other
                    k += 1
    return out[:k]


def give_away_islands(
    labels: np.ndarray, periodic: np.ndarray, n: int, *, rounds: int = 8, void: bool = False
) -> np.ndarray:
    """Give each detached island to the neighbour that shares most faces with it (ties: the lowest id), in place.

    `labels` int32 [3-D], 0 is void. Repeated, as a neighbour may itself be an island. Returns int64 [n], the
    voxels that each grain lost; a grain is one face-connected component afterwards. But what no other grain touches
    becomes void with `void`, and without stays what it is, as in a domain of several parts.
    """
    before = labels.copy()
    for _ in range(rounds):
        parent = components(labels, periodic)
        voxels = _islands(labels, parent, n)
        if len(voxels) == 0:
            break
        faces, shared = np.unique(_faces(labels, periodic, voxels, parent), axis=0, return_counts=True)
        order = np.lexsort((faces[:, 1], -shared, faces[:, 0]))
        roots, best = np.unique(faces[order, 0], return_index=True)
        heir = dict(zip(roots.tolist(), faces[order[best], 1].tolist()))
        flat = labels.reshape(-1)
        flat[voxels] = [
            heir.get(root, 0 if void else label) for root, label in zip(parent[voxels].tolist(), flat[voxels].tolist())
        ]
    return np.bincount(before[before != labels], minlength=n + 1)[1:]
