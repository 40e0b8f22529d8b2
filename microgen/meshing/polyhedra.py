"""The polyhedra of a Laguerre diagram as one complex: vertices, edges and faces that cells share.

Each cell is found by itself, so that shared vertices differ by rounding; they are joined where they are nearer to each
other than `JOIN`, along periodic axes also across the box. A cell is kept whole: it may reach out of a periodic box,
and its faces there are images of faces on the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.microstructure import Microstructure

JOIN = 1e-9, 1e-8, 1e-7, 1e-6  # of a cell's size; the next where cells do not agree about what is left of small faces


@dataclass(frozen=True, eq=False)
class Polyhedra:
    """Cells 1..n as polyhedra in the box [0, lengths) and, along periodic axes, around it. Lengths in µm."""

    lengths: tuple[float, ...]
    periodic: tuple[bool, ...]
    sites: np.ndarray
    """float64 [n, 3]"""
    weights: np.ndarray
    """float64 [n], µm²"""
    volumes: np.ndarray
    """float64 [n], µm³"""
    points: np.ndarray
    """float64 [p, 3]"""
    image: np.ndarray
    """int64 [p, 4]: which points are images of each other, and by how many boxes each is moved."""
    faces: tuple[tuple[int, ...], ...]
    """Points around each face, anticlockwise seen from outside the first of its cells."""
    cells: np.ndarray
    """int64 [faces, 2]: the cell that a face bounds, and the one behind it; negative for walls, as in `Cells`."""
    shift: np.ndarray
    """int64 [faces, 3]: boxes by which the cell behind is moved; its face there is an image of this one."""
    area: np.ndarray
    """float64 [faces], µm²"""

    def of_cell(self, cell: int) -> list[tuple[int, ...]]:
        """The faces of one cell, seen from outside it."""
        return [self.faces[f] if sign > 0 else self.faces[f][::-1] for f, sign in self.bounds[cell]]

    @cached_property
    def bounds(self) -> list[list[tuple[int, int]]]:
        """(face, 1 or -1) around each cell: -1 where the face is seen from inside."""
        around: list[list[tuple[int, int]]] = [[] for _ in range(len(self.sites))]
        for f, ((i, j), shift) in enumerate(zip(self.cells.tolist(), self.shift.tolist())):
            around[i].append((f, 1))
            if j >= 0 and not any(shift):
                around[j].append((f, -1))
        return around


def polyhedra(ms: Microstructure) -> Polyhedra:
    """The cells of a sample made with cells laguerre, again from its table of grains.

    Raises InvalidParameter for samples without sites and weights, and for metrics that are not all one sphere.
    """
    sites, weights = check_flat(ms)
    assert isinstance(ms.grid, Grid)
    return joined(sites - np.asarray(ms.grid.origin), weights, ms.grid)


def check_flat(ms: Microstructure) -> tuple[np.ndarray, np.ndarray]:
    """Sites [n, 3] and weights [n], for metrics of one, of a sample with flat cells. Raises InvalidParameter."""
    grains, remedy = ms.grains, "Make the sample with --cells laguerre."
    if grains is None or grains.sites is None or grains.metrics is None or grains.weights is None:
        raise InvalidParameter("grains", expected="sites and weights of flat cells", got="none", remedy=remedy)
    scale = float(grains.metrics[0, 0, 0])
    if grains.metrics.shape[1] != 3 or not np.allclose(grains.metrics, scale * np.eye(3), rtol=1e-12, atol=0):
        raise InvalidParameter("grains", expected="cells with flat faces", got="curved ones", remedy=remedy)
    return grains.sites, grains.weights / scale


def joined(sites: np.ndarray, weights: np.ndarray, grid: Grid) -> Polyhedra:
    """The complex of sites and weights (µm, µm²) in the box of the grid."""
    from microgen.core.kernels.laguerre import outlines
    from microgen.core.laguerre import checked, clipped

    sites, weights = checked(sites, weights, grid.lengths, grid.periodic)
    room = clipped(sites, weights, grid.lengths, grid.periodic, shapes=True)
    n = len(sites)
    first_face, first_point = (np.concatenate([[0], np.cumsum(a)[:-1]]) for a in (room.faces, room.vertices))
    count = [
        np.bincount(room.triple[i, :v].ravel(), minlength=f) for i, (v, f) in enumerate(zip(room.vertices, room.faces))
    ]
    corners = np.concatenate([[0], np.cumsum(np.concatenate(count))])
    rows = outlines(room, first_face, corners)
    there = np.arange(room.position.shape[1]) < room.vertices[:, None]
    points = (room.position + sites[:, None])[there]
    face = np.arange(room.owner.shape[1]) < room.faces[:, None]
    cell = np.repeat(np.arange(n), room.faces)
    rows += np.repeat(first_point[cell], np.diff(corners))
    behind, shift, area = room.owner[face], room.shift[face].astype(np.int64), room.area[face]
    size = float(np.prod(grid.lengths) / n) ** (1 / 3)
    for tolerance in JOIN:
        at, image, number = _together(points, grid, tolerance * size)
        found = _shared(number[rows], corners, np.column_stack([cell, behind]), shift)
        if found is not None:
            kept, faces = found
            cells = np.column_stack([cell, behind])[kept]
            return Polyhedra(
                grid.lengths,
                grid.periodic,
                sites,
                weights,
                room.volume,
                at,
                image,
                faces,
                cells,
                shift[kept],
                area[kept],
            )
    raise InvalidParameter("sites", expected="cells whose faces can be told apart", got="cells that disagree")


def _together(points: np.ndarray, grid: Grid, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points that are one within the tolerance: places, images (class, boxes), and the number of each as given."""
    box, wraps = np.array(grid.lengths), np.array(grid.periodic)
    inside = np.where(wraps, points % box, points)
    inside = np.where(wraps & (inside >= box), 0.0, inside)
    pairs = KDTree(inside - np.where(wraps, 0, inside.min(axis=0)), boxsize=np.where(wraps, box, 0.0)).query_pairs(
        tolerance, output_type="ndarray"
    )
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(points),) * 2)
    _, group = connected_components(graph, directed=False)
    _, lead = np.unique(group, return_index=True)
    place = inside[lead]
    moved = np.where(wraps, np.round((points - place[group]) / box), 0).astype(np.int64)
    image, number = np.unique(np.column_stack([group, moved]), axis=0, return_inverse=True)
    return place[image[:, 0]] + image[:, 1:] * box, image, number.ravel()


def _shared(
    numbers: np.ndarray, corners: np.ndarray, cells: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, tuple[tuple[int, ...], ...]] | None:
    """Rows of the faces to keep, each once, with their points; None where its two cells do not agree about one."""
    loops = {}
    ends, flat = corners.tolist(), numbers.tolist()
    for f, ((i, j), s) in enumerate(zip(cells.tolist(), shift.tolist())):
        loop = _plain(flat[ends[f] : ends[f + 1]])
        if len(loop) >= 3:
            loops[i, j, *s] = f, loop
    kept, faces = [], []
    for (i, j, *s), (f, loop) in loops.items():
        if j >= 0 and not any(s):
            other = loops.get((j, i, 0, 0, 0))
            if other is None or _turned(other[1][::-1]) != _turned(loop):
                return None
            if j < i:
                continue
        elif j >= 0 and (j, i, *(-k for k in s)) not in loops:
            return None
        kept.append(f)
        faces.append(tuple(loop))
    return np.array(kept), tuple(faces)


def _plain(loop: list[int]) -> list[int]:
    """Without repetitions."""
    return [a for k, a in enumerate(loop) if a != loop[k - 1]]


def _turned(loop: list[int]) -> list[int]:
    """The ring from its least number on."""
    k = loop.index(min(loop))
    return loop[k:] + loop[:k]
