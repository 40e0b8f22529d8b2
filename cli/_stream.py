"""`--stream`: samples whose voxels do not fit in memory, made and written part by part."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, cast

import numpy as np

from microgen import Grid, Polycrystal, TiledMicrostructure
from microgen.errors import EnvironmentProblem, InvalidParameter, NotConverged
from microgen.io import check_streamed
from microgen.io.cluster import check_cluster, on_cluster

from . import _look
from ._fit import fit_object
from ._job import Job
from ._laws import Scan
from ._machine import available_memory, largest, memory_need, stream_need
from ._outputs import format_for
from ._result import FIGURES, achieved, finish, grid_object, result_object, unusual, volume_line
from ._save import document, save
from ._units import bytes_text

LEFT_OUT = "sections are not compared: the sample is streamed. Crop a part of it, and run microgen compare"


def hindrance(job: Job) -> str:
    """What keeps a run from being streamed; empty when nothing does."""
    request = job.request
    if request.samples or request.sites:
        return "--samples" if request.samples else "--sites"
    if job.outputs.report or job.outputs.stl_folder:
        return "--report" if job.outputs.report else "--stl-grains"
    for flag, there in (("--mask", request.mask), ("--void", job.flags.void), ("--exponent", job.flags.exponent != 2)):
        if there:
            return flag
    if request.ndim != 3:
        return "a plane"
    try:
        for path in job.outputs.files:
            check_streamed(path, format_for(path, job.common.format))
    except InvalidParameter as error:
        return str(error.got)
    return ""


def check(job: Job) -> None:
    """Refuse --stream beside what takes the whole sample, before anything is computed."""
    found = hindrance(job) if job.request.streams else ""
    if found:
        expected = "outputs .zarr, .tif or .csv of one volume without mask or void, and no page of it"
        raise InvalidParameter("--stream", expected=expected, got=found)
    if job.request.cluster and not job.common.dry_run:
        check_cluster(job.request.cluster)


def wanted(job: Job, laws: Polycrystal, grid: Grid) -> bool:
    """Is this run to be streamed: as asked, or as it would not fit otherwise? Refused when it fits in neither way."""
    free, need = available_memory(), memory_need(grid, laws.grains)
    found = hindrance(job)
    streams = job.request.streams or (free is not None and need > free and not found)
    need = stream_need(grid, laws.grains) if streams else need
    if free is None or need <= free:
        return streams
    fits = largest(grid, laws.grains, stream_need if streams else memory_need, free)
    shape = " ".join(map(str, fits.shape))
    lines = [f"the run needs about {bytes_text(need)} of memory and {bytes_text(free)} is free."]
    lines += [f"What fits with grains of this size: --shape {shape}."]
    if not streams and stream_need(grid, laws.grains) <= free:
        lines += [f"Or --stream, which needs about {bytes_text(stream_need(grid, laws.grains))} and writes .zarr, .tif"]
        lines[-1] += f" and .csv: leave out {found}." if found else " and .csv."
    raise EnvironmentProblem(" ".join(lines))


def run(job: Job, scan: Scan | None, laws: Polycrystal, grid: Grid) -> int:
    """One sample: solved for without its labels, then written part by part."""
    job = replace(job, device=laws.device(job.common.device, beside="what does not fit in memory at once"))
    reporter, missed = job.reporter, None
    with reporter.stage("solving for the volumes", "solve") as progress:
        try:
            sample = laws.stream(grid, seed=job.common.seed, device=job.device, progress=progress)
        except NotConverged as error:
            sample, missed = cast(TiledMicrostructure, error.best), error
    sample = document(sample, job, scan=scan, statistics={})
    with on_cluster(sample, job.request.cluster) if job.request.cluster else nullcontext(sample) as parts:
        written = save(parts, job.outputs, job)
    if job.preview:
        written += _look.preview_file(sample.coarse(), job)
    reporter.say(volume_line(achieved(sample)))
    rows = _rows(sample, laws)
    reporter.table(("", "asked for", "made"), [[name, f"{a:.5g}", f"{b:.5g}"] for name, (a, b) in rows.items()])
    if scan is not None or job.request.numbers:
        reporter.warn(LEFT_OUT)
    figures = achieved(sample)
    fields = {"seed": job.common.seed, "device": job.device, "streamed": True, "grid": grid_object(grid)}
    fields |= {name: figures.get(name) for name in FIGURES} | unusual(figures)
    fields |= {"table": {name: {"target": a, "achieved": b} for name, (a, b) in rows.items()}}
    if scan is not None:
        fields |= scan.objects() | ({} if scan.fit is None else {"fit": fit_object(scan.fit)})
    finish(result_object("polycrystal", reporter, written, **fields), json=job.common.json)
    if job.preview:
        _look.preview_window(sample.coarse(), job)
    if missed is not None:
        raise missed
    return 0


def _rows(sample: TiledMicrostructure, laws: Polycrystal) -> Mapping[str, tuple[float, float]]:
    """What volumes alone tell of a sample, as asked for and as made."""
    grains = sample.grains
    assert grains.volume_target is not None
    both = grains.volume_target, grains.volume
    diameters = [np.cbrt(6 / np.pi * volumes) for volumes in both]
    rows: dict[str, Any] = {"grains": (len(grains), int((grains.volume > 0).sum()))}
    rows["mean equivalent diameter, µm"] = tuple(float(d.mean()) for d in diameters)
    rows["its coefficient of variation"] = tuple(float(d.std() / d.mean()) for d in diameters)
    for k, phase in enumerate(sample.phases if len(sample.phases) > 1 else ()):
        made = float(grains.volume[grains.phase_id == k].sum() / grains.volume.sum())
        rows[f"share of {phase.name}"] = (laws.phases[k].fraction, made)
    return rows
