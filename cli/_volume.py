"""A measured volume among the flags: how its grey values become solid and void, and what a voxel measures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

import microgen
from microgen import Grid, Microstructure
from microgen.errors import InvalidParameter, UnreadableFile
from microgen.io import find_reader
from microgen.io.grey import NO_SIZE
from microgen.io.raw_json import read_raw

from ._request import demand


@Parameter(name="*", group=Group("Volume to be matched", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class VolumeFlags:
    """How a volume of grey values is read."""

    grey_threshold: Annotated[str, Parameter(show_default=False)] = ""
    """Grey value above which there is solid; or otsu (the default), multi-otsu[:N], hysteresis:LOW,HIGH."""
    invert: bool = False
    """The solid is dark and the pores are bright."""
    raw_shape: Annotated[tuple[int, ...], Parameter(show_default=False)] = ()
    """Voxels along x, y, z of a .raw file without a JSON; x is fastest."""
    raw_type: Annotated[str, Parameter(show_default=False)] = "uint8"
    """Type of its values: uint8, uint16, >u2, float32 ... Default uint8."""


def read_volume(path: Path, flags: VolumeFlags, *, spacing: tuple[float, ...] = ()) -> Microstructure:
    """A volume of solid and void with voxels of known size, and notes on all that was done to it."""
    if flags.raw_shape:
        ms = read_raw(path, shape=flags.raw_shape, dtype=flags.raw_type, spacing=None)
    else:
        ms = _read(path)
    if ms.grid.ndim != 3 or not isinstance(ms.grid, Grid):
        raise InvalidParameter("volume", expected="three dimensions", got=f"{path}: {ms.grid.ndim} dimensions")
    ms = _sized(ms, path, spacing)
    both = 0 < int((ms.phase_id >= 0).sum()) < ms.grid.size
    if ms.grey is not None and (flags.grey_threshold or flags.invert or not both):
        ms = _divided(ms, path, flags)
    solid = int((ms.phase_id >= 0).sum())
    remedy = "Give a --grey-threshold that divides it."
    demand(0 < solid < ms.grid.size, "volume", "solid and void", f"{path}: one phase alone", remedy=remedy)
    return ms


def _divided(ms: Microstructure, path: Path, flags: VolumeFlags) -> Microstructure:
    assert ms.grey is not None
    if ms.grey.min() == ms.grey.max():
        raise InvalidParameter("volume", expected="solid and void", got=f"{path}: one grey value, {ms.grey.max()}")
    try:
        found = microgen.threshold(ms, flags.grey_threshold or "otsu", invert=flags.invert)
    except InvalidParameter as error:
        raise InvalidParameter("--grey-threshold", expected=error.expected, got=error.got) from None
    if flags.grey_threshold:
        return found
    return replace(found, notes=(*found.notes, "no --grey-threshold was given: Otsu's is taken"))


def read_any(path: Path, flags: VolumeFlags, *, spacing: tuple[float, ...] = ()) -> Microstructure:
    """A scan, a volume of grains, or one of solid and void, whichever the file holds."""
    ms = microgen.read(path, format=_format(path))
    if ms.grid.ndim == 2 or has_labels(ms):
        return _sized(ms, path, spacing) if spacing and isinstance(ms.grid, Grid) else ms
    return read_volume(path, flags, spacing=spacing)


def has_labels(ms: Microstructure) -> bool:
    """Are there grains, more than pieces of a solid?"""
    return ms.grain_id is not None and ms.level_set is None and int(ms.grain_id.max(initial=0)) > 1


def _read(path: Path) -> Microstructure:
    try:
        return microgen.read(path, format=_format(path))
    except UnreadableFile as error:
        if path.suffix == ".raw" and path.is_file():
            remedy = f"Say what it holds: --raw-shape 128 128 128 --raw-type uint8. {error.remedy}"
            raise UnreadableFile(error.path, error.problem, remedy=remedy) from None
        raise


def _format(path: Path) -> str | None:
    """Numbers in a TIFF that is not ours are grey values, not labels."""
    if not path.is_file() or find_reader(path).NAME != "ome":
        return None
    return None if path.with_name(path.name + ".json").is_file() else "imagej"


def _sized(ms: Microstructure, path: Path, spacing: tuple[float, ...]) -> Microstructure:
    if spacing:
        sizes = spacing * 3 if len(spacing) == 1 else spacing
        demand(len(sizes) == 3, "--spacing", "1 or 3 lengths", spacing)
        notes = tuple(note for note in ms.notes if note != NO_SIZE)
        return replace(ms, grid=Grid(ms.grid.shape, sizes), notes=notes)
    if NO_SIZE in ms.notes:
        remedy = "Example: --spacing 19.5um"
        raise InvalidParameter("--spacing", expected=f"what a voxel of {path} measures", got="none", remedy=remedy)
    return ms
