"""A diagram's labels part by part, islands given away, so that the volume of labels is never held.

A part is bit for bit what the whole would be there: boxes of the descent are worked out one by one in either case, and
the islands are found by the same rule, slab after slab: pieces of a slab are numbered, joined to those of the slab
before where they touch, and the largest piece of a label is the grain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from microgen.core.kernels import cpu
from microgen.core.kernels.moments import displacements
from microgen.core.kernels.pieces import across, joined, pieces
from microgen.core.power_diagram import PowerDiagram
from microgen.grid import Grid

SLAB = 2**25
"""Voxels of a slab, about: 128 MiB of labels and as much of pieces."""
ORDER = (0, 1, 2)

OnSlab = Callable[[float], None]


class Repairs(NamedTuple):
    """Voxels that were islands, in rising order of their place in memory."""

    voxels: np.ndarray
    """int64 [m]"""
    before: np.ndarray
    """int32 [m]: label of the cell"""
    after: np.ndarray
    """int32 [m]: label of the neighbour that got it"""


NONE = Repairs(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))


@dataclass(frozen=True, eq=False)
class Tiles:
    """The labels 1..n of a diagram on a 3-D grid, made where they are asked for."""

    diagram: PowerDiagram
    grid: Grid
    repairs: Repairs = NONE

    def labels(self, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
        """int32 [stop - start]: the labels of the voxels start <= index < stop."""
        lattice = self.diagram.lattice(self.grid, ORDER)
        labels = cpu.label_part(self.diagram.tree(ORDER), lattice, start, stop)
        _, ny, nz = self.grid.shape
        low, high = np.searchsorted(self.repairs.voxels, (start[0] * ny * nz, stop[0] * ny * nz))
        at = np.unravel_index(self.repairs.voxels[low:high], self.grid.shape)
        here = np.logical_and.reduce([(k >= a) & (k < b) for k, a, b in zip(at, start, stop)])
        labels[tuple(k[here] - a for k, a in zip(at, start))] = self.repairs.after[low:high][here]
        return labels

    def many(self, boxes: Iterable[tuple[tuple[int, ...], tuple[int, ...]]]) -> Iterator[np.ndarray]:
        """Labels of one box (start, stop) after the other."""
        return (self.labels(start, stop) for start, stop in boxes)

    def on(self, grid: Grid) -> np.ndarray:
        """int32 [grid.shape]: the labels on another grid of the box, islands as they are there: for pictures."""
        return self.diagram.labels(grid).numpy()

    def slabs(self) -> Iterator[tuple[int, np.ndarray]]:
        """First layer and labels of slabs across x, in order: together the volume as it would lie in memory."""
        nx, ny, nz = self.grid.shape
        thick = max(1, SLAB // (ny * nz) // cpu.COARSE) * cpu.COARSE
        for start in range(0, nx, thick):
            yield start, np.ascontiguousarray(self.labels((start, 0, 0), (min(start + thick, nx), ny, nz)))

    def counts(self) -> np.ndarray:
        """int64 [n]: voxels of each label."""
        n = len(self.diagram)
        lattice = self.diagram.lattice(self.grid, ORDER)
        counts = cpu.sweep(self.diagram.tree(ORDER), lattice, cpu.Wanted(False, False, -1.0)).counts
        return counts + gained(self.repairs, n)

    def centroids(self) -> np.ndarray:
        """float64 [n, 3]: mean of the voxel centres of each label, next to its site; an empty cell keeps its site."""
        sites = self.diagram.sites.numpy()
        lattice = self.diagram.lattice(self.grid, ORDER)
        total, count = np.zeros(sites.shape), np.zeros(len(sites), np.int64)
        for start, labels in self.slabs():
            displacements(labels, start, sites, lattice, total, count)
        return sites + total / np.maximum(count, 1)[:, None]


def gained(repairs: Repairs, n: int) -> np.ndarray:
    """int64 [n]: voxels that each grain has more than its cell."""
    after, before = (np.bincount(labels, minlength=n + 1)[1:] for labels in (repairs.after, repairs.before))
    return after - before


def repaired(tiles: Tiles, *, rounds: int = 8, on_slab: OnSlab | None = None) -> Tiles:
    """The tiles with each island given to the neighbour that shares most faces with it (ties: the lowest id).

    As `give_away_islands` does for a volume in memory, and with its result: in rounds, as a neighbour may itself be an
    island.
    """
    for number in range(rounds):
        if on_slab is not None:
            on_slab(1 - 0.5**number)
        found = _islands(tiles)
        if len(found.voxels) == 0:
            break
        faces, shared = np.unique(found.faces, axis=0, return_counts=True)
        order = np.lexsort((faces[:, 1], -shared, faces[:, 0]))
        roots, best = np.unique(faces[order, 0], return_index=True)
        heirs = faces[order[best], 1]
        place = np.minimum(np.searchsorted(roots, found.root), len(roots) - 1)
        has_heir = roots[place] == found.root if len(roots) else np.zeros(len(found.root), bool)
        after = np.where(has_heir, heirs[place] if len(roots) else 0, found.label).astype(np.int32)
        tiles = Tiles(tiles.diagram, tiles.grid, _merged(tiles.repairs, found, after))
    return tiles


class _Found(NamedTuple):
    """Voxels that are not of the largest piece of their label, and the faces of such pieces."""

    voxels: np.ndarray  # int64 [m], rising
    label: np.ndarray  # int32 [m]
    root: np.ndarray  # int64 [m]: lowest voxel of the piece
    faces: np.ndarray  # int64 [f, 2]: root, label across


def _merged(old: Repairs, found: _Found, after: np.ndarray) -> Repairs:
    """Repairs of all rounds; a voxel that comes back to its own cell is none."""
    voxels, where = np.unique(np.r_[old.voxels, found.voxels], return_inverse=True)
    first, last = np.empty(len(voxels), np.int32), np.empty(len(voxels), np.int32)
    first[where[len(old.voxels) :]], last[where[len(old.voxels) :]] = found.label, after
    first[where[: len(old.voxels)]] = old.before  # what an earlier round saw was the cell
    untouched = np.setdiff1d(where[: len(old.voxels)], where[len(old.voxels) :], assume_unique=True)
    last[untouched] = old.after[np.searchsorted(old.voxels, voxels[untouched])]
    changed = first != last
    return Repairs(voxels[changed], first[changed], last[changed])


class _Pieces(NamedTuple):
    """Of all slabs: what the pieces are, where those of each slab begin, and the labels of its first and last plane."""

    root: np.ndarray  # int64: lowest voxel
    size: np.ndarray  # int64
    label: np.ndarray  # int32
    begin: list[int]
    pairs: np.ndarray  # int64 [m, 2]: pieces that touch across two slabs
    planes: list[tuple[np.ndarray, np.ndarray]]


def _islands(tiles: Tiles) -> _Found:
    """Two passes: find and join the pieces of the slabs, then collect the voxels of those that are no grains."""
    known = _survey(tiles)
    whole = joined(known.pairs[:, 0], known.pairs[:, 1], len(known.root))
    size = np.bincount(whole, known.size, len(whole)).astype(np.int64)
    heads = np.flatnonzero(
        whole == np.arange(len(whole))
    )  # of the lowest voxel: pieces are in the order of their roots
    order = heads[np.lexsort((known.root[heads], -size[heads], known.label[heads]))]
    _, first = np.unique(known.label[order], return_index=True)
    island = np.ones(len(whole), bool)
    island[order[first]] = False
    island = island[whole] & (known.label > 0)
    root = known.root[whole]
    parts: list[_Found] = []
    if island.any():
        parts = [part for part in _collected(tiles, known, island, root) if len(part.voxels)]
    empty = _Found(NONE.voxels, NONE.before, NONE.voxels, np.empty((0, 2), np.int64))
    return _Found(*(np.concatenate(columns) for columns in zip(*parts))) if parts else empty


def _survey(tiles: Tiles) -> _Pieces:
    _, ny, nz = tiles.grid.shape
    wraps = tiles.grid.periodic
    parts, begin, pairs, planes = [], [0], [np.empty((0, 2), np.int64)], []
    first = before = None
    for start, labels in tiles.slabs():
        number, root, size, label = pieces(labels, (wraps[1], wraps[2]))
        number = number.reshape(labels.shape)
        near, far = (number[k].astype(np.int64) + begin[-1] for k in (0, -1))
        planes.append((labels[0].copy(), labels[-1].copy()))
        if before is not None:
            pairs.append(_touching(planes[-2][1], before, planes[-1][0], near))
        first, before = near if first is None else first, far
        parts.append((root + start * ny * nz, size, label))
        begin.append(begin[-1] + len(root))
    assert first is not None
    assert before is not None
    if wraps[0]:
        pairs.append(_touching(planes[-1][1], before, planes[0][0], first))
    root, size, label = (np.concatenate(columns) for columns in zip(*parts))
    return _Pieces(root, size, label, begin, np.concatenate(pairs), planes)


def _touching(labels: np.ndarray, number: np.ndarray, other: np.ndarray, other_number: np.ndarray) -> np.ndarray:
    """int64 [m, 2]: pieces of one label in two planes that lie on each other."""
    same = labels == other
    return np.unique(np.stack([number[same], other_number[same]], axis=1), axis=0)


def _collected(tiles: Tiles, known: _Pieces, island: np.ndarray, root: np.ndarray) -> Iterator[_Found]:
    _, ny, nz = tiles.grid.shape
    wraps, planes, nothing = tiles.grid.periodic, known.planes, np.empty((0, 0), np.int32)
    last = len(planes) - 1
    for k, (start, labels) in enumerate(tiles.slabs()):
        mine = slice(known.begin[k], known.begin[k + 1])
        if not island[mine].any():
            continue
        number = pieces(labels, (wraps[1], wraps[2]))[0]
        voxels = np.flatnonzero(island[mine][number])
        roots = root[mine][number[voxels]]
        before = planes[k - 1][1] if k or wraps[0] else nothing
        after = planes[(k + 1) % (last + 1)][0] if k < last or wraps[0] else nothing
        faces = across(labels, before, after, voxels, roots, np.array(wraps[1:]))
        yield _Found(voxels + start * ny * nz, labels.reshape(-1)[voxels], roots, faces)
