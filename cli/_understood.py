"""What a dry run reads of the files that a texture names: masks, starts, graded sets and outlines, each checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import microgen
from microgen import Curvatubes, Grid, Microstructure
from microgen.io import printing, stl
from microgen.io.printing import Print
from microgen.io.regions import SHAPES, inside

from ._region import options
from ._texture import STARTS, TextureRequest

Facts = dict[str, dict[str, Any]]
_ENDS = ("start", "end")


def region(request: TextureRequest, grid: Grid, *, fits: bool) -> tuple[Facts, dict[str, Any]]:
    """Mask and start as they were understood, and as `Curvatubes.sample` takes them.

    They are put onto the grid where that fits into memory: else there is no telling whether they suit it.
    """
    facts: Facts = {}
    if request.mask is not None:
        facts["mask"] = _named(request.mask, grid)
    if request.start not in STARTS:
        facts["start"] = _named(request.start, grid)
    found = options(request, grid) if fits else {}
    if "mask" in found:
        facts["mask"]["inside"] = float(inside(found["mask"], grid).mean())
    return {name: fact | {"checked_on_grid": fits} for name, fact in facts.items()}, found


def sets(request: TextureRequest, made: Curvatubes) -> Facts:
    """The sets of a graded file."""
    if request.graded is None or made.graded is None:
        return {}
    graded = made.graded
    axes = "".join("xyz"[axis] for axis in graded.axes)
    corners = [(end,) for end in _ENDS] if len(axes) == 1 else [(x, y) for y in _ENDS for x in _ENDS]
    shown = [
        {"at": ", ".join(f"{end} of {a}" for a, end in zip(axes, corner)), "coefficients": list(c.values), "mass": mass}
        for corner, c, mass in zip(corners, graded.coefficients, graded.mass)
    ]
    for each, eps in zip(shown, graded.eps):
        each["eps"] = eps
    return {"graded": {"name": str(request.graded), "axes": axes, "sets": shown}}


def clip(printed: Print, grid: Grid) -> Facts:
    """The shape a solid to print is cut to."""
    printing.check(printed, grid)
    return {} if printed.clip is None else {"print.clip": _named(printed.clip, grid)}


def lines(facts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The same for a reader."""
    for key, fact in facts.items():
        if key == "graded":
            yield f"graded    {fact['name']}: {len(fact['sets'])} sets along {' and '.join(fact['axes'])}"
            yield from (_set(each) for each in fact["sets"])
            continue
        words = [fact["kind"]]
        if "shape" in fact:
            words.append(f"{_by(fact['shape'])} voxels of {_by(dict.fromkeys(fact['spacing_um']))} µm")
        if "size_mm" in fact:
            words.append(f"{_by(fact['size_mm'])} mm")
        if "inside" in fact:
            words.append(f"{fact['inside']:.1%} of the sample is inside")
        if fact.get("checked_on_grid") is False:
            words.append("not put onto the sample's voxels, which do not fit into memory")
        yield f"{key:9} {fact['name']}: {', '.join(words)}"
        yield from (f"note      {note}" for note in fact.get("notes", ()))


def _named(name: str, grid: Grid) -> dict[str, Any]:
    """A shape by its name, or what a file holds."""
    if name in SHAPES:
        return {"name": name, "kind": "a shape in the middle of the sample"}
    if Path(name).suffix.lower() == ".stl":
        mesh = stl.read_mesh(name)
        sides = np.ptp(mesh.points, axis=0).tolist()
        return {"name": name, "kind": f"a surface of {len(mesh.triangles)} triangles", "size_mm": sides}
    return {"name": name, **_volume(microgen.read(name), grid)}


def _volume(ms: Microstructure, grid: Grid) -> dict[str, Any]:
    kind = "a level set" if ms.level_set is not None else "solid and void"
    kind = "grains" if ms.grain_id is not None and ms.grain_id.max(initial=0) > 1 else kind
    facts: dict[str, Any] = {"kind": kind, "shape": list(ms.grid.shape), "spacing_um": list(ms.grid.spacing)}
    facts["size_mm"] = [length / 1000 for length in ms.grid.lengths] if isinstance(ms.grid, Grid) else []
    notes = list(ms.notes)
    if ms.grid.shape != grid.shape:
        notes.append(f"resampled to the {_by(grid.shape)} voxels of the sample")
    elif not np.allclose(ms.grid.spacing, grid.spacing, rtol=1e-4):
        notes.append(f"its voxels are taken for those of the sample, of {_by(dict.fromkeys(grid.spacing))} µm")
    return facts | {"notes": notes}


def _set(each: Mapping[str, Any]) -> str:
    numbers = " ".join(f"{value:.6g}" for value in each["coefficients"])
    eps = f", eps {each['eps']:g}" if "eps" in each else ""
    return f"set       at the {each['at']}: coefficients {numbers}, mass {each['mass']:g}{eps}"


def _by(values: Any) -> str:
    return " x ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in values)
