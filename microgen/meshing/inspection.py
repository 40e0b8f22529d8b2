"""A surface made by anyone, before it is printed: is it that of a solid, and can a printer make that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgen.errors import InvalidParameter
from microgen.meshing.faults import Faults, collapsed, faults, told
from microgen.meshing.level_set import PRINTERS
from microgen.meshing.mesh import TriangleMesh, area, is_watertight, overhang, shells
from microgen.meshing.mesh_walls import VOXELS, Walls, mesh_walls, resolution_of

FINEST = 400_000_000
"""Voxels above which a resolution is refused."""
FILLED = ("sla", "sls", "dmls")
"""Printers whose resin or powder stays in closed cavities."""


@dataclass(frozen=True, eq=False)
class Inspection:
    """What is known of a surface; None where only a closed, oriented one has it."""

    watertight: bool
    """Every edge has two triangles."""
    manifold: bool
    """And they agree on what is outside, corners have one fan, and manifold3d takes it as a solid."""
    parts: int
    """Pieces that enclose material; of an open surface, connected pieces."""
    volume_mm3: float | None
    area_mm2: float
    bbox_mm: tuple[float, ...]
    euler: int | None
    """Of the solid: half of V - E + F of its surface."""
    euler_surface: int
    """V - E + F."""
    min_wall_mm: float | None
    """Walls on all but a hundredth of the surface are thicker; None where there is none to measure."""
    min_wall_uncut_mm: float | None
    """The same without walls that have a side of the box on one side: a cut through a sample leaves slivers there."""
    resolution_mm: float | None
    """Of the voxels that walls thicker than six of them were measured with; thinner ones were met by rays as dense."""
    thin: dict[str, float] | None
    """Share of the walls below what each kind of printer makes."""
    thin_uncut: dict[str, float] | None
    """The same without the walls that `min_wall_uncut_mm` leaves out."""
    trapped_voids: int | None
    """Closed cavities."""
    triangles: int
    overhang: float
    """Share of the area that faces down by more than 45°, z being up."""
    inside_out: int
    """Parts whose triangles turn the wrong way."""
    self_intersections: int | None
    """Pairs of triangles that cross; None where they are too many to be sorted."""
    faults: Faults


def inspect(mesh: TriangleMesh, *, resolution: float | None = None, voxels: int = VOXELS) -> Inspection:
    """Inspect a surface whose corners are welded; walls with voxels of `resolution` mm (None: `voxels` in its box).

    Raises InvalidParameter for resolutions that cannot be.
    """
    h = _checked(mesh, resolution, voxels)
    found = faults(mesh)
    whole = TriangleMesh(mesh.points, mesh.triangles[~collapsed(mesh)])
    crossed = _crossing(whole)
    if crossed is not None and len(crossed):
        found.where["crossing"] = whole.points[whole.triangles[crossed[:5, 0]]].mean(axis=1).tolist()
    pieces, piece = shells(whole) if len(whole.triangles) else (np.zeros(0), np.zeros(0, int))
    wrong = _inside_out(whole, pieces, piece) if found.oriented else np.zeros(len(pieces), bool)
    turned = np.where(wrong, -pieces, pieces)
    measured = mesh_walls(whole, h) if found.oriented and len(pieces) else Walls(np.zeros(0), np.zeros(0, bool))
    thick = measured.thickness
    # A ball has its walls in one point: what counts is how much of the surface bounds a thin one.
    known, uncut = max(len(thick), area(whole) / (2 * h**2)), thick[~measured.cut]
    closed = found.oriented and bool(len(pieces))
    surface = _characteristic(whole)
    return Inspection(
        watertight=found.watertight and bool(len(pieces)),
        manifold=closed and not wrong.any() and found.pinched_corners == 0 and is_watertight(whole),
        parts=int((turned > 0).sum()) if closed else len(pieces),
        volume_mm3=float(turned.sum()) if closed else None,
        area_mm2=area(whole),
        bbox_mm=tuple(float(side) for side in np.ptp(mesh.points, axis=0)),
        euler=surface // 2 if closed else None,
        euler_surface=surface,
        min_wall_mm=_thinnest(thick, known),
        min_wall_uncut_mm=_thinnest(uncut, known),
        resolution_mm=h if closed else None,
        thin=_thin(thick, known) if closed else None,
        thin_uncut=_thin(uncut, known) if closed else None,
        trapped_voids=int((turned < 0).sum()) if closed else None,
        triangles=len(mesh.triangles),
        overhang=overhang(whole),
        inside_out=int(wrong.sum()),
        self_intersections=None if crossed is None else len(crossed),
        faults=found,
    )


def _checked(mesh: TriangleMesh, resolution: float | None, voxels: int) -> float:
    if resolution is None:
        return resolution_of(mesh, voxels)
    sides = np.ptp(mesh.points, axis=0)
    if not (np.isfinite(resolution) and resolution > 0 and (sides / resolution + 6).prod() <= FINEST):
        finest = max(float(sides.prod() / FINEST) ** (1 / 3), float(sides.max()) / FINEST)
        raise InvalidParameter("resolution", expected=f"a length above {finest:.2g} mm", got=resolution)
    return resolution


def _crossing(mesh: TriangleMesh) -> np.ndarray | None:
    from microgen.meshing.crossings import crossing  # brings Numba along

    return crossing(mesh.points, mesh.triangles)


def _thinnest(thick: np.ndarray, known: float) -> float | None:
    if not len(thick):
        return None
    rank = min(int(0.01 * known), len(thick) - 1)
    return float(np.partition(thick, rank)[rank])


def _thin(thick: np.ndarray, known: float) -> dict[str, float]:
    return {name: float((thick < limit).sum() / known) for name, limit in PRINTERS.items()}


def _characteristic(mesh: TriangleMesh) -> int:
    """V - E + F."""
    i, j = mesh.triangles.ravel().astype(np.int64), np.roll(mesh.triangles, -1, axis=1).ravel().astype(np.int64)
    n = len(mesh.points)
    edges = np.unique(np.minimum(i, j) * n + np.maximum(i, j))
    return len(np.unique(mesh.triangles)) - len(edges) + len(mesh.triangles)


def _inside_out(mesh: TriangleMesh, pieces: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """bool [n]: pieces that enclose a negative volume and lie in no other, so that they cannot be cavities."""
    if pieces.sum() < 0:  # all of it is: what is right as it stands is wrong too
        return ~_inside_out(mesh, -pieces, piece)
    order = np.argsort(piece, kind="stable")
    starts = np.searchsorted(piece[order], np.arange(len(pieces)))
    points = mesh.points[order]
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    wrong = pieces < 0
    for k in np.flatnonzero(wrong):
        round_it = (pieces > -pieces[k]) & (low <= low[k]).all(axis=1) & (high >= high[k]).all(axis=1)
        wrong[k] = not round_it.any()
    return wrong


def against(found: Inspection, printer: str | None = None, *, cut: bool = False) -> list[str]:
    """Why it would not print, in words; none where it does. Without a printer only what no printer takes.

    Of a part that was `cut` out of a larger one, slivers at the sides of its box are no walls.
    """
    reasons = told(found.faults)
    if not found.triangles or (not reasons and not found.parts):
        reasons.append("it encloses nothing")
    if found.inside_out:
        reasons.append(f"{found.inside_out} part{'s' * (found.inside_out != 1)} inside out")
    if printer is None or reasons:
        return reasons
    limit, thinnest = PRINTERS[printer], found.min_wall_uncut_mm if cut else found.min_wall_mm
    if thinnest is not None and thinnest < limit:
        share = ((found.thin_uncut if cut else found.thin) or {}).get(printer, 0.0)
        reasons.append(
            f"{share:.0%} of the walls are below the {limit:g} mm that {printer} prints (thinnest {thinnest:.3g} mm)"
        )
    if found.trapped_voids and printer in FILLED:
        filling = "resin" if printer == "sla" else "powder"
        reasons.append(f"{_closed_cavities(found.trapped_voids)}, in which {filling} stays")
    return reasons


def _closed_cavities(number: int) -> str:
    return "1 closed cavity" if number == 1 else f"{number} closed cavities"
