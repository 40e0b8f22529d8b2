"""What our files say about themselves: the provenance, and the grid and phases their format has no slot for."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase, TiledMicrostructure
from microgen.provenance import Provenance


@dataclass(frozen=True, eq=False)
class Embedded:
    """Grid, phases and provenance found in a file; nothing in a file that is not ours."""

    grid: Grid | None = None
    phases: tuple[Phase, ...] = ()
    phase_of_grain: np.ndarray | None = None
    """int16 [n + 1]: phase of grain 0 (void), 1 .. n; None when all grains are of the first phase."""
    provenance: Provenance | None = None
    array: str = ""
    """Which array of the sample a file of one array shows; empty where the format says so itself."""


def square_grid(ms: Microstructure | TiledMicrostructure, what: str) -> Grid:
    """The grid of a microstructure that has square pixels or voxels. Raises InvalidParameter."""
    if not isinstance(ms.grid, Grid):
        raise InvalidParameter("grid", expected=f"a square grid for {what}", got=type(ms.grid).__name__)
    return ms.grid


def provenance_of(ms: Microstructure | TiledMicrostructure) -> Provenance:
    """The provenance of a sample; of one that has none, the least there is: tool, version and time."""
    return ms.provenance or Provenance(command="write")


def provenance_json(provenance: Provenance, *, indent: int | None = None) -> str:
    """JSON in ASCII: file names may hold bytes that neither UTF-8 nor XML can."""
    return json.dumps(json.loads(provenance.to_json()), indent=indent)


def parse_provenance(text: str | bytes, path: Path) -> Provenance:
    """Inverse of `provenance_json`. Raises UnreadableFile when the text is no provenance."""
    remedy = "Give a file microgen wrote, or its NAME.EXT.json."
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(path, f"its provenance is not JSON ({error})", remedy=remedy) from error
    kinds = {"command": str, "configuration": dict, "inputs": dict, "achieved": dict, "version": str, "tool": str}
    if not isinstance(data, dict) or "command" not in data:
        raise UnreadableFile(path, "holds JSON that is no provenance (no `command`)", remedy=remedy)
    for name, kind in kinds.items():
        if name in data and not isinstance(data[name], kind):
            raise UnreadableFile(path, f"its provenance has `{name}` of the wrong type", remedy=remedy)
    if not isinstance(data.get("seed"), (int, type(None))):
        raise UnreadableFile(path, "its provenance has a `seed` that is no integer", remedy=remedy)
    return Provenance.from_json(json.dumps(data))


def sample_json(ms: Microstructure | TiledMicrostructure, *, array: str = "") -> str:
    """Grid and phases as JSON: `shape, spacing_um, origin_um, periodic, phases, phase_of_grain`, and `array`."""
    grid = ms.grid
    data: dict[str, Any] = {
        "shape": list(grid.shape),
        "spacing_um": list(grid.spacing),
        "origin_um": list(grid.origin),
        "periodic": list(grid.periodic),
        "phases": [asdict(phase) for phase in ms.phases],
    }
    if isinstance(ms, TiledMicrostructure):
        if len(ms.phases) > 1:
            data["phase_of_grain"] = np.append(-1, ms.grains.phase_id).tolist()
    elif ms.grain_id is not None and (len(ms.phases) > 1 or ms.phase_id.max(initial=0) > 0):
        data["phase_of_grain"] = _phase_of_grain(ms, ms.grain_id).tolist()
    if array:
        data["array"] = array
    return json.dumps(data)


def _phase_of_grain(ms: Microstructure, grain_id: np.ndarray) -> np.ndarray:
    if ms.grains is not None:
        return np.append(-1, ms.grains.phase_id)
    table = np.full(int(grain_id.max(initial=0)) + 1, -1)
    seen = ms.phase_id >= 0
    table[grain_id[seen]] = ms.phase_id[seen]
    table[0] = -1
    return table


def parse_sample(text: str | bytes, path: Path) -> Embedded:
    """Inverse of `sample_json`. Raises UnreadableFile."""
    try:
        data = json.loads(text)
        grid = Grid(*(tuple(data[key]) for key in ("shape", "spacing_um", "origin_um", "periodic")))
        phases = tuple(Phase(str(p["name"]), str(p["laue_group"]), tuple(p["lattice"])) for p in data["phases"])
        table = data.get("phase_of_grain")
        table = None if table is None else np.array(table, dtype=np.int16)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise UnreadableFile(path, f"its description of the grid is damaged ({error})") from error
    if table is not None and table.ndim != 1:
        raise UnreadableFile(path, "its description of the phases is damaged")
    return Embedded(grid, phases, table, array=str(data.get("array", "")))


def parse(sample: str | bytes, provenance: str | bytes, path: Path) -> Embedded:
    """Both texts that our files hold. Raises UnreadableFile."""
    return replace(parse_sample(sample, path), provenance=parse_provenance(provenance, path))


def check_claim(path: Path, claimed: int, size: int | None = None) -> None:
    """Refuse headers that announce more bytes than the file could hold: zlib packs at most 1032 to 1."""
    size = path.stat().st_size if size is None else size
    if claimed > 1100 * size:
        raise UnreadableFile(path, f"announces {claimed} bytes of data in a file of {size}")
    check_memory(path, claimed)


def check_memory(path: Path, claimed: int) -> None:
    """Refuse data that no room can be found for."""
    there = memory()
    if there is not None and claimed > there:
        remedy = "Use a machine with more memory, or a part of the volume."
        raise UnreadableFile(path, f"holds {claimed} bytes of data, this machine has {there}", remedy=remedy)


def memory() -> int | None:
    """Bytes of memory in the machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def as_labels(array: np.ndarray, path: Path) -> np.ndarray:
    """Labels of a file as int32 in C order, [x, y(, z)]. Raises UnsupportedFormat when they are no labels."""
    if array.dtype.kind not in "iub" or array.ndim not in (2, 3) or array.size == 0:
        raise UnsupportedFormat(
            f"{path}: expected grain labels (whole numbers in 2 or 3 dimensions), got {array.dtype} {array.shape}."
        )
    if array.dtype.kind != "b" and (array.min() < 0 or array.max() > np.iinfo(np.int32).max):
        raise UnsupportedFormat(f"{path}: expected labels from 0 to 2147483647, got {array.min()} to {array.max()}.")
    return np.ascontiguousarray(array, dtype=np.int32)


def phased(values: np.ndarray, grid: Grid, embedded: Embedded) -> Microstructure:
    """Microstructure of phase_id + 1 read from a file: 0 is void."""
    phase_id = (values - 1).astype(np.int16)
    return Microstructure(grid, phase_id, phases=embedded.phases, provenance=embedded.provenance)


def labelled(labels: np.ndarray, grid: Grid, embedded: Embedded, *, notes: tuple[str, ...] = ()) -> Microstructure:
    """Microstructure of int32 labels read from a file; void (0) has phase -1."""
    table = embedded.phase_of_grain
    if table is None or labels.max() >= len(table):
        phase_id = np.where(labels > 0, 0, -1).astype(np.int16)
    else:
        phase_id = table[labels]
    return Microstructure(
        grid, phase_id, phases=embedded.phases, grain_id=labels, provenance=embedded.provenance, notes=notes
    )
