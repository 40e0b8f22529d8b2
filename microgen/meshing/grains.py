"""Closed, oriented surfaces of voxel grains, with exactly the volume of their voxels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from microgen.errors import InvalidParameter, NotPrintable
from microgen.grid import Grid
from microgen.meshing.marching import cut_edges, triangles_between
from microgen.meshing.mesh import TriangleMesh, enclosed, is_watertight, volume
from microgen.meshing.walls import depths
from microgen.microstructure import Microstructure


def grain_surfaces(ms: Microstructure, *, shell: float | None = None) -> Iterator[tuple[int, TriangleMesh]]:
    """The closed surface of each grain of a volume, in order of grain_id, in mm.

    Grains are cut at the box, where they get closed, flat caps: one that goes through a periodic face has several
    parts. The other vertices slide along their lattice edges, all by the same fraction, until the enclosed volume is
    the voxels': flat faces move by a few hundredths of a voxel, where midpoints would lose 2 % of a mean grain and
    80 % of a single voxel. (Grains of a few voxels at the edge of the box stay below their volume.)
    `shell` leaves walls of that thickness, mm, to half a voxel; a grain that is nowhere deeper stays as it is.
    Raises InvalidParameter when there is no volume of grains, NotPrintable when a surface is not closed.
    """
    from scipy.ndimage import find_objects

    if not isinstance(ms.grid, Grid) or ms.grid.ndim != 3 or ms.grain_id is None:
        raise InvalidParameter("grain_id", expected="a volume (3-D) with grains", got=ms.grid)
    spacing, origin = np.array(ms.grid.spacing) * 1e-3, np.array(ms.grid.origin) * 1e-3
    for k, box in enumerate(find_objects(ms.grain_id)):
        if box is None:
            continue
        corner = np.array([cut.start for cut in box])
        capped = np.array([[cut.start == 0, cut.stop == n] for cut, n in zip(box, ms.grid.shape)])
        inside = ms.grain_id[box] == k + 1
        if shell is not None:
            inside &= depths(np.where(inside, 1.0, -1.0), spacing) <= shell
        mesh = surface(inside, spacing, origin=origin + corner * spacing, capped=capped)
        if not is_watertight(mesh) or volume(mesh) <= 0:
            raise NotPrintable(f"grain {k + 1}: its surface is not closed.")
        yield k + 1, mesh


def surface(inside: np.ndarray, spacing: np.ndarray, *, origin: np.ndarray, capped: np.ndarray) -> TriangleMesh:
    """Surface around the voxels `inside` (bool [x, y, z]) with their volume.

    `origin` is the corner of the first voxel and `spacing` the voxel, mm; `capped` (bool [3, 2]: axis, lower or upper)
    says on which sides of the array vertices stay on the voxels' faces.
    """
    padded = np.pad(inside, 1)
    start, step, number = cut_edges(padded)
    triangles = triangles_between(padded, number)
    last = np.array(inside.shape)
    fixed = ((step < 0) & (start == 1) & capped[:, 0]) | ((step > 0) & (start == last) & capped[:, 1])
    still = start + 0.5 * step * fixed
    slide = step * ~fixed
    volumes = [enclosed((still + t * slide) * spacing, triangles) for t in _SHIFTS]
    shift = _shift(np.array(volumes), float(inside.sum() * np.prod(spacing)))
    return TriangleMesh((still + shift * slide - 0.5) * spacing + origin, triangles)


_SHIFTS = np.array([0.0, 1 / 3, 2 / 3, 1.0])


def _shift(volumes: np.ndarray, wanted: float) -> float:
    """The fraction t of a step at which the volume, a cubic in t known at `_SHIFTS`, is `wanted`."""
    cubic = np.polynomial.Polynomial.fit(_SHIFTS, volumes / wanted - 1, 3, domain=[0, 1], window=[0, 1])
    roots = cubic.roots()
    real = roots.real[np.abs(roots.imag) < 1e-9]
    # At 0 and 1 vertices would meet; a single voxel away from the box needs 0.909.
    return float(np.clip(real[np.abs(real - 0.5).argmin()], 0.05, 0.95)) if len(real) else 0.5
