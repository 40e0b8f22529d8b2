"""`microgen polycrystal --sites grains.csv`: the volume of a grain table, on any grid of its box."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import microgen
from microgen import Grid, Microstructure, Phase, Provenance
from microgen.errors import InvalidParameter, NotConverged, UnreadableFile
from microgen.io.grain_lists import read_table
from microgen.io.grain_table import GrainTable
from microgen.provenance import sha256

from . import _look
from ._job import Job
from ._machine import check_memory, memory_need
from ._result import achieved, finish, grid_line, result_object, sample_fields, volume_line
from ._save import already_there, document, save, save_report

AGREEMENT = 1e-6


def run(job: Job) -> int:
    """Rebuild, write, tell."""
    path = job.request.sites
    assert path is not None
    table = read_table(path)
    _refuse_laws(job, table)
    made = _provenance(path)
    job = replace(job, inputs={str(path): sha256(path)})
    if already_there(job):
        return 0
    grid = resolve_grid(table, job.request.shape, job.request.spacing, made)
    check_memory(memory_need(grid, len(table.grains)))
    job.reporter.say(grid_line(grid, len(table.grains)))
    if job.common.dry_run:
        return 0
    missed = None
    with job.reporter.stage("rebuilding the volume", "solve"):
        try:
            sample = rebuilt(table, grid, made, tolerance=job.flags.tolerance)
        except NotConverged as error:
            sample, missed = cast(Microstructure, error.best), error
    sample = document(
        replace(sample, provenance=_made_of(sample, path, grid, job.flags.tolerance)), job, scan=None, statistics={}
    )
    written = save(sample, job.outputs, job) + save_report(sample, job, scan=None, statistics={})
    written += _look.preview_file(sample, job)
    fields = {"seed": None, "device": job.device, **sample_fields(sample)}
    fields["island_voxels"] = achieved(sample)["island_voxels"]
    if table.grains.weights is None:
        job.reporter.say(volume_line(achieved(sample)))
    finish(result_object("polycrystal", job.reporter, written, **fields), json=job.common.json)
    _look.preview_window(sample, job)
    if missed is not None:
        raise missed
    return 0


def rebuilt(table: GrainTable, grid: Grid, made: Provenance | None, *, tolerance: float) -> Microstructure:
    """The volume, with the phases' names where the table's provenance knows them; weights it lacks are solved for."""
    known = made.configuration.get("phases", []) if made else []
    phases = [Phase(p["name"], p["laue_group"], tuple(p["lattice"])) for p in known]
    box = {"lengths": table.box, "periodic": table.periodic}
    return microgen.rebuild(table.grains, grid, **box, phases=phases, tolerance=tolerance)


def resolve_grid(
    table: GrainTable, shape: tuple[int, ...], spacing: tuple[float, ...], made: Provenance | None
) -> Grid:
    """The grid asked for, else the one the table was made on; it must fill the table's box."""
    box = table.box
    if not shape and not spacing:
        known = made.configuration.get("grid") if made else None
        if not known:
            remedy = "The table's provenance, which knows the grid it was made on, is not beside it."
            raise InvalidParameter(
                "--shape", expected="--shape or --spacing with --sites", got="neither", remedy=remedy
            )
        return Grid(known["shape"], known["spacing"], periodic=table.periodic)
    if not shape:
        steps = spacing * len(box) if len(spacing) == 1 else spacing
        shape = tuple(max(1, round(length / step)) for length, step in zip(box, steps))
    if len(shape) != len(box):
        raise InvalidParameter("--shape", expected=f"{len(box)} numbers, as the table's box has", got=shape)
    exact = tuple(length / n for length, n in zip(box, shape))
    steps = (spacing * len(box) if len(spacing) == 1 else spacing) or exact
    if any(abs(step / fits - 1) > AGREEMENT for step, fits in zip(steps, exact)):
        sizes, fit = (" x ".join(f"{v:.6g}" for v in values) for values in (box, exact))
        expected = f"{fit} µm: the box of the table is {sizes} µm and {' x '.join(map(str, shape))} voxels fill it so"
        raise InvalidParameter("--spacing", expected=expected, got=" ".join(f"{s:g}" for s in steps))
    return Grid(shape, exact, periodic=table.periodic)


def _made_of(sample: Microstructure, path: Path, grid: Grid, tolerance: float) -> Provenance:
    phases = [{"name": p.name, "laue_group": p.laue_group, "lattice": list(p.lattice)} for p in sample.phases]
    parts = {"shape": list(grid.shape), "spacing": list(grid.spacing), "periodic": list(grid.periodic)}
    configuration = {"sites": str(path), "grid": parts, "phases": phases, "tolerance": tolerance}
    return Provenance("rebuild", configuration, achieved=achieved(sample))


def _provenance(path: Path) -> Provenance | None:
    try:
        return microgen.read_provenance(path)
    except UnreadableFile:
        return None


def _refuse_laws(job: Job, table: GrainTable) -> None:
    """A table holds all grains: laws beside it would be silently ignored. Weights are found for squares that fill the
    box, which is not how hard grains, or grains with void between them, were made."""
    meant = set(job.given) - {"sites", "shape", "spacing"} - ({"tolerance"} if table.grains.weights is None else set())
    if meant or job.request.samples:
        names = ", ".join(f"--{name}" for name in sorted(meant)) or "--samples"
        raise InvalidParameter("--sites", expected="only --shape or --spacing beside it", got=names)
    made = _provenance(job.request.sites) if job.request.sites and table.grains.weights is None else None
    laws = made.configuration if made else {}
    odd = [name for name, usual in (("exponent", 2.0), ("void", 0.0), ("mask", None)) if laws.get(name, usual) != usual]
    if odd:
        remedy = "microgen rerun makes that sample again."
        raise InvalidParameter("--sites", expected="a table with weights", got=f"one made with {odd[0]}", remedy=remedy)
