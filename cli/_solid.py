"""Surfaces to print among the outputs of a run: meshed once, written to every .stl and .3mf, and told of."""

from __future__ import annotations

from pathlib import Path

import microgen
from microgen import Grid, Microstructure
from microgen.errors import InvalidParameter, MicrogenError
from microgen.io import printing
from microgen.io.printing import Print, Solid

from ._job import Run
from ._outputs import Outputs, format_for


def is_printed(path: Path) -> bool:
    """True for files that hold a surface."""
    return path.name.lower().endswith(printing.SUFFIXES)


def check(outputs: Outputs, grid: Grid, options: Print) -> None:
    """Refuse surfaces of planes, and outlines that cannot be read or are too large, before anything is made."""
    wrong = [path for path in outputs.files if is_printed(path)]
    if wrong and grid.ndim != 3:
        raise InvalidParameter("--out", expected="3 numbers of voxels for a surface", got=str(wrong[0]))
    printing.check(options, grid)


def save(
    sample: Microstructure, outputs: Outputs, job: Run, options: Print
) -> tuple[Microstructure, MicrogenError | None]:
    """Write all files of a sample; without a surface the others, and why: the sample may have taken hours.

    Returns the sample with the report of its solid.
    """
    printed, solid, problem = [path for path in outputs.files if is_printed(path)], None, None
    if printed:
        with job.reporter.stage("meshing", "mesh"):
            try:
                solid = printing.make_solid(sample, options)
                sample = printing.with_report(sample, solid)
            except MicrogenError as error:
                problem = error
    with job.reporter.stage("writing", "write") as progress:
        for k, path in enumerate(outputs.files):
            progress(k / len(outputs.files), path.name)
            if path not in printed:
                microgen.write(sample, path, format=format_for(path, job.common.format), overwrite=job.replaces)
            elif solid is not None:
                printing.write_solid(solid, sample, path, overwrite=job.replaces)
    if solid is not None:
        tell(solid, job, options)
    return sample, problem


def tell(solid: Solid, job: Run, options: Print) -> None:
    """The report for a reader, and what stands against printing."""
    for line in printing.lines(solid.report):
        job.reporter.say(line)
    for text in printing.warnings(solid.report, options):
        job.reporter.warn(text)
