"""`microgen polycrystal`: an EBSD scan (or chosen laws) in, a 3-D polycrystal out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import Group, Parameter

import microgen
from microgen import Grid, Microstructure, Polycrystal
from microgen.errors import MicrogenError, NotConverged
from microgen.provenance import sha256
from microgen.report import ensemble_summary

from . import _ensemble, _look, _published, _region, _sites, _stream, _wishes
from ._fit import fit_object
from ._flags import Common, FlagApp, given_flags
from ._job import Job
from ._laws import Scan, prepare, understand
from ._machine import memory_need, workers
from ._outputs import Outputs, plan
from ._preview import preview
from ._progress import Reporter
from ._request import Request, demand
from ._result import (
    FIGURES,
    achieved,
    closing,
    finish,
    result_object,
    sample_fields,
    statistics_object,
    volume_line,
)
from ._save import already_there, document, save, save_report

polycrystal = FlagApp(name="polycrystal")
LAWS = Parameter(name="*", group=Group("Laws of the sample (with a scan: fitted, but what you give wins)", sort_key=2))


@polycrystal.default
def run(
    *,
    request: Request = Request(),  # noqa: B008 - frozen
    generator: Annotated[Polycrystal, LAWS] = Polycrystal(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Make a 3-D polycrystal: statistically equal to an EBSD scan, or from chosen laws."""
    job = start(request, generator, common)
    if request.sites:
        return _sites.run(job)
    scan = understand(request, job.reporter) if request.ebsd else None
    if scan is not None:
        job = replace(job, inputs=scan.inputs, planes=scan.planes)
    if request.numbers:
        _published.target(request)  # what cannot be is refused before anything is made
        job = replace(job, inputs={str(request.numbers): sha256(request.numbers)})
    if common.dry_run:
        return preview(job, scan)
    if request.samples:
        return _ensemble.run(job, _family(job, scan))
    if already_there(job):
        return 0
    laws, grid = prepare(job, scan)
    if _stream.wanted(job, laws, grid):
        return _stream.run(job, scan, laws, grid)
    return single(job, scan, laws, grid, mask=_region.mask_of(request, grid))


def start(request: Request, generator: Polycrystal, common: Common) -> Job:
    """The run with its outputs, which are refused now if they could not be written later."""
    device = generator.device(common.device, request.ndim, beside=_cpu_only(request))
    outputs = plan(
        common.out,
        source=request.scans[0][1] if request.ebsd else request.sites,
        report=request.report,
        stl_folder=request.stl_grains,
        format=common.format,
    )
    from_grains = bool(request.ebsd) or request.numbers is not None
    for name, usual in (("exponent", 2.0), ("void", 0.0)):
        value = getattr(generator, name)
        demand(value == usual or not from_grains, f"--{name}", "chosen laws: grains of scans fill the box", value)
    flat, known = generator.cells == "laguerre" or bool(request.sites), None if request.sites else request.ndim
    outputs.fit(ndim=known, grains=True, format=common.format, flat_cells=flat)
    job = Job(
        common=common,
        given=given_flags(common),
        outputs=outputs,
        reporter=Reporter(quiet=common.quiet),
        device=device,
        samples=request.samples,
        member=request.member,
        preview=request.preview,
        request=request,
        inputs=_region.files(request),
        flags=generator,
    )
    if not common.dry_run:
        _ensemble.check(job) if request.samples else outputs.check(overwrite=job.replaces)
        _look.check(job)
    _stream.check(job)
    return job


def _cpu_only(request: Request) -> str:
    """What of a run no GPU does; empty when it does all."""
    flags = {"--mask": request.mask, "--sites": request.sites, "--samples": request.samples}
    return next((name for name, there in flags.items() if there), "--stream" if request.streams else "")


def _family(job: Job, scan: Scan | None) -> _ensemble.Family:
    """How members of an ensemble are made, compared, written and summed up."""
    quiet = replace(job, reporter=Reporter(quiet=True))

    def begin(members: list[int]) -> tuple[int, Iterator[Microstructure]]:
        laws, grid = prepare(job, scan)
        processes = workers(grid, len(members), memory_need(grid, laws.grains))
        options: dict[str, Any] = {"seed": job.common.seed, "workers": processes, "members": members}
        options |= _region.mask_of(job.request, grid)
        return processes, laws.samples(grid, job.samples, **options)

    def keep(sample: Microstructure, outputs: Outputs, member: int) -> _ensemble.Made:
        statistics: dict[str, Any] = {}
        if scan is not None:
            statistics = microgen.compare(sample, scan.target, seed=job.common.seed)
        elif job.request.numbers:
            statistics = _published.compare(sample, job)
        sample = document(sample, job, scan=scan, statistics=statistics, member=member)
        save(sample, outputs, quiet)
        return sample, statistics

    def page(sample: Microstructure, statistics: Mapping[str, Any], rows: _ensemble.Rows) -> list[Path]:
        members = [_ensemble.member_of(row) for row in rows]
        return save_report(sample, job, scan=scan, statistics=statistics, members=members)

    def table(rows: _ensemble.Rows) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        cells = ensemble_summary([_ensemble.member_of(row) for row in rows])
        return cells.columns[:-1], [row[:-1] for row in cells.rows]

    def verdict(rows: _ensemble.Rows) -> MicrogenError | None:
        return _published.together(rows, job) if job.request.numbers and rows else None

    return _ensemble.Family("polycrystal", FIGURES, begin, keep, page, table, verdict)


def single(job: Job, scan: Scan | None, laws: Polycrystal, grid: Grid, *, mask: dict[str, Any]) -> int:
    """One sample: made, compared with the scan, written. The best one is kept when it misses the tolerance."""
    reporter, missed = job.reporter, None
    with reporter.stage("making the sample", "solve") as progress:
        try:
            sample = laws.sample(grid, seed=job.common.seed, device=job.common.device, progress=progress, **mask)
        except NotConverged as error:
            sample, missed = cast(Microstructure, error.best), error
    statistics: dict[str, Any] = {}
    if scan is not None:
        with reporter.stage(f"comparing sections with the {scan.kind}", "compare"):
            statistics = microgen.compare(sample, scan.target, seed=job.common.seed)
    elif job.request.numbers:
        statistics = _published.compare(sample, job)
        missed = missed or _published.verdict(statistics)
    if sample.provenance:  # auto leaves to the CPU what no GPU holds
        job = replace(job, device=sample.provenance.device)
    sample = document(sample, job, scan=scan, statistics=statistics)
    written = save(sample, job.outputs, job) + save_report(sample, job, scan=scan, statistics=statistics)
    written += _look.preview_file(sample, job)
    reporter.say(volume_line(achieved(sample)))
    if scan is not None:
        closing(statistics, reporter, measured=scan.kind, what=f"two {scan.kind}s of this size show between them")
    elif statistics:
        _wishes.tell(statistics, reporter, _published.COLUMNS)
    fields = {"seed": job.common.seed, "device": job.device, **sample_fields(sample)}
    if statistics:
        fields |= {"statistics": statistics_object(statistics)}
    if scan is not None:
        fields |= scan.objects()
        if scan.fit is not None:
            fields |= {"fit": fit_object(scan.fit)}
    finish(result_object("polycrystal", reporter, written, **fields), json=job.common.json)
    _look.preview_window(sample, job)
    if missed is not None:
        raise missed
    return 0
