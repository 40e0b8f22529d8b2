"""`TriangleMesh`: a triangulated surface, its measures, and whether it is closed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class TriangleMesh:
    """A triangulated surface; triangles turn anticlockwise seen from outside."""

    points: np.ndarray
    """float64 [n, 3]: corners, mm."""
    triangles: np.ndarray
    """int32 [m, 3]: rows of `points`."""


def volume(mesh: TriangleMesh) -> float:
    """Enclosed volume, mm³; negative when the surface is inside out."""
    return enclosed(mesh.points, mesh.triangles)


def enclosed(points: np.ndarray, triangles: np.ndarray) -> float:
    """Volume inside closed triangles, in the unit of the points cubed."""
    # About its own middle: far from the origin the terms would cancel.
    a, b, c = (points - points.mean(axis=0))[triangles.T]
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def parts(mesh: TriangleMesh) -> int:
    """Number of connected pieces of the surface."""
    return _pieces(mesh)[0]


def shells(mesh: TriangleMesh) -> tuple[np.ndarray, np.ndarray]:
    """Volume inside each connected piece of the surface, mm³: above 0 for parts, below 0 for their cavities.

    And the piece of each point, int [n].
    """
    number, piece = _pieces(mesh)
    a, b, c = (mesh.points - mesh.points.mean(axis=0))[mesh.triangles.T]
    cones = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
    return np.bincount(piece[mesh.triangles[:, 0]], cones, minlength=number), piece


def _pieces(mesh: TriangleMesh) -> tuple[int, np.ndarray]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(mesh.points)
    i, j = mesh.triangles.ravel(), np.roll(mesh.triangles, 1, axis=1).ravel()
    number, piece = connected_components(coo_array((np.ones(len(i), bool), (i, j)), shape=(n, n)), directed=False)
    return int(number), piece


def is_watertight(mesh: TriangleMesh) -> bool:
    """Closed and oriented: every edge has two triangles, one in each direction, and manifold3d accepts the solid.

    Judged on the float32 coordinates that files and slicers hold, where corners that coincide are one.
    """
    import manifold3d

    points = mesh.points.astype(np.float32)
    n, m = len(points), len(mesh.triangles)
    if m == 0 or not np.isfinite(points).all() or coincident(points).size:
        return False
    i, j = mesh.triangles.ravel().astype(np.int64), np.roll(mesh.triangles, -1, axis=1).ravel().astype(np.int64)
    forward = np.sort(i * n + j)
    if (np.diff(forward) == 0).any() or not np.array_equal(forward, np.sort(j * n + i)):
        return False
    solid = manifold3d.Manifold(manifold3d.Mesh(points, mesh.triangles.astype(np.uint32)))
    return solid.status() == manifold3d.Error.NoError and not solid.is_empty()


def coincident(points: np.ndarray) -> np.ndarray:
    """Rows of float32 [n, 3] whose point occurs more than once, sorted by point."""
    # + 0.0 makes one zero of both. Few points share two coordinates: only those are compared as a whole.
    bits = (points.astype(np.float32) + np.float32(0.0)).view(np.uint32).astype(np.uint64)
    key = bits[:, 0] << np.uint64(32) | bits[:, 1]
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    rows = order[np.append(same, False) | np.append(False, same)]
    if not len(rows):
        return rows
    rows = rows[np.lexsort(bits[rows].T)]
    same = (bits[rows][1:] == bits[rows][:-1]).all(axis=1)
    return rows[np.append(same, False) | np.append(False, same)]


FINEST = 2.0**-25
"""Lattice of corners, mm: a third of an Ångström, three times what trimesh and others take for one point."""


def on_lattice(points: np.ndarray) -> np.ndarray:
    """Corners rounded to the 2^-22th of the largest coordinate's power of two, to `FINEST` at least.

    Near zero float32 tells corners apart that readers merge, or that become one where the object is moved. Of rounded
    ones each is that of another, which `coincident` finds, or apart for all.
    """
    largest = float(np.abs(points).max(initial=0.0))
    step = max(FINEST, 2.0 ** (np.ceil(np.log2(largest)) - 22)) if 0 < largest < np.inf else FINEST
    return np.rint(points / step) * step


def area(mesh: TriangleMesh) -> float:
    """Area of the surface, mm²."""
    a, b, c = mesh.points[mesh.triangles.T]
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def euler(mesh: TriangleMesh) -> int:
    """Euler number of the solid inside: half the surface's V - E + F, which is V - F/2 where it is closed."""
    return (2 * len(mesh.points) - len(mesh.triangles)) // 4


STEEP = np.sqrt(0.5)
"""Cosine of 45°."""


def overhang(mesh: TriangleMesh) -> float:
    """Share of the area that faces down by more than 45° (z is up), without what lies on the plate."""
    a, b, c = mesh.points[mesh.triangles.T]
    normal = np.cross(b - a, c - a)
    size = np.linalg.norm(normal, axis=1)
    low, high = mesh.points[:, 2].min(), mesh.points[:, 2].max()
    lies = np.maximum(np.maximum(a[:, 2], b[:, 2]), c[:, 2]) <= low + 1e-3 * (high - low)
    hangs = (-normal[:, 2] > (STEEP + 1e-6) * size) & ~lies
    return float(size[hangs].sum() / max(size.sum(), 1e-300))
