"""`--mask`, and `--start` of a texture: what they mean, which files they are, and the same again for a rerun."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from microgen import Grid, Microstructure, Provenance
from microgen.errors import UnreadableFile
from microgen.io.regions import SHAPES, inside, mask_again, read_mask, read_start
from microgen.provenance import sha256

from ._progress import Reporter
from ._request import Request
from ._texture import STARTS, TextureRequest

MASKED = (
    "note      statistics are those of the mask, which bounds thickness and separation; those that would take the "
    "outside for void are left out"
)


def options(request: TextureRequest, grid: Grid) -> dict[str, Any]:
    """Mask and start as `Curvatubes.sample` takes them."""
    found: dict[str, Any] = {"start": request.start, **mask_of(request, grid)}
    if request.start not in STARTS:
        found["start"] = read_start(request.start, grid)
    return found


def mask_of(request: TextureRequest | Request, grid: Grid) -> dict[str, Any]:
    """The mask as `sample` takes it; nothing without one."""
    if request.mask is None:
        return {}
    return {"mask": read_mask(request.mask, grid, diameter=request.mask_diameter)}


def files(request: TextureRequest | Request) -> dict[str, str]:
    """Path -> sha256 of the files among the two."""
    named = [("--mask", request.mask, SHAPES)] if request.mask not in (None, *SHAPES) else []
    if isinstance(request, TextureRequest) and request.start not in STARTS:
        named += [("--start", request.start, STARTS)]
    for flag, name, known in named:
        what = "a folder" if name and Path(name).is_dir() else "no file and no name that is known"
        remedy = f"{flag} takes a file, or one of {', '.join(known)}."
        if not Path(name).is_file():
            raise UnreadableFile(name, f"is {what}", remedy=remedy)
    return {name: sha256(name) for _, name, _ in named}


def told(request: TextureRequest, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What the provenance says of the two: names of shapes and starts, paths of files."""
    start = request.start if request.start in STARTS else {"file": request.start}
    return {"mask": None, **told_mask(request, configuration), "start": start}


def told_mask(request: TextureRequest | Request, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The same of the mask; nothing without one."""
    mask = configuration.get("mask")
    if mask is None:
        return {}
    return {"mask": mask if request.mask in SHAPES else {**mask, "file": request.mask}}


def measured_part(ms: Microstructure, file: Path, reporter: Reporter, *, find: Find) -> Microstructure:
    """A sample in a mask, as its file tells of it, with the mask as the part that is measured."""
    made, grid = ms.provenance, ms.grid
    if made is None or not isinstance(grid, Grid) or not made.configuration.get("mask"):
        return ms
    try:
        mask = again(replace(made, configuration={**made.configuration, "start": "noise"}), file, grid, find=find)
    except UnreadableFile as error:
        reporter.warn(f"{error} What lies outside the mask is taken for void.")
        return ms
    reporter.say(MASKED)
    return replace(ms, measured=inside(mask["mask"], grid))


Find = Callable[[Path, Provenance, Path], Path]


def again(made: Provenance, original: Path, grid: Grid, *, find: Find) -> dict[str, Any]:
    """The two of a sample made before; `find` brings back its files. Raises UnreadableFile when they are gone."""
    mask, start = made.configuration.get("mask"), made.configuration.get("start", "noise")
    found: dict[str, Any] = {"start": start}
    if mask is not None:
        found["mask"] = read_mask(find(Path(mask["file"]), made, original), grid) if "file" in mask else None
        found["mask"] = mask_again(mask) if found["mask"] is None else found["mask"]
        if found["mask"] is None:
            raise UnreadableFile(original, "its mask was made in Python and is kept nowhere", remedy="Run that again.")
    if not isinstance(start, str):
        if "file" not in start:
            raise UnreadableFile(original, "its start was made in Python and is kept nowhere", remedy="Run that again.")
        found["start"] = read_start(find(Path(start["file"]), made, original), grid)
    return found
