"""A diagram's labels part by part, islands given away, so that the volume of labels is never held.

A part is bit for bit what the whole would be there: boxes of the descent are worked out one by one in either case, and
islands are given away by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from microgen.core.heirs import heirs
from microgen.core.kernels import cpu
from microgen.core.kernels.moments import displacements
from microgen.core.power_diagram import PowerDiagram
from microgen.core.survey import ORDER, OnPart, Survey, knowing, surveyed
from microgen.grid import Grid

SLAB = 2**25
"""Voxels of a slab, about: 128 MiB of labels."""


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

    def centroids(self, among: np.ndarray | None = None) -> np.ndarray:
        """float64 [n, 3]: mean of the voxel centres of each label, next to its site; an empty cell keeps its site.

        Only of those `among` (bool [n]), where given, and of others anything.
        """
        sites, (_, ny, nz) = self.diagram.sites.numpy(), self.grid.shape
        lattice = self.diagram.lattice(self.grid, ORDER)
        total, count = np.zeros(sites.shape), np.zeros(len(sites), np.int64)
        for start, stop in self._layers(np.ones(len(sites), bool) if among is None else among):
            labels = np.ascontiguousarray(self.labels((start, 0, 0), (stop, ny, nz)))
            displacements(labels, start, sites, lattice, total, count)
        return sites + total / np.maximum(count, 1)[:, None]

    def _layers(self, among: np.ndarray) -> Iterator[tuple[int, int]]:
        """First voxel and end along x of the layers of boxes with a part of some grains, in order."""
        nx, ny, nz = self.grid.shape
        held = np.ones(-(-nx // cpu.COARSE), bool)
        if not among.all():
            cells = cpu.touched(self.diagram.tree(ORDER), self.diagram.lattice(self.grid, ORDER), among, 0.0)
            given = self.repairs.voxels[among[self.repairs.after - 1]]
            held = cells.reshape(len(held), -1).any(axis=1) | np.isin(
                np.arange(len(held)), given // (cpu.COARSE * ny * nz)
            )
        for layer in np.flatnonzero(held).tolist():
            yield cpu.COARSE * layer, min(cpu.COARSE * (layer + 1), nx)


def gained(repairs: Repairs, n: int) -> np.ndarray:
    """int64 [n]: voxels that each grain has more than its cell."""
    after, before = (np.bincount(labels, minlength=n + 1)[1:] for labels in (repairs.after, repairs.before))
    return after - before


def repaired(tiles: Tiles) -> Tiles:
    """The tiles with each island given to the neighbour that shares most faces with it (ties: the lowest id).

    As `give_away_islands` does for a volume in memory, and with its result: in rounds, as a neighbour may itself be an
    island.
    """
    return mended(tiles)[0]


def mended(
    tiles: Tiles, old: Survey | None = None, *, rounds: int = 8, on_part: OnPart | None = None
) -> tuple[Tiles, Survey]:
    """The same, and what is known of the cells' pieces.

    With what was known (`old`) when some sites were different, only what these touch is looked at again: the result is
    the same. `on_part` is told which share of that is done.
    """
    survey, found = surveyed(tiles.diagram, tiles.grid, old, on_part)
    label, more = heirs(found.pieces, found.pieces.islands(), rounds)
    known = more
    while more.any():
        survey, found = knowing(survey, known)
        label, more = heirs(found.pieces, found.pieces.islands() | known, rounds)
        known = known | more
    before, after = found.pieces.label[found.piece], label[found.piece]
    moved = np.flatnonzero(before != after)
    moved = moved[np.argsort(found.voxels[moved])]
    return replace(tiles, repairs=Repairs(found.voxels[moved], before[moved], after[moved])), survey
