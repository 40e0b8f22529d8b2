"""The flags of `microgen curvatubes` beside those all commands share, and the generator and grid they mean."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from microgen import Curvatubes, Grid
from microgen.errors import InvalidParameter, UnreadableFile

from ._request import axes_of, check_members, demand

SPACING = 20.0
"""µm: with it the struts of the bone preset are about 150 µm thick, as those of bone."""
SHAPE = 100
COARSEST = 0.0133
"""The largest dx a search may come to: eps spans 1.5 voxels of it."""
STARTS = ("noise", "spheres", "tubes")
AGREEMENT = 0.5
"""Voxels by which shape x spacing may miss the size asked for."""


@Parameter(name="*", group=Group("Texture and box", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class TextureRequest:
    """Which texture, on which grid."""

    preset: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """A texture that is known to look like the real thing; --preset alone lists them. Other flags change it."""
    coefficients: Annotated[tuple[float, ...], Parameter(show_default=False)] = ()
    """A20 A11 A02 B10 B01 C of the curvature polynomial, in 1/length of the unit of --dx and --eps."""
    mass: float | None = None
    """Mean of the level set, between -1 (void) and 1 (solid)."""
    dx: float | None = None
    """Size of a voxel in the coefficients' length unit: smaller makes larger features. Default 0.01."""
    eps: float | None = None
    """Width of the interface in the same unit, at least 1.5 voxels. Default 0.02."""
    uct: Path | None = None
    """Volume to be matched: TIFF, a folder of slices, NRRD, NIfTI, NumPy, RAW with JSON. A texture is fitted to it."""
    fit: Annotated[str, Parameter(show_default=False)] = "quick"
    """How hard to fit: quick (20 samples), full (60), or a number from 4; finalists come on top. Default quick."""
    free: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """What the fit may change: mass, dx, reduced.H0 ... Default: all of them."""
    trials: Path | None = None
    """File for the trials of the fit (.jsonl), which --resume goes on with. Default: beside the first output."""
    thickness: Annotated[float | None, Parameter(show_default=False)] = None
    """Mean thickness of the solid of a preset, µm (or with a unit: 0.15mm): sets --dx."""
    graded: Path | None = None
    """TOML file: coefficients and mass that change along an axis, or between four corners."""
    mask: str | None = None
    """Keep the texture inside a shape only: cylinder (along z), sphere, an STL outline (mm), or a volume's solid."""
    mask_diameter: float | None = None
    """Of that cylinder or sphere, mm; default: what fits into the box."""
    start: str = "noise"
    """What to start from, drawn from the seed: noise, spheres or tubes; or a volume with another solid."""
    shape: Annotated[tuple[int, ...], Parameter(show_default=False)] = ()
    """Voxels along x, y, z; two numbers make a plane. Default 100 100 100."""
    size_mm: Annotated[tuple[float, ...], Parameter(show_default=False)] = ()
    """Size of the sample, mm; one number, or one an axis. With --spacing it gives the shape."""
    spacing: Annotated[tuple[float, ...], Parameter(show_default=False)] = ()
    """What a voxel measures, µm (or with a unit: 0.02mm). Default 20."""
    periodic: str = "xyz"
    """Axes along which the sample repeats: xyz, xy, z, ... or none."""
    samples: int = 0
    """Make an ensemble of this many members with numbered names and a summary table."""
    member: int = 0
    """Make only this member of the ensemble (for job arrays); 0 makes all."""
    report: Path | None = None
    """Write a self-contained HTML page: its name, or a folder for report.html."""
    preview: bool = False
    """When done, open a window with the sample; without a screen write NAME_preview.png beside it. Of an ensemble:
    always the picture, with all members."""

    def __post_init__(self) -> None:
        demand(len(self.preset) <= 1, "--preset", "one name", self.preset)
        demand(len(self.coefficients) in (0, 6), "--coefficients", "six numbers", self.coefficients)
        demand(len(self.shape) in (0, 2, 3), "--shape", "2 or 3 numbers of voxels", self.shape)
        demand(all(n > 0 for n in self.shape), "--shape", "numbers of voxels above 0", self.shape)
        for name, values in (("--spacing", self.spacing), ("--size-mm", self.size_mm)):
            demand(all(0 < h < float("inf") for h in values), name, "lengths above 0", values)
            demand(len(values) in (0, 1, self.ndim), name, f"1 or {self.ndim} lengths", values)
        check_members(self.samples, self.member)
        axes_of(self.periodic, self.ndim)
        lonely = self.uct is None or not (self.preset or self.coefficients or self.graded or self.thickness)
        demand(self.uct is None or self.ndim == 3, "--shape", "3 numbers with --uct", self.shape)
        both = self.uct is not None and bool(self.shape) and bool(self.size_mm)
        demand(not both, "--size-mm", "no --shape beside it: the volume says what a voxel measures", self.size_mm)
        demand(lonely, "--uct", "no --preset, --coefficients, --graded or --thickness beside it", self.uct)
        fine = self.fit in ("quick", "full") or (self.fit.isdigit() and int(self.fit) >= 4)
        demand(fine, "--fit", "quick, full, or 4 samples or more", self.fit)
        wanted = bool(self.free) or self.trials is not None
        demand(self.uct is not None or not wanted, "--free, --trials", "an --uct volume to fit to", "none")
        across = self.mask_diameter
        demand(across is None or self.mask is not None, "--mask-diameter", "a --mask beside it", across)
        demand(across is None or 0 < across < float("inf"), "--mask-diameter", "a length above 0", across)

    @property
    def ndim(self) -> int:
        """2 for a plane, else 3."""
        return len(self.shape) or 3

    @property
    def name(self) -> str:
        """What files are called when no names are given."""
        if self.uct is not None:
            return f"{self.uct.name.split('.')[0]}_rve"
        return self.preset[0] if self.preset else self.graded.stem if self.graded else "curvatubes"


def generator(request: TextureRequest) -> Curvatubes:
    """The preset or the coefficients, with what was given beside them."""
    given = {name: getattr(request, name) for name in ("mass", "dx", "eps") if getattr(request, name) is not None}
    if request.thickness is not None and (not request.preset or request.dx is not None):
        raise InvalidParameter("--thickness", expected="a --preset beside it, and no --dx", got=request.thickness)
    if request.coefficients:
        given["coefficients"] = request.coefficients
    if request.graded:
        if request.preset or request.coefficients or request.mass is not None:
            raise InvalidParameter("--graded", expected="no --preset, --coefficients or --mass beside it", got="both")
        made = graded(request.graded, dx=request.dx)
        both = request.eps is not None and made.graded is not None and bool(made.graded.eps)
        demand(not both, "--eps", "none beside --graded sets that have their own", request.eps)
        return replace(made, **given)
    if request.preset:
        return replace(preset(request.preset[0], request), **given)
    if not request.coefficients or request.mass is None:
        missing = "--mass" if request.coefficients else "--preset, or --coefficients and --mass"
        raise InvalidParameter(missing, expected="a texture to make", got="none", remedy=listing())
    return Curvatubes(**given)


def graded(path: Path, *, dx: float | None = None) -> Curvatubes:
    """The sets of a TOML file: `axes = ["x"]` and two tables [[set]], or two axes and four, at the corners.

    A set has `preset`, or `coefficients` and `mass`; a `mass` beside a preset wins. Each set, or none, has `eps`.
    """
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "cannot be opened", remedy=_GRADED) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, f"not TOML: {error}", remedy=_GRADED) from None
    axes, sets = data.get("axes", ["x"]), data.get("set", [])
    fine = isinstance(axes, list) and axes in [list(way) for n in (1, 2) for way in permutations("xyz", n)]
    if not fine or not isinstance(sets, list) or len(sets) != 2 ** len(axes) or set(data) - {"axes", "set"}:
        raise UnreadableFile(path, "expected one axis and two sets, or two axes and four", remedy=_GRADED)
    ends = [_end(each, number, path) for number, each in enumerate(sets, 1)]
    widths = [each["eps"] for each in sets if "eps" in each]
    if len(widths) not in (0, len(sets)) or not all(type(width) in (int, float) for width in widths):
        raise UnreadableFile(path, "each set must have a number eps, or none", remedy=_GRADED)
    return Curvatubes.from_configuration(
        {
            "coefficients": ends[0]["coefficients"],
            "mass": sum(end["mass"] for end in ends) / len(ends),
            **({"eps": min(widths)} if widths else {}),
            **({} if dx is None else {"dx": dx}),
            "graded": {
                "coefficients": [end["coefficients"] for end in ends],
                "mass": [end["mass"] for end in ends],
                "axes": ["xyz".index(axis) for axis in axes],
                "eps": widths,
            },
        }
    )


def _end(data: Any, number: int, path: Path) -> dict[str, Any]:
    """One set, as the configuration of its texture; errors say which set it is."""
    known = isinstance(data, dict) and not set(data) - {"preset", "coefficients", "mass", "eps"}
    if not known or not ("preset" in data or {"coefficients", "mass"} <= set(data)):
        had = ", ".join(sorted(data)) if isinstance(data, dict) else str(data)
        raise UnreadableFile(path, f"set {number} has {had or 'nothing'}", remedy=_GRADED)
    numbers = data.get("coefficients")
    try:
        given: dict[str, Any] = {} if numbers is None else {"coefficients": tuple(numbers)}
        given |= {"mass": data["mass"]} if "mass" in data else {}
        made = replace(preset(str(data["preset"])), **given) if "preset" in data else Curvatubes(**given)
    except TypeError as error:
        raise UnreadableFile(path, f"set {number} holds no numbers ({error})", remedy=_GRADED) from None
    except InvalidParameter as error:
        name = f"{path}, set {number}: {error.name}"
        raise InvalidParameter(name, expected=error.expected, got=error.got, remedy=error.remedy) from None
    return made.configuration()


_GRADED = """Example: axes = ["x"], then [[set]] with preset = "tubes", and [[set]] with preset = "sponge"."""


def preset(name: str, request: TextureRequest | None = None) -> Curvatubes:
    """A preset by name, with the thickness that is asked for; a wrong name lists them all."""
    if name not in Curvatubes.presets():
        raise InvalidParameter("--preset", expected="one of the presets", got=name, remedy=listing())
    if request is None or request.thickness is None:
        return Curvatubes.preset(name)
    step = min(grid_of(request).spacing)
    return Curvatubes.preset(name, thickness=request.thickness, spacing=step, eps=request.eps)


def listing() -> str:
    """The presets, a line each."""
    lines = [f"{name:22} {line}" for name, line in Curvatubes.presets().items()]
    return "\n".join(["the presets are", *lines])


def grid_of(request: TextureRequest) -> Grid:
    """Shape and voxel: of shape, spacing and size two give the third, and three must agree."""
    d, periodic = request.ndim, axes_of(request.periodic, request.ndim)
    size = tuple(1000 * s for s in _each(request.size_mm, d))
    spacing, shape = _each(request.spacing, d), request.shape
    if size and shape and not spacing:
        spacing = tuple(s / n for s, n in zip(size, shape))
    elif size and not shape:
        spacing = spacing or (max(size) / SHAPE,) * d
        shape = tuple(max(1, round(s / h)) for s, h in zip(size, spacing))
    spacing, shape = spacing or (SPACING,) * d, shape or (SHAPE,) * d
    if size and any(abs(s - n * h) > AGREEMENT * h for s, n, h in zip(size, shape, spacing)):
        made = " x ".join(f"{n * h / 1000:.6g}" for n, h in zip(shape, spacing))
        asked = " x ".join(f"{s / 1000:g}" for s in size)
        remedy = "Leave one of --size-mm, --shape and --spacing out."
        raise InvalidParameter(
            "--size-mm", expected=f"the {made} mm of --shape and --spacing", got=asked, remedy=remedy
        )
    return Grid(shape, spacing, periodic=periodic)


def _each(values: tuple[float, ...], d: int) -> tuple[float, ...]:
    return values * d if len(values) == 1 else values
