"""`microgen describe FILE`: measure grains, phases, level sets and grey volumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

import microgen
from microgen import Grid, Microstructure
from microgen.errors import InvalidParameter
from microgen.io.atomic import check_writable
from microgen.io.grey import NO_SIZE

from ._flags import Talk
from ._json import dumps
from ._progress import Reporter
from ._region import measured_part
from ._request import axes_of
from ._result import grid_object, result_object
from ._statistics import statistics_objects, statistics_rows, write_table
from ._volume import VolumeFlags, check_sizes, divide, exchanged, grey_format, is_mask, read_grey, unlike_neighbours
from .rerun import found


def describe(
    file: Path,
    *,
    out: Path | None = None,
    phase: int | None = None,
    threshold: Annotated[str, Parameter(name=("--threshold", "--grey-threshold"))] = "",
    invert: bool = False,
    raw_shape: tuple[int, int, int] | None = None,
    raw_type: str = "",
    spacing: float | None = None,
    periodic: str = "",
    diffusivity: bool = False,
    format: str | None = None,
    talk: Talk = Talk(),  # noqa: B008 - frozen
) -> int:
    """Measure a volume or a plane: the solid of phases, level sets and grey values, or the grains of labels.

    Parameters
    ----------
    file
        Labels, phases, level set or grey values; a folder of slices; a zipped TIFF; an EBSD scan.
    out
        Table of all values and curves, .csv.
    phase
        Take this phase_id (from 0) as the solid; 0 is the first phase.
    threshold
        Grey value above which there is solid; or otsu, multi-otsu[:N], hysteresis:LOW,HIGH.
    invert
        The solid is dark and the pores are bright.
    raw_shape
        Voxels along x, y, z of a .raw file without a JSON; x is fastest.
    raw_type
        Type of its values: uint8 (the default), uint16, >u2, float32 ...
    spacing
        Size of a voxel, where the file does not say it.
    periodic
        Axes that repeat, such as xyz, xy or none; default: as the file says, else none.
    diffusivity
        Solve for the effective diffusivity along each axis too (slow).
    format
        Settles a suffix with two meanings: ome (labels) or imagej (grey values) for .tif.
    talk.json
        Print one JSON object.
    talk.overwrite
        Replace the table if it exists.
    """
    reporter = Reporter(quiet=talk.quiet)
    _check_out(out, overwrite=talk.overwrite)
    flags = VolumeFlags(grey_threshold=threshold, invert=invert, raw_shape=raw_shape or (), raw_type=raw_type)
    ms = _with_grid(_read(file, format=format, flags=flags), spacing=spacing, periodic=periodic)
    check_sizes(ms, file)
    for note in ms.notes:
        reporter.say(f"note: {note}")
    ms = measured_part(ms, file, reporter, find=found)
    with reporter.stage("measuring", "measure") as progress:
        statistics = microgen.describe(ms, phase=phase, diffusivity=diffusivity, progress=progress)
    if out is not None:
        write_table(statistics, out, ndim=ms.grid.ndim, overwrite=talk.overwrite)
    if talk.json:
        result = result_object("describe", reporter, [out] if out else [], **_facts(file, ms))
        print(dumps(result | statistics_objects(statistics)))
    else:
        print("\n".join(statistics_rows(statistics, ndim=ms.grid.ndim)))
    return 0


def _check_out(out: Path | None, *, overwrite: bool) -> None:
    if out is not None and out.suffix.lower() != ".csv":
        raise InvalidParameter("--out", expected="a table, NAME.csv", got=str(out))
    if out is not None:
        check_writable([out], overwrite=overwrite)


def _read(file: Path, *, format: str | None, flags: VolumeFlags) -> Microstructure:
    """The file as grains or as solid and void."""
    ms = _as_asked(file, format=format, flags=flags)
    if flags.grey_threshold:
        return divide(ms, flags.grey_threshold, invert=flags.invert, name="--threshold")
    if ms.grey is not None and not ms.phases:
        low, high = ms.grey.min(), ms.grey.max()
        remedy = "Example: --threshold otsu"
        expected = f"a grey value from {low} to {high}, or otsu"
        raise InvalidParameter("--threshold", expected=expected, got="none", remedy=remedy)
    if flags.invert:
        return _inverted(ms)
    if ms.orientation is not None and ms.grain_id is None:
        return microgen.segment_grains(ms)
    _refuse_pictures(ms)
    return ms


def _as_asked(file: Path, *, format: str | None, flags: VolumeFlags) -> Microstructure:
    """The file in the format named; else as labels or, where these were asked for or are meant, as grey values."""
    if flags.raw_shape or flags.raw_type or (file.suffix.lower() == ".raw" and format is None):
        return read_grey(file, flags)
    if format is None and (flags.grey_threshold or flags.invert):
        grey = None if file.suffix.lower() == ".npy" and not _is_whole(file) else grey_format(file)
        return microgen.read(file, format=grey)
    ms = microgen.read(file, format=format)
    if format is None and is_mask(ms) and grey_format(file):
        return microgen.read(file, format=grey_format(file))
    return ms


def _is_whole(file: Path) -> bool:
    """Whole numbers in a .npy; fractions are a level set."""
    grey = microgen.read(file, format="numpy-grey").grey
    return grey is not None and grey.dtype.kind != "f"


def _inverted(ms: Microstructure) -> Microstructure:
    if ms.orientation is not None or ms.grain_id is not None:
        raise InvalidParameter("--invert", expected="a file of grey values or of solid and void", got="grains")
    return exchanged(ms)


def _refuse_pictures(ms: Microstructure) -> None:
    """Grey values read as labels would give the statistics of thousands of specks."""
    unlike = unlike_neighbours(ms)
    if unlike > 0.5:
        remedy = "Give --threshold VALUE (or otsu) if these are grey values."
        got = f"numbers of which {unlike:.0%} differ from their neighbour"
        raise InvalidParameter("FILE", expected="grain labels", got=got, remedy=remedy)


def _with_grid(ms: Microstructure, *, spacing: float | None, periodic: str) -> Microstructure:
    """Voxel size and periodicity as asked for."""
    grid = ms.grid
    if not isinstance(grid, Grid):
        if spacing is None and not periodic:
            return ms
        raise InvalidParameter("--spacing, --periodic", expected="a grid of square points", got="a hexagonal map")
    if spacing is not None:
        if not 0 < spacing < float("inf"):
            raise InvalidParameter("--spacing", expected="a positive length", got=spacing)
        grid = Grid(grid.shape, (spacing,) * grid.ndim, periodic=grid.periodic)
    if periodic:
        grid = Grid(grid.shape, grid.spacing, grid.origin, axes_of(periodic, grid.ndim))
    notes = tuple(note for note in ms.notes if spacing is None or note != NO_SIZE)
    return replace(ms, grid=grid, notes=notes)


def _facts(file: Path, ms: Microstructure) -> dict[str, Any]:
    grid = grid_object(ms.grid) if isinstance(ms.grid, Grid) else None
    return {"file": str(file), "grid": grid, "notes": list(ms.notes)}
