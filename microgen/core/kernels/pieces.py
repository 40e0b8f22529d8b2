"""Connected pieces of a slab of labels, numbered so that the slabs of a volume can be joined one after the other."""

from __future__ import annotations

import numpy as np

from microgen.compiled import compiled
from microgen.core.kernels.islands import components


@compiled
def _numbered(parent, flat, count):
    """Replace each voxel's root by the number of its piece, in the order of the roots; roots, sizes and labels."""
    root, size, label = np.empty(count, np.int64), np.zeros(count, np.int64), np.empty(count, np.int32)
    k = 0
    for i in range(len(parent)):  # a root is the lowest voxel of its piece, so it is met first
        if parent[i] == i:
            root[k], label[k] = i, flat[i]
            parent[i] = k
            k += 1
        else:
            parent[i] = parent[parent[i]]
        size[parent[i]] += 1
    return root, size, label


def pieces(labels: np.ndarray, periodic: tuple[bool, bool]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pieces of labels [3-D] that touch by faces, also across y and z where these are periodic.

    Returns int32 [size], the piece of each voxel, and for each piece its lowest voxel, its size and its label.
    """
    number = components(labels, np.array((False, *periodic)))
    count = int((number == np.arange(len(number), dtype=np.int32)).sum())
    return number, *_numbered(number, labels.reshape(-1), count)


@compiled
def joined(first, second, count):
    """int64 [count]: the lowest piece that each piece is joined to by the pairs (first, second)."""
    parent = np.arange(count)
    for k in range(len(first)):
        i, j = first[k], second[k]
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        while parent[j] != j:
            parent[j] = parent[parent[j]]
            j = parent[j]
        if i < j:
            parent[j] = i
        else:
            parent[i] = j
    for i in range(count):  # parents are lower, so they are right already
        parent[i] = parent[parent[i]]
    return parent


@compiled
def across(number, label, begin, before, after, voxels, periodic):
    """int64 [m, 2]: (piece, piece across the face) of each face of some voxels of a slab to another label, not void.

    `number` [x, y, z] are pieces of the slab, which count from `begin` among those of all slabs, `label` [pieces] says
    what these are; `voxels` are flat indices in the slab, `before` and `after` the planes [y, z] of pieces on either
    side of the slab, of size 0 where the volume ends.
    """
    nx, ny, nz = number.shape
    out, k = np.empty((6 * len(voxels), 2), np.int64), 0
    for v in range(len(voxels)):
        i = voxels[v]
        x, y, z = i // (ny * nz), i // nz % ny, i % nz
        own = begin + number[x, y, z]
        for axis in range(3):
            for step in (-1, 1):
                a, b, c = x + step * (axis == 0), y + step * (axis == 1), z + step * (axis == 2)
                if (not 0 <= b < ny and not periodic[0]) or (not 0 <= c < nz and not periodic[1]):
                    continue
                b, c = b % ny, c % nz
                other = own
                if 0 <= a < nx:
                    other = begin + number[a, b, c]
                elif a < 0 and before.size:
                    other = np.int64(before[b, c])
                elif a >= nx and after.size:
                    other = np.int64(after[b, c])
                if label[other] != label[own] and label[other] > 0:
                    out[k, 0], out[k, 1] = own, other
                    k += 1
    return out[:k]
