"""From flags, and maybe a scan, to the generator and the grid of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import radians
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import microgen
from microgen import Grid, Microstructure, Polycrystal
from microgen.errors import InvalidParameter, NoGrains, UnsupportedFormat
from microgen.provenance import sha256

from . import _published
from ._fit import searched, tell_notes, trials_path
from ._job import Job
from ._machine import check_memory, kernel_cache, memory_need
from ._progress import Reporter
from ._request import Request, demand
from ._result import grid_line
from ._scan import ScanFacts
from ._volume import sized

if TYPE_CHECKING:  # it brings torch along
    from microgen import Target


@dataclass(frozen=True, eq=False)
class Seen:
    """One file as it was read, and its grains."""

    plane: str
    """Axes of the sample along the map's x and y."""
    path: Path
    measured: Microstructure
    segmented: Microstructure
    facts: ScanFacts
    sha256: str


@dataclass(eq=False)
class Scan:
    """All scans, and the statistics to be matched."""

    seen: tuple[Seen, ...]
    target: Target
    fit: Any = None
    """What a full fit found."""

    @property
    def first(self) -> Seen:
        """The one that is drawn."""
        return self.seen[0]

    @property
    def kind(self) -> str:
        """What was measured."""
        return "volume" if self.first.facts.grid == "volume" else "scan"

    @property
    def several(self) -> bool:
        """More than a map of the plane xy?"""
        return len(self.seen) > 1 or self.first.plane != "xy"

    @property
    def inputs(self) -> dict[str, str]:
        """Path -> sha256."""
        return {str(each.path): each.sha256 for each in self.seen}

    @property
    def planes(self) -> tuple[str, ...]:
        """Which file shows which plane, for the identity of the run; nothing for a single map of xy."""
        return tuple(f"{each.plane} {each.sha256}" for each in self.seen) if self.several else ()

    def objects(self) -> dict[str, Any]:
        """The `scan` object of the JSON output, and `scans` where there are several."""
        told = {"scan": self.first.facts.to_dict()}
        if not self.several:
            return told
        return told | {"scans": [{"plane": each.plane, **each.facts.to_dict()} for each in self.seen]}


def understand(request: Request, reporter: Reporter) -> Scan:
    """Read and segment the scans and say what was understood, before anything is made of them."""
    paths = request.scans
    measured = [microgen.read(path) for _, path in paths]
    if len(measured) == 1 and measured[0].grid.ndim == 3 and measured[0].grain_id is not None:
        scan = of_volume(paths[0][1], measured[0], request, reporter)
    else:
        seen = tuple(one(plane, path, ms, request, reporter) for (plane, path), ms in zip(paths, measured))
        maps, planes = [each.segmented for each in seen], [each.plane for each in seen]
        target = microgen.Target.from_scan(maps, radians(request.threshold), request.min_pixels, planes)
        scan = Scan(seen, target)
    for note in scan.target.caveats:
        reporter.warn(note)
    return scan


def one(plane: str, path: Path, measured: Microstructure, request: Request, reporter: Reporter) -> Seen:
    """A map, told of and segmented."""
    if measured.grid.ndim != 2 or measured.orientation is None:
        remedy = " One volume of grain numbers can be given in place of scans." if measured.grid.ndim == 3 else ""
        raise UnsupportedFormat(f"{path} is not an EBSD scan: it holds no map of orientations.{remedy}")
    if len(request.ebsd) > 1 or plane != "xy":
        reporter.say(f"plane     {plane}: the map's x and y are the sample's {plane[0]} and {plane[1]}")
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
    return Seen(plane, path, measured, segmented, facts, sha256(path))


def of_volume(path: Path, volume: Microstructure, request: Request, reporter: Reporter) -> Scan:
    """A labelled volume, which is seen by planes across its axes, as scans of them would be."""
    volume = sized(volume, path, request.spacing)
    assert volume.grain_id is not None
    count = int(volume.grain_id.max(initial=0))
    demand(count > 1, "--ebsd", "a volume of two grains or more", f"{path}: {count}")
    limits: dict[str, Any] = {"min_pixels": request.min_pixels}
    target = microgen.Target.of(volume, threshold=radians(request.threshold), **limits)
    side = next(iter(target.views.values()))  # type: ignore[union-attr]
    drawn = side.maps[len(side.maps) // 2]
    facts = ScanFacts.of_volume(path, volume, target, threshold=request.threshold, **limits)
    tell(facts, reporter)
    return Scan((Seen("xy", path, drawn, drawn, facts, sha256(path)),), target)


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
    elif job.request.numbers:
        laws = override(_published.fitted(job), job.flags, job.given)
    if laws.cells == "laguerre" and (scan is not None or job.request.numbers):
        reporter.say("note      exact cells have no axes: aspect ratio and fabric of the fit are left out")
    if "fabric.concentration" in job.given and (laws.aspect_ratio.mean, laws.aspect_ratio.cv) == (1.0, 0.0):
        reporter.say("note      a fabric turns the axes of long grains: without an --aspect-ratio.mean there are none")
    laws, grid = box(laws, job.request, job.given)
    laws.check(grid, seed=job.common.seed)
    if job.samples:  # a single one may be streamed where there is no room for it
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
        how: dict[str, Any] = {"free": request.free or None, "fixed": fixed(job.flags, job.given)}
        scan.fit = searched(job.flags, scan.target, job, budget=request.fit, path=path, **how)
        return scan.fit.generator
    with job.reporter.stage("fitting the laws", "fit") as progress:
        found = microgen.fit(job.flags, scan.target, seed=job.common.seed, budget=request.fit, progress=progress)
    tell_notes(found, scan.target, job.reporter)
    return found.generator


def fixed(flags: Polycrystal, given: Iterable[str]) -> dict[str, float]:
    """Numbers that were given, of those that a fit would search for."""
    names = ("size.mean", "size.cv", "aspect_ratio.mean", "aspect_ratio.cv", "hard_core", "fabric.concentration")
    written = {name.replace("-", "_") for name in given}
    return {name: float(attrgetter(name)(flags)) for name in names if name in written}


def override(laws: Polycrystal, flags: Polycrystal, given: Iterable[str]) -> Polycrystal:
    """`laws` with those fields that were given as flags: what the user says wins over what the scan says."""
    if flags.cells == "laguerre":
        laws = replace(laws, aspect_ratio=flags.aspect_ratio, fabric=flags.fabric)
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
    if request.mask and "size.mean" in given:
        remedy = "Give --grains: with the mask they say how large grains are."
        raise InvalidParameter("--size.mean", expected="none beside --mask", got=laws.size.mean, remedy=remedy)
    named, ndim = laws.size.resolved_mean, request.ndim
    wider = (1 - laws.void) ** (-1 / ndim)  # as if the grains had the void too
    grid, grains, mean = microgen.resolve_box(
        laws.grains if "grains" in given else None,
        request.shape or None,
        request.spacing or None,
        named if named is None else named * wider,
        size_law=laws.size,
        periodic=request.periodic_axes,
        ndim=ndim,
    )
    fills = named if request.mask else mean / wider  # how much of the box a mask leaves is seen later
    return replace(laws, grains=grains, size=replace(laws.size, mean=fills)), grid
