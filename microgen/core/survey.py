"""The connected pieces of a diagram's cells on a grid, and what touches those that are islands, box by box.

What a coarse box of the sweeps holds follows from its own labels alone, and is kept: pieces within the box, pairs of
them that touch across its sides, and voxels of islands. Where few cells change, only the boxes that these had or have a
part of are looked at again. Joining the pieces of all boxes takes no labels, and the outcome is that of a look at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from microgen.core.heirs import Pieces
from microgen.core.kernels import cpu
from microgen.core.kernels.boxes import Lattice
from microgen.core.kernels.pieces import Rows, across, cut, gather, joined, merged
from microgen.core.kernels.tree import SiteTree
from microgen.core.nearby import WHOLE
from microgen.core.power_diagram import PowerDiagram
from microgen.grid import Grid

TOGETHER = 2**13
"""Boxes that are looked at together, about: planes of their pieces take 3 KiB each."""
ORDER = (0, 1, 2)

OnPart = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Survey:
    """Pieces of the cells of a diagram on a grid, by coarse boxes in memory order."""

    diagram: PowerDiagram
    grid: Grid
    pieces: Rows
    """Of each box: lowest voxel (uint16, in the box), size (uint16), label (int32)."""
    sides: Rows
    """Of the upper side of each box along each axis (3 box + axis): piece of this box, piece of the next one, number of
    faces between them."""
    wanted: Rows
    """Of each box: bool, the pieces of which the following is known."""
    voxels: Rows
    """Of each box: voxel (uint16, in the box), piece."""
    touching: Rows
    """Of each box: two pieces, at least one of them wanted, the lower first, and the number of faces between them."""


class Found(NamedTuple):
    """Connected pieces of the volume, and the voxels of those that were wanted."""

    pieces: Pieces
    """With the faces of wanted pieces."""
    voxels: np.ndarray
    """int64 [m], by their place in memory, box after box"""
    piece: np.ndarray
    """int64 [m]"""


def surveyed(
    diagram: PowerDiagram, grid: Grid, old: Survey | None = None, on_part: OnPart | None = None
) -> tuple[Survey, Found]:
    """The pieces of a diagram's cells on a 3-D grid, with all islands wanted.

    `old` is a survey of a diagram some sites of which were elsewhere, or had other metrics or weights: only what these
    touch is looked at again.
    `on_part` is told which share of that is done.
    """
    tree, lattice = diagram.tree(ORDER), diagram.lattice(grid, ORDER)
    total = int(np.prod(_boxes(lattice)))
    part = None if old is None else _part(old, diagram, grid, tree)
    if old is None or part is None:
        part, old = np.ones(total, bool), _nothing(diagram, grid, total)
    changed = np.flatnonzero(part)
    survey = replace(old, diagram=diagram)
    if len(changed):
        pieces, side, sides = _looked_at(tree, lattice, part, on_part)
        none = Rows(np.zeros(len(changed), np.int64), (np.empty(0, np.uint16),) * 3)
        survey = replace(
            survey,
            pieces=_replaced(old.pieces, changed, pieces),
            sides=_replaced(old.sides, side, sides),
            wanted=_replaced(old.wanted, changed, Rows(pieces.count, (np.zeros(int(pieces.count.sum()), bool),))),
            voxels=_replaced(old.voxels, changed, none),
            touching=_replaced(old.touching, changed, none),
        )
    return knowing(survey)


def knowing(survey: Survey, more: np.ndarray | None = None) -> tuple[Survey, Found]:
    """The survey with the islands wanted, and `more` pieces of the volume (bool)."""
    place, pieces = _joined(survey)
    known = pieces.islands() if more is None else pieces.islands() | more
    wanted = known[place]
    begin = np.r_[0, np.cumsum(survey.pieces.count)]
    of_box = np.repeat(np.arange(len(begin) - 1), survey.pieces.count)
    boxes = np.unique(of_box[wanted != survey.wanted.columns[0]])
    tree, lattice = survey.diagram.tree(ORDER), survey.diagram.lattice(survey.grid, ORDER)
    for some in np.array_split(boxes, -(-len(boxes) // TOGETHER)) if len(boxes) else ():
        mine = _of(survey.pieces.count, some)
        voxels, touching = gather(tree, lattice, some, wanted[mine], survey.pieces.count[some])
        survey = replace(
            survey,
            voxels=_replaced(survey.voxels, some, voxels),
            touching=_replaced(survey.touching, some, touching),
        )
    survey = replace(survey, wanted=Rows(survey.pieces.count, (wanted,)))
    box = np.repeat(np.arange(len(begin) - 1), survey.voxels.count)
    voxel, piece = survey.voxels.columns
    found = pieces._replace(faces=_faces(survey, begin, place, len(pieces.root)))
    return survey, Found(found, _places(survey, survey.voxels.count, voxel), place[begin[box] + piece])


def _part(old: Survey, diagram: PowerDiagram, grid: Grid, tree: SiteTree) -> np.ndarray | None:
    """bool: the boxes that may have changed; None where these are most."""
    before = old.diagram
    if old.grid != grid or len(before) != len(diagram):
        return None
    moved = (before.sites != diagram.sites).any(1) | (before.metrics != diagram.metrics).flatten(1).any(1)
    active = (moved | (before.weights != diagram.weights)).numpy()
    if active.mean() > WHOLE:
        return None
    lattice, none = diagram.lattice(grid, ORDER), np.zeros(len(old.pieces.count), bool)
    trees = (before.tree(ORDER), tree) if active.any() else ()
    return np.logical_or.reduce([none, *(cpu.touched(k, lattice, active, 0.0) for k in trees)])


def _nothing(diagram: PowerDiagram, grid: Grid, boxes: int) -> Survey:
    none, short, long = np.zeros(boxes, np.int64), np.empty(0, np.uint16), np.empty(0, np.int32)
    sides = Rows(np.zeros(3 * boxes, np.int64), (short, short, long))
    wanted = Rows(none, (np.empty(0, bool),))
    three = Rows(none, (short, short, long))
    return Survey(diagram, grid, three, sides, wanted, Rows(none, (short, short)), three)


def _boxes(lattice: Lattice) -> tuple[int, ...]:
    """Coarse boxes along each axis."""
    return tuple((-(-lattice.shape // cpu.COARSE)).tolist())


def _after(lattice: Lattice) -> np.ndarray:
    """int64 [3 boxes]: the box beyond the upper side of each box along each axis, -1 where the volume ends."""
    shape = _boxes(lattice)
    at = np.stack(np.unravel_index(np.repeat(np.arange(np.prod(shape)), 3), shape))
    axis = np.tile(np.arange(3), np.prod(shape))
    at[axis, np.arange(len(axis))] += 1
    inside = at[axis, np.arange(len(axis))] < np.array(shape)[axis]
    after = np.ravel_multi_index(tuple(at), shape, mode="wrap")
    return np.where(inside | (lattice.lengths > 0)[axis], after, -1)


def _looked_at(
    tree: SiteTree, lattice: Lattice, part: np.ndarray, on_part: OnPart | None
) -> tuple[Rows, np.ndarray, Rows]:
    """Pieces of part of the boxes; the sides that these have a share in, and what touches there.

    Layers are looked at one after the other, as all planes of pieces would not fit: those of the first and of the last
    layer are at hand.
    """
    after = _after(lattice)
    side = np.flatnonzero((np.repeat(part, 3) | part[after]) & (after >= 0))
    boxes = np.union1d(np.flatnonzero(part), np.r_[side // 3, after[side]])
    layer = boxes // int(np.prod(_boxes(lattice)[1:]))
    before = np.searchsorted(layer, layer)  # boxes in layers before
    group = np.full(len(part), -1)
    group[boxes] = before // TOGETHER
    ready = np.maximum(group[side // 3], group[after[side]])
    row, pieces, touching, order = np.full(len(part), -1), [], [], []
    kept, planes = np.empty(0, np.int64), np.empty((0, 6, cpu.COARSE, cpu.COARSE), np.uint16)
    for number in np.unique(group[boxes]):
        mine = boxes[group[boxes] == number]
        rows, fresh = cut(tree, lattice, mine)
        pieces.append(_taken(rows, part[mine]))
        kept, planes = np.r_[kept, mine], np.concatenate([planes, fresh])
        row[kept] = np.arange(len(kept))
        now = side[ready == number]
        upper, lower = (planes[row[b], 2 * (now % 3) + k] for b, k in ((now // 3, 1), (after[now], 0)))
        touching.append(across(upper, lower, _extent(lattice, now)))
        order.append(now)
        ends = np.isin(kept, boxes[(layer == layer[0]) | (layer == layer[np.searchsorted(boxes, mine[-1])])])
        kept, planes = kept[ends], planes[ends]
        if on_part is not None:
            on_part(float(np.searchsorted(boxes, mine[-1]) + 1) / len(boxes))
    return _together(pieces), side, _in_order(np.concatenate(order), _together(touching))


def _extent(lattice: Lattice, side: np.ndarray) -> np.ndarray:
    """int64 [sides, 2]: voxels along the two other axes."""
    at = np.stack(np.unravel_index(side // 3, _boxes(lattice)), axis=1)
    extent = np.minimum(lattice.shape - cpu.COARSE * at, cpu.COARSE)
    others = np.array([(1, 2), (0, 2), (0, 1)])[side % 3]
    return np.take_along_axis(extent, others, axis=1)


def _joined(survey: Survey) -> tuple[np.ndarray, Pieces]:
    """Which connected piece of the volume each piece of a box is of, and those, without faces."""
    label, size = survey.pieces.columns[2], survey.pieces.columns[1]
    a, b = _beside(survey)
    same = label[a] == label[b]
    root = _places(survey, survey.pieces.count, survey.pieces.columns[0])
    place, root, size = merged(joined(a[same], b[same], len(label)), root, size)
    order = np.argsort(root)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    place, named = rank[place], np.empty(len(order), np.int32)
    named[place] = label
    return place, Pieces(root[order], size[order], named, np.empty((0, 3), np.int64))


def _beside(survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """Pieces on either side of the sides of boxes."""
    begin = np.r_[0, np.cumsum(survey.pieces.count)]
    side = np.repeat(np.arange(len(survey.sides.count)), survey.sides.count)
    after = _after(survey.diagram.lattice(survey.grid, ORDER))
    return begin[side // 3] + survey.sides.columns[0], begin[after[side]] + survey.sides.columns[1]


def _faces(survey: Survey, begin: np.ndarray, place: np.ndarray, n: int) -> np.ndarray:
    """int64 [f, 3]: wanted piece of the volume, piece of another label that it touches, number of faces."""
    first = np.repeat(begin[:-1], survey.touching.count)
    a, b, inside = survey.touching.columns
    pairs = ((first + a, first + b, inside), (*_beside(survey), survey.sides.columns[2]))
    wanted, label, keys, counts = survey.wanted.columns[0], survey.pieces.columns[2], [], []
    for a, b, faces in pairs:
        for own, other in ((a, b), (b, a)):
            mine = wanted[own] & (label[own] != label[other])
            keys.append(place[own[mine]] * n + place[other[mine]])
            counts.append(faces[mine])
    key, where = np.unique(np.concatenate(keys), return_inverse=True)
    total = np.bincount(where, np.concatenate(counts), len(key)).astype(np.int64)
    return np.column_stack([key // n, key % n, total])


def _places(survey: Survey, count: np.ndarray, voxel: np.ndarray) -> np.ndarray:
    """int64: places in memory of voxels of boxes, `count` of each box."""
    _, ny, nz = survey.grid.shape
    x, y, z = np.unravel_index(np.arange(len(count)), _boxes(survey.diagram.lattice(survey.grid, ORDER)))
    i, j, k = np.unravel_index(np.arange(cpu.COARSE**3), (cpu.COARSE,) * 3)
    return np.repeat(cpu.COARSE * ((x * ny + y) * nz + z), count) + ((i * ny + j) * nz + k)[voxel]


def _of(count: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """bool: the rows of some boxes."""
    mine = np.zeros(len(count), bool)
    mine[boxes] = True
    return np.repeat(mine, count)


def _taken(rows: Rows, which: np.ndarray) -> Rows:
    mine = np.repeat(which, rows.count)
    return Rows(rows.count[which], tuple(column[mine] for column in rows.columns))


def _together(parts: list[Rows]) -> Rows:
    columns = tuple(np.concatenate(column) for column in zip(*(rows.columns for rows in parts)))
    return Rows(np.concatenate([rows.count for rows in parts]), columns)


def _in_order(key: np.ndarray, rows: Rows) -> Rows:
    """Rows of a list of keys, now by rising keys."""
    order = np.argsort(np.repeat(key, rows.count), kind="stable")
    return Rows(rows.count[np.argsort(key)], tuple(column[order] for column in rows.columns))


def _replaced(old: Rows, keys: np.ndarray, new: Rows) -> Rows:
    """Rows of all, with those of `keys`, which rise, replaced."""
    count = old.count.copy()
    count[keys] = new.count
    kept, fresh = ~_of(old.count, keys), _of(count, keys)
    columns = []
    for before, after in zip(old.columns, new.columns):
        column = np.empty(len(fresh), before.dtype)
        column[fresh], column[~fresh] = after, before[kept]
        columns.append(column)
    return Rows(count, tuple(columns))
