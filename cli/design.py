"""`microgen design`: a texture with wished numbers, and what of them could not be met together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

import microgen
from microgen import Curvatubes, Grid, Microstructure
from microgen.errors import NotConverged, TargetNotMet
from microgen.io.printing import Print

from . import _solid, _texture_preview, _wishes
from ._fit import fit_object, searched, trials_path
from ._flags import Common, FlagApp, given_flags
from ._job import Run
from ._json import dumps
from ._lookup import parse
from ._machine import check_memory
from ._request import demand
from ._result import statistics_object
from ._texture import COARSEST, TextureRequest
from .curvatubes import PRINTED, single, start

if TYPE_CHECKING:  # it brings torch along
    from microgen import Target

design = FlagApp(name="design")
EXAMPLE = "Example: --porosity 0.7 --thickness 150um"


_NONE = (
    "the nearest texture that the search found does not form in the box of the sample. What there is was kept. Wish "
    "for a porosity further from 0 and 1, or for less at once, or search longer (--fit full)."
)


@Parameter(name="*", group=Group("Wishes", sort_key=0))
@dataclass(frozen=True, kw_only=True)
class Wishes:
    """Numbers the material should have."""

    porosity: float | None = None
    """Share of the volume that is void."""
    thickness: Annotated[str, Parameter(show_default=False)] = ""
    """Mean thickness of the solid: 150um, 0.15mm."""
    separation: Annotated[str, Parameter(show_default=False)] = ""
    """Mean width of the pores."""
    surface: Annotated[str, Parameter(show_default=False)] = ""
    """Surface of the solid per volume: 5/mm."""
    connectivity: Annotated[str, Parameter(show_default=False)] = ""
    """Loops per volume: 4/mm3."""
    smi: float | None = None
    """Structure model index: 0 plates, 3 rods, 4 balls."""
    wish: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """Any other figure of the atlas: kappa_1=30/mm. May be given several times."""
    numbers: Path | None = None
    """TOML file of such numbers, in powers of µm: thickness = 150, or {mean = 150, cv = 0.3, tolerance = 10}."""

    def target(self, spacing: float | None) -> Target:
        """All of them together."""
        texts = [(f"{name}={value}", flag) for flag, name, value in self._lengths() if value]
        texts += [(text, "--wish") for text in self.wish]
        numbers: dict[str, Any] = dict(_wishes.from_file(self.numbers, "thickness = 150")) if self.numbers else {}
        numbers |= {"porosity": self.porosity} if self.porosity is not None else {}
        numbers |= {"structure_model_index": self.smi} if self.smi is not None else {}
        for name, value in (parse(text, flag) for text, flag in texts):
            demand(name not in numbers, "--wish", "each statistic once", name)
            numbers[name] = value
        demand(bool(numbers), "--porosity ...", "a wish or more", "none", remedy=EXAMPLE)
        return microgen.Target.from_numbers(numbers, spacing=spacing)

    def _lengths(self) -> tuple[tuple[str, str, str], ...]:
        """Flag, statistic and text of the wishes that have units."""
        return (
            ("--thickness", "thickness", self.thickness),
            ("--separation", "separation", self.separation),
            ("--surface", "specific_surface", self.surface),
            ("--connectivity", "connectivity_density", self.connectivity),
        )


@Parameter(name="*", group=Group("Box and search", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class Box:
    """Where to make it, and how hard to look."""

    spacing: float | None = None
    """What a voxel measures, µm (or with a unit). Default: a wished thickness spans seven."""
    shape: Annotated[tuple[int, ...], Parameter(show_default=False)] = (100, 100, 100)
    """Voxels along x, y, z of the sample. Default 100 100 100."""
    fit: Annotated[str, Parameter(show_default=False)] = "quick"
    """How hard to look: quick (20 samples), full (60), or a number from 4; finalists come on top. Default quick."""
    report: Path | None = None
    """Write a self-contained HTML page: its name, or a folder for report.html."""
    preview: bool = False
    """When done, open a window with the sample; without a screen write NAME_preview.png beside it."""

    def __post_init__(self) -> None:
        demand(self.spacing is None or self.spacing > 0, "--spacing", "a length above 0", self.spacing)
        demand(len(self.shape) == 3, "--shape", "3 numbers of voxels", self.shape)


@dataclass(frozen=True, eq=False)
class Designed:
    """What was wished for, and the texture that was found."""

    target: Target
    result: Any
    volume: Microstructure | None = None
    notes: tuple[str, ...] = ()

    def configuration(self, request: TextureRequest) -> dict[str, Any]:
        """What provenance says of the search."""
        return {"design": self.target.statistics, "fit": request.fit}

    def figures(self, comparison: Mapping[str, Any]) -> dict[str, Any]:
        """What it came to."""
        return {"fit": fit_object(self.result), "comparison": statistics_object(comparison)}

    def comparison(self, sample: Microstructure, job: Run) -> dict[str, Any]:
        """Wish against sample, told of."""
        found = microgen.compare(sample, self.target, seed=job.common.seed)
        _wishes.tell(found, job.reporter, ("wish", "wished", "made", "tolerance", "met"))
        return found

    def verdict(self, comparison: Mapping[str, Any]) -> TargetNotMet | None:
        """What could not be met."""
        missed = _wishes.missed(comparison)
        if not missed:
            return None
        together = "with the other wishes" if len(comparison) > 1 else "by this family of textures"
        return TargetNotMet(
            f"could not be met {together}: {', '.join(missed)}. The nearest was kept. "
            "Search longer (--fit full), allow more (tolerance in --numbers), or wish for less at once."
        )


@design.default
def run(
    *,
    wishes: Wishes = Wishes(),  # noqa: B008 - frozen
    box: Box = Box(),  # noqa: B008 - frozen
    printed: Annotated[Print, PRINTED] = Print(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Find a texture with wished numbers, such as a porosity and a thickness, and make it."""
    target = wishes.target(box.spacing)
    spacing = target.spacing[0]  # type: ignore[attr-defined]
    out = common.out or (Path("design.tif"), Path("design.vti"), Path("design.stl"))
    report = box.report or (None if common.out else Path("design_report.html"))
    request = TextureRequest(shape=box.shape, spacing=(spacing,), fit=box.fit, report=report, preview=box.preview)
    job = start(request, replace(common, out=out), given_flags(common))
    grid = Grid(box.shape, (spacing,) * 3, periodic=(True,) * 3)
    Curvatubes(dx=COARSEST).check(grid, seed=common.seed)  # what no texture could be made on is refused before a search
    _solid.check(job.outputs, grid, printed)
    if common.dry_run:
        return preview(target, grid, job)
    check_memory(_texture_preview.memory_need(grid))
    job.reporter.say(f"voxels    {spacing:.4g} µm")
    path = trials_path(None, "design", job)
    found = searched(Curvatubes(), target, job, budget=box.fit, path=path, intervals=False)
    job = replace(job, fitted=Designed(target, found))
    try:
        return single(job, found.generator, grid, printed=printed, options={"start": "noise"})
    except NotConverged as error:  # its remedies are flags of curvatubes
        raise TargetNotMet(_NONE) from error


def preview(target: Target, grid: Grid, job: Run) -> int:
    """`--dry-run`: the wishes in powers of µm, and where the result would go."""
    told = {"wish": target.statistics, "shape": grid.shape, "spacing_um": grid.spacing, "outputs": list(job.outputs)}
    told |= {"memory_bytes": _texture_preview.memory_need(grid)}
    print(dumps({"command": "design", "dry_run": True, **told}))
    return 0
