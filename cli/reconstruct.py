"""`microgen reconstruct --ebsd scan.ang`: the scan itself as a compact diagram, point by point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf, radians
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

import microgen
from microgen import Grid, Microstructure, Provenance
from microgen.io.atomic import atomic_path, check_writable
from microgen.provenance import sha256
from microgen.report import draw_film

from ._flags import Talk
from ._outputs import Outputs, check_suffix, format_for, others_of
from ._progress import Reporter
from ._request import demand
from ._result import finish, grid_object, result_object
from ._volume import VolumeFlags, read_by_looks


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to fit, and the grid to show it on."""

    ebsd: Path
    threshold: float = 5.0
    min_pixels: int = 10
    fill: bool = False
    shape: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    depth: float | None = None

    def __post_init__(self) -> None:
        demand(0 < self.threshold <= 180, "--threshold", "an angle above 0 degrees", self.threshold)
        demand(self.min_pixels >= 1, "--min-pixels", "1 or more", self.min_pixels)
        demand(all(n > 0 for n in self.shape), "--shape", "numbers of points above 0", self.shape)
        demand(all(0 < h < inf for h in self.spacing), "--spacing", "lengths above 0", self.spacing)
        both = "one of --shape and --spacing: the box is that of the map"
        demand(not (self.shape and self.spacing), "--spacing", both, "both")
        demand(self.depth is None or 0 < self.depth < inf, "--depth", "a length above 0", self.depth)


def reconstruct(
    *,
    ebsd: Path,
    out: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    threshold: float = 5.0,
    min_pixels: int = 10,
    fill: bool = False,
    shape: Annotated[tuple[int, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    spacing: Annotated[tuple[float, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    depth: float | None = None,
    format: str | None = None,
    talk: Talk = Talk(),  # noqa: B008 - frozen
) -> int:
    """Fit a power diagram to a scan itself, point by point: six numbers a grain (ten in a volume), any resolution.

    Parameters
    ----------
    ebsd
        EBSD scan, square or hexagonal, or a plane or volume of grain numbers.
    out
        Output file; the suffix picks the format: .csv is the diagram, .tif, .vti ... its points, .png a picture. May be
        given several times. Default: NAME_diagram.csv, .tif and .png.
    threshold
        Misorientation that separates two grains of a scan, degrees.
    min_pixels
        Smaller grains of a scan are given to their neighbours.
    fill
        Give points that were not indexed to the nearest grain, instead of leaving them out.
    shape
        Points along x, y (and z) to show the diagram on; default: those of the scan.
    spacing
        The same by their distance.
    depth
        Extrude the diagram of a plane to a volume of this depth.
    format
        Settles a suffix with two meanings.
    """
    wanted = Wanted(
        ebsd=ebsd,
        threshold=threshold,
        min_pixels=min_pixels,
        fill=fill,
        shape=shape,
        spacing=spacing,
        depth=depth,
    )
    paths = out or tuple(Path(f"{ebsd.name.split('.')[0]}_diagram{suffix}") for suffix in (".csv", ".tif", ".png"))
    return run(wanted, paths, format=format, talk=talk)


def run(
    wanted: Wanted,
    out: Sequence[Path],
    *,
    talk: Talk,
    format: str | None = None,
) -> int:
    """Read, fit, write, tell."""
    reporter, outputs = Reporter(quiet=talk.quiet), _outputs(out, format, overwrite=talk.overwrite)
    with reporter.stage("reading", "read"):
        source = read_grains(wanted)
    for note in source.notes:
        reporter.say(f"note: {note}")
    grid = show_on(source, wanted)
    with reporter.stage("fitting the diagram", "fit") as progress:
        found = microgen.reconstruct(source, progress=progress)
    for note in found.notes:
        reporter.say(f"note: {note}")
    sample = found.render(grid, fill=wanted.fill)
    sample = replace(sample, provenance=_made(sample, wanted))
    with reporter.stage("writing", "write"):
        for path in out:
            if path.suffix.lower() == ".png":
                with atomic_path(path, talk.overwrite) as part:
                    part.write_bytes(_picture(found, sample, path.stem))
            else:
                microgen.write(sample, path, format=format_for(path, format), overwrite=talk.overwrite)
    _table(found.statistics, source.grid.ndim, reporter)
    fields = {"ebsd": wanted.ebsd, "grid": grid_object(grid), "statistics": found.statistics}
    written = [*out, *outputs.beside]
    finish(result_object("reconstruct", reporter, written, **fields, notes=list(found.notes)), json=talk.json)
    return 0


def read_grains(wanted: Wanted) -> Microstructure:
    """The grains of a scan, not-indexed points left out unless they are to be filled; or the grains of a volume."""
    ms = read_by_looks(wanted.ebsd, None, VolumeFlags())
    if ms.grain_id is None and ms.orientation is not None and ms.grid.ndim == 2:
        found = microgen.segment_grains(ms, threshold=radians(wanted.threshold), min_pixels=wanted.min_pixels)
        assert found.grain_id is not None
        kept = found.grain_id if wanted.fill else np.where(ms.phase_id >= 0, found.grain_id, 0)
        return replace(found, grain_id=kept)
    remedy = "Grey values have no grains."
    demand(ms.grain_id is not None, "--ebsd", "a scan, or grain numbers", str(wanted.ebsd), remedy=remedy)
    return ms


def show_on(source: Microstructure, wanted: Wanted) -> Grid:
    """The grid asked for, which fills the box of the map where that lies; default: the map's own, square where it is
    hexagonal."""
    own, box = source.grid, source.grid.lengths
    demand(wanted.depth is None or own.ndim == 2, "--depth", "a scan of a plane", "a volume")
    ndim = own.ndim + (wanted.depth is not None)
    steps = wanted.spacing * ndim if len(wanted.spacing) == 1 else wanted.spacing
    demand(not steps or len(steps) == ndim, "--spacing", f"1 or {ndim} lengths", wanted.spacing)
    demand(len(wanted.shape) in (0, ndim), "--shape", f"{ndim} numbers of points", wanted.shape)
    if not wanted.shape and not steps and isinstance(own, Grid) and wanted.depth is None:
        return own
    if wanted.depth is not None:
        box = (*box, wanted.depth)
    steps = steps or ((*own.spacing, own.spacing[0]) if isinstance(own, Grid) else (own.step,) * ndim)
    shape = wanted.shape or tuple(max(1, round(a / h)) for a, h in zip(box, steps))
    periodic = (*own.periodic, False) if wanted.depth is not None else own.periodic
    origin = (*own.origin, 0.0)[:ndim]
    return Grid(shape, tuple(a / n for a, n in zip(box, shape)), origin, periodic)


def _outputs(out: Sequence[Path], format: str | None, *, overwrite: bool) -> Outputs:
    """Refuse before computing what could not be written afterwards."""
    pictures = [path for path in out if path.suffix.lower() == ".png"]
    files = tuple(path for path in out if path not in pictures)
    for path in files:
        check_suffix(path, format)
    outputs = Outputs(files, beside=others_of(files, format))
    outputs.check(overwrite=overwrite)
    check_writable(pictures, overwrite=overwrite)
    return outputs


def _made(sample: Microstructure, wanted: Wanted) -> Provenance:
    grid, made = sample.grid, sample.provenance
    assert made is not None
    configuration = asdict(wanted) | {"ebsd": str(wanted.ebsd)}
    phases = [{"name": p.name, "laue_group": p.laue_group, "lattice": list(p.lattice)} for p in sample.phases]
    parts = {"shape": list(grid.shape), "spacing": list(grid.spacing), "periodic": list(grid.periodic)}
    parts |= {"origin": list(grid.origin)} if any(grid.origin) else {}
    told = {"reconstruct": configuration, "grid": parts, "phases": phases}
    return replace(made, configuration=told, inputs={str(wanted.ebsd): sha256(wanted.ebsd)})


def _picture(found: Any, sample: Microstructure, title: str) -> bytes:
    """The map that was fitted beside the diagram, in the same colours."""
    source = replace(found.source, grains=found.grains)
    numbers = [np.arange(1, len(found.grains) + 1)] * 2
    captions = ["scan", f"diagram, {found.statistics['differing']:.2%} of the points differ"]
    return draw_film([source, sample], captions, numbers=numbers, title=title, frame=520)


def _table(figures: Mapping[str, Any], ndim: int, reporter: Reporter) -> None:
    """Target against achieved."""
    point, size = ("pixel", "area") if ndim == 2 else ("voxel", "volume")
    rows = [
        (f"{point}s that differ", "0", f"{figures['differing']:.2%}"),
        ("  before the fit: moments alone", "", f"{figures['differing_moments']:.2%}"),
        ("overlap of a grain (IoU), mean", "1", f"{figures['iou_mean']:.3f}"),
        ("  median", "1", f"{figures['iou_median']:.3f}"),
        ("  worst", "1", f"{figures['iou_min']:.3f}"),
        ("distance of boundaries, mean", "0", f"{figures['boundary_distance_mean']:.3g} µm"),
        ("  95 % below", "0", f"{figures['boundary_distance_p95']:.3g} µm"),
        (f"{size} of a grain off by, mean", "0", f"{figures['volume_error_mean']:.2%}"),
        ("  worst", "0", f"{figures['volume_error_max']:.2%}"),
        ("grains in several pieces", str(figures["split_grains"]), str(figures["split_cells"])),
        ("numbers kept", f"{figures['points']} {point}s", f"{figures['numbers']} (1 : {figures['compression']:.1f})"),
    ]
    reporter.say()
    reporter.table((f"{figures['grains']} grains", "scan", "diagram"), rows)
    reporter.say()
