"""A sample as a solid in mm: meshed once, written to any number of files, its report beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io import embedded as emb, stl
from microgen.io.bodies import GREY
from microgen.io.surfaces import SUFFIXES as SURFACES, write_surfaces
from microgen.meshing import PRINTERS, Body, Clip, Printability, Solid, is_watertight, printable_solid
from microgen.microstructure import Microstructure

SUFFIXES = SURFACES
SHAPES = ("cylinder", "sphere")


@dataclass(frozen=True)
class Print:
    """How a level set becomes a solid to print."""

    clip: str | None = None
    """Cut to a shape in the middle of the sample: cylinder, sphere, or an STL file (mm) with a closed surface."""
    diameter: float | None = None
    """Of the cylinder or sphere, mm; the largest that fits when not given."""
    scale: float = 1.0
    """Enlargement of the printed object over the sample."""
    min_part: float = 1.0
    """Floating parts below this share of the largest are left out: 1 keeps one part, 0 all."""
    max_triangles: int = 2_000_000
    """Surfaces are simplified further only where they have more triangles than this."""
    tolerance_mm: float | None = None
    """Farthest that simplifying may move the surface, mm; 0.3 voxels when not given."""
    shell_mm: float | None = None
    """Hollow, with walls of this thickness, mm."""
    base_mm: float | None = None
    """Thickness of a plate below the part and united with it, mm."""
    printer: str | None = None
    """fdm, sla, sls or dmls: warns when walls are too thin for it."""

    def __post_init__(self) -> None:
        if self.printer is not None and self.printer not in PRINTERS:
            raise InvalidParameter("print.printer", expected=f"one of {', '.join(PRINTERS)}", got=self.printer)
        for name in ("tolerance_mm", "shell_mm", "base_mm"):
            length = getattr(self, name)
            if length is not None and not 0 < length < float("inf"):
                raise InvalidParameter(f"print.{name}", expected="a length above 0 mm", got=length)
        if self.max_triangles < 1000:
            raise InvalidParameter("print.max_triangles", expected="1000 or more", got=self.max_triangles)
        if not 1e-6 <= self.scale <= 1e6:
            raise InvalidParameter("print.scale", expected="a factor from 1e-6 to 1e6", got=self.scale)
        if not 0 <= self.min_part <= 1:
            raise InvalidParameter("print.min_part", expected="a share from 0 to 1", got=self.min_part)
        if self.clip is not None and self.clip not in SHAPES and Path(self.clip).suffix.lower() != ".stl":
            raise InvalidParameter("print.clip", expected="cylinder, sphere or an STL file", got=self.clip)
        if self.diameter is not None and (self.clip not in SHAPES or not self.diameter > 0):
            expected = "a length above 0 mm, with a cylinder or sphere to clip to"
            raise InvalidParameter("print.diameter", expected=expected, got=self.diameter)


def check(options: Print, grid: Grid) -> None:
    """Read the outline, and refuse a shape that does not go into a sample on this grid, before there is one.

    Raises InvalidParameter, UnreadableFile.
    """
    clip = clip_of(options)
    if clip is None or grid.ndim != 3:
        return
    try:
        clip.check(np.array(grid.lengths) * 1e-3 * options.scale)
    except InvalidParameter as error:
        raise InvalidParameter(f"print.{error.name}", expected=error.expected, got=error.got) from error


def make_solid(ms: Microstructure, options: Print) -> Solid:
    """The solid with its report. Raises NotPrintable, InvalidParameter, UnreadableFile (of the outline)."""
    return printable_solid(
        ms,
        scale=options.scale,
        clip=clip_of(options),
        min_part=options.min_part,
        max_triangles=options.max_triangles,
        tolerance=options.tolerance_mm,
        shell=options.shell_mm,
        base=options.base_mm,
    )


def clip_of(options: Print) -> Clip | None:
    """The shape to cut to. Raises UnreadableFile, and InvalidParameter for outlines that are open."""
    if options.clip is None:
        return None
    if options.clip == "cylinder" or options.clip == "sphere":
        return Clip(options.clip, diameter=options.diameter)
    outline = stl.read_mesh(options.clip)
    if not is_watertight(outline):
        raise InvalidParameter("print.clip", expected="an STL with a closed surface", got=options.clip)
    return Clip("outline", outline=outline)


def write_solid(solid: Solid, ms: Microstructure, path: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write to an .stl, .3mf, .ply, .obj or .glb, with provenance and report; returns the paths written."""
    name = ms.phases[0].name if ms.phases else "solid"
    return write_surfaces([Body(name, solid.mesh, GREY)], with_report(ms, solid), path, overwrite=overwrite)


def with_report(ms: Microstructure, solid: Solid) -> Microstructure:
    """The sample, its provenance with the report of the solid as `print` among the achieved figures."""
    made = emb.provenance_of(ms)
    return replace(ms, provenance=replace(made, achieved={**made.achieved, "print": report_object(solid.report)}))


def report_object(report: Printability) -> dict[str, Any]:
    """The report as plain values."""
    return asdict(report)


def warnings(report: Printability, options: Print) -> list[str]:
    """What stands against printing it, in words."""
    told = []
    for name, limit in PRINTERS.items():
        if options.printer == name and report.min_wall_mm < limit:
            told.append(
                f"{report.thin[name]:.0%} of the walls are below the {limit:g} mm that {name} prints "
                f"(thinnest {report.min_wall_mm:.3g} mm): enlarge with --print.scale"
            )
    if report.trapped_voids:
        told.append(f"{report.trapped_voids} closed cavities: powder or resin stays in them")
    return told


def lines(report: Printability, *, density: float | None = None) -> Iterable[str]:
    """The report for a reader; `density` in g/cm³."""
    sides = " x ".join(f"{side:.4g}" for side in report.bbox_mm)
    parts = f"{report.parts} part{'s' * (report.parts != 1)}"
    mass = "" if density is None else f", {report.volume_mm3 * density / 1000:.4g} g"
    yield (
        f"solid     {sides} mm, {report.volume_mm3:.4g} mm³{mass}, {report.area_mm2:.4g} mm², "
        f"{report.triangles} triangles, watertight; {parts}, {report.parts_removed} floating removed"
    )
    yield f"overhang  {report.overhang:.0%} of the surface faces down by more than 45°"
    if not report.min_wall_mm > 0:
        yield "walls     none to measure"
        return
    prints = [name for name, limit in PRINTERS.items() if report.min_wall_mm >= limit]
    able = ", ".join(prints) or f"none of {', '.join(PRINTERS)}"
    yield f"walls     thinnest {report.min_wall_mm:.3g} mm; thick enough for {able}"
