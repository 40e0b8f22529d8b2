"""Connected pieces of the labels of single coarse boxes, and how they touch: what islands of a volume are found from.

A box is labelled, cut into pieces and forgotten. Its pieces are numbered in the order of their lowest voxels, so that
numbers depend on nothing but the box's own labels, and a box can be looked at again without the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from microgen.compiled import compiled, inner
from microgen.core.kernels.boxes import Lattice
from microgen.core.kernels.cpu import CHUNKS, COARSE, LABELS, labels_of, spare, workspace
from microgen.core.kernels.tree import SiteTree
from microgen.threads import in_threads

VOXELS = COARSE**3
PAIRS = 3 * VOXELS  # more than the faces between the voxels of a box


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of some columns, as many as `count` says for each of a list of boxes, or of sides of boxes."""

    count: np.ndarray
    """int64 [boxes]"""
    columns: tuple[np.ndarray, ...]


class _Out(NamedTuple):
    """Columns as chunks fill them: as long as could be needed, the system gives only the pages in use."""

    first: np.ndarray  # uint16 [CHUNKS, cap]
    second: np.ndarray  # uint16 [CHUNKS, cap]
    label: np.ndarray  # int32 [CHUNKS, cap]
    used: np.ndarray  # int64 [CHUNKS]
    rows: np.ndarray  # int64 [boxes]


def _out(boxes: int, cap: int, *, label: bool = False) -> _Out:
    cap *= -(-boxes // CHUNKS)
    first, second = (np.empty((CHUNKS, cap), np.uint16) for _ in range(2))
    third = np.empty((CHUNKS, cap if label else 0), np.int32)
    return _Out(first, second, third, np.zeros(CHUNKS, np.int64), np.zeros(boxes, np.int64))


def _rows(out: _Out, *columns: np.ndarray) -> Rows:
    """What the chunks hold of the columns, one after the other."""
    return Rows(out.rows, tuple(np.concatenate([a[:k] for a, k in zip(column, out.used)]) for column in columns))


@inner
def _scratch():
    """Numbers of a box, parents and first voxels of its runs."""
    return np.empty((COARSE, COARSE, COARSE), np.int64), np.empty(VOXELS, np.int64), np.empty(VOXELS, np.int64)


@inner
def _join(parent, i, j):
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


@inner
def _runs(labels, number, parent, begin):
    """Number the runs of one label along rows, note where they begin, and join those that touch; returns how many."""
    nx, ny, nz = labels.shape
    runs = 0
    for x in range(nx):
        for y in range(ny):
            left = below = -1  # what the run at hand was joined to last
            for z in range(nz):
                label = labels[x, y, z]
                if z == 0 or label != labels[x, y, z - 1]:
                    parent[runs], begin[runs] = runs, (x * COARSE + y) * COARSE + z
                    left = below = -1
                    runs += 1
                number[x, y, z] = runs - 1
                if y > 0 and label == labels[x, y - 1, z] and left != number[x, y - 1, z]:
                    left = number[x, y - 1, z]
                    _join(parent, runs - 1, left)
                if x > 0 and label == labels[x - 1, y, z] and below != number[x - 1, y, z]:
                    below = number[x - 1, y, z]
                    _join(parent, runs - 1, below)
    return runs


@inner
def _numbered(labels, number, parent, begin):
    """Number [shape] the pieces of a box in the order of their lowest voxels, `begin`; returns how many there are."""
    runs, count = _runs(labels, number, parent, begin), 0
    for i in range(runs):  # parents are lower, and the first run of a piece has its lowest voxel
        if parent[i] == i:
            parent[i], begin[count] = count, begin[i]
            count += 1
        else:
            parent[i] = parent[parent[i]]
    for x in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for z in range(labels.shape[2]):
                number[x, y, z] = parent[number[x, y, z]]
    return count


@inner
def _keep_pieces(labels, number, begin, count, out, chunk, box):
    """Lowest voxel, size and label of each piece."""
    used = out.used[chunk]
    for k in range(count):
        x, y, z = begin[k] // COARSE**2, begin[k] // COARSE % COARSE, begin[k] % COARSE
        out.first[chunk, used + k], out.second[chunk, used + k] = begin[k], 0
        out.label[chunk, used + k] = labels[x, y, z]
    for x in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for z in range(labels.shape[2]):
                out.second[chunk, used + number[x, y, z]] += np.uint16(1)
    out.used[chunk] += count
    out.rows[box] = count


@inner
def _keep_planes(number, planes):
    """The pieces on the six sides of a box: planes [6, COARSE, COARSE], lower and upper of each axis."""
    for axis in range(3):
        b, c = number.shape[0 if axis else 1], number.shape[1 if axis == 2 else 2]
        for i in range(b):
            for j in range(c):
                for end in range(2):
                    k = (number.shape[axis] - 1) * end
                    own = number[k, i, j] if axis == 0 else (number[i, k, j] if axis == 1 else number[i, j, k])
                    planes[2 * axis + end, i, j] = own


@compiled(nogil=True)
def _cut(thread, threads, tree, lattice, boxes, want, sweep, out, planes):
    work = workspace(np.int64(512), len(tree.order))
    whole, parent, begin = _scratch()
    for chunk in range(thread, CHUNKS, threads):
        for k in range(chunk * len(boxes) // CHUNKS, (chunk + 1) * len(boxes) // CHUNKS):
            labels, work = labels_of(tree, lattice, boxes[k], work, want, sweep, chunk)
            number = whole[: labels.shape[0], : labels.shape[1], : labels.shape[2]]
            _keep_pieces(labels, number, begin, _numbered(labels, number, parent, begin), out, chunk, k)
            _keep_planes(number, planes[k])


def cut(tree: SiteTree, lattice: Lattice, boxes: np.ndarray) -> tuple[Rows, np.ndarray]:
    """Pieces of the boxes: lowest voxel (uint16, in the box), size (uint16) and label (int32) of each.

    And uint16 [boxes, 6, COARSE, COARSE], the pieces along the lower and upper side of each axis.
    """
    out, planes = _out(len(boxes), VOXELS, label=True), np.empty((len(boxes), 6, COARSE, COARSE), np.uint16)
    in_threads(_cut, tree, lattice, boxes, LABELS, spare(lattice), out, planes)
    return _rows(out, out.first, out.second, out.label), planes


@inner
def _keep_pairs(pairs, faces, out, chunk, box):
    """Pairs of pieces, `faces` of them (one for each face), each once and with its number of faces."""
    pairs[:faces].sort()
    begin = k = out.used[chunk]
    for i in range(faces):
        if i == 0 or pairs[i] != pairs[i - 1]:
            out.first[chunk, k], out.second[chunk, k], out.label[chunk, k] = pairs[i] >> 16, pairs[i] & 0xFFFF, 0
            k += 1
        out.label[chunk, k - 1] += 1
    out.used[chunk] = k
    out.rows[box] = k - begin


@compiled(nogil=True)
def _across(thread, threads, upper, lower, extent, out):
    pairs = np.empty(COARSE * COARSE, np.int64)
    for chunk in range(thread, CHUNKS, threads):
        for k in range(chunk * len(upper) // CHUNKS, (chunk + 1) * len(upper) // CHUNKS):
            faces = 0
            for i in range(extent[k, 0]):
                for j in range(extent[k, 1]):
                    pairs[faces] = np.int64(upper[k, i, j]) << 16 | np.int64(lower[k, i, j])
                    faces += 1
            _keep_pairs(pairs, faces, out, chunk, k)


def across(upper: np.ndarray, lower: np.ndarray, extent: np.ndarray) -> Rows:
    """Pairs of pieces that touch across a side: piece before it, piece after it, number of faces (int32).

    `upper` and `lower` uint16 [sides, COARSE, COARSE] are planes of `cut`, `extent` [sides, 2] what of them is voxels.
    """
    out = _out(len(upper), COARSE**2, label=True)
    in_threads(_across, upper, lower, extent, out)
    return _rows(out, out.first, out.second, out.label)


@inner
def _keep_voxels(number, wanted, out, chunk, box):
    begin = k = out.used[chunk]
    for x in range(number.shape[0]):
        for y in range(number.shape[1]):
            for z in range(number.shape[2]):
                if wanted[number[x, y, z]]:
                    out.first[chunk, k], out.second[chunk, k] = (x * COARSE + y) * COARSE + z, number[x, y, z]
                    k += 1
    out.used[chunk] = k
    out.rows[box] = k - begin


@compiled
def _inside(number, wanted, pairs):
    """Fill in the pairs of pieces, the lower first, one for each face; returns how many. Pieces side by side differ in
    their labels."""
    nx, ny, nz = number.shape
    faces = 0
    for x in range(nx):
        for y in range(ny):
            for z in range(nz):
                a = np.int64(number[x, y, z])
                for axis in range(3):
                    i, j, k = x + (axis == 0), y + (axis == 1), z + (axis == 2)
                    if i == nx or j == ny or k == nz:
                        continue
                    b = np.int64(number[i, j, k])
                    if a != b and (wanted[a] or wanted[b]):
                        pairs[faces] = min(a, b) << 16 | max(a, b)
                        faces += 1
    return faces


@compiled(nogil=True)
def _gather(thread, threads, tree, lattice, boxes, wanted, first, want, sweep, voxels, touching):
    work, pairs = workspace(np.int64(512), len(tree.order)), np.empty(PAIRS, np.int64)
    whole, parent, begin = _scratch()
    for chunk in range(thread, CHUNKS, threads):
        for k in range(chunk * len(boxes) // CHUNKS, (chunk + 1) * len(boxes) // CHUNKS):
            labels, work = labels_of(tree, lattice, boxes[k], work, want, sweep, chunk)
            number = whole[: labels.shape[0], : labels.shape[1], : labels.shape[2]]
            _numbered(labels, number, parent, begin)
            mine = wanted[first[k] : first[k + 1]]
            _keep_voxels(number, mine, voxels, chunk, k)
            _keep_pairs(pairs, _inside(number, mine, pairs), touching, chunk, k)


def gather(
    tree: SiteTree, lattice: Lattice, boxes: np.ndarray, wanted: np.ndarray, count: np.ndarray
) -> tuple[Rows, Rows]:
    """Of the wanted pieces (bool, of all of the boxes, `count` of each): their voxels and what touches them in the box.

    Voxels (uint16, in the box) with their piece; pairs of pieces, the lower first, with their number of faces (int32).
    """
    voxels, touching = _out(len(boxes), VOXELS), _out(len(boxes), PAIRS, label=True)
    first = np.r_[0, np.cumsum(count)]
    in_threads(_gather, tree, lattice, boxes, wanted, first, LABELS, spare(lattice), voxels, touching)
    return _rows(voxels, voxels.first, voxels.second), _rows(touching, touching.first, touching.second, touching.label)


@compiled
def joined(first, second, count):
    """int64 [count]: the lowest piece that each piece is joined to by the pairs (first, second)."""
    parent = np.arange(count)
    for k in range(len(first)):
        _join(parent, first[k], second[k])
    for i in range(count):  # parents are lower, so they are right already
        parent[i] = parent[parent[i]]
    return parent


@compiled
def merged(whole, root, size):
    """Which whole each part is of, in the order of the first parts, and lowest voxel and size of each whole.

    `whole` [parts] is of `joined`.
    """
    place, low, total, k = np.empty(len(whole), np.int64), root.copy(), np.zeros(len(whole), np.int64), 0
    for i in range(len(whole)):
        if whole[i] == i:
            place[i], low[k] = k, root[i]
            k += 1
        place[i] = place[whole[i]]
        low[place[i]] = min(low[place[i]], root[i])
        total[place[i]] += size[i]
    return place, low[:k], total[:k]
