"""Interfaces and tetrahedra of a conforming mesh, and how well shaped they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microgen.errors import InvalidParameter
from microgen.meshing.conforming import Conforming, squares
from microgen.meshing.junctions import AXES, numbers
from microgen.meshing.lattice_kernels import KUHN, TRIANGLES
from microgen.meshing.mesh import TriangleMesh

OUTSIDE = -1
"""What lies beyond the box, as the side of a triangle."""
CHUNK = 2**16  # elements at a time
STEPS = np.array([[c & 1, c >> 1 & 1, c >> 2] for c in range(8)])


@dataclass(frozen=True, eq=False)
class Interfaces:
    """All interfaces of a volume and the faces of its box, each triangle once."""

    points: np.ndarray
    """float64 [n, 3], µm."""
    triangles: np.ndarray
    """int32 [m, 3]."""
    sides: np.ndarray
    """int32 [m, 2]: labels behind and before a triangle, to which its normal points; 0 void, OUTSIDE beyond the box."""


@dataclass(frozen=True, eq=False)
class Tetrahedra:
    """A volume mesh of all that is not void."""

    points: np.ndarray
    """float64 [n, 3], µm."""
    tetrahedra: np.ndarray
    """int32 [m, 4]: rows of `points`; all have positive volumes."""
    labels: np.ndarray
    """int32 [m]: grain_id, or phase_id + 1 without grains."""


def interfaces(mesh: Conforming) -> Interfaces:
    """Triangles between different labels, and of the faces of the box round all that is not void."""
    found, sides = [], []
    for axis in range(3):
        corners, below, above = squares(mesh.labels, axis)
        for at, back, front in ((corners, below, above), *_box_faces(mesh.labels, axis)):
            ways = mesh.flipped[axis][tuple(at[:, 0].T)]
            flat = numbers(at, mesh.displaced.shape[:3])
            for first, second in (((0, 1, 2), (0, 1, 3)), ((0, 2, 3), (1, 2, 3))):
                found.append(np.where(ways[:, None], flat[:, second], flat[:, first]))
                sides.append(np.stack([back, front], axis=1))
    used, triangles = np.unique(np.concatenate(found), return_inverse=True)
    pairs = np.concatenate(sides).astype(np.int32)
    return Interfaces(mesh.points[used], triangles.reshape(-1, 3).astype(np.int32), pairs)


def _box_faces(labels: np.ndarray, axis: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Squares on the lower and upper face of the box, their labels behind and before."""
    u, v = AXES[(axis + 1) % 3], AXES[(axis + 2) % 3]
    for upper in (0, 1):
        plane = np.take(labels, -upper, axis=axis)
        at = np.argwhere(np.expand_dims(plane, axis) != 0) + upper * (labels.shape[axis]) * AXES[axis]
        inside = plane[plane != 0]
        beyond = np.full_like(inside, OUTSIDE)
        corners = np.stack([at, at + u, at + u + v, at + v], axis=1)
        yield (corners, inside, beyond) if upper else (corners, beyond, inside)


def surface_of(interfaces: Interfaces, label: int) -> TriangleMesh:
    """The closed surface of one label, in mm. Raises InvalidParameter when there is none."""
    behind, before = interfaces.sides[:, 0] == label, interfaces.sides[:, 1] == label
    if not (behind | before).any():
        raise InvalidParameter("label", expected="a grain or phase of the mesh", got=label)
    triangles = np.concatenate([interfaces.triangles[behind], interfaces.triangles[before][:, ::-1]])
    used, triangles = np.unique(triangles, return_inverse=True)
    return TriangleMesh(interfaces.points[used] * 1e-3, triangles.reshape(-1, 3).astype(np.int32))


def tetrahedra(mesh: Conforming) -> Tetrahedra:
    """Elements cut into tetrahedra: six, or twelve round their middle (see `lattice_kernels`)."""
    solid = mesh.labels.ravel() != 0
    plain, round_middle = np.flatnonzero(solid & ~mesh.middle.ravel()), np.flatnonzero(solid & mesh.middle.ravel())
    points, number = mesh.points, mesh.displaced.shape[:3]
    six = _corners(plain, mesh.labels.shape, number)[:, KUHN].reshape(-1, 4)
    twelve, middles = [np.zeros((0, 4), np.int64)], [np.zeros((0, 3))]
    for start in range(0, len(round_middle), CHUNK):
        at = round_middle[start : start + CHUNK]
        corners = _corners(at, mesh.labels.shape, number)
        faces = _faces(corners, at, mesh)
        top = np.broadcast_to((len(points) + start + np.arange(len(at)))[:, None, None], (len(at), 12, 1))
        twelve.append(np.concatenate([top, faces], axis=2).reshape(-1, 4))
        middles.append(middles_of(points, corners, faces))
    cells = np.concatenate([six, *twelve])
    points = np.concatenate([points, *middles])
    labels = mesh.labels.ravel()[np.concatenate([np.repeat(plain, 6), np.repeat(round_middle, 12)])]
    seen = np.zeros(len(points), bool)
    seen[cells] = True
    row = np.cumsum(seen, dtype=np.int32) - 1
    return Tetrahedra(points[seen], row[cells], labels)


def _corners(at: np.ndarray, shape: tuple[int, ...], number: tuple[int, ...]) -> np.ndarray:
    """Numbers of the eight corners of elements: int64 [m, 8]."""
    place = np.stack(np.unravel_index(at, shape), axis=1)
    return numbers(place[:, None] + STEPS, number)


def _faces(corners: np.ndarray, at: np.ndarray, mesh: Conforming) -> np.ndarray:
    """The twelve triangles of elements, anticlockwise seen from outside: int64 [m, 12, 3]."""
    place, out = np.stack(np.unravel_index(at, mesh.labels.shape), axis=1), []
    for face in range(6):
        axis, side = divmod(face, 2)
        way = mesh.flipped[axis][tuple((place + side * AXES[axis]).T)].astype(int)
        out.append(np.take_along_axis(corners, TRIANGLES[face][way].reshape(len(at), 6), axis=1).reshape(-1, 2, 3))
    return np.concatenate(out, axis=1)


def middles_of(points: np.ndarray, corners: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Middles of the volumes of elements, which lie well inside those that are pyramids: float64 [m, 3]."""
    start = points[corners].mean(axis=1)
    ways = points[faces] - start[:, None, None]
    volume = np.einsum("mti,mti->mt", ways[:, :, 0], np.cross(ways[:, :, 1], ways[:, :, 2])) / 6
    shift = np.einsum("mt,mti->mi", volume, ways.sum(axis=2)) / 4
    return start + shift / volume.sum(axis=1, keepdims=True)


def volumes(mesh: Tetrahedra) -> np.ndarray:
    """float64 [m], µm³."""
    out = np.empty(len(mesh.tetrahedra))
    for cut in _chunks(len(out)):
        a, b, c, d = np.moveaxis(mesh.points[mesh.tetrahedra[cut]], 1, 0)
        out[cut] = np.einsum("mi,mi->m", b - a, np.cross(c - a, d - a)) / 6
    return out


def shapes(mesh: Tetrahedra) -> np.ndarray:
    """Mean ratio 12 (3 V)^(2/3) / sum of squared edges, float64 [m]: 1 for regular tetrahedra, 0 for flat ones
    (Liu & Joe, BIT 34, 1994)."""
    out, volume = np.empty(len(mesh.tetrahedra)), volumes(mesh)
    for cut in _chunks(len(out)):
        corner = mesh.points[mesh.tetrahedra[cut]]
        ways = [corner[:, i] - corner[:, j] for i in range(4) for j in range(i)]
        out[cut] = 12 * np.cbrt(3 * volume[cut]) ** 2 / sum((w**2).sum(axis=1) for w in ways)
    return out


def _chunks(number: int) -> Iterator[slice]:
    return (slice(start, start + 4 * CHUNK) for start in range(0, number, 4 * CHUNK))
