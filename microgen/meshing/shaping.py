"""Shapes made of a sample before or after it has a surface: hollow, tiled, on a plate, taken apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from microgen.errors import InvalidParameter, NotPrintable
from microgen.grid import Grid
from microgen.meshing.body import Body
from microgen.meshing.mesh import TriangleMesh, shells
from microgen.meshing.walls import depths
from microgen.microstructure import Microstructure

RESOLVED = 1.5
"""Voxels a wall of a hollow part must have."""
SUNK = 0.23
"""Of a voxel: how far a base plate reaches into the part, and beyond it on all sides. No plane of the one lies in one
of the other, nor in a row of corners: there a union leaves corners a hair apart, which readers take for one."""
NEAR = 0.02
"""Of that depth: corners of the union that are closer are made one."""


def hollowed(u: np.ndarray, spacing: np.ndarray, wall: float) -> np.ndarray:
    """The level set with void wherever the solid u > 0 is deeper than `wall` (unit of `spacing`); the box is surface.

    Raises InvalidParameter where nothing is as deep, and for walls that voxels cannot show.
    """
    if wall < RESOLVED * spacing.max():
        expected = f"a wall of {RESOLVED:g} voxels ({RESOLVED * spacing.max():.4g} mm) or more"
        raise InvalidParameter("shell_mm", expected=expected, got=wall, remedy="Make the sample of smaller voxels.")
    deep = depths(u, spacing)
    if not deep.max(initial=0) > wall:
        expected = f"a wall below {deep.max(initial=0):.4g} mm, the depth of the thickest place"
        raise InvalidParameter("shell_mm", expected=expected, got=wall)
    return np.minimum(u, np.clip((wall - deep) / spacing.min(), -1, 1).astype(np.float32))


def tiled(ms: Microstructure, copies: tuple[int, int, int]) -> Microstructure:
    """The solid repeated along x, y, z: one level set (or one array of phases), so that copies are joined.

    Raises InvalidParameter for planes, and for axes along which the sample does not repeat.
    """
    if not isinstance(ms.grid, Grid) or ms.grid.ndim != 3:
        raise InvalidParameter("tile", expected="a volume (3-D)", got=f"{ms.grid.ndim}-D")
    if len(copies) != 3 or min(copies) < 1:
        raise InvalidParameter("tile", expected="3 whole numbers of copies, 1 or more", got=copies)
    stiff = [axis for axis, wraps, n in zip("xyz", ms.grid.periodic, copies) if n > 1 and not wraps]
    if stiff:
        remedy = "Copies of it would not fit together. Make it periodic, or say that it is: --periodic xyz"
        raise InvalidParameter("tile", expected=f"a sample periodic along {''.join(stiff)}", got=copies, remedy=remedy)
    shape = tuple(n * k for n, k in zip(ms.grid.shape, copies))
    return replace(
        ms,
        grid=Grid(shape, ms.grid.spacing, ms.grid.origin, ms.grid.periodic),
        phase_id=np.tile(ms.phase_id, copies),
        level_set=None if ms.level_set is None else np.tile(ms.level_set, copies),
        grain_id=None,
        grains=None,
        orientation=None,
        grey=None,
        measured=None,
    )


def on_plate(mesh: TriangleMesh, thickness: float, *, sunk: float) -> TriangleMesh:
    """United with a plate of `thickness` mm below its lowest point, `sunk` mm into it and wider than it."""
    import manifold3d

    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    sides = np.array([high[0] - low[0] + 2 * sunk, high[1] - low[1] + 2 * sunk, thickness + sunk])
    plate = manifold3d.Manifold.cube(sides.tolist()).translate([low[0] - sunk, low[1] - sunk, low[2] - thickness])
    solid = manifold3d.Manifold(manifold3d.Mesh(mesh.points.astype(np.float32), mesh.triangles.astype(np.uint32)))
    united = solid + plate
    if united.status() != manifold3d.Error.NoError:
        raise NotPrintable(f"it cannot be united with its base plate ({united.status().name}).")
    # Where the two meet corners lie a hair apart, and readers that take near ones for one would see a hole.
    found = united.simplify(NEAR * sunk).to_mesh()
    return TriangleMesh(np.asarray(found.vert_properties[:, :3], float), np.asarray(found.tri_verts, np.int32))


def exploded(bodies: Iterable[Body], factor: float) -> list[Body]:
    """Bodies moved apart: the middle of each piece is `factor` times as far from the middle of all as it was.

    Pieces that a convex body was cut into at the box move each for itself; one with a cavity moves as a whole.
    Convex bodies that do not overlap never do. Raises InvalidParameter for factors below 1.
    """
    if not 1 <= factor < np.inf:
        raise InvalidParameter("explode", expected="a factor of 1 or more", got=factor)
    bodies = list(bodies)
    low = np.min([body.mesh.points.min(axis=0) for body in bodies], axis=0)
    high = np.max([body.mesh.points.max(axis=0) for body in bodies], axis=0)
    return [replace(body, mesh=_moved(body.mesh, (low + high) / 2, factor - 1)) for body in bodies]


def _moved(mesh: TriangleMesh, centre: np.ndarray, way: float) -> TriangleMesh:
    inside, piece = shells(mesh)
    if (inside < 0).any():
        piece = np.zeros_like(piece)
    number = np.bincount(piece)
    middle = np.stack([np.bincount(piece, mesh.points[:, k]) / number for k in range(3)], axis=1)
    return TriangleMesh(mesh.points + (way * (middle - centre))[piece], mesh.triangles)
