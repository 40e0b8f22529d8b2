"""`microgen atlas`: random textures in a table and on a map, and look-up of the one nearest to a wish."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

import microgen
from microgen import CurvaturePrior, Grid, Provenance
from microgen.errors import InvalidParameter, NotConverged
from microgen.io.atlas_table import append_row, resume_table, start_table
from microgen.io.atomic import atomic_path, check_writable
from microgen.io.sidecar import sidecar_path
from microgen.provenance import tool_version
from microgen.report import render_atlas, require_umap, thumbnail

from . import _lookup
from ._flags import Common, FlagApp, given_flags, resolve_device
from ._json import dumps
from ._machine import available_memory, check_memory, workers
from ._outputs import HTML, tagged
from ._preview import toml
from ._progress import Reporter
from ._request import MOST, demand
from ._result import finish, result_object
from ._texture_preview import memory_need
from ._units import bytes_text, time_text

atlas = FlagApp(name="atlas")
PRIOR = Parameter(name="prior", group=Group("Law of the polynomials", sort_key=2))
LOOKING = {field.name for field in fields(_lookup.Wish)}
"""Flags of a look-up."""
FEWEST = 5
"""Textures a map can be made of."""


@Parameter(name="*", group=Group("Draws", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class Draws:
    """What to draw."""

    samples: int = 200
    """How many polynomials to draw. With --resume more can be added. Default 200."""
    shape: Annotated[tuple[int, ...], Parameter(show_default=False)] = (64, 64, 64)
    """Voxels along x, y, z. Default 64 64 64."""
    dx: float = 0.01
    """Size of a voxel in the coefficients' unit of length."""
    eps: float = 0.02
    """Width of the interface in the same unit, at least 1.5 voxels."""
    workers: Annotated[int, Parameter(show_default=False)] = 0
    """Processes, one thread each. Default: as cores and memory allow."""

    def __post_init__(self) -> None:
        demand(1 <= self.samples <= MOST, "--samples", f"1 to {MOST}", self.samples)
        demand(len(self.shape) == 3 and all(n > 0 for n in self.shape), "--shape", "3 numbers of voxels", self.shape)
        demand(0 < self.dx < float("inf"), "--dx", "a length above 0", self.dx)
        demand(self.workers >= 0, "--workers", "1 or more processes", self.workers)

    @property
    def grid(self) -> Grid:
        """Periodic, with voxels of dx: all lengths are in the coefficients' unit."""
        return Grid(self.shape, (self.dx,) * 3, periodic=(True,) * 3)


@dataclass(frozen=True, eq=False)
class Files:
    """What an atlas is kept in."""

    table: Path
    page: Path | None

    @property
    def pictures(self) -> Path:
        """Folder of a PNG for each sample: atlas.csv has atlas_pictures."""
        return tagged(self.table, "_pictures").with_suffix("")

    def picture(self, number: int) -> Path:
        return self.pictures / f"{number:05d}.png"

    def __iter__(self) -> Iterator[Path]:
        yield from (path for path in (self.table, self.page, self.pictures) if path)


@atlas.default
def run(
    *,
    draws: Draws = Draws(),  # noqa: B008 - frozen
    prior: Annotated[CurvaturePrior, PRIOR] = CurvaturePrior(),  # noqa: B008 - frozen
    wish: _lookup.Wish = _lookup.Wish(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Draw random textures, measure them and chart them; with --find, look up those nearest to a wish."""
    given = set(given_flags(common))
    if given & LOOKING:
        demand(bool(wish.find), "--find", "a wish, such as thickness=120um", "none")
        others = [f"--{name}" for name in sorted(given - LOOKING)] + ["--out"] * bool(common.out)
        demand(not others, others[0] if others else "", "nothing, as --find makes nothing", "a value")
        return _lookup.look_up(wish, common)
    resolve_device(common.device, what="surveys")
    demand(common.format is None, "--format", "nothing: an atlas is .csv and .html", common.format)
    files, reporter = plan(common.out), Reporter(quiet=common.quiet)
    settings = settings_of(draws, prior, common.seed)
    microgen.survey(draws.grid, [1], seed=common.seed, eps=draws.eps)  # refuses now what it would refuse later
    if files.page:
        require_umap()
    if common.dry_run:
        return preview(draws, prior, common, files)
    check_memory(memory_need(draws.grid) * max(1, draws.workers))  # without --workers as many as there is room for
    there = prepare(files, settings, common)
    missing = [k for k in range(1, draws.samples + 1) if k not in there]
    if there:
        reporter.say(f"{draws.samples - len(missing)} of {draws.samples} samples are there already")
    with documented(files, settings, common.seed):
        if missing:
            processes = draws.workers or workers(draws.grid, len(missing), memory_need(draws.grid))
            options: dict[str, Any] = {"seed": common.seed, "eps": draws.eps, "prior": prior, "workers": processes}
            make(missing, microgen.survey(draws.grid, missing, **options), files, reporter)
    return close(files, common, reporter)


def plan(out: tuple[Path, ...]) -> Files:
    """Table and page; the bare command writes both, a table alone does without page."""
    tables = [path for path in out if path.suffix.lower() == ".csv"]
    pages = [path for path in out if path.suffix.lower() in HTML]
    if len(tables) > 1 or len(pages) > 1 or len(tables) + len(pages) < len(out):
        raise InvalidParameter("--out", expected="one .csv and one .html", got=" ".join(map(str, out)))
    if not out:
        return Files(Path("atlas.csv"), Path("atlas.html"))
    return Files(tables[0] if tables else pages[0].with_suffix(".csv"), pages[0] if pages else None)


def settings_of(draws: Draws, prior: CurvaturePrior, seed: int) -> dict[str, Any]:
    """What all rows of the table share; two runs with the same are one."""
    shown = {"shape": list(draws.shape), "dx": draws.dx, "eps": draws.eps, "seed": seed}
    return {**shown, "prior": prior.configuration(), "version": tool_version()}


def prepare(files: Files, settings: dict[str, Any], common: Common) -> frozenset[int]:
    """Start the table, or go on with the one that is there; returns the samples it has."""
    replaces = common.overwrite or common.resume
    pages = [files.page] if files.page else []
    check_writable([files.table, sidecar_path(files.table), *pages], overwrite=replaces)
    check_writable([], folders=[files.pictures], overwrite=replaces, ours="*.png")
    there: frozenset[int] = frozenset()
    if common.resume and files.table.exists():
        there = resume_table(files.table, settings)
    else:
        start_table(files.table, settings, overwrite=common.overwrite)
        document(files, settings, common.seed)  # a run that is killed leaves it as it is
        for old in files.pictures.glob("*.png"):
            old.unlink()
    files.pictures.mkdir(exist_ok=True)
    return there


@contextmanager
def documented(files: Files, settings: dict[str, Any], seed: int) -> Iterator[None]:
    """The provenance beside the table, also of a run that was interrupted."""
    try:
        yield
    finally:
        document(files, settings, seed)


def document(files: Files, settings: dict[str, Any], seed: int) -> None:
    """Write the provenance of the table as it stands."""
    done = microgen.read_atlas(files.table)
    figures = {"samples": len(done), "formed": len(done.formed)}
    made = Provenance("atlas", settings, seed, dtype="float32", achieved=figures)
    with atomic_path(sidecar_path(files.table), True) as part:
        part.write_text(made.to_json(indent=2) + "\n", encoding="utf-8")


def make(missing: list[int], entries: Iterator[Any], files: Files, reporter: Reporter) -> None:
    """Keep each sample as it comes, first its picture, then its row."""
    with reporter.stage(f"making {len(missing)} samples", "solve") as progress:
        for done, entry in enumerate(entries, 1):
            number = entry.row["sample"]
            if entry.sample is not None and math.isfinite(entry.row["volume_fraction"]):
                with atomic_path(files.picture(number), True) as part:
                    part.write_bytes(thumbnail(entry.sample))
            append_row(files.table, entry.row)
            words = f"sample {number}: {entry.row['status'].replace('_', ' ')}, {time_text(entry.row['seconds'])}"
            progress(done / len(missing), words)


def close(files: Files, common: Common, reporter: Reporter) -> int:
    """The page, and what the run came to."""
    done = microgen.read_atlas(files.table)
    counts = {"samples": len(done), "formed": len(done.formed), "no_texture": len(done) - len(done.formed)}
    reporter.say(f"{counts['formed']} textures; {counts['no_texture']} of {counts['samples']} draws formed none")
    written, problem = page(files, reporter)
    fields = {"seed": common.seed, "device": "cpu", **counts}
    finish(result_object("atlas", reporter, written, **fields), json=common.json)
    if problem:
        raise problem
    return 0


def page(files: Files, reporter: Reporter) -> tuple[list[Path], NotConverged | None]:
    """Draw the map, where one is asked for; returns all files there are, and why there is no map."""
    done = microgen.read_atlas(files.table)
    formed = done.formed
    problem: NotConverged | None = None
    if files.page and len(formed) < FEWEST:
        problem = NotConverged(
            f"{len(formed)} of {len(done)} draws formed a texture, a map needs {FEWEST}. The table is kept: "
            "draw more with --samples and --resume.",
            best=done,
        )
    elif files.page:
        with reporter.stage("drawing the map", "report"), atomic_path(files.page, True) as part:
            shown = {number: files.picture(number) for number in done.columns["sample"][formed].tolist()}
            pictures = {number: path.read_bytes() for number, path in shown.items() if path.exists()}
            part.write_text(render_atlas(done, pictures), encoding="utf-8")
    return [path for path in files if not (problem and path == files.page)], problem


def preview(draws: Draws, prior: CurvaturePrior, common: Common, files: Files) -> int:
    """`--dry-run`: the resolved run and its memory need; nothing is made."""
    processes = draws.workers or workers(draws.grid, draws.samples, memory_need(draws.grid))
    need, free = processes * memory_need(draws.grid), available_memory()
    if common.json:
        facts = {"command": "atlas", "dry_run": True, "samples": draws.samples, "workers": processes}
        settings = settings_of(draws, prior, common.seed)
        print(dumps({**facts, "settings": settings, "memory_bytes": need, "outputs": list(files)}))
        return 0
    voxels = " x ".join(map(str, draws.shape))
    room = f" of {bytes_text(free)} free" if free else ""
    print(f"# atlas     {draws.samples} samples of {voxels} voxels, {processes} process{'es' * (processes > 1)}")
    print(f"# memory    about {bytes_text(need)}{room}")
    print("\n".join(f"# output    {path}" for path in files))
    out = [str(path) for path in (files.table, files.page) if path]
    flags = asdict(replace(draws, workers=processes)) | {"seed": common.seed, "out": out}
    print(toml(flags | {"prior": prior.configuration()}))
    return 0
