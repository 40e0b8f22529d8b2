"""A polycrystal with the diagram whose cells its grains are: as the file holds it, made again, or fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import microgen
from microgen import Grid, Microstructure
from microgen.errors import InvalidParameter, MicrogenError
from microgen.io.grain_lists import SUFFIXES as TABLES

from . import rerun
from ._progress import Progress, Reporter
from ._sites import provenance_of, read_placed, rebuilt, resolve_grid
from .reconstruct import Wanted, read_grains, show_on


@dataclass(frozen=True)
class Diagram:
    """What was read, and how its diagram came about."""

    sample: Microstructure
    how: str


def read_diagram(path: Path, wanted: Wanted, reporter: Reporter, *, shape: tuple[int, ...] = ()) -> Diagram:
    """The polycrystal of a file: a grain table, a sample, or any map of grains. `shape` is that of a table's volume."""
    if path.suffix.lower() in TABLES:
        table, made = read_placed(path)
        known = shape or not made or "grid" not in made.configuration
        grid = resolve_grid(table, shape if known else (), (), made)
        return Diagram(rebuilt(table, grid, made), "its own diagram")
    ms = read_grains(wanted)
    _check_filled(path, ms)
    for note in ms.notes:
        reporter.say(f"note: {path}: {note}")
    if _has_diagram(ms):
        return Diagram(ms, "its own diagram")
    with reporter.stage(f"finding the diagram of {path}", "diagram") as progress:
        again = _again(path, ms, progress)
        if again is not None:
            return Diagram(again, "its diagram made again from its provenance")
        found = microgen.reconstruct(ms, progress=progress)
    for note in found.notes:
        reporter.say(f"note: {path}: {note}")
    sample = found.render(show_on(ms, replace(wanted, ebsd=path)), fill=True)
    return Diagram(sample, f"a diagram fitted to it, {found.statistics['differing']:.2%} of the points differ")


def _check_filled(path: Path, ms: Microstructure) -> None:
    """Refuse samples with void, a mask or hard grains: ways are those of diagrams that fill the box."""
    told = ms.provenance.configuration if ms.provenance else {}
    for name, usual in (("void", 0.0), ("exponent", 2.0), ("mask", None)):
        if told.get(name, usual) != usual:
            expected = "samples that fill their box, of exponent 2"
            raise InvalidParameter("A, B", expected=expected, got=f"{path}: {name} {told[name]}")


def _has_diagram(ms: Microstructure) -> bool:
    grains = ms.grains
    parts = () if grains is None else (grains.sites, grains.metrics, grains.weights)
    return bool(parts) and all(part is not None for part in parts) and isinstance(ms.grid, Grid)


def _again(path: Path, ms: Microstructure, progress: Progress) -> Microstructure | None:
    """The sample that the file is of, diagram and all; None where it was not made by laws or has changed since."""
    made = provenance_of(path)
    if made is None or made.command != "polycrystal" or "converted" in made.configuration:
        return None
    try:
        sample = rerun.again(made, path, progress)
    except MicrogenError:
        return None
    same = sample.grain_id is not None and ms.grain_id is not None and np.array_equal(sample.grain_id, ms.grain_id)
    return sample if same and _has_diagram(sample) else None
