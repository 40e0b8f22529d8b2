"""`microgen info FILE`: what was understood of any readable file."""

from __future__ import annotations

from math import radians
from pathlib import Path
from typing import Any

import numpy as np

import microgen
from microgen import Grid, Microstructure
from microgen.errors import InvalidParameter, NoGrains
from microgen.io.grain_lists import SUFFIXES as TABLES
from microgen.provenance import tool_version

from ._json import dumps
from ._result import grid_object
from ._scan import ScanFacts
from ._sites import odd, read_placed
from ._volume import VolumeFlags, read_by_looks


def info(
    file: Path,
    *,
    format: str | None = None,
    raw_shape: tuple[int, int, int] | None = None,
    raw_type: str = "",
    threshold: float = 5.0,
    min_pixels: int = 10,
    json: bool = False,
) -> int:
    """Say what was understood of a file: a scan, a volume or a grain table.

    Parameters
    ----------
    file
        Any readable file.
    format
        Settles a suffix with two meanings.
    raw_shape
        Voxels along x, y, z of a .raw file without a JSON; x is fastest.
    raw_type
        Type of its values: uint8 (the default), uint16, >u2, float32 ...
    threshold
        Misorientation that separates two grains of a scan, degrees.
    min_pixels
        Smaller grains of a scan are given to their neighbours.
    json
        Print one JSON object.
    """
    if file.suffix.lower() in TABLES:
        result, lines = _table(file)
        return _tell(file, result, lines, json=json)
    ms = read_by_looks(file, format, VolumeFlags(raw_shape=raw_shape or (), raw_type=raw_type))
    if ms.orientation is not None and ms.grid.ndim == 2:
        facts = _scan_facts(file, ms, threshold, min_pixels)
        result, lines = {"scan": facts.to_dict()}, [*facts.lines(), *([facts.warning()] if facts.warning() else [])]
    else:
        result, lines = _volume(file, ms)
    return _tell(file, result, lines, json=json)


def _tell(file: Path, result: dict[str, Any], lines: list[str], *, json: bool) -> int:
    if json:
        print(dumps({"command": "info", "version": tool_version(), "file": str(file), **result}))
    else:
        print("\n".join(lines))
    return 0


def _scan_facts(file: Path, scan: Microstructure, threshold: float, min_pixels: int) -> ScanFacts:
    if not 0 < threshold <= 180:
        raise InvalidParameter("--threshold", expected="an angle above 0 degrees", got=threshold)
    try:
        grains = microgen.segment_grains(scan, threshold=radians(threshold), min_pixels=min_pixels)
    except NoGrains:
        grains = None
    return ScanFacts.of(file, scan, grains, threshold=threshold, min_pixels=min_pixels)


def _table(file: Path) -> tuple[dict[str, Any], list[str]]:
    """Facts of a grain table."""
    table, made = read_placed(file)
    axes = "".join(axis for axis, wraps in zip("xyz", table.periodic) if wraps) or "none"
    grains = table.grains
    known = grains.weights is not None or (grains.volume_target is not None and not odd(made))
    complete = known and grains.sites is not None and grains.metrics is not None
    facts = {"grains": len(table.grains), "box_um": table.box, "periodic": table.periodic, "rebuildable": complete}
    lines = [
        f"table     {file}",
        f"grains    {len(table.grains)}",
        f"box       {' x '.join(f'{length:.4g}' for length in table.box)} µm, periodic {axes}",
        f"rebuild   {'by microgen polycrystal --sites' if complete else 'not possible: no sites, metrics or weights'}"
        f"{', which finds weights for its volumes' if complete and grains.weights is None else ''}",
    ]
    return {"table": facts}, lines


def _volume(file: Path, ms: Microstructure) -> tuple[dict[str, Any], list[str]]:
    """Facts of a volume (or a plane) of grains, as an object and as lines."""
    assert isinstance(ms.grid, Grid)
    grains = 0 if ms.grain_id is None else int(np.count_nonzero(np.unique(ms.grain_id)))
    shares = {p.name: float((ms.phase_id == k).mean()) for k, p in enumerate(ms.phases)}
    volume: dict[str, Any] = {"grid": grid_object(ms.grid), "grains": grains, "phases": list(shares)}
    volume["phase_fractions"] = shares
    axes = "".join(axis for axis, wraps in zip("xyz", ms.grid.periodic) if wraps) or "none"
    steps = " x ".join(f"{h:.4g}" for h in ms.grid.spacing)
    lines = [
        f"volume    {file}",
        f"grid      {' x '.join(map(str, ms.grid.shape))} voxels of {steps} µm",
        f"periodic  {axes}",
        f"grains    {grains}",
        f"phases    {', '.join(f'{name} {share:.1%}' for name, share in shares.items()) or 'not named'}",
    ]
    if ms.grey is not None:
        volume["grey"] = {"type": ms.grey.dtype.name, "min": ms.grey.min().item(), "max": ms.grey.max().item()}
        lines.append(f"grey      {ms.grey.min()} to {ms.grey.max()}, {ms.grey.dtype.name}")
    made = ms.provenance
    if made is not None:
        volume["provenance"] = {"command": made.command, "version": made.version, "seed": made.seed, "time": made.time}
        volume["provenance"] |= {"inputs": made.inputs, "achieved": made.achieved}
        lines.append(f"made by   {made.tool} {made.version}, {made.command}, seed {made.seed}, {made.time}")
    return {"volume": volume, "notes": list(ms.notes)}, [*lines, *(f"note      {note}" for note in ms.notes)]
