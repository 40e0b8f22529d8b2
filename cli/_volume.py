"""A measured volume among the flags: how its grey values become solid and void, and what a voxel measures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Group, Parameter

import microgen
from microgen import Grid, Microstructure, Phase
from microgen.errors import InvalidParameter, UnreadableFile
from microgen.io import find_reader
from microgen.io.grey import NO_SIZE
from microgen.io.ome_tiff import read_embedded
from microgen.io.raw_json import read_raw
from microgen.io.sidecar import sidecar_path

from ._request import demand
from ._units import LEAST, MOST

GREY = {"ome": "imagej", "numpy": "numpy-grey"}
"""Formats of labels -> those that read the same files as grey values."""


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
    raw_type: Annotated[str, Parameter(show_default=False)] = ""
    """Type of its values: uint8 (the default), uint16, >u2, float32 ..."""


def read_volume(
    path: Path,
    flags: VolumeFlags | None = None,
    *,
    spacing: tuple[float, ...] = (),
    name: str = "--uct",
    phases: bool = False,
) -> Microstructure:
    """A volume of solid (phase_id 0) and void (-1) with voxels of known size, and notes on all that was done to it.

    `spacing` in µm, one or one an axis, wins over the file's. Raises InvalidParameter, naming the flag: `name` where
    the file is no volume or has one phase alone. With `phases` those of the file are kept, also one alone.
    """
    flags = flags or VolumeFlags()
    ms = read_grey(path, flags)
    if not isinstance(ms.grid, Grid) or ms.grid.ndim != 3:
        raise InvalidParameter(name, expected="a volume", got=f"{path}: a plane", remedy="Give all slices.")
    ms = sized(ms, path, spacing)
    if phases and ms.phases and ms.grey is None and not (flags.grey_threshold or flags.invert):
        return ms
    ms = _solid(ms, path, flags, name)
    solid = int((ms.phase_id >= 0).sum())
    got = f"{path}: {'solid' if solid else 'void'} everywhere"
    remedy = "Give a file of grey values (--grey-threshold divides it) or of solid and void."
    demand(0 < solid < ms.grid.size, name, "a volume of solid and void", got, remedy=remedy)
    return ms


def read_any(
    path: Path, flags: VolumeFlags, *, spacing: tuple[float, ...] = (), phases: bool = False
) -> Microstructure:
    """A scan, a volume of grains, or one of solid and void (or of `phases`), whichever the file holds."""
    if not (flags.raw_shape or flags.raw_type):
        known = path.suffix.lower() != ".npy" or flags.grey_threshold  # whole numbers in it are labels until then
        ms = _read_file(path) if known else microgen.read(path)
        if ms.grid.ndim == 2 or has_labels(ms):
            unlike = unlike_neighbours(ms)
            got = f"{path}: numbers of which {unlike:.0%} differ from their neighbour"
            remedy = "Give --grey-threshold VALUE (or otsu) if these are grey values."
            demand(unlike <= 0.5, "FILE", "grain labels", got, remedy=remedy)
            check_sizes(ms, path)
            return sized(ms, path, spacing) if spacing and isinstance(ms.grid, Grid) else ms
    return read_volume(path, flags, spacing=spacing, name="FILE", phases=phases)


def read_grey(path: Path, flags: VolumeFlags) -> Microstructure:
    """A file as it is; numbers that could be labels are grey values unless microgen wrote them, and fractions
    in a .npy a level set."""
    if not flags.raw_shape:
        without = "--raw-type says what values are, not how many: give --raw-shape too"
        demand(not flags.raw_type, "--raw-type", "--raw-shape beside it", flags.raw_type, remedy=without)
        return _read_file(path)
    try:
        return read_raw(path, shape=flags.raw_shape, dtype=flags.raw_type or "uint8", spacing=None)
    except InvalidParameter as error:
        shown = " ".join(map(str, error.got)) if isinstance(error.got, tuple) else error.got
        flag = "--" + error.name.replace("_", "-")
        raise InvalidParameter(flag, expected=error.expected, got=shown, remedy=error.remedy) from None


def read_by_looks(file: Path, format: str | None, flags: VolumeFlags) -> Microstructure:
    """The file; foreign labels that are grey values by all looks, as grey values."""
    if flags.raw_shape or flags.raw_type or (file.suffix.lower() == ".raw" and format is None):
        return read_grey(file, flags)
    ms = microgen.read(file, format=format)
    grey = grey_format(file) if format is None else None
    looks_grey = grey is not None and (is_mask(ms) or unlike_neighbours(ms) > 0.5)
    return microgen.read(file, format=grey) if looks_grey else ms


def divide(ms: Microstructure, rule: str, *, invert: bool = False, name: str = "--grey-threshold") -> Microstructure:
    """Solid and void of grey values; errors name the flag."""
    try:
        found = microgen.threshold(ms, rule, invert=invert)
    except InvalidParameter as error:
        raise InvalidParameter(name, expected=error.expected, got=error.got, remedy=error.remedy) from None
    return replace(found, notes=tuple(note for note in found.notes if not note.startswith("two values")))


def exchanged(ms: Microstructure) -> Microstructure:
    """Solid for void and void for solid, where no threshold is needed."""
    notes = tuple(note for note in ms.notes if not note.startswith("two values"))
    return replace(
        ms,
        phase_id=np.where(ms.phase_id >= 0, -1, 0).astype(np.int16),
        phases=(Phase("solid"),),
        level_set=None if ms.level_set is None else -ms.level_set,
        grain_id=None,
        notes=(*notes, "inverted: what the file has as solid is void"),
    )


def has_labels(ms: Microstructure) -> bool:
    """Are there grains, more than pieces of a solid?"""
    return ms.grain_id is not None and ms.level_set is None and int(ms.grain_id.max(initial=0)) > 1


def unlike_neighbours(ms: Microstructure) -> float:
    """Share of foreign labels that differ from the next one along x: of grey values read as labels, most do."""
    if ms.grain_id is None or ms.provenance is not None or ms.grain_id.shape[0] < 2:
        return 0.0
    return float((ms.grain_id[1:] != ms.grain_id[:-1]).mean())


def is_mask(ms: Microstructure) -> bool:
    """Do foreign labels have but two values, as pictures of solid and void have?"""
    if ms.grain_id is None or ms.provenance is not None or ms.grains is not None:
        return False
    void, full = (int(np.count_nonzero(ms.grain_id == value)) for value in (0, ms.grain_id.max(initial=0)))
    return 0 < void < ms.grain_id.size and void + full == ms.grain_id.size


def grey_format(path: Path) -> str | None:
    """The format that reads a file as grey values, where by its suffix alone it would be labels."""
    return GREY.get(find_reader(path).NAME) if path.is_file() else None


def _read_file(path: Path) -> Microstructure:
    try:
        ms = microgen.read(path, format=None if _is_ours(path) else grey_format(path))
    except UnreadableFile as error:
        if path.suffix.lower() == ".raw" and path.is_file():
            remedy = f"Say what it holds: --raw-shape 128 128 128 --raw-type uint8. Or: {error.remedy}"
            raise UnreadableFile(error.path, error.problem, remedy=remedy) from None
        raise
    fractions = ms.grey is not None and ms.grey.dtype.kind == "f" and path.suffix.lower() == ".npy"
    return microgen.read(path) if fractions else ms


def _is_ours(path: Path) -> bool:
    """Labels that microgen wrote are labels. (Looked at are TIFF, which say so, and files with provenance.)"""
    if not path.is_file() or sidecar_path(path).is_file():
        return True
    return find_reader(path).NAME == "ome" and read_embedded(path).grid is not None


def _solid(ms: Microstructure, path: Path, flags: VolumeFlags, name: str) -> Microstructure:
    """Solid and void: as the file has them, else by the threshold."""
    values = ms.grey if ms.grey is not None else ms.level_set
    both = 0 < int((ms.phase_id >= 0).sum()) < ms.grid.size
    if values is None and flags.grey_threshold:
        got, remedy = f"{path}, which has phases", "Leave it out."
        raise InvalidParameter("--grey-threshold", expected="a file of grey values", got=got, remedy=remedy)
    if values is not None and values.min() == values.max():
        raise InvalidParameter(name, expected="solid and void", got=f"{path}: one grey value, {values.max()}")
    if values is not None and (flags.grey_threshold or not both):
        found = divide(ms, flags.grey_threshold or "otsu", invert=flags.invert)
        note = () if flags.grey_threshold else ("no --grey-threshold was given: Otsu's is taken",)
        return replace(found, notes=(*found.notes, *note))
    if flags.invert:
        return exchanged(ms)
    if ms.phase_id.max() > 0:
        together = np.minimum(ms.phase_id, 0)
        return replace(ms, phase_id=together, notes=(*ms.notes, "all phases together are the solid"))
    told = ms.level_set is not None and ms.provenance is None
    return replace(ms, notes=(*ms.notes, "a level set: solid where it is above 0")) if told else ms


def check_sizes(ms: Microstructure, path: Path) -> None:
    """Refuse voxels so small or large that their volume is no number any more: the file is wrong about them."""
    sizes = ms.grid.spacing if isinstance(ms.grid, Grid) else ()
    if not all(LEAST < h < MOST for h in sizes):
        problem = f"states voxels of {' x '.join(dict.fromkeys(f'{h:.3g}' for h in sizes))} µm"
        raise UnreadableFile(path, problem, remedy="Say what a voxel measures: --spacing 19.5um")


def sized(ms: Microstructure, path: Path, spacing: tuple[float, ...]) -> Microstructure:
    """Voxels of the size given, else of the one the file states."""
    grid = ms.grid
    assert isinstance(grid, Grid)
    if not spacing:
        remedy = "Say it with its unit. Example: --spacing 19.5um"
        got = "none, and the file states none"
        demand(NO_SIZE not in ms.notes, "--spacing", f"what a voxel of {path} measures", got, remedy=remedy)
        check_sizes(ms, path)
        return ms
    sizes = spacing * grid.ndim if len(spacing) == 1 else spacing
    demand(len(sizes) == grid.ndim, "--spacing", f"1 or {grid.ndim} lengths", spacing)
    demand(all(0 < h < inf for h in sizes), "--spacing", "lengths above 0", spacing)
    notes = tuple(note for note in ms.notes if note != NO_SIZE)
    if NO_SIZE not in ms.notes and not np.allclose(sizes, grid.spacing, rtol=1e-4):
        asked, stated = (" x ".join(dict.fromkeys(f"{h:.4g}" for h in hs)) for hs in (sizes, grid.spacing))
        notes = (*notes, f"voxels of {asked} µm as asked for; the file states {stated} µm")
    return replace(ms, grid=Grid(grid.shape, sizes, periodic=grid.periodic), notes=notes)
