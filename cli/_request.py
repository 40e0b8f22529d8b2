"""The flags of `microgen polycrystal` beside those of the generator and those all commands share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from microgen.errors import InvalidParameter

MOST = 1_000_000
"""Members of an ensemble, or draws of an atlas: a slip of the pen beyond it would take the memory for their names."""


@Parameter(name="*", group=Group("Scan and box", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class Request:
    """What to make, from which scan, on which grid."""

    ebsd: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """EBSD scan to be matched: .ang, .ctf, .cpr with .crc, or EDAX .h5; or a volume of grain numbers (.vti, .tif). Laws
    are fitted to it; flags you give win. Several scans: once for each, and of other planes than xy with the axes of the
    sample along their x and y: --ebsd xy=top.ang --ebsd yz=side.ang --ebsd xz=front.ang."""
    numbers: Path | None = None
    """TOML file of published numbers on grains in sections, in place of a scan: equivalent_diameter or intercept_length
    (µm) or astm_grain_size, and aspect_ratio; each a number, or {mean = 12, cv = 0.6, tolerance = 0.5}."""
    fit: Annotated[str, Parameter(show_default=False)] = "quick"
    """How hard to fit: quick corrects the laws by a handful of sections; full then searches around them with 60 samples
    (or as many as you say) and tells which parameters the scan identifies. Default quick."""
    free: Annotated[tuple[str, ...], Parameter(show_default=False)] = ()
    """What a full fit may change: size.mean, size.cv, aspect_ratio.mean ... Default: all it can."""
    trials: Path | None = None
    """File for the trials of a full fit (.jsonl), which --resume goes on with. Default: beside the first output."""
    threshold: float = 5.0
    """Misorientation that separates two grains of the scan, degrees."""
    min_pixels: int = 10
    """Smaller grains of the scan are given to their neighbours."""
    shape: Annotated[tuple[int, ...], Parameter(show_default=False)] = ()
    """Voxels along x, y, z; two numbers make a plane."""
    spacing: Annotated[tuple[float, ...], Parameter(show_default=False)] = ()
    """Size of a voxel, µm (or with a unit: 500nm); one number, or one an axis."""
    periodic: str = "xyz"
    """Axes along which the sample repeats: xyz, xy, z, ... or none."""
    mask: str | None = None
    """Keep grains inside a shape only: cylinder (along z), sphere, an STL outline (mm), or a volume's solid."""
    mask_diameter: float | None = None
    """Of that cylinder or sphere, mm; default: what fits into the box."""
    sites: Path | None = None
    """Grain table (.csv) of an earlier run: rebuilds its volume, on this run's grid when one is given. Also lists of
    DREAM.3D, and ellipses of a plane (.txt); where a list has no weights, they are solved for its volumes."""
    samples: int = 0
    """Make an ensemble of this many members with numbered names and a summary table."""
    member: int = 0
    """Make only this member of the ensemble (for job arrays); 0 makes all."""
    report: Path | None = None
    """Write a self-contained HTML page: its name, or a folder for report.html."""
    stl_grains: Path | None = None
    """Folder for one closed STL a grain."""
    stream: bool = False
    """Never hold the voxels: they are made and written part by part, to .zarr, .tif and .csv. A run whose voxels would
    not fit in memory does so by itself. The files are the same."""
    cluster: str = ""
    """Address of a Dask scheduler (tcp://host:8786) whose workers make the parts of a streamed sample."""
    preview: bool = False
    """When done, open a window with the sample; without a screen write NAME_preview.png beside it. Of an ensemble:
    always the picture, with all members."""

    def __post_init__(self) -> None:
        demand(len(self.shape) in (0, 2, 3), "--shape", "2 or 3 numbers of voxels", self.shape)
        demand(all(n > 0 for n in self.shape), "--shape", "numbers of voxels above 0", self.shape)
        demand(all(h > 0 for h in self.spacing), "--spacing", "lengths above 0", self.spacing)
        demand(len(self.spacing) in (0, 1, self.ndim), "--spacing", f"1 or {self.ndim} lengths", self.spacing)
        demand(0 < self.threshold <= 180, "--threshold", "an angle above 0 degrees", self.threshold)
        demand(self.min_pixels >= 1, "--min-pixels", "1 or more", self.min_pixels)
        check_members(self.samples, self.member)
        fine = self.fit in ("quick", "full") or (self.fit.isdigit() and int(self.fit) >= 4)
        demand(fine, "--fit", "quick, full, or 4 samples or more", self.fit)
        wanted = self.fit != "quick" or bool(self.free) or self.trials is not None
        demand(not wanted or bool(self.ebsd), "--fit", "an --ebsd scan beside it", self.fit)
        searches = self.fit != "quick" or not (self.free or self.trials)
        demand(searches, "--fit", "full or a number of samples, with --free or --trials", self.fit)
        across = self.mask_diameter
        demand(across is None or self.mask is not None, "--mask-diameter", "a --mask beside it", across)
        demand(across is None or 0 < across < float("inf"), "--mask-diameter", "a length above 0", across)
        demand(self.mask is None or not (self.ebsd or self.numbers), "--mask", "chosen laws, no scan", self.mask)
        axes_of(self.periodic, self.ndim)
        clash = "--ebsd and --sites exclude each other"
        beside = bool(self.ebsd or self.sites)
        demand(not (self.numbers and beside), "--numbers", "no --ebsd and no --sites beside it", self.numbers)
        demand(not (self.ebsd and self.sites), "--sites", "no --ebsd beside it", self.sites, remedy=clash)

    @property
    def streams(self) -> bool:
        """Asked to be streamed?"""
        return self.stream or bool(self.cluster)

    @property
    def scans(self) -> tuple[tuple[str, Path], ...]:
        """Plane and file of each scan."""
        found = [re.fullmatch(r"(?:(xy|yz|xz|yx|zy|zx)=)?(.+)", text) for text in self.ebsd]
        return tuple((match[1] or "xy", Path(match[2])) for match in found if match)

    @property
    def ndim(self) -> int:
        """2 for a plane, else 3."""
        return len(self.shape) or 3

    @property
    def periodic_axes(self) -> tuple[bool, ...]:
        """Per axis."""
        return axes_of(self.periodic, self.ndim)


def check_members(samples: int, member: int) -> None:
    """How many members an ensemble has, and the only one that is to be made (0 for all)."""
    demand(0 <= samples <= MOST, "--samples", f"1 to {MOST} members", samples)
    expected = f"1 to {samples} (--samples)" if samples else "an ensemble: --samples N beside it"
    demand(0 <= member <= samples, "--member", expected, member)


def axes_of(text: str, ndim: int) -> tuple[bool, ...]:
    """Per axis, whether the sample repeats along it: xyz, xy, ... or none."""
    axes = "" if text == "none" else text
    good = len(set(axes)) == len(axes) and set(axes) <= set("xyz")
    demand(good, "--periodic", "axes such as xyz, xy or none", text)
    return tuple(axis in axes for axis in "xyz"[:ndim])


def demand(condition: bool, name: str, expected: str, got: object, *, remedy: str = "") -> None:
    """Refuse a flag whose condition does not hold."""
    if not condition:
        shown = " ".join(map(str, got)) if isinstance(got, tuple) else got
        raise InvalidParameter(name, expected=expected, got=shown, remedy=remedy)
