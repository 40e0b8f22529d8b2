"""A sample as several bodies to print: its grains or its phases, hollow, simplified, moved apart; and the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import InvalidParameter
from microgen.io import embedded as emb, stl
from microgen.io.atomic import atomic_folder, check_writable
from microgen.io.bodies import checked, distinct, grain_colours, only_phase
from microgen.io.printing import Print, clip_of
from microgen.io.sidecar import sidecar_path, write_sidecar
from microgen.meshing import (
    Body,
    area,
    exploded,
    grain_surfaces,
    overhang,
    parts,
    printable_solid,
    simplified,
    tiled as tiled,
    volume,
)
from microgen.microstructure import Microstructure

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class AssemblyReport:
    """What there is to know of all bodies together; each is closed."""

    objects: int
    parts: int
    """Pieces of all of them that do not touch: grains that go through a periodic face have several."""
    volume_mm3: float
    area_mm2: float
    bbox_mm: tuple[float, ...]
    triangles: int
    overhang: float
    """Share of the area that faces down by more than 45°, z being up."""


@dataclass(frozen=True, eq=False)
class Assembly:
    """Closed surfaces with names and colours, in mm."""

    bodies: tuple[Body, ...]
    report: AssemblyReport


def grain_assembly(ms: Microstructure, options: Print, *, explode: float = 1.0, progress: Progress) -> Assembly:
    """A body for each grain. `options` cut voxel by voxel, and simplify only where a tolerance is given.

    Raises InvalidParameter where there are no grains or none is left, NotPrintable when a surface is not closed.
    """
    if options.base_mm is not None:
        raise InvalidParameter("base_mm", expected="one solid (--phase makes one of grains)", got="grains")
    ms = _clipped(_enlarged(ms, options.scale), options)
    colours, last = grain_colours(ms), 0 if ms.grain_id is None else int(ms.grain_id.max(initial=0))
    if last == 0:
        raise InvalidParameter("grains", expected="a volume with grains", got="none")
    found = []
    for k, mesh in grain_surfaces(ms, shell=options.shell_mm):
        progress(k / last, f"surface of grain {k}")
        if options.tolerance_mm is not None:
            mesh = simplified(mesh, options.tolerance_mm, 2**62)
        found.append(Body(f"grain {k}", mesh, colours.get(k)))
    return _assembly(found, explode)


def phase_assembly(ms: Microstructure, options: Print, *, explode: float = 1.0, progress: Progress) -> Assembly:
    """A body for each phase that is there; the errors of `printable_solid`."""
    if options.base_mm is not None:
        raise InvalidParameter("base_mm", expected="one solid (--phase chooses a phase)", got="several phases")
    found = []
    for k, phase in enumerate(ms.phases):
        progress(k / len(ms.phases), phase.name)
        if (ms.phase_id == k).any():
            solid = printable_solid(
                only_phase(ms, k),
                scale=options.scale,
                clip=clip_of(options),
                min_part=0.0 if options.min_part == 1.0 else options.min_part,
                max_triangles=options.max_triangles,
                tolerance=options.tolerance_mm,
                shell=options.shell_mm,
            )
            found.append(Body(phase.name, solid.mesh, distinct(k)))
    return _assembly(found, explode)


def _assembly(bodies: list[Body], explode: float) -> Assembly:
    bodies = list(checked(exploded(bodies, explode)))
    areas = [area(body.mesh) for body in bodies]
    low = np.min([body.mesh.points.min(axis=0) for body in bodies], axis=0)
    high = np.max([body.mesh.points.max(axis=0) for body in bodies], axis=0)
    report = AssemblyReport(
        objects=len(bodies),
        parts=sum(parts(body.mesh) for body in bodies),
        volume_mm3=sum(volume(body.mesh) for body in bodies),
        area_mm2=sum(areas),
        bbox_mm=tuple((high - low).tolist()),
        triangles=sum(len(body.mesh.triangles) for body in bodies),
        overhang=sum(a * overhang(body.mesh) for a, body in zip(areas, bodies)) / sum(areas),
    )
    return Assembly(tuple(bodies), report)


def _enlarged(ms: Microstructure, scale: float) -> Microstructure:
    grid = emb.square_grid(ms, "a surface")
    lengths = (tuple(scale * x for x in each) for each in (grid.spacing, grid.origin))
    return replace(ms, grid=replace(grid, **dict(zip(("spacing", "origin"), lengths))))


def _clipped(ms: Microstructure, options: Print) -> Microstructure:
    """Grains outside the shape made void, voxel by voxel."""
    clip, grid = clip_of(options), emb.square_grid(ms, "a surface")
    if clip is None or ms.grain_id is None:
        return ms
    inside = clip.distance(grid.shape, np.array(grid.spacing) * 1e-3) > 0
    return replace(ms, grain_id=np.where(inside, ms.grain_id, 0).astype(np.int32))


def with_assembly(ms: Microstructure, found: Assembly) -> Microstructure:
    """The sample, its provenance with the report as `print` among the achieved figures."""
    made = emb.provenance_of(ms)
    return replace(ms, provenance=replace(made, achieved={**made.achieved, "print": asdict(found.report)}))


def write_folder(bodies: Iterable[Body], ms: Microstructure, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write one STL a body into `folder` and the provenance beside it as FOLDER.json; all of it or nothing.

    Raises NotPrintable, and OutputNotWritable as `stl.write_grains` does.
    """
    folder = Path(folder)
    check_writable([sidecar_path(folder)], overwrite=overwrite, folders=[folder], ours=stl.PATTERN)
    with atomic_folder(folder, overwrite, ours=stl.PATTERN) as part:
        for number, body in enumerate(checked(bodies), 1):
            name = body.name.rpartition(" ")[2]
            number = int(name) if name.isdecimal() else number
            (part / f"grain_{number:04d}.stl").write_bytes(stl.stl_bytes(body.mesh, f"microgen {_ascii(body)}, mm"))
        write_sidecar(ms, folder, overwrite=overwrite)
    return folder


def _ascii(body: Body) -> str:
    return body.name.encode("ascii", "replace").decode()


def assembly_lines(report: AssemblyReport, *, density: float | None = None) -> Iterator[str]:
    """The report for a reader."""
    sides = " x ".join(f"{side:.4g}" for side in report.bbox_mm)
    mass = "" if density is None else f", {report.volume_mm3 * density / 1000:.4g} g"
    yield (
        f"objects   {report.objects} in {sides} mm, {report.volume_mm3:.4g} mm³{mass}, {report.triangles} triangles, "
        f"each watertight; {report.parts} parts"
    )
    yield f"overhang  {report.overhang:.0%} of the surface faces down by more than 45°"


def assembly_object(report: AssemblyReport) -> dict[str, Any]:
    """The report as plain values."""
    return asdict(report)
