"""`microgen polycrystal --sites grains.csv`: the volume of a grain table, on any grid of its box."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import microgen
from microgen import Grid, Microstructure, Phase, Provenance
from microgen.errors import InvalidParameter, UnreadableFile
from microgen.io.grain_lists import read_table
from microgen.io.grain_table import GrainTable
from microgen.provenance import sha256

from . import _look
from ._job import Job
from ._machine import check_memory, memory_need
from ._result import achieved, finish, grid_line, result_object, sample_fields
from ._save import already_there, document, save, save_report

AGREEMENT = 1e-6
MOST_SHOWN = 100**3
"""Voxels on which a table is drawn: enough for any picture, and a matter of a second."""


def run(job: Job) -> int:
    """Rebuild, write, tell."""
    path = job.request.sites
    assert path is not None
    _refuse_laws(job)
    table = read_table(path)
    made = _provenance(path)
    job = replace(job, inputs={str(path): sha256(path)})
    if already_there(job):
        return 0
    grid = resolve_grid(table, job.request.shape, job.request.spacing, made)
    check_memory(memory_need(grid, len(table.grains)))
    job.reporter.say(grid_line(grid, len(table.grains)))
    if job.common.dry_run:
        return 0
    with job.reporter.stage("rebuilding the volume", "solve"):
        sample = rebuilt(table, grid, made)
    sample = document(replace(sample, provenance=_made_of(sample, path, grid)), job, scan=None, statistics={})
    written = save(sample, job.outputs, job) + save_report(sample, job, scan=None, statistics={})
    written += _look.preview_file(sample, job)
    fields = {"seed": None, "device": job.device, **sample_fields(sample)}
    fields["island_voxels"] = achieved(sample)["island_voxels"]
    finish(result_object("polycrystal", job.reporter, written, **fields), json=job.common.json)
    _look.preview_window(sample, job)
    return 0


def rebuilt(table: GrainTable, grid: Grid, made: Provenance | None) -> Microstructure:
    """The volume, with the phases' names where the table's provenance knows them."""
    known = made.configuration.get("phases", []) if made else []
    phases = [Phase(p["name"], p["laue_group"], tuple(p["lattice"])) for p in known]
    return microgen.rebuild(table.grains, grid, lengths=table.box, periodic=table.periodic, phases=phases)


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


def shown(path: Path) -> Microstructure:
    """The volume (or plane) of a list of grains to look at: on its own grid where that is known and not too fine.

    Raises UnreadableFile for what is no list of grains, and for lists that say nothing of where the grains are.
    """
    table, made = read_table(path), _provenance(path)
    if table.grains.sites is None or table.grains.metrics is None or table.grains.weights is None:
        raise UnreadableFile(path, "says nothing of where its grains are, so there is nothing to draw")
    known = made.configuration.get("grid") if made else None
    if isinstance(known, dict) and prod(known["shape"]) <= MOST_SHOWN:
        return rebuilt(table, resolve_grid(table, (), (), made), made)
    step = (prod(table.box) / MOST_SHOWN) ** (1 / len(table.box))
    shape = tuple(max(1, round(length / step)) for length in table.box)
    return rebuilt(table, resolve_grid(table, shape, (), made), made)


def _made_of(sample: Microstructure, path: Path, grid: Grid) -> Provenance:
    phases = [{"name": p.name, "laue_group": p.laue_group, "lattice": list(p.lattice)} for p in sample.phases]
    parts = {"shape": list(grid.shape), "spacing": list(grid.spacing), "periodic": list(grid.periodic)}
    return Provenance("rebuild", {"sites": str(path), "grid": parts, "phases": phases}, achieved=achieved(sample))


def _provenance(path: Path) -> Provenance | None:
    try:
        return microgen.read_provenance(path)
    except UnreadableFile:
        return None


def _refuse_laws(job: Job) -> None:
    """A table holds all grains: laws beside it would be silently ignored."""
    meant = set(job.given) - {"sites", "shape", "spacing"}
    if meant or job.request.samples:
        names = ", ".join(f"--{name}" for name in sorted(meant)) or "--samples"
        raise InvalidParameter("--sites", expected="only --shape or --spacing beside it", got=names)
