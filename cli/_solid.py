"""Surfaces to print among the outputs of a run: meshed once, written to every .stl and .3mf, and told of."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import microgen
from microgen import Microstructure
from microgen.errors import InvalidParameter, NotPrintable
from microgen.io import printing
from microgen.io.printing import Print

from ._job import Run
from ._outputs import Outputs, format_for


def is_printed(path: Path) -> bool:
    """True for files that hold a surface."""
    return path.name.lower().endswith(printing.SUFFIXES)


def check(outputs: Outputs, ndim: int) -> None:
    """Refuse surfaces of planes before anything is made."""
    wrong = [path for path in outputs.files if is_printed(path)]
    if wrong and ndim != 3:
        raise InvalidParameter("--out", expected="3 numbers of voxels for a surface", got=str(wrong[0]))


def save(sample: Microstructure, outputs: Outputs, job: Run, options: Print) -> tuple[list[Path], NotPrintable | None]:
    """Write all files of a sample; without a closed surface the others, and why.

    Returns the paths written.
    """
    written, problem = [], None
    printed = [path for path in outputs.files if is_printed(path)]
    with job.reporter.stage("writing", "write") as progress:
        for k, path in enumerate(path for path in outputs.files if path not in printed):
            progress(k / len(outputs.files), path.name)
            written += microgen.write(sample, path, format=format_for(path, job.common.format), overwrite=job.replaces)[
                :1
            ]
    if printed:
        try:
            written += _print(sample, printed, job, options)
        except NotPrintable as error:
            problem = error
    return [path for path in outputs.files if path in written], problem


def _print(sample: Microstructure, paths: list[Path], job: Run, options: Print) -> list[Path]:
    with job.reporter.stage("meshing", "mesh"):
        solid = printing.make_solid(sample, options)
        for path in paths:
            printing.write_solid(solid, sample, path, overwrite=job.replaces)
    for line in printing.lines(solid.report):
        job.reporter.say(line)
    for text in printing.warnings(solid.report, options):
        job.reporter.warn(text)
    return paths


def told(outputs: Outputs) -> dict[str, Any]:
    """The `print` object of the JSON output, from what a file says; empty without a surface."""
    for path in outputs.files:
        if is_printed(path) and path.exists():
            return {"print": microgen.read_provenance(path).achieved.get("print")}
    return {}


def configuration(options: Print) -> dict[str, Any]:
    """The options as plain values."""
    return asdict(options)
