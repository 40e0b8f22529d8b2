"""`microgen curvatubes`: tubular and membranous textures from a preset or a curvature polynomial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import Group, Parameter

import microgen
from microgen import Curvatubes, Grid, Microstructure, Provenance
from microgen.errors import MicrogenError, NotConverged
from microgen.io.atomic import atomic_path
from microgen.io.printing import Print
from microgen.report import texture_summary

from . import _checkpoint, _ensemble, _look, _region, _solid, _texture_preview, _uct
from ._field_statistics import statistics_object, tell
from ._flags import Common, FlagApp, given_flags
from ._job import Run
from ._machine import check_memory, workers
from ._outputs import PAGE, Outputs, plan
from ._progress import Reporter
from ._request import demand
from ._result import achieved, finish, grid_object, result_object
from ._texture import COARSEST, TextureRequest, generator, grid_of, listing
from ._volume import VolumeFlags

curvatubes = FlagApp(name="curvatubes")
PRINTED = Parameter(name="print", group=Group("Surfaces to print (.stl, .3mf)", sort_key=2))
VOLUME = tuple(field.name.replace("_", "-") for field in fields(VolumeFlags))
"""Flags that say how the volume of --uct is read."""
FIGURES = ("mass_error", "energy", "iterations", "status", "volume_fraction")
"""Figures of a texture, as its provenance and the JSON output name them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Texture(Run):
    """One run of `microgen curvatubes`."""

    request: TextureRequest
    fitted: Any = None
    """What the texture was fitted to: a volume (`_uct.Fitted`) or wishes (`design.Designed`)."""


@curvatubes.default
def run(
    *,
    request: TextureRequest = TextureRequest(),  # noqa: B008 - frozen
    volume: VolumeFlags = VolumeFlags(),  # noqa: B008 - frozen
    printed: Annotated[Print, PRINTED] = Print(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Make a foam, bone, sponge or membrane: a level set whose surface has chosen curvatures, or those of a volume."""
    given = given_flags(common)
    if request.uct is not None:
        return from_volume(request, volume, printed, common, given)
    lost = [f"--{name}" for name in (*VOLUME, "fit") if name in given]
    demand(not lost, lost[0] if lost else "", "an --uct volume beside it", "none")
    if "preset" in given and not request.preset:
        print(listing())
        return 0
    made, grid = generator(request), grid_of(request)
    made.check(grid, seed=common.seed)
    job = start(request, common, given)
    _solid.check(job.outputs, grid, printed)
    if common.dry_run:
        return _texture_preview.preview(job, request, made, grid=grid, options=printed)
    if common.resume and not request.samples and job.outputs.done(job.identity()):
        return already_there(job)
    check_memory(_texture_preview.memory_need(grid))
    options = _region.options(request, grid)
    made.check(grid, seed=common.seed, **options)
    if request.samples:
        return _ensemble.run(job, _family(job, made, grid, printed=printed, options=options))
    return single(job, made, grid, printed=printed, options=options)


def from_volume(
    request: TextureRequest, flags: VolumeFlags, printed: Print, common: Common, given: dict[str, Any]
) -> int:
    """Fit a texture to a volume, and make it."""
    base, job = _uct.base_of(request), start(request, common, given)
    volume = _uct.understand(request, flags, job.reporter)
    if common.resume and not request.samples and job.outputs.done(job.identity()):
        return already_there(job)
    target = _uct.measured(volume, job)
    grid = _uct.grid_of(request, volume, target.window)
    Curvatubes(dx=COARSEST).check(grid, seed=common.seed)  # what cannot be made is refused before a search
    _solid.check(job.outputs, grid, printed)
    if common.dry_run:
        return _uct.preview(request, job, volume, grid=grid, printed=printed)
    check_memory(_texture_preview.memory_need(grid))
    options = _region.options(request, grid)  # the fit takes long: what cannot be used is refused before it
    fitted = _uct.fit(request, volume, target, job=job, base=base)
    made = fitted.result.generator
    made.check(grid, seed=common.seed, **options)
    job = replace(job, fitted=fitted)
    if request.samples:
        return _ensemble.run(job, _family(job, made, grid, printed=printed, options=options))
    return single(job, made, grid, printed=printed, options=options)


def _family(job: Texture, made: Curvatubes, grid: Grid, *, printed: Print, options: dict[str, Any]) -> _ensemble.Family:
    """How members of an ensemble are made, described, written and summed up."""
    quiet = replace(job, reporter=Reporter(quiet=True))
    names = tuple(name for name in FIGURES if name != "energy")

    def begin(members: list[int]) -> tuple[int, Iterator[Microstructure]]:
        job.reporter.say(_texture_preview.grid_line(grid))
        processes = workers(grid, len(members), _texture_preview.memory_need(grid))
        more: dict[str, Any] = {"seed": job.common.seed, "workers": processes, "members": members}
        return processes, made.samples(grid, job.samples, **options, **more)

    def keep(sample: Microstructure, outputs: Outputs, member: int) -> _ensemble.Made:
        statistics = describe(sample)
        tell_status(sample, job.reporter, f"member {member}: ")
        sample = document(sample, job, statistics_object(statistics), printed, member)
        sample, refused = _solid.save(sample, outputs, quiet, printed)
        if refused:
            job.reporter.warn(f"member {member}: {refused}")
        return sample, statistics

    def page(sample: Microstructure, statistics: Mapping[str, Any], rows: _ensemble.Rows) -> list[Path]:
        return save_report(sample, job, statistics, rows)

    def table(rows: _ensemble.Rows) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        kept = ("member", "seed", "status", "volume_fraction", "specific_surface", "euler_number", "thickness")
        cells = texture_summary([{name: row.get(name) for name in kept} for row in rows])
        return cells.columns, cells.rows

    return _ensemble.Family("curvatubes", names, begin, keep, page, table)


def describe(sample: Microstructure) -> dict[str, Any]:
    """All statistics; none of a field that keeps one sign."""
    solid = sample.phase_id >= 0
    return {} if solid.all() or not solid.any() else dict(microgen.describe(sample))


def start(request: TextureRequest, common: Common, given: dict[str, Any]) -> Texture:
    """The run with its outputs, which are refused now if they could not be written later."""
    outputs = plan(
        common.out or files_of(request),
        source=None,
        report=request.report or (None if common.out else Path(f"{request.name}_report.html")),
        stl_folder=None,
        format=common.format,
    )
    outputs.fit(ndim=len(request.shape) or 3, grains=False, format=common.format)
    job = Texture(
        request=request,
        inputs=_region.files(request) | _uct.files(request),
        common=common,
        given=given,
        outputs=outputs,
        reporter=Reporter(quiet=common.quiet),
        device=Curvatubes.device(common.device),
        samples=request.samples,
        member=request.member,
        preview=request.preview,
    )
    if not common.dry_run:
        _ensemble.check(job) if request.samples else outputs.check(overwrite=job.replaces)
        _look.check(job)
    return job


def files_of(request: TextureRequest) -> tuple[Path, ...]:
    """What the bare command writes, named after the preset."""
    suffixes = (".tif", ".vti", ".stl") if request.ndim == 3 else (".tif", ".vti")
    return tuple(Path(f"{request.name}{suffix}") for suffix in suffixes)


def single(job: Texture, made: Curvatubes, grid: Grid, *, printed: Print, options: dict[str, Any]) -> int:
    """One sample: made, described, written. It is kept when no texture forms or no surface closes."""
    reporter = job.reporter
    reporter.say(_texture_preview.grid_line(grid))
    if not made.bounded_below:
        reporter.say(_UNBOUNDED)
    problem: MicrogenError | None = None
    state = _checkpoint.start(job)
    options |= {"on_state": _checkpoint.keeper(job)} | ({} if state is None else {"start": state})
    with reporter.stage("making the sample", "solve") as progress:
        try:
            sample = made.sample(grid, seed=job.common.seed, device=job.device, progress=progress, **options)
        except NotConverged as error:
            if error.best is None:
                raise
            sample, problem = cast(Microstructure, error.best), error
    with reporter.stage("describing", "describe"):
        statistics = describe(sample)
    tell_status(sample, reporter)
    if sample.measured is not None:
        reporter.say(_region.MASKED)
    comparison = job.fitted.comparison(sample, job) if job.fitted and statistics else {}  # none where all is void
    sample = document(sample, job, statistics_object(statistics), printed, comparison=comparison)
    sample, refused = _solid.save(sample, job.outputs, job, printed)
    written = [path for path in job.outputs.files if not (refused and _solid.is_printed(path))]
    written += job.outputs.beside
    written += save_report(sample, job, statistics, comparison=comparison) + _look.preview_file(sample, job)
    _checkpoint.clear(job)
    tell(statistics, sample.grid.ndim, reporter)
    fields = {"seed": job.common.seed, "device": job.device, **sample_fields(sample)}
    finish(result_object("curvatubes", reporter, written, **fields), json=job.common.json)
    _look.preview_window(sample, job)
    problem = problem or refused or (job.fitted.verdict(comparison) if job.fitted else None)
    if problem:
        raise problem
    return 0


_UNBOUNDED = (
    "note      the polynomial falls below zero, where more surface lowers the energy: the blur of the flow, a "
    "part of the model, keeps it from falling without end"
)


def tell_status(sample: Microstructure, reporter: Reporter, who: str = "") -> None:
    """A flow that reached its most steps gives a texture, but not one that would stay: worth a warning."""
    if achieved(sample).get("status") == "capped":
        reporter.warn(
            f"{who}the texture was still moving after the most steps that are made (status capped): "
            "it would go on coarsening, and its statistics depend on where it was stopped"
        )


def already_there(job: Run) -> int:
    """With --resume: all outputs come from this very run, which is told."""
    job.reporter.say("all outputs are there, and they come from this very run")
    made = microgen.read_provenance(job.outputs.sidecars[0])
    grid = made.configuration["grid"]
    shown = {"shape": grid["shape"], "spacing_um": grid["spacing"], "periodic": grid["periodic"]}
    figures = {name: made.achieved.get(name) for name in (*FIGURES, "statistics", "print")}
    fields = {"seed": made.seed, "device": made.device, "grid": shown, **figures}
    finish(result_object("curvatubes", job.reporter, list(job.outputs), **fields), json=job.common.json)
    return 0


def document(
    sample: Microstructure,
    job: Texture,
    statistics: dict[str, Any],
    printed: Print,
    member: int = 0,
    *,
    comparison: Mapping[str, Any] | None = None,
) -> Microstructure:
    """The sample with all that its files will say about how it was made."""
    made = sample.provenance or Provenance("curvatubes")
    configuration = {**made.configuration, **_region.told(job.request, made.configuration)}
    configuration |= {"print": asdict(printed), "run": job.identity(member)}
    figures = achieved(sample) | {"statistics": statistics}
    if job.fitted is not None:
        configuration |= job.fitted.configuration(job.request)
        figures |= job.fitted.figures(comparison or {})
    provenance = Provenance(
        "curvatubes", configuration, made.seed, job.inputs, job.device, dtype=made.dtype, achieved=figures
    )
    return replace(sample, provenance=provenance)


def sample_fields(sample: Microstructure) -> dict[str, Any]:
    """Grid, figures and statistics of one sample, as the JSON output has them."""
    figures = achieved(sample)
    assert isinstance(sample.grid, Grid)
    told = {name: figures.get(name) for name in (*FIGURES, "statistics", "print")}
    told |= {name: figures[name] for name in ("fit", "comparison") if name in figures}
    return {"grid": grid_object(sample.grid), **told}


def save_report(
    sample: Microstructure,
    job: Texture,
    statistics: Mapping[str, Any],
    members: Sequence[dict[str, Any]] = (),
    *,
    comparison: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write the page, when one is asked for."""
    page = job.outputs.report
    if page is None:
        return []
    with job.reporter.stage("drawing the report", "report"):
        fitted: dict[str, Any] = {}
        if job.fitted is not None:
            fitted = {"scan": job.fitted.volume, "comparison": comparison, "warnings": job.fitted.notes}
        text = microgen.render_report(sample, statistics=statistics, members=members, **fitted)
        if page.name == PAGE:
            page.parent.mkdir(exist_ok=True)
        with atomic_path(page, job.replaces) as part:
            part.write_text(text, encoding="utf-8")
    return [page]
