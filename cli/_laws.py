"""From flags, and maybe a scan, to the generator and the grid of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import radians
from pathlib import Path
from typing import TYPE_CHECKING, Any

import microgen
from microgen import Grid, Microstructure, Polycrystal
from microgen.errors import InvalidParameter, NoGrains, UnsupportedFormat
from microgen.provenance import sha256

from ._fit import searched, tell_notes, trials_path
from ._job import Job
from ._machine import check_memory, kernel_cache, memory_need
from ._progress import Reporter
from ._request import Request
from ._result import grid_line
from ._scan import ScanFacts

if TYPE_CHECKING:  # it brings torch along
    from microgen import Target


@dataclass(eq=False)
class Scan:
    """A scan as it was read, its grains, and the statistics to be matched."""

    path: Path
    measured: Microstructure
    segmented: Microstructure
    target: Target
    facts: ScanFacts
    sha256: str
    fit: Any = None
    """What a full fit found."""


def understand(request: Request, reporter: Reporter) -> Scan:
    """Read and segment the scan and say what was understood, before anything is made of it."""
    path = request.ebsd
    assert path is not None
    measured = microgen.read(path)
    if measured.grid.ndim != 2 or measured.orientation is None:
        raise UnsupportedFormat(f"{path} is not an EBSD scan: it holds no map of orientations.")
    limits: dict[str, Any] = {"threshold": request.threshold, "min_pixels": request.min_pixels}
    try:
        segmented = microgen.segment_grains(
            measured, threshold=radians(request.threshold), min_pixels=request.min_pixels
        )
    except NoGrains:
        tell(ScanFacts.of(path, measured, None, **limits), reporter)
        raise
    facts = ScanFacts.of(path, measured, segmented, **limits)
    tell(facts, reporter)
    if facts.interior_grains == 0:
        raise NoGrains(
            f"{path}: all {facts.grains} grains touch the border of the map, so none has a size. "
            "Use a larger map, or a smaller --min-pixels."
        )
    target = microgen.Target.from_scan(segmented, radians(request.threshold), request.min_pixels)
    for note in target.caveats:
        reporter.warn(note)
    return Scan(path, measured, segmented, target, facts, sha256(path))


def tell(facts: ScanFacts, reporter: Reporter) -> None:
    """What was understood, on stderr."""
    for line in facts.lines():
        reporter.say(line)


def prepare(job: Job, scan: Scan | None) -> tuple[Polycrystal, Grid]:
    """The laws and the grid of the run, checked against each other and against the machine."""
    reporter, laws = job.reporter, job.flags
    if not kernel_cache()[1]:
        reporter.say("compiling kernels, first run only")
    if scan is not None:
        laws = override(fitted(scan, job), job.flags, job.given)
    laws, grid = box(laws, job.request, job.given)
    laws.check(grid, seed=job.common.seed)
    check_memory(memory_need(grid, laws.grains))
    reporter.say(grid_line(grid, laws.grains))
    return laws, grid


def fitted(scan: Scan, job: Job) -> Polycrystal:
    """Laws that make sections of the sample equal to the scan."""
    request = job.request
    if request.ndim != 3:
        remedy = "Leave out --ebsd for a plane from chosen laws."
        raise InvalidParameter("--shape", expected="3 numbers with --ebsd", got=request.shape, remedy=remedy)
    if request.fit != "quick":
        path = trials_path(request.trials, "polycrystal", job)
        scan.fit = searched(job.flags, scan.target, job, budget=request.fit, free=request.free or None, path=path)
        return scan.fit.generator
    with job.reporter.stage("fitting the laws", "fit") as progress:
        found = microgen.fit(job.flags, scan.target, seed=job.common.seed, budget=request.fit, progress=progress)
    tell_notes(found, scan.target, job.reporter)
    return found.generator


def override(laws: Polycrystal, flags: Polycrystal, given: Iterable[str]) -> Polycrystal:
    """`laws` with those fields that were given as flags: what the user says wins over what the scan says."""
    for name in given:
        parent, _, child = name.replace("-", "_").partition(".")
        if parent not in Polycrystal.__dataclass_fields__:
            continue
        value = getattr(flags, parent)
        if child:
            changes = {child: getattr(value, child)}
            if name == "size.cv":  # a spread belongs to the lognormal law, whatever the scan's was
                changes["kind"] = "lognormal"
            value = replace(getattr(laws, parent), **changes)
        laws = replace(laws, **{parent: value})
    return laws


def box(laws: Polycrystal, request: Request, given: Iterable[str]) -> tuple[Polycrystal, Grid]:
    """Grid and number of grains: of grains, shape, spacing and mean size any three give the fourth."""
    grid, grains, mean = microgen.resolve_box(
        laws.grains if "grains" in given else None,
        request.shape or None,
        request.spacing or None,
        laws.size.resolved_mean,
        size_law=laws.size,
        periodic=request.periodic_axes,
        ndim=request.ndim,
    )
    return replace(laws, grains=grains, size=replace(laws.size, mean=mean)), grid
