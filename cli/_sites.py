"""`microgen polycrystal --sites grains.csv`: the volume of a grain table, on any grid of its box."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import cast

import numpy as np

import microgen
from microgen import Grid, Microstructure, Phase, Provenance
from microgen.errors import InvalidParameter, MicrogenError, NotConverged, UnreadableFile
from microgen.io.grain_lists import read_table
from microgen.io.grain_table import GrainTable
from microgen.provenance import sha256

from . import _look
from ._job import Job
from ._machine import check_memory, memory_need
from ._result import achieved, finish, grid_line, result_object, sample_fields, volume_line
from ._save import already_there, document, save, save_report

AGREEMENT = 1e-6
TO_SEE = 0.05  # tolerance of weights that are found only to be looked at
MOST_SHOWN = 100**3
"""Voxels on which a table is drawn: enough for any picture, and a matter of a second."""


def run(job: Job) -> int:
    """Rebuild, write, tell."""
    path = job.request.sites
    assert path is not None
    table, made = read_placed(path)
    _refuse_laws(job, table)
    job = replace(job, inputs={str(path): sha256(path)})
    if already_there(job):
        return 0
    grid = resolve_grid(table, job.request.shape, job.request.spacing, made)
    check_memory(memory_need(grid, len(table.grains)))
    job.reporter.say(grid_line(grid, len(table.grains)))
    if table.corner is not None and table.grains.weights is not None:
        why = "the list tells no box: grains fill the smallest around them, and are larger than it says"
        job.reporter.say(f"note      {why}")
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
        if apart := achieved(sample)["detached_voxels"]:
            job.reporter.say(
                f"note      {apart} voxels lie apart from their grain and stay with it, as its volume needs them"
            )
    finish(result_object("polycrystal", job.reporter, written, **fields), json=job.common.json)
    _look.preview_window(sample, job)
    if missed is not None:
        raise missed
    return 0


def read_placed(path: Path) -> tuple[GrainTable, Provenance | None]:
    """A list of grains, and what the file beside it knows of it.

    A list that tells no box gets the one that file knows, where its grains lie in it: they fill it, so that weights can
    be found for which each has its volume.
    """
    table, made = read_table(path), provenance_of(path)
    known = made.configuration.get("grid") if made else None
    grains = table.grains
    if table.corner is None or grains.sites is None or not isinstance(known, dict) or odd(made):
        return table, made
    box, sites = tuple(n * h for n, h in zip(known["shape"], known["spacing"])), grains.sites + np.array(table.corner)
    if len(box) != len(table.box) or not ((sites >= 0) & (sites <= box)).all():
        return table, made
    return GrainTable(replace(grains, sites=sites, weights=None), box, tuple(known["periodic"])), made


def rebuilt(table: GrainTable, grid: Grid, made: Provenance | None, *, tolerance: float = 0.01) -> Microstructure:
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
        lengths = [n * h for n, h in zip(known["shape"], known["spacing"])]
        if len(lengths) != len(box) or any(abs(a / b - 1) > AGREEMENT for a, b in zip(lengths, box)):
            remedy = "The file beside the list knows of another box than its grains are in."
            raise InvalidParameter("--shape", expected="--shape or --spacing", got="neither", remedy=remedy)
        return Grid(known["shape"], known["spacing"], table.origin or (0.0,) * len(box), table.periodic)
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
    return Grid(shape, exact, table.origin or (0.0,) * len(box), table.periodic)


def shown(path: Path) -> Microstructure:
    """The volume (or plane) of a list of grains to look at: on its own grid where that is known and not too fine.

    Raises UnreadableFile for what is no list of grains, and for lists that say nothing of where the grains are.
    """
    table, made = read_placed(path)
    grains = table.grains
    known = grains.weights is not None or grains.volume_target is not None
    if grains.weights is None and (name := odd(made)):
        problem = f"was made with {name}, whose volume a table does not give"
        raise UnreadableFile(path, problem, remedy="microgen rerun makes the sample again.")
    if grains.sites is None or grains.metrics is None or not known:
        raise UnreadableFile(path, "says nothing of where its grains are, so there is nothing to draw")
    own = made.configuration.get("grid") if made else None
    shape: tuple[int, ...] = ()
    if not isinstance(own, dict) or prod(own["shape"]) > MOST_SHOWN:
        step = (prod(table.box) / MOST_SHOWN) ** (1 / len(table.box))
        shape = tuple(max(1, round(length / step)) for length in table.box)
    try:
        return rebuilt(table, resolve_grid(table, shape, (), made), made, tolerance=TO_SEE)
    except NotConverged as error:
        return cast(Microstructure, error.best)


def odd(made: Provenance | None) -> str:
    """What sets a sample apart from power diagrams that fill their box, for which weights can be found."""
    laws = made.configuration if made else {}
    usual = {"exponent": 2.0, "void": 0.0, "mask": None}
    return next((name for name, value in usual.items() if laws.get(name, value) != value), "")


def _made_of(sample: Microstructure, path: Path, grid: Grid, tolerance: float) -> Provenance:
    phases = [{"name": p.name, "laue_group": p.laue_group, "lattice": list(p.lattice)} for p in sample.phases]
    parts = {"shape": list(grid.shape), "spacing": list(grid.spacing), "periodic": list(grid.periodic)}
    parts |= {"origin": list(grid.origin)} if any(grid.origin) else {}
    configuration = {"sites": str(path), "grid": parts, "phases": phases, "tolerance": tolerance}
    return Provenance("rebuild", configuration, achieved=achieved(sample))


def provenance_of(path: Path) -> Provenance | None:
    try:
        return microgen.read_provenance(path)
    except MicrogenError:
        return None


def _refuse_laws(job: Job, table: GrainTable) -> None:
    """A table holds all grains: laws beside it would be silently ignored. Weights are found for squares that fill the
    box, which is not how hard grains, or grains with void between them, were made."""
    meant = set(job.given) - {"sites", "shape", "spacing"} - ({"tolerance"} if table.grains.weights is None else set())
    if meant or job.request.samples:
        names = ", ".join(f"--{name}" for name in sorted(meant)) or "--samples"
        raise InvalidParameter("--sites", expected="only --shape or --spacing beside it", got=names)
    name = odd(provenance_of(job.request.sites)) if job.request.sites and table.grains.weights is None else ""
    if name:
        remedy = "microgen rerun makes that sample again."
        raise InvalidParameter("--sites", expected="a table with weights", got=f"one made with {name}", remedy=remedy)
