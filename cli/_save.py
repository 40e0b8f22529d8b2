"""Writing one sample: documented, each file whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import microgen
from microgen import Microstructure, Provenance, TiledMicrostructure
from microgen.io.atomic import atomic_path

from . import _region
from ._fit import fit_object
from ._job import Job
from ._laws import Scan
from ._outputs import PAGE, Outputs, format_for
from ._progress import Progress
from ._result import achieved, finish, result_object, statistics_object, told_before


def already_there(job: Job) -> bool:
    """With --resume: True when all outputs come from this very run, which is told; files of others are an error."""
    if not (job.common.resume and job.outputs.done(job.identity())):
        return False
    job.reporter.say("all outputs are there, and they come from this very run")
    told = told_before(microgen.read_provenance(job.outputs.sidecars[0]))
    fields = {"seed": job.common.seed, "device": job.device, **told}
    finish(result_object("polycrystal", job.reporter, list(job.outputs), **fields), json=job.common.json)
    return True


Sample = TypeVar("Sample", Microstructure, TiledMicrostructure)


def document(sample: Sample, job: Job, *, scan: Scan | None, statistics: Mapping[str, Any], member: int = 0) -> Sample:
    """The sample with all that its files will say about how it was made."""
    made = sample.provenance or Provenance("polycrystal")
    configuration = {**made.configuration, **_region.told_mask(job.request, made.configuration)}
    configuration |= {"run": job.identity(member)}
    figures = achieved(sample)
    if scan is not None or statistics:
        figures |= {"statistics": statistics_object(statistics)}
    request = job.request
    if request.numbers is not None:
        configuration |= {"numbers": str(request.numbers)}
    if scan is not None:
        configuration |= {"ebsd": scans_of(scan), "fit": request.fit, "threshold": request.threshold}
        configuration |= {"min_pixels": request.min_pixels}
        figures |= scan.objects()
        if scan.fit is not None:
            figures |= {"fit": fit_object(scan.fit)}
    provenance = Provenance(
        "polycrystal", configuration, made.seed, job.inputs, job.device, dtype=made.dtype, achieved=figures
    )
    return replace(sample, provenance=provenance)


def scans_of(scan: Scan) -> str | list[str]:
    """As --ebsd takes them."""
    if not scan.several:
        return str(scan.first.path)
    return [f"{each.plane}={each.path}" for each in scan.seen]


def save(sample: Microstructure | TiledMicrostructure, outputs: Outputs, job: Job) -> list[Path]:
    """Write the files of one sample, and its STLs; returns their paths."""
    with job.reporter.stage("writing", "write") as progress:
        for k, path in enumerate(outputs.files):
            progress(k / len(outputs.files), path.name)
            tell = partial(_part, progress, k / len(outputs.files), 1 / len(outputs.files), path.name)
            how: dict[str, Any] = {"format": format_for(path, job.common.format), "overwrite": job.replaces}
            microgen.write(sample, path, progress=tell, **how)
        if outputs.stl_folder is not None and isinstance(sample, Microstructure):
            from microgen.io.stl import write_grains

            write_grains(sample, outputs.stl_folder, overwrite=job.replaces, progress=progress)
    return [*outputs.files, *outputs.beside, *([outputs.stl_folder] if outputs.stl_folder else [])]


def _part(progress: Progress, done: float, share: float, name: str, fraction: float, message: str) -> None:
    """Progress of one of several files."""
    progress(done + share * fraction, f"{name}, {message}")


def save_report(
    sample: Microstructure, job: Job, *, scan: Scan | None, statistics: Mapping[str, Any], members: Sequence[Any] = ()
) -> list[Path]:
    """Write the page, when one is asked for."""
    page = job.outputs.report
    if page is None:
        return []
    with job.reporter.stage("drawing the report", "report"):
        text = microgen.render_report(
            sample,
            scan=scan.first.measured if scan else None,
            segmented=scan.first.segmented if scan else None,
            statistics=statistics,
            members=members,
            warnings=scan.target.caveats if scan else [],
        )
        if page.name == PAGE:
            page.parent.mkdir(exist_ok=True)
        with atomic_path(page, job.replaces) as part:
            part.write_text(text, encoding="utf-8")
    return [page]
