"""Meshes without gaps among the outputs of `microgen mesh`: made once, written to all places, told of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from microgen import Microstructure
from microgen.io import meshed, volume_mesh

from ._machine import LIBRARIES, check_memory, cores
from ._mesh_flags import MeshFlags
from ._progress import Reporter

BYTES_AN_ELEMENT = 1500
"""While tetrahedra are made, measured at 100³ and 128³."""


def made(
    sample: Microstructure, paths: Sequence[Path], flags: MeshFlags, reporter: Reporter, *, overwrite: bool
) -> tuple[list[Path], dict[str, Any]]:
    """Write tetrahedra and interfaces; returns the paths and the figures."""
    check_memory(LIBRARIES + round(sample.grid.size / max(flags.element, 1) ** 3) * BYTES_AN_ELEMENT)
    with reporter.stage("smoothing interfaces", "smooth"):
        found = meshed.smoothed(sample, element=flags.element)
    if any(path.suffix.lower() in volume_mesh.SUFFIXES for path in paths):
        with reporter.stage("making tetrahedra", "tetrahedra"):
            found = meshed.filled(found, mesher=flags.mesher, threads=cores())
    figures = found.figures
    for line in meshed.lines(figures):
        reporter.say(line)
    for text in meshed.warnings(figures):
        reporter.warn(text)
    with reporter.stage("writing the mesh", "write"):
        for path in paths:
            meshed.write(found, path, overwrite=overwrite)
    return list(paths), figures
