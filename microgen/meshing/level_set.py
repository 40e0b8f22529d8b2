"""A level set as a solid to print: one closed surface in mm, checked, with what a printer needs to know of it.

The array is padded with void, so that the surface is closed at the box by flat caps; marching cubes puts a vertex where
the level set crosses an edge of the lattice; manifold3d drops the triangles that flat places do not need; swelling by a
hair's breadth gives the solid the volume of its voxels. The result is verified, refused if not closed, never repaired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from microgen.errors import InvalidParameter, NotPrintable
from microgen.grid import Grid
from microgen.meshing.clip import Clip
from microgen.meshing.marching import cut_edges, triangles_between
from microgen.meshing.mesh import (
    TriangleMesh,
    area,
    coincident,
    euler,
    is_watertight,
    on_lattice,
    overhang,
    shells,
    volume,
)
from microgen.meshing.shaping import SUNK, hollowed, on_plate
from microgen.meshing.walls import thin_share, walls
from microgen.microstructure import Microstructure

if TYPE_CHECKING:
    import manifold3d

SIMPLIFY = 0.3
"""Farthest a simplified surface may move, in voxels: removes about 80 % of the triangles."""
COARSEST = 2.0
"""The same where there would be too many triangles."""
FLATTENED = 0.01
"""Share of its volume below which a simplified solid has collapsed into a sheet."""
MAX_TRIANGLES = 2_000_000
PRINTERS = {"fdm": 0.8, "sla": 0.5, "sls": 0.7, "dmls": 0.4}
"""Thinnest wall that prints, mm."""
SWELLING = 0.5
"""Farthest the surface may move to hold the volume of the voxels, in voxels."""
CLOSEST = 0.01
"""Vertices keep this share of an edge from its ends: the edges of one corner never meet in float32."""
PINCH = 0.02
"""Share of the way to their neighbours by which corners that coincide are drawn apart."""


@dataclass(frozen=True)
class Printability:
    """What there is to know before printing a solid."""

    watertight: bool
    manifold: bool
    parts: int
    """Pieces that do not touch."""
    parts_removed: int
    """Floating pieces that were left out."""
    volume_mm3: float
    volume_removed_mm3: float
    """In the pieces left out."""
    area_mm2: float
    bbox_mm: tuple[float, ...]
    euler: int
    min_wall_mm: float
    """All walls but the thinnest hundredth are thicker; NaN where there is none to measure."""
    trapped_voids: int
    """Closed cavities: powder or resin stays in them."""
    triangles: int
    thin: dict[str, float]
    """Share of the walls below what each kind of printer makes (`PRINTERS`)."""
    overhang: float = 0.0
    """Share of the area that faces down by more than 45°, z being up."""


@dataclass(frozen=True, eq=False)
class Solid:
    """A closed surface with its report."""

    mesh: TriangleMesh
    report: Printability


def level_set_mesh(
    ms: Microstructure,
    *,
    scale: float = 1.0,
    clip: Clip | None = None,
    min_part: float = 1.0,
    max_triangles: int = MAX_TRIANGLES,
) -> TriangleMesh:
    """The closed surface of `printable_solid`, without the report."""
    placed = _placed(ms, scale, clip)
    return _surface(_without_islands(placed.u, min_part)[0], placed, min_part, max_triangles)


def printable_solid(
    ms: Microstructure,
    *,
    scale: float = 1.0,
    clip: Clip | None = None,
    min_part: float = 1.0,
    max_triangles: int = MAX_TRIANGLES,
    tolerance: float | None = None,
    shell: float | None = None,
    base: float | None = None,
) -> Solid:
    """The solid u > 0 of a volume (without level set: all voxels of a phase), `scale` times as large as the sample.

    `clip` cuts it to a shape. Pieces smaller than `min_part` times the largest are left out: 1 keeps one piece, 0 all.
    In mm: `tolerance` bounds how far simplifying moves the surface (None: 0.3 voxels, more above `max_triangles`),
    `shell` leaves walls of that thickness with void in them, `base` is a plate below, united with the part.
    Raises InvalidParameter for planes, NotPrintable when nothing is solid or the surface is not closed.
    """
    placed = _placed(ms, scale, clip)
    u, islands = _without_islands(placed.u, min_part)
    if shell is None:
        thickness = walls(placed.whole, placed.spacing, kept=u > 0)
    else:
        u = hollowed(u, placed.spacing, _above_zero("shell_mm", shell))
        thickness = walls(np.pad(u, 3, constant_values=-1.0), placed.spacing)
    mesh = _surface(u, placed, min_part, max_triangles, tolerance=tolerance)
    removed = islands.found - int((shells(mesh)[0] > 0).sum())
    if base is not None:
        mesh = _based(mesh, _above_zero("base_mm", base), placed)
        # As many as make a base that is thinner than the walls the thinnest hundredth.
        thickness = np.append(thickness, np.full(len(thickness) // 50 + 1, base))
    return Solid(mesh, _report(mesh, thickness, removed, islands.voxels * float(np.prod(placed.spacing))))


def _above_zero(name: str, value: float) -> float:
    if not (np.isfinite(value) and value > 0):
        raise InvalidParameter(name, expected="a length above 0 mm", got=value)
    return value


def _report(mesh: TriangleMesh, thickness: np.ndarray, removed: int, lost: float) -> Printability:
    pieces = shells(mesh)[0]
    return Printability(
        watertight=True,
        manifold=True,
        parts=int((pieces > 0).sum()),
        parts_removed=removed,
        volume_mm3=volume(mesh),
        volume_removed_mm3=lost,
        area_mm2=area(mesh),
        bbox_mm=tuple(float(side) for side in np.ptp(mesh.points, axis=0)),
        euler=euler(mesh),
        min_wall_mm=float(np.quantile(thickness, 0.01)) if len(thickness) else float("nan"),
        trapped_voids=int((pieces < 0).sum()),
        triangles=len(mesh.triangles),
        thin={name: thin_share(thickness, limit) for name, limit in PRINTERS.items()},
        overhang=overhang(mesh),
    )


def _based(mesh: TriangleMesh, base: float, placed: _Placed) -> TriangleMesh:
    found = on_plate(mesh, base, sunk=SUNK * float(placed.spacing[2]))
    apart = _unpinched(on_lattice(found.points), found.triangles)
    found = TriangleMesh(on_lattice(apart), found.triangles)
    if not is_watertight(found):
        raise NotPrintable("its surface is not closed where it meets the base plate, so it is not written.")
    return found


def level_surface(u: np.ndarray, spacing: np.ndarray, *, origin: np.ndarray) -> TriangleMesh:
    """Surface around the voxels u > 0 of [x, y, z], closed at the box; `origin` (its corner) and `spacing` in mm.

    On a lattice edge from u_1 > 0 to u_0 <= 0 the vertex lies at u_1/(u_1 - u_0) of the edge, and on the box, half a
    voxel beyond the last centre, in its middle.
    """
    padded = np.pad(u, 1, constant_values=-1.0)
    start, step, number = cut_edges(padded > 0)
    beyond = start + step
    inner, outer = padded[tuple(start.T)].astype(float), padded[tuple(beyond.T)].astype(float)
    capped = ((beyond == 0) | (beyond == np.array(padded.shape) - 1)).any(axis=1)
    along = np.where(capped, 0.5, np.clip(inner / (inner - outer), CLOSEST, 1 - CLOSEST))
    points = (start + step * along[:, None] - 0.5) * spacing + origin
    return TriangleMesh(points, triangles_between(padded > 0, number))


def _surface(
    u: np.ndarray, placed: _Placed, min_part: float, most: int, *, tolerance: float | None = None
) -> TriangleMesh:
    """The simplified surface, with the volume of the voxels; checked."""
    h, box = placed.spacing, np.stack([placed.origin, placed.origin + np.array(u.shape) * placed.spacing])
    if tolerance is None:
        mesh = simplified(level_surface(u, h, origin=placed.origin), SIMPLIFY * h.min(), most)
    else:
        least = _above_zero("tolerance_mm", tolerance)
        mesh = simplified(level_surface(u, h, origin=placed.origin), least, 2**62)
    mesh = _without_shards(mesh, min_part, (SIMPLIFY * h.min()) ** 3)
    for reach in (SWELLING, SWELLING / 4, 0.0):  # specks of a voxel or two would turn inside out
        swollen = _swollen(mesh, float(np.count_nonzero(u > 0) * np.prod(h)), box, most=reach * h.min())
        if is_watertight(swollen) and np.array_equal(shells(swollen)[0] > 0, shells(mesh)[0] > 0):
            return swollen
    raise NotPrintable("its surface is not closed, so it is not written.")


def _swollen(mesh: TriangleMesh, wanted: float, box: np.ndarray, *, most: float) -> TriangleMesh:
    """The surface moved along its normals, everywhere alike, until it holds `wanted` mm³; caps stay on the box [2, 3].

    Chords of curved surfaces, longer ones after simplifying, miss up to 4 % of thin tubes and small balls. No farther
    than `most`, which only solids of a few voxels would need.
    """
    corners = mesh.points[mesh.triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(mesh.points)
    for k in range(3):
        np.add.at(normals, mesh.triangles[:, k], faces)
    normals[np.isclose(mesh.points[:, None], box, rtol=0, atol=1e-5 * np.ptp(box)).any(axis=1)] = 0.0
    size = np.linalg.norm(normals, axis=1, keepdims=True)
    normals /= np.maximum(size, 1e-300)
    moved, step, rate = mesh, 0.0, size.sum() / 6
    for _ in range(3 if rate > 1e-9 * area(mesh) else 0):
        step = float(np.clip(step + (wanted - volume(moved)) / rate, -most, most))
        moved = TriangleMesh(np.clip(mesh.points + step * normals, *box), mesh.triangles)
    return TriangleMesh(on_lattice(moved.points), mesh.triangles)


@dataclass(frozen=True, eq=False)
class _Placed:
    """A level set with its place in the printed object, mm."""

    u: np.ndarray
    whole: np.ndarray
    """Before it was clipped."""
    spacing: np.ndarray
    origin: np.ndarray


def _placed(ms: Microstructure, scale: float, clip: Clip | None) -> _Placed:
    if not isinstance(ms.grid, Grid) or ms.grid.ndim != 3:
        raise InvalidParameter("sample", expected="a volume (3-D) for a surface", got=f"{ms.grid.ndim}-D")
    if not (np.isfinite(scale) and scale > 0):
        raise InvalidParameter("scale", expected="a factor above 0", got=scale)
    spacing, origin = (np.array(v) * 1e-3 * scale for v in (ms.grid.spacing, ms.grid.origin))
    u = ms.level_set if ms.level_set is not None else np.where(ms.phase_id >= 0, np.float32(1), np.float32(-1))
    if not np.isfinite(u).all():
        raise InvalidParameter("level_set", expected="finite values", got="NaN or infinite ones")
    return _Placed(u if clip is None else clip.cut(u, spacing), u, spacing, origin)


@dataclass(frozen=True)
class _Islands:
    found: int
    voxels: int
    """In those left out."""


def _without_islands(u: np.ndarray, min_part: float) -> tuple[np.ndarray, _Islands]:
    """The level set with small pieces made void. Pieces are joined by faces, as marching cubes joins them."""
    from scipy.ndimage import label

    if not 0 <= min_part <= 1:
        raise InvalidParameter("min_part", expected="a share of the largest part, 0 to 1", got=min_part)
    labels, number = cast("tuple[np.ndarray, int]", label(u > 0))
    if number == 0:
        raise NotPrintable("there is nothing solid to print: no value of the level set is above 0.")
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    keep = counts >= max(1.0, min_part * counts.max())
    if min_part == 1:  # of several equally large pieces the first
        keep = np.arange(number + 1) == counts.argmax()
    keep[0] = True
    lost = int(counts[~keep].sum())
    if lost:
        u = np.where(keep[labels], u, -np.abs(u).astype(u.dtype) - np.finfo(np.float32).tiny)
    return u, _Islands(number, lost)


def _without_shards(mesh: TriangleMesh, min_part: float, dust: float) -> TriangleMesh:
    """Simplifying may cut a neck thinner than its tolerance, and leave `dust` (mm³) of a hole: neither is a part."""
    inside, piece = shells(mesh)
    keep = np.where(inside > 0, inside >= max(min_part * inside.max(), min(dust, inside.max())), inside < -dust)
    if keep.all():
        return mesh
    kept = keep[piece]
    row = np.cumsum(kept) - 1
    return TriangleMesh(mesh.points[kept], row[mesh.triangles[kept[mesh.triangles[:, 0]]]].astype(np.int32))


def simplified(mesh: TriangleMesh, tolerance: float, most: int) -> TriangleMesh:
    """Fewer triangles, the surface moved by less than `tolerance`; by more only where there would be above `most`.

    Parts smaller than the tolerance vanish; they stay where they are all there is.
    """
    import manifold3d

    solid = manifold3d.Manifold(manifold3d.Mesh(mesh.points.astype(np.float32), mesh.triangles.astype(np.uint32)))
    if solid.status() != manifold3d.Error.NoError:
        raise NotPrintable(f"the surface is not closed ({solid.status().name}).")
    simple, largest = solid.simplify(tolerance), COARSEST / SIMPLIFY * tolerance
    while simple.num_tri() > most and tolerance < largest:
        tolerance *= 1.4
        simple = simple.simplify(tolerance)  # again from the last: one large step would get stuck early
    flat = simple.is_empty() or simple.volume() < FLATTENED * solid.volume()
    return _from_manifold(solid if flat else simple)


def _from_manifold(solid: manifold3d.Manifold) -> TriangleMesh:
    found = solid.to_mesh()
    points, triangles = np.asarray(found.vert_properties[:, :3], float), np.asarray(found.tri_verts, np.int32)
    return TriangleMesh(_unpinched(on_lattice(points), triangles), triangles)


def _unpinched(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Where simplifying closed a tiny hole, two fans of triangles meet in a point: draw it a little into each.

    They are two corners for manifold3d, and would be one in a file that names corners by their coordinates.
    """
    pinched = coincident(points)
    if not len(pinched):
        return points
    touches = np.isin(triangles, pinched)
    ring, total, count = triangles[touches.any(axis=1)], np.zeros_like(points), np.zeros(len(points))
    for k in range(3):
        np.add.at(total, ring[:, k], points[ring[:, k - 1]] + points[ring[:, k - 2]])
        np.add.at(count, ring[:, k], 2)
    moved = points.copy()
    moved[pinched] += PINCH * (total[pinched] / count[pinched, None] - points[pinched])
    return moved
