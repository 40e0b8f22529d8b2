"""`microgen mesh IN OUT ...`: a volume as closed surfaces, verified, with what a printer needs to know of them."""

from __future__ import annotations

import json as json_text
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

import microgen
from microgen import Grid, Microstructure, Provenance
from microgen.errors import InvalidParameter, MicrogenError, UnreadableFile
from microgen.io import assembly, printing, surfaces
from microgen.io.assembly import Assembly
from microgen.io.atomic import check_writable
from microgen.io.bodies import only_phase
from microgen.io.grey import NO_SIZE
from microgen.io.printing import Print, Solid

from . import _volume_mesh
from ._flags import FlagApp, Talk
from ._machine import LIBRARIES, check_memory
from ._mesh_flags import MeshFlags, Places, places, refuse_unused
from ._progress import Reporter
from ._request import axes_of, demand
from ._result import finish, grid_object, result_object
from ._uct import sha256_of
from ._volume import VolumeFlags, has_labels, read_any

mesh = FlagApp(name="mesh")
SHAPED = Parameter(name="*", group=Group("Surfaces", sort_key=2))
BYTES_A_VOXEL = 150
"""Of a level set while it becomes a surface, measured at 256³."""


@mesh.default
def run(
    source: Path,
    *outs: Path,
    out: tuple[Path, ...] = (),
    flags: MeshFlags = MeshFlags(),  # noqa: B008 - frozen
    volume: VolumeFlags = VolumeFlags(),  # noqa: B008 - frozen
    printed: Annotated[Print, SHAPED] = Print(),  # noqa: B008 - frozen
    talk: Talk = Talk(),  # noqa: B008 - frozen
) -> int:
    """Make closed surfaces of a volume (its solid, a phase, each grain), or tetrahedra of all grains. Verified.

    Parameters
    ----------
    source
        Level set, phases, grains, or grey values of a µCT with --grey-threshold.
    outs
        Surfaces to print: .stl, .3mf, .ply, .obj, .glb (mm); with --each-grain a folder too. Meshes without gaps to
        compute with (µm): tetrahedra as .vtu, .msh, .inp, all interfaces as .vtp.
    out
        The same as a flag; may be given several times.
    talk.quiet
        No progress, no report; warnings and errors only.
    """
    refuse_unused(places((*outs, *out), flags), flags, printed)
    return make(source, (*outs, *out), flags, volume, printed, talk)


def make(source: Path, out: tuple[Path, ...], flags: MeshFlags, volume: VolumeFlags, printed: Print, talk: Talk) -> int:
    """The same for flags of a run that had other outputs too."""
    reporter = Reporter(quiet=talk.quiet)
    where = places(out, flags)
    check_writable(where.all_files, overwrite=talk.overwrite, folders=where.folders, ours="*.stl")
    with reporter.stage("reading", "read"):
        sample = _sample(source, volume, flags)
    given, printed = printed, replace(printed, scale=_scale(sample.grid, flags, printed))
    sample = _documented(sample, source, flags, given, volume)
    for note in sample.notes:
        reporter.say(f"note      {note}")
    fields: dict[str, Any] = {"source": str(source), "grid": grid_object(_grid(sample.grid))}
    written: list[Path] = []
    try:
        if where.volumes:
            made = _volume_mesh.made(sample, where.volumes, flags, reporter, overwrite=talk.overwrite)
            written, fields["mesh"] = made
        if where.files or where.folders:
            sample, more = _made(sample, where, flags, printed, reporter, talk.overwrite)
            written, fields = [*written, *more], {**fields, **_figures(sample)}
    except InvalidParameter as error:
        raise _named(error) from None
    finish(result_object("mesh", reporter, written, **fields), json=talk.json)
    return 0


def _grid(grid: Any) -> Grid:
    demand(isinstance(grid, Grid) and grid.ndim == 3, "SOURCE", "a volume (3-D)", f"{getattr(grid, 'ndim', 2)}-D")
    return grid


def _sample(source: Path, volume: VolumeFlags, flags: MeshFlags) -> Microstructure:
    """The volume, its phase or grains chosen, as often as it is repeated."""
    ms = _read(source, volume, flags)
    grid = _grid(ms.grid)
    if flags.periodic:
        grid = replace(grid, periodic=axes_of(flags.periodic, 3))
    if ms.grain_id is not None and not has_labels(ms):
        ms = replace(ms, grain_id=None, grains=None)  # pieces of a solid
    ms = _chosen(replace(ms, grid=grid), flags)
    if not flags.tile:
        return ms
    if ms.grain_id is not None:
        raise InvalidParameter("--tile", expected="one solid (--phase makes one of grains)", got="grains")
    copies = (flags.tile[0], flags.tile[1], flags.tile[2])
    check_memory(LIBRARIES + grid.size * copies[0] * copies[1] * copies[2] * BYTES_A_VOXEL)
    return assembly.tiled(ms, copies)


def _read(source: Path, volume: VolumeFlags, flags: MeshFlags) -> Microstructure:
    try:
        ms = read_any(source, volume, spacing=tuple(flags.spacing), phases=True)
    except InvalidParameter as error:
        if error.name != "--spacing" or flags.spacing or flags.size_mm is None:
            raise
        ms = read_any(source, volume, spacing=(1.0,), phases=True)  # --size-mm says how large it is
    if NO_SIZE in ms.notes and not flags.spacing:
        remedy = "Say it with its unit (--spacing 19.5um), or the longest side (--size-mm 20)."
        demand(flags.size_mm is not None, "--spacing", f"what a voxel of {source} measures", "none", remedy=remedy)
    return ms


def _chosen(ms: Microstructure, flags: MeshFlags) -> Microstructure:
    """Grains, all of them or of a phase; else the solid, or one phase of it."""
    grains = ms.grain_id is not None and (flags.phase is None or flags.each_grain)
    demand(grains or not flags.each_grain, "--each-grain", "a volume with grains", "none")
    if flags.phase is None:
        return ms
    there = sorted({int(k) for k in set(ms.phase_id.ravel().tolist())})
    names = ", ".join(f"{k} ({ms.phases[k].name if 0 <= k < len(ms.phases) else 'void'})" for k in there)
    demand(flags.phase in there, "--phase", f"a phase that has voxels: {names}", flags.phase)
    if not grains or ms.grain_id is None:
        return only_phase(ms, flags.phase)
    return replace(ms, grain_id=ms.grain_id * (ms.phase_id == flags.phase))


def _scale(grid: Any, flags: MeshFlags, printed: Print) -> float:
    """Enlargement that gives the size asked for."""
    if flags.size_mm is None:
        return printed.scale
    demand(printed.scale == 1.0, "--size-mm", "no --scale beside it", flags.size_mm)
    return flags.size_mm / (max(_grid(grid).lengths) / 1000)


def _documented(
    ms: Microstructure, source: Path, flags: MeshFlags, given: Print, volume: VolumeFlags
) -> Microstructure:
    """The sample with all that its files will say about how they were made."""
    try:
        before: Any = json_text.loads(microgen.read_provenance(source).to_json())
    except UnreadableFile:
        before = None
    made = {"source": str(source), "print": asdict(given), "mesh": asdict(flags), "volume": asdict(volume)}
    provenance = Provenance("mesh", {**made, "sample": before}, inputs={str(source): sha256_of(source)})
    return replace(ms, provenance=provenance)


def _made(
    sample: Microstructure, where: Places, flags: MeshFlags, printed: Print, reporter: Reporter, overwrite: bool
) -> tuple[Microstructure, list[Path]]:
    """Meshed once, written to all places, told of. Returns the sample with the report, and the paths."""
    _check_single(where, sample, several=1 if sample.grain_id is None else int(sample.grain_id.max(initial=0)))
    several = sample.grain_id is not None or (sample.level_set is None and len(sample.phases) > 1)
    with reporter.stage("meshing", "mesh") as progress:
        if sample.grain_id is not None:
            made: Assembly | Solid = assembly.grain_assembly(sample, printed, explode=flags.explode, progress=progress)
        elif several:
            made = assembly.phase_assembly(sample, printed, explode=flags.explode, progress=progress)
        else:
            demand(flags.explode == 1, "--explode", "grains or several phases", flags.explode)
            made = printing.make_solid(sample, printed)
    with reporter.stage("writing", "write"):
        if isinstance(made, Solid):
            sample, written = printing.with_report(sample, made), []
            for path in where.files:
                written += [path, *printing.write_solid(made, sample, path, overwrite=overwrite)[2:]]
        else:
            sample = assembly.with_assembly(sample, made)
            written = _written(made, sample, where, overwrite)
    _tell(made, reporter, printed, flags)
    return sample, written


def _check_single(where: Places, sample: Microstructure, *, several: int) -> None:
    """Refuse an STL of several bodies, before they are made where that is known."""
    if several > 1 and any(path.suffix.lower() == ".stl" for path in where.files):
        what = "--each-grain" if sample.grain_id is not None else "--phase ID"
        remedy = f"What touches makes no closed surface together: use .3mf or .glb, or {what}."
        raise InvalidParameter("OUT", expected="one body for an STL", got=several, remedy=remedy)


def _written(made: Assembly, sample: Microstructure, where: Places, overwrite: bool) -> list[Path]:
    _check_single(where, sample, several=len(made.bodies))
    written = []
    for path in where.files:
        written += [path, *surfaces.write_surfaces(made.bodies, sample, path, overwrite=overwrite)[2:]]
    return written + [
        assembly.write_folder(made.bodies, sample, folder, overwrite=overwrite) for folder in where.folders
    ]


def _tell(made: Assembly | Solid, reporter: Reporter, printed: Print, flags: MeshFlags) -> None:
    if not isinstance(made, Solid):
        for line in assembly.assembly_lines(made.report, density=flags.density):
            reporter.say(line)
        return
    for line in printing.lines(made.report, density=flags.density):
        reporter.say(line)
    for text in printing.warnings(made.report, printed):
        reporter.warn(text.replace("--print.", "--"))
    if made.report.triangles > printed.max_triangles:
        text = f"{made.report.triangles} triangles, more than {printed.max_triangles}: allow a larger --tolerance-mm"
        reporter.warn(text)


def _figures(sample: Microstructure) -> dict[str, Any]:
    """The report, flat, as `check` names its figures."""
    achieved = sample.provenance.achieved["print"] if sample.provenance else {}
    return {**achieved, "watertight": True}


def _named(error: InvalidParameter) -> MicrogenError:
    """The flag in place of the parameter."""
    name = error.name.removeprefix("print.").replace("_", "-")
    known = name.startswith("--") or name in ("OUT", "SOURCE", "sample", "level-set")
    return InvalidParameter(name if known else f"--{name}", expected=error.expected, got=error.got, remedy=error.remedy)
