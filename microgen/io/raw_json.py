"""Raw values (.raw) with a JSON beside them that says what they are: NAME.raw.json, or NAME.json.

The JSON holds `shape` [x, y, z] (x fastest), `dtype` as in numpy (`uint8`, `<u2`, `float32`), and where known
`spacing_um` (a number or one an axis) and `offset` (bytes before the values). Of samples written here it is the
provenance, which has these as `raw`, and as `sample` grid, phases, and which array the values are.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile
from microgen.io import embedded as emb, one_array
from microgen.io.grey import all_positive, grey_volume
from microgen.io.planes import pour, slabs
from microgen.microstructure import Microstructure

NAME = "raw"
SUFFIXES = (".raw",)
LARGEST_JSON = 2**28

holds = one_array.holds


@dataclass(frozen=True)
class Layout:
    """How the values lie in the file."""

    shape: tuple[int, ...]
    dtype: np.dtype
    spacing: tuple[float, ...] | None
    offset: int
    found: emb.Embedded


def write(ms: Microstructure, path: str | Path) -> None:
    """Write grain labels, else the level set, else grey values, else phases (+ 1); little endian, x fastest.

    What they are is in the JSON beside them (`header`). Raises InvalidParameter when there is none of them or the grid
    is not square.
    """
    _, values = one_array.chosen(ms, "a .raw file")
    with open(path, "wb") as file:
        pour(file, slabs(values, values.dtype.newbyteorder("<")))


def header(ms: Microstructure) -> dict[str, Any]:
    """What the JSON beside the file says of its layout."""
    name, values = one_array.chosen(ms, "a .raw file")
    sample = json.loads(one_array.sample_json(ms, name))
    kept = {key: sample[key] for key in ("shape", "spacing_um", "origin_um")}
    return {"raw": {**kept, "dtype": values.dtype.newbyteorder("<").str, "offset": 0}, "sample": sample}


def read(path: str | Path) -> Microstructure:
    """Read NAME.raw as NAME.raw.json, else NAME.json says: our own samples whole, and of others grey values.

    Raises UnreadableFile where they disagree or one is missing.
    """
    path = Path(path)
    layout = _layout(_beside(path))
    there, wanted = path.stat().st_size - layout.offset, math.prod(layout.shape) * layout.dtype.itemsize
    if there != wanted:
        raise UnreadableFile(path, f"holds {there} bytes, {layout.shape} {layout.dtype} would be {wanted}")
    values = np.fromfile(path, layout.dtype, offset=layout.offset).reshape(layout.shape, order="F")
    if layout.found.grid is not None:
        return one_array.restored(values, layout.found, path)
    return grey_volume(values, path, spacing=layout.spacing)


def read_raw(
    path: str | Path, *, shape: tuple[int, ...], dtype: str, spacing: tuple[float, ...] | None
) -> Microstructure:
    """Read values without a header: `shape` [x, y, z], x fastest, of a type such as uint8, uint16 or float32.

    Raises InvalidParameter for types that are none, UnreadableFile when the file does not hold as many values.
    """
    path, kind = Path(path), _number_type(dtype)
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise InvalidParameter("raw_shape", expected="2 or 3 numbers of voxels, x first", got=shape)
    if not path.is_file():
        raise UnreadableFile(path, "is not a file" if path.exists() else "does not exist", remedy="Check the spelling.")
    there, wanted = path.stat().st_size, math.prod(shape) * kind.itemsize
    if there != wanted:
        remedy = f"Check shape and type; a header before the values is skipped by `offset` in {path.stem}.json."
        raise UnreadableFile(path, f"holds {there} bytes, {shape} {kind} would be {wanted}", remedy=remedy)
    return grey_volume(np.fromfile(path, kind).reshape(shape, order="F"), path, spacing=spacing)


def _number_type(name: str) -> np.dtype:
    try:
        kind = np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        kind = np.dtype("V1")
    if kind.kind not in "iufb":
        remedy = "With the order of bytes where it matters: <u2 or >u2."
        raise InvalidParameter("raw_type", expected="a type such as uint8, uint16, float32", got=name, remedy=remedy)
    return kind


def _beside(path: Path) -> Path:
    for found in (path.with_name(path.name + ".json"), path.with_suffix(".json")):
        if found.is_file() and found.stat().st_size <= LARGEST_JSON:
            return found
    example = '{"shape": [128, 128, 128], "dtype": "uint8", "spacing_um": 2.0}'
    raise UnreadableFile(path, "has no JSON that says what it holds", remedy=f"Write {path.stem}.json: {example}")


def _layout(path: Path) -> Layout:
    try:
        data = json.loads(path.read_bytes())
        said = data.get("raw", data)
        shape = tuple(int(n) for n in said["shape"])
        dtype, offset = np.dtype(str(said["dtype"])), int(said.get("offset", 0))
        sizes = said.get("spacing_um")
        spacing = None if sizes is None else tuple(float(h) for h in np.broadcast_to(sizes, len(shape)))
        found = emb.parse(json.dumps(data["sample"]), json.dumps(data), path) if "sample" in data else emb.Embedded()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, OSError) as error:
        raise UnreadableFile(path, f"does not say what the raw file holds ({error})") from error
    sound = len(shape) in (2, 3) and min(shape) > 0 and offset >= 0 and dtype.kind in "iufb"
    if not sound or (spacing is not None and not all_positive(spacing)):
        raise UnreadableFile(path, "expected shape, dtype and spacing_um of a plane or a volume of numbers")
    return Layout(shape, dtype, spacing, offset, found)
