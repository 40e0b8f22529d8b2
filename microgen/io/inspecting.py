"""A file of surfaces inspected object by object, and told of: as numbers for programs, as lines for readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microgen.io.surfaces import read_surfaces
from microgen.meshing import PRINTERS, Inspection, against, inspect, told
from microgen.meshing.mesh_walls import VOXELS

FIRST = 10
"""Objects told of one by one in the lines."""
FEWEST = 30_000
"""Voxels in the box of an object: 30 along its sides."""


@dataclass(frozen=True, eq=False)
class Inspected:
    """What is known of a file."""

    path: Path
    objects: tuple[tuple[str, Inspection], ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    """Corners of the box round all objects, mm."""
    notes: tuple[str, ...]

    def against(self, printer: str | None, *, cut: bool = False) -> list[str]:
        """Why it would not print, in words, with the object's name where there are several; `cut` as in `against`."""
        return [
            f"{name}: {reason}" if len(self.objects) > 1 else reason
            for name, found in self.objects
            for reason in against(found, printer, cut=cut)
        ]


def inspect_file(
    path: str | Path,
    *,
    unit: str | None = None,
    resolution: float | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Inspected:
    """Inspect every object of a mesh file; `unit` and `resolution` (mm) as in `read_surfaces` and `inspect`.

    Without a resolution a million voxels are shared by the objects, with at least `FEWEST` for each.

    Raises UnreadableFile, UnsupportedFormat, InvalidParameter.
    """
    read = read_surfaces(path, unit=unit)
    found, voxels = [], max(VOXELS // max(len(read.bodies), 1), FEWEST)
    for k, body in enumerate(read.bodies):
        if progress is not None:
            progress(k / len(read.bodies), body.name)
        found.append((body.name, inspect(body.mesh, resolution=resolution, voxels=voxels)))
    low = np.min([body.mesh.points.min(axis=0) for body in read.bodies], axis=0)
    high = np.max([body.mesh.points.max(axis=0) for body in read.bodies], axis=0)
    return Inspected(Path(path), tuple(found), tuple(low.tolist()), tuple(high.tolist()), read.notes)


def inspection_object(found: Inspected, *, density: float | None = None) -> dict[str, Any]:
    """All figures as plain values: of the file as a whole and, where it has several, of each object."""
    each = [found for _, found in found.objects]
    sums = ("parts", "area_mm2", "euler", "euler_surface", "volume_mm3", "trapped_voids", "triangles", "inside_out")
    whole: dict[str, Any] = {
        "watertight": all(one.watertight for one in each),
        "manifold": all(one.manifold for one in each),
        **{name: _sum([getattr(one, name) for one in each]) for name in sums},
        "self_intersections": _sum([one.self_intersections for one in each]),
        "bbox_mm": [b - a for a, b in zip(found.low, found.high)],
        **{name: _least([getattr(one, name) for one in each]) for name in ("min_wall_mm", "min_wall_uncut_mm")},
        "resolution_mm": max((one.resolution_mm or 0.0 for one in each), default=0.0) or None,
        "overhang": sum(one.overhang * one.area_mm2 for one in each) / max(sum(one.area_mm2 for one in each), 1e-300),
        **_faults([asdict(one.faults) for one in each]),
    }
    whole |= {"mass_g": None if density is None else _mass(whole["volume_mm3"], density), "notes": list(found.notes)}
    if len(each) == 1:
        return whole | {"thin": each[0].thin, "thin_uncut": each[0].thin_uncut, "objects": 1}
    objects = [{"name": name, **_single(one, density)} for name, one in found.objects]
    return whole | {"objects": len(each), "each": objects}


def _single(found: Inspection, density: float | None) -> dict[str, Any]:
    told = asdict(found)
    faults = told.pop("faults")
    return told | faults | {"mass_g": None if density is None else _mass(found.volume_mm3, density)}


def _faults(each: list[dict[str, Any]]) -> dict[str, Any]:
    counts = {name: sum(one[name] for one in each) for name in each[0] if name != "where"}
    where: dict[str, list[list[float]]] = {}
    for one in each:
        for name, places in one["where"].items():
            where[name] = (where.get(name, []) + places)[:5]
    return counts | {"where": where}


def _sum(values: list[Any]) -> Any:
    return None if None in values else sum(values)


def _least(values: list[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _mass(volume: float | None, density: float) -> float | None:
    """g, of mm³ and g/cm³."""
    return None if volume is None else volume * density / 1000


def inspection_lines(found: Inspected, *, density: float | None = None) -> Iterator[str]:
    """The figures for a reader."""
    figures = inspection_object(found, density=density)
    yield f"mesh      {found.path}"
    yield from (f"note      {note}" for note in found.notes)
    yield f"size      {' x '.join(f'{side:.4g}' for side in figures['bbox_mm'])} mm, {figures['triangles']} triangles"
    yield f"closed    {'yes' if figures['manifold'] else 'yes, but not manifold' if figures['watertight'] else 'no'}"
    for name, one in found.objects:
        head = f"{name}: " if len(found.objects) > 1 else ""
        yield from (f"fault     {head}{text}" for text in told(one.faults))
    yield from _remarks(figures)
    if figures["volume_mm3"] is not None:
        mass = f", {figures['mass_g']:.4g} g" if density is not None else ""
        measures = f"{figures['volume_mm3']:.4g} mm³{mass}, {figures['area_mm2']:.4g} mm²"
        yield f"solid     {measures}, parts {figures['parts']}"
        yield f"cavities  {figures['trapped_voids']} closed; Euler number {figures['euler']}"
    yield from _walls(figures)
    yield f"overhang  {figures['overhang']:.0%} of the surface faces down by more than 45°"
    if len(found.objects) > 1:
        yield from _each(found)


def _walls(figures: dict[str, Any]) -> Iterator[str]:
    thinnest, uncut = figures["min_wall_mm"], figures["min_wall_uncut_mm"]
    if thinnest is None:
        return
    able = ", ".join(name for name, limit in PRINTERS.items() if thinnest >= limit) or "no printer"
    voxels = f"measured with voxels of {figures['resolution_mm']:.3g} mm"
    yield f"walls     thinnest {thinnest:.3g} mm: thick enough for {able} ({voxels})"
    if uncut is not None and uncut > 1.1 * thinnest:
        yield f"note      the thinnest lie at sides of the box, as slivers of a cut do: others have {uncut:.3g} mm"


def _remarks(figures: dict[str, Any]) -> Iterator[str]:
    """What is odd, and yet no fault that keeps it from being printed."""
    kinds = {
        "degenerate_triangles": "triangle{s} without area",
        "duplicate_triangles": "triangle{s} too many, there twice",
        "pinched_corners": "corner{s} in which parts of the surface only touch",
        "self_intersections": "pair{s} of triangles that cross: slicers may unite or drop what lies between",
    }
    for name, text in kinds.items():
        if figures[name]:
            yield f"remark    {figures[name]} {text.format(s='s' * (figures[name] != 1))}"


def _each(found: Inspected) -> Iterator[str]:
    for name, one in found.objects[:FIRST]:
        size = "open" if one.volume_mm3 is None else f"{one.volume_mm3:.4g} mm³"
        wall = "" if one.min_wall_mm is None else f", thinnest wall {one.min_wall_mm:.3g} mm"
        yield f"object    {name}: {size}{wall}, {one.triangles} triangles"
    if len(found.objects) > FIRST:
        yield f"object    ... and {len(found.objects) - FIRST} more (--json has all)"
