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

from microgen.core.heirs import Pieces, heirs
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
    left = rounds
    while left > 0:
        if on_slab is not None:
            on_slab(1 - left / rounds)
        found = _islands(tiles)
        label, told = heirs(found.pieces, left)
        tiles = Tiles(tiles.diagram, tiles.grid, _merged(tiles.repairs, found, label[found.piece]))
        left -= told
    return tiles


class _Found(NamedTuple):
    """Voxels that are not of the largest piece of their label, and all pieces."""

    voxels: np.ndarray  # int64 [m], rising
    label: np.ndarray  # int32 [m]
    piece: np.ndarray  # int64 [m]
    pieces: Pieces


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


class _Parts(NamedTuple):
    """Of all slabs: what their pieces are, where those of each slab begin, and its first and last plane of them."""

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
    heads = np.flatnonzero(whole == np.arange(len(whole)))  # each has the lowest voxel of what is joined to it
    place = np.searchsorted(heads, whole)  # of each slab's pieces among them
    size = np.bincount(place, known.size, len(heads)).astype(np.int64)
    pieces = Pieces(known.root[heads], size, known.label[heads], np.empty((0, 3), np.int64))
    island = pieces.islands()[place]
    parts = [part for part in _collected(tiles, known, island) if len(part[0])] if island.any() else []
    if not parts:
        return _Found(NONE.voxels, NONE.before, NONE.voxels, pieces)
    voxels, piece, faces = (np.concatenate(columns) for columns in zip(*parts))
    faces, count = np.unique(place[faces], axis=0, return_counts=True)
    pieces = pieces._replace(faces=np.column_stack([faces, count]))
    return _Found(voxels, known.label[piece], place[piece], pieces)


def _survey(tiles: Tiles) -> _Parts:
    _, ny, nz = tiles.grid.shape
    wraps = tiles.grid.periodic
    parts, begin, pairs, planes = [], [0], [np.empty((0, 2), np.int64)], []
    first = before = np.empty(0, np.int32)
    for start, labels in tiles.slabs():
        number, root, size, label = pieces(labels, (wraps[1], wraps[2]))
        number = number.reshape(labels.shape)
        planes.append(tuple(number[k] + np.int32(begin[-1]) for k in (0, -1)))
        first = first if before.size else labels[0].copy()
        if before.size:
            pairs.append(_touching(before, planes[-2][1], labels[0], planes[-1][0]))
        before = labels[-1].copy()
        parts.append((root + start * ny * nz, size, label))
        begin.append(begin[-1] + len(root))
    if wraps[0]:
        pairs.append(_touching(before, planes[-1][1], first, planes[0][0]))
    root, size, label = (np.concatenate(columns) for columns in zip(*parts))
    return _Parts(root, size, label, begin, np.concatenate(pairs), planes)


def _touching(labels: np.ndarray, number: np.ndarray, other: np.ndarray, other_number: np.ndarray) -> np.ndarray:
    """int64 [m, 2]: pieces of one label in two planes that lie on each other."""
    same = labels == other
    return np.unique(np.stack([number[same], other_number[same]], axis=1).astype(np.int64), axis=0)


def _collected(tiles: Tiles, known: _Parts, island: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each slab: voxels of islands, their pieces, and the two pieces at each of their faces."""
    _, ny, nz = tiles.grid.shape
    wraps, planes, nothing = tiles.grid.periodic, known.planes, np.empty((0, 0), np.int32)
    last = len(planes) - 1
    for k, (start, labels) in enumerate(tiles.slabs()):
        mine = slice(known.begin[k], known.begin[k + 1])
        if not island[mine].any():
            continue
        number = pieces(labels, (wraps[1], wraps[2]))[0]
        voxels = np.flatnonzero(island[mine][number])
        before = planes[k - 1][1] if k or wraps[0] else nothing
        after = planes[(k + 1) % (last + 1)][0] if k < last or wraps[0] else nothing
        sides = before, after, voxels, np.array(wraps[1:])
        faces = across(number.reshape(labels.shape), known.label, known.begin[k], *sides)
        yield voxels + start * ny * nz, known.begin[k] + number[voxels].astype(np.int64), faces
