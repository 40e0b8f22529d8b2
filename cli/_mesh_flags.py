"""Flags of `microgen mesh`: what becomes a surface, how large it is, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from microgen.errors import InvalidParameter
from microgen.io import volume_mesh
from microgen.io.obj import MATERIALS
from microgen.io.printing import Print
from microgen.io.sidecar import sidecar_path
from microgen.io.surfaces import SUFFIXES

from ._request import demand

QUIET_DEFAULT = Parameter(show_default=False)


@Parameter(name="*", group=Group("What is made", sort_key=1))
@dataclass(frozen=True, kw_only=True)
class MeshFlags:
    """What is made of the volume."""

    spacing: Annotated[Sequence[float], QUIET_DEFAULT] = ()
    """Size of a voxel, µm (or with a unit: 19.5um), where the file does not say it; once, or once an axis."""
    size_mm: float | None = None
    """Longest side of the printed sample, mm: enlarges or shrinks it."""
    phase: int | None = None
    """Only this phase_id (from 0), grains or not; -1 is the void."""
    each_grain: bool = False
    """One STL a grain: an OUT without suffix (or .stl) is a folder of them. Other formats hold a grain an object."""
    tile: Annotated[tuple[int, ...], QUIET_DEFAULT] = ()
    """Copies along x, y, z of a periodic sample, joined to one solid."""
    periodic: str = ""
    """Axes along which the sample repeats, such as xyz or none; default: as the file says."""
    explode: float = 1.0
    """Grains or phases moved apart: each this many times as far from the middle."""
    density: float | None = None
    """Of the material, g/cm³: tells the mass."""
    element: float = 1.0
    """Of .vtu, .msh, .inp and .vtp: edge of an element, in voxels; 2 makes an eighth of the tetrahedra."""
    mesher: Literal["lattice", "gmsh"] = "lattice"
    """Who makes the tetrahedra: lattice cuts the elements, gmsh (your own, on the path) fills the interfaces with fewer
    and larger ones."""

    def __post_init__(self) -> None:
        size = self.size_mm
        demand(size is None or 0 < size < float("inf"), "--size-mm", "a length above 0 mm", size)
        demand(
            len(self.tile) in (0, 3) and all(n > 0 for n in self.tile), "--tile", "3 numbers of 1 or more", self.tile
        )
        demand(1 <= self.explode < float("inf"), "--explode", "a factor of 1 or more", self.explode)
        fine = self.density is None or 0 < self.density < float("inf")
        demand(fine, "--density", "a number of g/cm³ above 0", self.density)


@dataclass(frozen=True)
class Places:
    """Where the surfaces go."""

    files: tuple[Path, ...]
    folders: tuple[Path, ...]
    """One STL a grain in each."""
    volumes: tuple[Path, ...] = ()
    """Tetrahedra, and interfaces without gaps."""

    @property
    def all_files(self) -> list[Path]:
        """With what is written beside them."""
        materials = [path.with_suffix(MATERIALS) for path in self.files if path.suffix.lower() == ".obj"]
        files = (*self.files, *self.volumes)
        return [*files, *(sidecar_path(path) for path in files), *materials]


def refuse_unused(where: Places, flags: MeshFlags, printed: Print) -> None:
    """Raise InvalidParameter for a flag that is given and that none of the outputs has a use for."""
    unused: list[tuple[object, str, tuple[str, ...]]] = []  # whose, which, and what would use it
    if not (where.files or where.folders):
        names = ("explode", "density") if flags.phase is not None else ("explode", "density", "each_grain")
        unused += [(flags, name, SUFFIXES) for name in names]
        unused += [(printed, each.name, SUFFIXES) for each in fields(printed)]
    if not where.volumes:
        unused += [(flags, "element", volume_mesh.ALL)]
    if not any(path.suffix.lower() in volume_mesh.SUFFIXES for path in where.volumes):
        unused += [(flags, "mesher", volume_mesh.SUFFIXES)]
    for part, name, known in unused:
        value, flag = getattr(part, name), "--" + name.replace("_", "-")
        if value != getattr(type(part)(), name):
            remedy = f"Leave it out, or write one of {' '.join(known)} too."
            raise InvalidParameter(flag, expected="none: no output has a use for it", got=value, remedy=remedy)


def places(out: tuple[Path, ...], flags: MeshFlags) -> Places:
    """Files and folders asked for. Raises InvalidParameter for none, for suffixes that are not known."""
    example = "Example: microgen mesh bone.tif bone.stl bone.3mf"
    demand(bool(out), "OUT", "at least one file to write", "none", remedy=example)
    files, folders, volumes = [], [], []
    for path in out:
        suffix = path.suffix.lower()
        if flags.each_grain and suffix in ("", ".stl"):
            folders.append(path.with_suffix(""))
        elif suffix in SUFFIXES:
            files.append(path)
        elif suffix in volume_mesh.ALL:
            volumes.append(path)
        else:
            remedy = "A name without suffix is a folder of one STL a grain: --each-grain" if not suffix else ""
            raise InvalidParameter(
                "OUT", expected=f"one of {' '.join((*SUFFIXES, *volume_mesh.ALL))}", got=str(path), remedy=remedy
            )
    if volumes and flags.size_mm is not None:
        raise InvalidParameter("--size-mm", expected="none with tetrahedra, which are in µm", got=flags.size_mm)
    return Places(tuple(files), tuple(folders), tuple(volumes))
