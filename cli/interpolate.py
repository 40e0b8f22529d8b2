"""`microgen interpolate A B`: the way from one polycrystal to another, step by step, and its film strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import Parameter

import microgen
from microgen import Microstructure, Provenance
from microgen.errors import NotConverged, TargetNotMet
from microgen.io.atomic import atomic_path, check_writable
from microgen.provenance import sha256
from microgen.report import draw_film

from . import reconstruct
from ._diagram import read_diagram
from ._flags import Talk
from ._machine import check_memory, memory_need
from ._outputs import Outputs, check_suffix, format_for, others_of, tagged
from ._progress import Reporter
from ._request import demand
from ._result import finish, grid_line, grid_object, result_object

MOST = 200


@dataclass(frozen=True, kw_only=True)
class Way:
    """From where to where, and how."""

    a: Path
    b: Path
    shape: tuple[int, ...] = ()
    threshold: float = 5.0
    min_pixels: int = 10
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        demand(all(n > 0 for n in self.shape), "--shape", "numbers of voxels above 0", self.shape)
        demand(0 < self.tolerance < 1, "--tolerance", "a number between 0 and 1", self.tolerance)
        self.seen(self.a)

    def seen(self, path: Path) -> reconstruct.Wanted:
        """How a scan is read."""
        return reconstruct.Wanted(ebsd=path, threshold=self.threshold, min_pixels=self.min_pixels)


def interpolate(
    a: Path,
    b: Path,
    *,
    steps: int = 5,
    out: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    shape: Annotated[tuple[int, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    tolerance: float = 0.01,
    threshold: float = 5.0,
    min_pixels: int = 10,
    format: str | None = None,
    talk: Talk = Talk(),  # noqa: B008 - frozen
) -> int:
    """Lay a way from polycrystal A to B: grains are matched, and every step is a polycrystal with its volumes met.

    Grain tables and .npz files hold the diagram that is needed, other samples of microgen are made again for it, and
    to any other map of grains one is fitted. Exit code 5 when a grain misses its volume at a step (all are written).

    Parameters
    ----------
    a
        Where the way begins: a grain table, a sample, a scan, or a plane or volume of grain numbers.
    b
        Where it ends: of the same dimension, with the same phases.
    steps
        Samples on the way, both ends included.
    out
        Output files, numbered by step: path.tif gives path_1.tif, path_2.tif ...; .png is the film strip. May be given
        several times. Default: A_to_B.tif and A_to_B.png.
    shape
        Voxels of the samples; default: those of A.
    tolerance
        Relative error allowed for each grain's volume.
    threshold
        Misorientation that separates two grains of a scan, degrees.
    min_pixels
        Smaller grains of a scan are given to their neighbours.
    format
        Settles a suffix with two meanings.
    """
    demand(2 <= steps <= MOST, "--steps", f"2 to {MOST}", steps)
    way = Way(a=a, b=b, shape=shape, tolerance=tolerance, threshold=threshold, min_pixels=min_pixels)
    files = _files(out or _named_after(a, b), steps, format, overwrite=talk.overwrite)
    reporter = Reporter(quiet=talk.quiet)
    path = laid(way, reporter, steps=steps)
    made, missed = [], []
    for k in range(steps):
        t = k / (steps - 1)
        with reporter.stage(f"step {k + 1} of {steps}", "solve") as progress:
            sample, fine = at(path, t, way, progress)
        missed += [] if fine else [f"{t:.3g}"]
        for name in files.numbered(k):
            microgen.write(sample, name, format=format_for(name, format), overwrite=talk.overwrite)
        made.append(sample)
    for film in files.films:
        with atomic_path(film, talk.overwrite) as part:
            part.write_bytes(_film(made, path, f"{a.name} to {b.name}, {len(path.matching.first)} pairs of grains"))
    _tell(path, made, reporter)
    written = [name for k in range(steps) for name in files.numbered(k)]
    written += [other for name in written for other in others_of([name], format)]
    fields = {"a": a, "b": b, **_object(path, made)}
    finish(result_object("interpolate", reporter, [*written, *files.films], **fields), json=talk.json)
    if missed:
        raise TargetNotMet(f"a grain misses its volume by more than {tolerance:.2%} at t = {', '.join(missed)}.")
    return 0


def laid(way: Way, reporter: Reporter, *, steps: int = 1) -> Any:
    """Both ends read, and their grains matched."""
    first, second = (read_diagram(p, way.seen(p), reporter, shape=way.shape) for p in (way.a, way.b))
    for path, found in ((way.a, first), (way.b, second)):
        assert found.sample.grains is not None
        reporter.say(f"{path}: {len(found.sample.grains)} grains, {found.how}")
    with reporter.stage("matching grains", "match"):
        path = microgen.interpolate(first.sample, second.sample, shape=way.shape or None, tolerance=way.tolerance)
    grid, most = path.moment(0.5).grid, len(path.matching.first) + len(path.deaths) + len(path.births)
    check_memory(memory_need(grid, most) + steps * grid.size * 6)  # all steps are kept for the film and the table
    reporter.say(grid_line(grid, most))
    return path


def at(path: Any, t: float, way: Way, progress: Any) -> tuple[Microstructure, bool]:
    """The sample at t with all that its files will say, and whether its volumes are met."""
    try:
        sample, fine = path.at(t, progress=progress), True
    except NotConverged as error:
        sample, fine = cast(Microstructure, error.best), False
    made, grid = sample.provenance, sample.grid
    told = asdict(way) | {"a": str(way.a), "b": str(way.b), "shape": list(way.shape), "t": t}
    phases = [{"name": p.name, "laue_group": p.laue_group, "lattice": list(p.lattice)} for p in sample.phases]
    parts = {"shape": list(grid.shape), "spacing": list(grid.spacing), "periodic": list(grid.periodic)}
    configuration = {"interpolate": told, "grid": parts, "phases": phases}
    inputs = {str(each): sha256(each) for each in (way.a, way.b)}
    provenance = Provenance("interpolate", configuration, None, inputs, achieved=made.achieved if made else {})
    return replace(sample, provenance=provenance), fine


@dataclass(frozen=True)
class _Files:
    """Outputs by step, and the film strips."""

    samples: tuple[Path, ...]
    films: tuple[Path, ...]
    digits: int

    def numbered(self, k: int) -> list[Path]:
        return [tagged(path, f"_{k + 1:0{self.digits}d}") for path in self.samples]


def _named_after(a: Path, b: Path) -> tuple[Path, ...]:
    stem = "_to_".join(path.name.split(".")[0] for path in (a, b))
    return Path(f"{stem}.tif"), Path(f"{stem}.png")


def _files(out: Sequence[Path], steps: int, format: str | None, *, overwrite: bool) -> _Files:
    """Refuse before computing what could not be written afterwards."""
    films = tuple(path for path in out if path.suffix.lower() == ".png")
    files = _Files(tuple(path for path in out if path not in films), films, len(str(steps)))
    for path in files.samples:
        check_suffix(path, format)
    names = tuple(name for k in range(steps) for name in files.numbered(k))
    Outputs(names, beside=others_of(names, format)).check(overwrite=overwrite)
    check_writable(films, overwrite=overwrite)
    return files


def _film(made: Sequence[Microstructure], path: Any, title: str) -> bytes:
    times = [k / (len(made) - 1) for k in range(len(made))]
    captions = [f"t = {t:.3g}, {len(ms.grains)} grains" for t, ms in zip(times, made) if ms.grains is not None]
    return draw_film(made, captions, numbers=[path.identity(t) for t in times], title=title)


def _object(path: Any, made: Sequence[Microstructure]) -> dict[str, Any]:
    """Pairs, births, deaths and figures of each step."""
    times = [k / (len(made) - 1) for k in range(len(made))]
    figures = [ms.provenance.achieved if ms.provenance else {} for ms in made]
    matching = {"pairs": len(path.matching.first), "deaths": path.deaths, "births": path.births}
    steps = [{"t": t, "grid": grid_object(cast(Any, ms.grid)), **f} for t, ms, f in zip(times, made, figures)]
    return {"matching": {**matching, "distance": path.distance}, "steps": steps}


def _tell(path: Any, made: Sequence[Microstructure], reporter: Reporter) -> None:
    """Who dies and who is born; then volumes, step by step."""
    for word, ids in (("deaths", path.deaths), ("births", path.births)):
        if len(ids):
            few = " ".join(map(str, ids[:12])) + (" ..." if len(ids) > 12 else "")
            reporter.say(f"{word:9} {len(ids)} grains of {'A' if word == 'deaths' else 'B'}: {few}")
    rows = []
    for k, ms in enumerate(made):
        figures = ms.provenance.achieved if ms.provenance else {}
        small = figures.get("subvoxel_error_max")
        parts = (f"{figures['volume_error_max_400']:.2%}", "" if small is None else f"{small:.2%}")
        rows.append((f"{k / (len(made) - 1):.3g}", str(figures["grains"]), *parts))
    reporter.say()
    reporter.table(("t", "grains", "volume off by (400 voxels or more)", "smaller, sub-voxel"), rows)
    reporter.say()
