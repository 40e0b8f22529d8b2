"""Voxels whose corners are moved onto smooth interfaces, every grain keeping its volume: meshes without gaps.

All interfaces, tetrahedra and faces of the box are made of the same corners, so that they conform by construction; a
periodic sample has the same corners and triangles on opposite faces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import convolve
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import cg

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.meshing.junctions import AXES, Pulls, numbers, pulls
from microgen.meshing.lattice_kernels import cut_elements
from microgen.meshing.pinches import without_pinches
from microgen.microstructure import Microstructure

STEPS, STEP = 12, 0.5  # of smoothing, and the share of the way to the neighbours' mean that each goes
REACH = 0.5  # elements that a corner may move along an axis: half the way to the next one
FLATTEST = 0.01  # least volume of a tetrahedron, elements: undistorted ones have 1/6 or 1/12
CORNERS = list(np.ndindex(2, 2, 2))
BACK = 0.7  # share of its way that a corner keeps of which a tetrahedron is flatter
INNER = 3  # steps that draw the corners inside grains after those of the interfaces
VOLUME_ERROR = 0.002  # of every grain, at which its volume is right
ROUNDS = 12


@dataclass(frozen=True, eq=False)
class Conforming:
    """Elements (voxels, or larger ones) of a volume and where their corners have gone."""

    grid: Grid
    """Of the elements."""
    labels: np.ndarray
    """int32 [x, y, z]: grain_id of each element, or phase_id + 1 without grains; 0 is void."""
    displaced: np.ndarray
    """float64 [nx + 1, ny + 1, nz + 1, 3]: way of each corner from its place, in elements."""
    flipped: np.ndarray
    """bool [3, nx + 1, ny + 1, nz + 1]: diagonal of each face, see `lattice_kernels.cut_elements`."""
    middle: np.ndarray
    """bool [x, y, z]: elements that are cut into twelve tetrahedra."""
    volume_error: np.ndarray
    """float64 [labels]: volume over that of the sample's voxels, less 1; 0 where there is no such label."""
    changed: int
    """Elements that got another label, where a grain touched itself along an edge only (see `without_pinches`)."""

    @property
    def points(self) -> np.ndarray:
        """float64 [corners, 3]: all corners, µm; z runs fastest."""
        places = np.stack(np.meshgrid(*[np.arange(n) for n in self.displaced.shape[:3]], indexing="ij"), axis=-1)
        points = (places + self.displaced) * np.array(self.grid.spacing) + np.array(self.grid.origin)
        return points.reshape(-1, 3)


@dataclass(eq=False)
class _Lattice:
    """The corners on their way; `d` [corners, 3] has no periodic copies."""

    labels: np.ndarray
    net: Pulls
    d: np.ndarray
    held: np.ndarray
    """bool [corners]: went back already, and do not move again."""
    flipped: np.ndarray
    total: np.ndarray
    middle: np.ndarray
    """See `cut_elements`."""

    @classmethod
    def at_rest(cls, labels: np.ndarray, net: Pulls) -> _Lattice:
        """All corners at their places."""
        number, upper = int(np.prod(net.shape)), tuple(n + 1 for n in labels.shape)
        arrays = np.zeros((3, *upper), bool), np.ones(labels.shape), np.zeros(labels.shape, bool)
        return cls(labels, net, np.zeros((number, 3)), np.zeros(number, bool), *arrays)

    def unwrapped(self, values: np.ndarray) -> np.ndarray:
        """Values at the corners with those that a periodic axis has twice: [nx + 1, ny + 1, nz + 1, ...]."""
        more = [(0, n + 1 - m) for n, m in zip(self.labels.shape, self.net.shape)]
        values = values.reshape(*self.net.shape, *values.shape[1:])
        return np.pad(values, more + [(0, 0)] * (values.ndim - 3), mode="wrap")


def conform(ms: Microstructure, *, element: float = 1.0) -> Conforming:
    """Smooth the interfaces of a volume; `element` is the edge of an element in voxels, 1 or more.

    Interfaces are smoothed as surface nets, then moved along their normals until each grain has the volume of its
    voxels. Corners that would make a tetrahedron flatter than `FLATTEST` go back, half the way each time; as nothing is
    flat when they are at their places, that ends. Raises InvalidParameter for planes, and for elements so large that
    grains get lost.
    """
    labels, grid = elements(ms, element)
    labels, changed = without_pinches(labels)
    wanted = _wanted(labels_of(ms), labels, element)
    net = pulls(labels, grid.periodic)
    lattice = _Lattice.at_rest(labels, net)
    lattice.d[net.corners] = _smoothed(net)
    _draw_inner(lattice)
    error = np.zeros(len(wanted))
    gradients: list[csr_array] = []
    for last in range(ROUNDS, -1, -1):
        lattice.held[:] = False
        _untangle(lattice)
        volumes = np.bincount(labels.ravel(), lattice.total.ravel(), minlength=len(wanted))
        error = np.where(wanted > 0, volumes / np.maximum(wanted, 1e-300) - 1, 0.0)
        if np.abs(error).max() <= VOLUME_ERROR or not last:
            break
        gradients = gradients or _gradients(lattice, len(wanted))
        _push(lattice, gradients, wanted - volumes)
    displaced = lattice.unwrapped(lattice.d)
    return Conforming(grid, labels, displaced, lattice.flipped, lattice.middle, error, changed)


def elements(ms: Microstructure, element: float) -> tuple[np.ndarray, Grid]:
    """Labels of elements of about `element` voxels (those at their middles) and their grid, of whole numbers."""
    if not isinstance(ms.grid, Grid) or ms.grid.ndim != 3:
        raise InvalidParameter("sample", expected="a volume (3-D)", got=ms.grid)
    if not 1 <= element < min(ms.grid.shape) / 2:
        raise InvalidParameter("element", expected="1 voxel or more, and several in the box", got=element)
    fine = labels_of(ms)
    shape = tuple(max(2, round(n / element)) for n in fine.shape)
    at = [((np.arange(m) + 0.5) * n / m).astype(int) for n, m in zip(fine.shape, shape)]
    labels = fine[np.ix_(*at)]
    spacing = tuple(h * n / m for h, n, m in zip(ms.grid.spacing, fine.shape, shape))
    return np.ascontiguousarray(labels), replace(ms.grid, shape=shape, spacing=spacing)


def labels_of(ms: Microstructure) -> np.ndarray:
    """int32: grain_id, or phase_id + 1 without grains."""
    return (ms.phase_id.astype(np.int32) + 1) if ms.grain_id is None else ms.grain_id.astype(np.int32)


def _wanted(fine: np.ndarray, labels: np.ndarray, element: float) -> np.ndarray:
    """Volume of each label in the sample, in elements. Raises InvalidParameter where one has none of these."""
    voxels = np.bincount(fine.ravel())
    lost = np.flatnonzero((voxels > 0) & (np.bincount(labels.ravel(), minlength=len(voxels)) == 0))
    if len(lost):
        got = f"{element:g} voxels, where {len(lost)} of {np.count_nonzero(voxels)} get lost (the first: {lost[0]})"
        remedy = "Use smaller elements, or a sample with more voxels a grain."
        raise InvalidParameter("element", expected="an element in which no grain gets lost", got=got, remedy=remedy)
    return voxels * (labels.size / fine.size)


def _smoothed(net: Pulls) -> np.ndarray:
    """Displacements of the corners where grains meet [n, 3] after the steps of smoothing, elements."""
    d = np.zeros((len(net.corners), 3))
    for _ in range(STEPS):
        d = (1 - STEP) * d + STEP * (net.mean @ d + net.offset) * net.slides[net.corners]
        np.clip(d, -REACH, REACH, out=d)
    return d


def _draw_inner(lattice: _Lattice) -> None:
    """Corners inside grains go with those of the interfaces, so that the elements between keep their shape."""
    net, star = lattice.net, np.zeros((3, 3, 3))
    for way in (*AXES, *-AXES):
        star[tuple(1 + way)] = 1 / 6
    modes = tuple("wrap" if m == n else "nearest" for n, m in zip(lattice.labels.shape, net.shape))
    fixed = lattice.d[net.corners]
    for _ in range(INNER):
        for axis in range(3):
            drawn = _convolved(lattice.d[:, axis].reshape(net.shape), star, modes)
            lattice.d[:, axis] = drawn.ravel() * net.slides[:, axis]
        lattice.d[net.corners] = fixed


def _convolved(field: np.ndarray, star: np.ndarray, modes: tuple[str, ...]) -> np.ndarray:
    for axis, mode in enumerate(modes):
        field = np.pad(field, [(int(a == axis),) * 2 for a in range(3)], mode="wrap" if mode == "wrap" else "edge")
    return convolve(field, star, mode="nearest")[1:-1, 1:-1, 1:-1]


def _untangle(lattice: _Lattice) -> None:
    """Cut all elements; take corners of flat tetrahedra back, a part of the way each time, and cut again."""
    at = np.flatnonzero(_touched(lattice, np.asarray(lattice.d.any(axis=1))))
    while len(at):
        flat = np.zeros(lattice.flipped.shape[1:], bool)
        displaced = lattice.unwrapped(lattice.d)
        cut_elements(displaced, at, FLATTEST, lattice.flipped, lattice.total, lattice.middle, flat)
        corners = np.argwhere(flat) % np.array(lattice.net.shape)
        back = np.unique(numbers(corners, lattice.net.shape))
        lattice.d[back] *= BACK
        lattice.d[back[np.abs(lattice.d[back]).max(axis=1) < 1e-3]] = 0.0
        lattice.held[back] = True
        moved = np.zeros(len(lattice.d), bool)
        moved[back] = True
        at = np.flatnonzero(_touched(lattice, moved))


def _touched(lattice: _Lattice, corners: np.ndarray) -> np.ndarray:
    """Elements that have one of the corners (bool [corners]); bool [x, y, z]."""
    there = lattice.unwrapped(corners)
    return np.logical_or.reduce([there[i:, j:, k:][tuple(map(slice, lattice.labels.shape))] for i, j, k in CORNERS])


def _push(lattice: _Lattice, gradients: list[csr_array], lack: np.ndarray) -> None:
    """Move the corners that may as little as possible, so that each label gains the volume it lacks, elements.

    The least displacement with the gains G d = lack is d = G' p with G G' p = lack: Newton's step, as the gradient G of
    the volumes changes little on the way.
    """
    free = lattice.net.slides & ~lattice.held[:, None]
    moved = [g @ diags_array(free[:, axis].astype(float)) for axis, g in enumerate(gradients)]
    system = csr_array(moved[0] @ moved[0].T + moved[1] @ moved[1].T + moved[2] @ moved[2].T)
    diagonal = system.diagonal()
    moves = diagonal > 0
    lack = np.where(moves, lack - lack[moves].mean(), 0.0)  # what all gain together, the box would have to
    diagonal = np.where(moves, diagonal, 1.0)
    p, _ = cg(system + diags_array(1e-9 * diagonal), lack, rtol=1e-6, maxiter=2000, M=diags_array(1 / diagonal))
    for axis, m in enumerate(moved):
        lattice.d[:, axis] += m.T @ p


def _gradients(lattice: _Lattice, number: int) -> list[csr_array]:
    """Change of the volume of each label with the displacement of each corner along an axis: 3 times [labels, corners].

    A corner of a triangle moves a third of its area along the normal from the label below to that above.
    """
    x = lattice.unwrapped(lattice.d) + np.stack(
        np.meshgrid(*[np.arange(n + 1) for n in lattice.labels.shape], indexing="ij"), axis=-1
    )
    rows, columns, values = [], [], []
    for axis in range(3):
        corners, lower, upper = squares(lattice.labels, axis)
        a, b, c, d = (x[tuple(corners[:, k].T)] for k in range(4))
        cut = lattice.flipped[axis][tuple(corners[:, 0].T)][:, None].astype(bool)
        abc, acd = np.cross(b - a, c - a) / 6, np.cross(c - a, d - a) / 6
        abd, bcd = np.cross(b - a, d - a) / 6, np.cross(c - b, d - b) / 6
        ends, sides = (np.where(cut, x, y) for x, y in ((abd, abc + acd), (abd + bcd, abc)))
        opposite, others = (np.where(cut, x, y) for x, y in ((bcd, abc + acd), (abd + bcd, acd)))
        wrapped = corners % np.array(lattice.net.shape)
        flat = numbers(wrapped, lattice.net.shape)
        for k, vector in enumerate((ends, sides, opposite, others)):
            rows, columns = [*rows, lower, upper], [*columns, flat[:, k], flat[:, k]]
            values = [*values, vector, -vector]
    i, j, v = np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
    return [csr_array((v[:, axis], (i, j)), shape=(number, len(lattice.d))) for axis in range(3)]


def squares(labels: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Faces across an axis between elements of different labels, inside the box.

    Their corners, int [m, 4, 3], anticlockwise seen from above; the labels below and above, int [m].
    """
    u, v = AXES[(axis + 1) % 3], AXES[(axis + 2) % 3]
    below, above = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
    at = np.argwhere(np.moveaxis(below != above, 0, axis))
    first = at + AXES[axis]
    corners = np.stack([first, first + u, first + u + v, first + v], axis=1)
    return corners, labels[tuple(at.T)], labels[tuple(first.T)]
