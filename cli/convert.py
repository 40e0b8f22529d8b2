"""`microgen convert IN OUT`: any readable file as any writable one, and what is lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

import microgen
from microgen import Grid, Microstructure, Provenance
from microgen.errors import InvalidParameter, MicrogenError, UnsupportedFormat
from microgen.io import file_of, find_writer
from microgen.io.embedded import Embedded, as_labels, labelled
from microgen.io.grey import NO_SIZE
from microgen.io.losses import lost, sentence
from microgen.provenance import sha256

from ._flags import Talk
from ._json import dumps
from ._outputs import Outputs, check_sample_fits, check_suffix, format_for, others_of
from ._progress import Reporter
from ._request import demand
from ._result import finish, grid_object, result_object
from ._volume import VolumeFlags, read_by_looks


def convert(
    file: Path,
    *out: Path,
    spacing: Annotated[tuple[float, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    format: str | None = None,
    input_format: str | None = None,
    labels: bool = False,
    raw_shape: tuple[int, int, int] | None = None,
    raw_type: str = "",
    dry_run: bool = False,
    talk: Talk = Talk(),  # noqa: B008 - frozen
) -> int:
    """Write a file again in other formats, with its provenance, and say what they do not hold.

    Parameters
    ----------
    file
        Any readable file: a sample, a scan, a volume.
    out
        Output files; the suffix picks the format.
    spacing
        Size of a voxel where the file does not say it, or says it wrongly: one length, or one an axis.
    format
        Settles a suffix of the outputs with two meanings: ome or imagej for .tif.
    input_format
        The same for the file that is read.
    labels
        Whole numbers in a file of others are grain labels, not grey values.
    raw_shape
        Voxels along x, y, z of a .raw file without a JSON; x is fastest.
    raw_type
        Type of its values: uint8 (the default), uint16, >u2, float32 ...
    dry_run
        Say what would be written and what would be lost, and stop.
    """
    reporter = Reporter(quiet=talk.quiet)
    outputs = _outputs(out, format)
    outputs.check(overwrite=talk.overwrite)
    bare = raw_shape is not None or raw_type
    demand(not (bare and input_format), "--input-format", "none beside --raw-shape and --raw-type", input_format)
    step = {"file": str(file), "format": input_format, "labels": labels, "spacing_um": list(spacing)}
    step |= {"raw_shape": list(raw_shape or ()), "raw_type": raw_type}
    with reporter.stage("reading", "read"):
        sample = taken(file, step)
        sample = replace(sample, provenance=_provenance(sample, file, step))
    for note in sample.notes:
        reporter.say(f"note: {note}")
    check_sample_fits(sample, out, format, name="OUT")
    losses = {path: lost(sample, find_writer(path, format_for(path, format))) for path in out}
    fields = {"file": str(file), "grid": _grid_object(sample), "lost": losses, "notes": list(sample.notes)}
    if dry_run:
        _tell(losses, reporter)
        told = result_object("convert", reporter, [], **fields, would_write=list(out))
        print(dumps(told) if talk.json else _plan(losses))
        return 0
    with reporter.stage("writing", "write") as progress:
        for k, path in enumerate(out):
            progress(k / len(out), path.name)
            microgen.write(sample, path, format=format_for(path, format), overwrite=talk.overwrite)
    _tell(losses, reporter)
    finish(result_object("convert", reporter, out, **fields), json=talk.json)
    return 0


def taken(file: Path, step: Mapping[str, Any]) -> Microstructure:
    """The file as one conversion took it: `step` is what its provenance keeps of the flags."""
    if file.suffix.lower() == ".csv" and not step["format"]:
        remedy = f"Its volume comes again by: microgen polycrystal --sites {file} --out rve.vti"
        raise UnsupportedFormat(f"{file}: a grain table holds no voxels. {remedy}")
    flags = VolumeFlags(raw_shape=tuple(step.get("raw_shape", ())), raw_type=step.get("raw_type", ""))
    sample = read_by_looks(file, step["format"], flags)
    if step["labels"]:
        sample = _as_labels(sample, file)
    return resized(sample, tuple(step["spacing_um"]))


def resized(sample: Microstructure, spacing: tuple[float, ...]) -> Microstructure:
    """The sample with voxels of another size, one number or one an axis."""
    if not spacing:
        return sample
    demand(isinstance(sample.grid, Grid), "--spacing", "a grid of square points", "a hexagonal map")
    assert isinstance(sample.grid, Grid)
    ndim = sample.grid.ndim
    sizes = spacing * ndim if len(spacing) == 1 else spacing
    demand(len(sizes) == ndim, "--spacing", f"1 or {ndim} lengths", spacing)
    demand(all(0 < h < float("inf") for h in sizes), "--spacing", "lengths above 0", spacing)
    notes = tuple(note for note in sample.notes if note != NO_SIZE)
    return replace(sample, grid=replace(sample.grid, spacing=sizes), notes=notes)


def _as_labels(sample: Microstructure, file: Path) -> Microstructure:
    """Grey values that are labels."""
    if sample.grey is None:
        demand(sample.grain_id is not None, "--labels", "a file of whole numbers", str(file))
        return sample
    if sample.grey.dtype.kind == "f" and not (sample.grey % 1).any() and np.abs(sample.grey).max() < 2**31:
        sample = replace(sample, grey=sample.grey.astype(np.int64))
    try:
        grain_id = as_labels(sample.grey, file)  # type: ignore[arg-type]
    except UnsupportedFormat as error:
        raise InvalidParameter("--labels", expected="whole numbers from 0", got=str(file), remedy=str(error)) from None
    notes = tuple(note for note in sample.notes if not note.startswith("two values"))
    assert isinstance(sample.grid, Grid)
    return labelled(grain_id, sample.grid, Embedded(provenance=sample.provenance), notes=notes)


def _outputs(out: tuple[Path, ...], format: str | None) -> Outputs:
    demand(bool(out), "OUT", "at least one output file", "none", remedy="Example: microgen convert rve.tif rve.vti")
    for path in out:
        check_suffix(path, format, name="OUT")
    if format and not any(format_for(path, format) for path in out):
        raise InvalidParameter("--format", expected="a format of one of the outputs", got=format)
    return Outputs(out, beside=others_of(out, format))


def _provenance(sample: Microstructure, file: Path, step: Mapping[str, Any]) -> Provenance:
    """How the sample was made, as before, and from which file it was converted."""
    kept = {key: value for key, value in step.items() if value}
    read = {**kept, "sha256": sha256(file_of(file))}
    made = sample.provenance or _beside(file)
    if made is None:
        return Provenance("convert", {"converted": [read]}, inputs={str(file): read["sha256"]})
    earlier = made.configuration.get("converted", [])
    steps = [*(earlier if isinstance(earlier, list) else []), read]
    return replace(made, configuration={**made.configuration, "converted": steps})


def _beside(file: Path) -> Provenance | None:
    try:
        return microgen.read_provenance(file_of(file))
    except MicrogenError:
        return None


def _tell(losses: Mapping[Path, list[str]], reporter: Reporter) -> None:
    for path, names in losses.items():
        if names:
            reporter.say(f"{path}: {sentence(names)}")


def _plan(losses: Mapping[Path, list[str]]) -> str:
    return "\n".join(f"would write {path}" for path in losses)


def _grid_object(sample: Microstructure) -> dict[str, Any] | None:
    return grid_object(sample.grid) if isinstance(sample.grid, Grid) else None
