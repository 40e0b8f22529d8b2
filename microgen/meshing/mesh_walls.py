"""Walls of a solid known by its surface alone: voxels for thick ones, rays for those below six voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgen.meshing.clip import signed_distance
from microgen.meshing.mesh import TriangleMesh
from microgen.meshing.rays import ray_crossings
from microgen.meshing.walls import walls

VOXELS, LONGEST = 1_000_000, 400
"""In the box of the surface and along its longest side at most, where no resolution is asked for."""
MARGIN = 3
"""Voxels of void around it: here the box is no cut."""
RESOLVED = 6.0
"""Voxels a wall must have to be measured by them: the rims of thinner ones would count."""
FACING = -0.95
"""Largest cosine between the surfaces where a ray enters and leaves: sharp edges, as cuts leave them, are no walls."""
FLAT = 1e-3
"""Voxels from a side of the box within which a surface lies on it."""


def resolution_of(mesh: TriangleMesh, voxels: int = VOXELS) -> float:
    """Edge of the voxels that a surface is measured with, so many in its box, mm."""
    sides = np.ptp(mesh.points, axis=0)
    return max(float(sides.prod() / voxels) ** (1 / 3), float(sides.max()) / LONGEST, 1e-12)


@dataclass(frozen=True, eq=False)
class Walls:
    """Walls inside a closed surface, each as often as it has h² of area, about."""

    thickness: np.ndarray
    """float64 [n], mm."""
    cut: np.ndarray
    """bool [n]: one side is a side of the surface's box, as where a sample was cut out: every cut leaves slivers."""


def mesh_walls(mesh: TriangleMesh, h: float) -> Walls:
    """The walls inside a closed surface.

    The surface is put onto voxels of `h` mm by the parity of rays along the three axes, and measured as `walls` does.
    Walls below six voxels are measured where a ray goes through them: from one surface to the next, which turns the
    other way, along their mean normal. They are exact, so that sheets thinner than a voxel are found.
    """
    low = mesh.points.min(axis=0)
    shape = tuple(int(n) + 2 * MARGIN for n in np.ceil(np.ptp(mesh.points, axis=0) / h))
    triangles = ((mesh.points - low) / h + MARGIN - 0.5)[mesh.triangles]
    thick = walls(signed_distance(triangles, shape), np.ones(3))
    thick = thick[thick >= RESOLVED]
    found = [_thin(triangles, shape, axis) for axis in range(3)]
    thin, cut = (np.concatenate(part) for part in zip(*found))
    cut = np.append(np.zeros(len(thick), bool), cut[thin < RESOLVED])
    return Walls(h * np.append(thick, thin[thin < RESOLVED]), cut)


def _thin(triangles: np.ndarray, shape: tuple[int, ...], axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Thickness in voxels at the walls that face an axis more than the other two, each met once; which the box cuts."""
    order = [k for k in range(3) if k != axis] + [axis]
    line, height, which = ray_crossings(triangles[:, :, order], tuple(shape[k] for k in order))
    order = np.lexsort((height, line))
    line, height, which = line[order], height[order], which[order]
    start = np.append(True, line[1:] != line[:-1]) if len(line) else np.zeros(0, bool)
    rank = np.arange(len(line)) - np.flatnonzero(start)[np.cumsum(start) - 1]
    enters = np.flatnonzero((rank[:-1] % 2 == 0) & (line[1:] == line[:-1]))
    a, b, c = (triangles[which, k] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    n, m = normal[enters], normal[enters + 1]
    faces = (np.einsum("ij,ij->i", n, m) < FACING) & (np.abs(n).argmax(axis=1) == axis)
    mean = (n - m)[faces]
    chord = (height[enters + 1] - height[enters])[faces]
    sides = triangles[:, :, axis].min(), triangles[:, :, axis].max()
    low, high = (np.abs(height[k] - side) < FLAT for k, side in ((enters, sides[0]), (enters + 1, sides[1])))
    return chord * np.abs(mean[:, axis]) / np.linalg.norm(mean, axis=1), (low | high)[faces]
