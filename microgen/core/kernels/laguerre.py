"""All cells of a Laguerre diagram as exact polyhedra: a box, cut by the planes between a site and its neighbours.

Sites are met in bins around the cell's own; the search ends where no site can reach the cell any more (Lévy and Bonneel
2013; for power diagrams as in voro++): site j at distance D cuts nothing of a cell within R of site i once
D² - 2 R D + w_i - w_j >= 0. Cells are made in parallel, each by itself, so that results do not depend on the threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgen.compiled import compiled, inner
from microgen.core.kernels.clipping import FULL, compact, cut, measure, new_cell, reach, start

SORTED = 3  # shells of bins that are visited by distance
CHUNKS = 256  # parts of the rows, for threads to share


class Bins(NamedTuple):
    """Sites sorted into boxes; arrays only, for Numba."""

    sites: np.ndarray  # float64 [n, 3], in the box, in the order of the bins
    weights: np.ndarray  # float64 [n]
    order: np.ndarray  # int64 [n]: number of each row as it was given
    first: np.ndarray  # int64 [bins + 1]: first row of each bin
    heaviest: np.ndarray  # float64 [bins]: largest weight in the bin, -inf where it is empty
    shape: np.ndarray  # int64 [3]
    lengths: np.ndarray  # float64 [3]
    periodic: np.ndarray  # bool [3]
    offsets: np.ndarray  # int64 [m, 3]: bins around a bin, by distance
    gaps: np.ndarray  # float64 [m]: least distance between a point in the bin and one in such a bin


class Room(NamedTuple):
    """What is found of each cell; the last three have no rows where shapes are not wanted."""

    volume: np.ndarray  # float64 [n]
    moment: np.ndarray  # float64 [n, 3]: integral of y - site over the cell
    faces: np.ndarray  # int64 [n]
    owner: np.ndarray  # int64 [n, room]: the site behind each face, or -1 - 2 axis - upper for a wall
    shift: np.ndarray  # int8 [n, room, 3]: boxes by which that site is moved
    area: np.ndarray  # float64 [n, room]
    vertices: np.ndarray  # int64 [n]
    triple: np.ndarray  # int16 [n, 2 room, 3]: the faces that meet in each vertex
    position: np.ndarray  # float64 [n, 2 room, 3]: of each vertex, from the site


def bins(sites: np.ndarray, weights: np.ndarray, lengths: np.ndarray, periodic: np.ndarray) -> Bins:
    """Sites [n, 3] in the box [0, lengths), about two to a bin."""
    n = len(sites)
    side = (np.prod(lengths) * 2 / n) ** (1 / 3)
    shape = np.maximum(1, np.round(lengths / side)).astype(np.int64)
    where = np.minimum((sites / lengths * shape).astype(np.int64), shape - 1)
    flat = (where[:, 0] * shape[1] + where[:, 1]) * shape[2] + where[:, 2]
    order = np.argsort(flat, kind="stable")
    count = np.bincount(flat, minlength=int(np.prod(shape)))
    heaviest = np.full(len(count), -np.inf)
    np.maximum.at(heaviest, flat, weights)
    near = np.stack(np.meshgrid(*[np.arange(-SORTED, SORTED + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    pitch, first = lengths / shape, np.concatenate([[0], np.cumsum(count)])
    near = near[np.argsort(np.linalg.norm(near * pitch, axis=1), kind="stable")]
    gaps = np.linalg.norm(np.maximum(np.abs(near) - 1, 0) * pitch, axis=1)
    near, gaps = near[by := np.argsort(gaps, kind="stable")], gaps[by]
    return Bins(sites[order], weights[order], order, first, heaviest, shape, lengths, periodic, near, gaps)


def room(n: int, faces: int, *, shapes: bool) -> Room:
    """Space for n cells of so many faces."""
    rows = n if shapes else 0
    return Room(
        np.zeros(n),
        np.zeros((n, 3)),
        np.zeros(n, np.int64),
        np.zeros((n, faces), np.int64),
        np.zeros((n, faces, 3), np.int8),
        np.zeros((n, faces)),
        np.zeros(n, np.int64),
        np.zeros((rows, 2 * faces, 3), np.int16),
        np.zeros((rows, 2 * faces, 3)),
    )


@inner
def _visit(cell, bins, row, place, offset, radius, used, fresh):
    """Cut by all sites of the bin that lies `offset` from `place`; the new radius, or a negative status."""
    flat, least = 0, 0.0
    move, shift = np.zeros(3), np.zeros(3, np.int64)
    for axis in range(3):
        size, where = bins.shape[axis], place[axis] + offset[axis]
        turns = where // size
        if turns != 0 and not bins.periodic[axis]:
            return radius
        flat = flat * size + where - turns * size
        move[axis], shift[axis] = turns * bins.lengths[axis], turns
        h = bins.lengths[axis] / size
        gap = max(where * h - bins.sites[row, axis], bins.sites[row, axis] - (where + 1) * h, 0.0)
        least += gap * gap
    if least > _horizon(radius, bins.weights[row], bins.heaviest[flat]) ** 2:
        return radius
    normal = np.zeros(3)
    for other in range(bins.first[flat], bins.first[flat + 1]):
        if other == row:  # its images touch the box it started from
            continue
        square = 0.0
        for axis in range(3):
            normal[axis] = bins.sites[other, axis] + move[axis] - bins.sites[row, axis]
            square += normal[axis] * normal[axis]
        height = 0.5 * (square + bins.weights[row] - bins.weights[other])
        scale = np.sqrt(square) * radius
        status = cut(cell, normal, height, scale) if scale > height else 0
        if status < 0:
            return float(status)
        if status > 0:
            last = cell.size[0] - 1
            cell.owner[last], cell.shift[last] = other, shift
            if cell.size[0] == len(cell.height):
                compact(cell, used, fresh)
                if cell.size[0] == len(cell.height):
                    return -1.0 * FULL
            radius = reach(cell)
            if cell.size[1] == 0:
                return 0.0
    return radius


@inner
def _horizon(radius, weight, other):
    """Distance from which on no site of weight `other` cuts the cell."""
    square = radius * radius + other - weight
    return radius + np.sqrt(square) if square > 0 else 0.0


@inner
def _search(cell, bins, row, heaviest, used, fresh):
    """Cut by all sites that can; 0, or what ended it."""
    radius = reach(cell)
    place, pitch = np.zeros(3, np.int64), np.inf
    for axis in range(3):
        size = bins.shape[axis]
        place[axis] = min(int(bins.sites[row, axis] / bins.lengths[axis] * size), size - 1)
        pitch = min(pitch, bins.lengths[axis] / size)
    for k in range(len(bins.offsets)):
        if bins.gaps[k] > _horizon(radius, bins.weights[row], heaviest):
            return 0
        radius = _visit(cell, bins, row, place, bins.offsets[k], radius, used, fresh)
        if radius <= 0.0:
            return int(-radius)
    shell, offset = SORTED + 1, np.zeros(3, np.int64)
    while (shell - 1) * pitch < _horizon(radius, bins.weights[row], heaviest):
        for i in range(-shell, shell + 1):
            for j in range(-shell, shell + 1):
                step = 1 if abs(i) == shell or abs(j) == shell else 2 * shell
                for k in range(-shell, shell + 1, step):
                    offset[0], offset[1], offset[2] = i, j, k
                    radius = _visit(cell, bins, row, place, offset, radius, used, fresh)
                    if radius <= 0.0:
                        return int(-radius)
        shell += 1
    return 0


@inner
def _keep(cell, bins, room, i):
    """Write the finished cell into row i."""
    planes, vertices = cell.size[0], cell.size[1]
    room.faces[i], room.vertices[i] = planes, vertices
    for f in range(planes):
        area, six, mx, my, mz = measure(cell, f)
        owner = cell.owner[f]
        room.owner[i, f] = bins.order[owner] if owner >= 0 else owner
        room.area[i, f] = area
        room.volume[i] += six / 6
        room.moment[i, 0] += mx / 24
        room.moment[i, 1] += my / 24
        room.moment[i, 2] += mz / 24
        for axis in range(3):
            room.shift[i, f, axis] = cell.shift[f, axis]
    if len(room.triple):
        for v in range(vertices):
            for k in range(3):
                room.triple[i, v, k] = cell.triple[v, k]
                room.position[i, v, k] = cell.position[v, k]


@compiled(nogil=True)
def clip(thread, threads, bins, room, status):
    """Make a thread's share of the cells; `status` [n] says what ended one early, else 0. Empty cells have no faces."""
    n, planes = len(bins.order), room.owner.shape[1]
    heaviest = bins.weights.max()
    cell = new_cell(planes)
    used, fresh = np.zeros(planes, np.bool_), np.zeros(planes, np.int64)
    for chunk in range(thread, CHUNKS, threads):
        for row in range(chunk * n // CHUNKS, (chunk + 1) * n // CHUNKS):
            i = bins.order[row]
            start(cell, bins.sites[row], row, bins.lengths, bins.periodic)
            status[i] = _search(cell, bins, row, heaviest, used, fresh)
            room.volume[i], room.moment[i] = 0.0, 0.0
            room.faces[i] = room.vertices[i] = 0
            if status[i] == 0 and cell.size[1] > 0:
                compact(cell, used, fresh)
                _keep(cell, bins, room, i)


@compiled
def outlines(room, first_face, corners):
    """Vertices around each face, anticlockwise seen from outside, as rows of `room.position[i]`; face after face.

    `first_face` [n] counts the faces of the cells before; `corners` [faces + 1] says where each face's vertices begin.
    """
    n, most = room.owner.shape
    at = np.zeros((most, most), np.int64)
    lead = np.zeros(most, np.int64)
    rows = np.zeros(corners[-1], np.int64)
    for i in range(n):
        for v in range(room.vertices[i]):
            for k in range(3):
                a = room.triple[i, v, k]
                at[a, room.triple[i, v, (k + 1) % 3]] = v
                lead[a] = v
        for f in range(room.faces[i]):
            v = lead[f]
            for place in range(corners[first_face[i] + f], corners[first_face[i] + f + 1]):
                rows[place] = v
                before = 0
                for k in range(3):
                    if room.triple[i, v, k] == f:
                        before = room.triple[i, v, (k + 2) % 3]
                v = at[f, before]
    return rows
