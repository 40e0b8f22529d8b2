"""NRRD (.nrrd, .nhdr): labels, level sets and grey values with spacing and origin. Files are x fastest.

Written attached and unpacked; grid, phases and provenance are key/value pairs. Layout after the definition of NRRD 5
(teem.sourceforge.net/nrrd/format.html): the space origin is the centre of the first voxel.
"""

from __future__ import annotations

import bz2
import gzip
import json
import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io import embedded as emb, one_array
from microgen.io.grey import DAMAGE, MICROMETRES, all_positive, grey_volume
from microgen.io.packed import exactly
from microgen.io.planes import pour, slabs
from microgen.microstructure import Microstructure
from microgen.provenance import tool_version

NAME = "nrrd"
SUFFIXES = (".nrrd", ".nhdr")
WRITES = (".nrrd",)
MAGIC = b"NRRD000"

holds = one_array.holds

_TYPES = {"i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32"}
_TYPES |= {"i8": "int64", "u8": "uint64", "f4": "float", "f8": "double"}
_SAMPLE, _PROVENANCE = "microgen/sample", "microgen/provenance"
_LONGEST_LINE, _MOST_LINES = 2**24, 10_000
_UNPACKERS = {"gzip": gzip.open, "gz": gzip.open, "bzip2": bz2.open, "bz2": bz2.open}


def write(ms: Microstructure, path: str | Path) -> None:
    """Write grain labels, else the level set, else grey values, else phases (+ 1), unpacked.

    Raises InvalidParameter when there is none of them or the grid is not square.
    """
    name, values = one_array.chosen(ms, "an NRRD")
    if values.dtype.newbyteorder("=").str[1:] not in _TYPES:
        values = values.astype(np.float32)
    dtype = values.dtype.newbyteorder("<")
    with open(path, "wb") as file:
        file.write(_head(ms, name, dtype).encode("ascii"))
        pour(file, slabs(values, dtype))


def _head(ms: Microstructure, name: str, dtype: np.dtype) -> str:
    grid = emb.square_grid(ms, "an NRRD")
    d = grid.ndim
    rows = [f"({','.join(repr(h if i == k else 0.0) for i in range(d))})" for k, h in enumerate(grid.spacing)]
    centre = ",".join(repr(o + h / 2) for o, h in zip(grid.origin, grid.spacing))
    texts = {_SAMPLE: one_array.sample_json(ms, name), _PROVENANCE: emb.provenance_json(emb.provenance_of(ms))}
    lines = [
        "NRRD0005",
        f"# {name}, written by microgen {tool_version()}",
        f"type: {_TYPES[dtype.str[1:]]}",
        f"dimension: {d}",
        f"space dimension: {d}",
        f"sizes: {' '.join(map(str, grid.shape))}",
        f"space directions: {' '.join(rows)}",
        "space units:" + ' "um"' * d,
        f"space origin: ({centre})",
        "centers:" + " cell" * d,
        "kinds:" + " domain" * d,
        "endian: little",
        "encoding: raw",
        *(f"{key}:={_value(text)}" for key, text in texts.items()),
    ]
    return "\n".join(lines) + "\n\n"


def _value(text: str) -> str:
    """JSON as the value of a key: backslashes doubled, and no ": ", at which VTK takes a field's name to end."""
    return json.dumps(json.loads(text), separators=(",", ":")).replace("\\", "\\\\")


def read(path: str | Path) -> Microstructure:
    """Read our own samples whole, and of others grey values. Without a unit millimetres are taken, and noted.

    The data of a header alone (.nhdr) must lie in its folder. Raises UnreadableFile for damaged files,
    UnsupportedFormat for colours, vectors and data in several files.
    """
    import nrrd

    path = Path(path)
    try:
        with open(path, "rb") as file:
            header = nrrd.read_header(_lines(file))
            values = _values(header, file, path)
        if _SAMPLE in header:
            return one_array.restored(values, _embedded(header, path), path)
        spacing = _spacing(header, values.ndim)
        factor, notes = _unit(header)
        origin = _origin(header, spacing)
    except (*DAMAGE, nrrd.NRRDError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UnreadableFile(path, f"is no whole NRRD ({reason})", remedy="Write or copy it again.") from error
    if spacing is None or not all_positive(spacing):
        return grey_volume(values, path, spacing=None)
    ms = grey_volume(values, path, spacing=tuple(h * factor for h in spacing), notes=notes)
    return one_array.placed(ms, origin=tuple(o * factor for o in origin)) if origin else ms


def read_embedded(path: str | Path) -> emb.Embedded:
    """Grid, phases and provenance without the values. Raises UnreadableFile."""
    import nrrd

    path = Path(path)
    try:
        with open(path, "rb") as file:
            header = nrrd.read_header(_lines(file))
    except (*DAMAGE, nrrd.NRRDError) as error:
        raise UnreadableFile(path, f"is no whole NRRD ({error})", remedy="Write or copy it again.") from error
    return _embedded(header, path) if _SAMPLE in header else emb.Embedded()


def _embedded(header: Any, path: Path) -> emb.Embedded:
    sample, provenance = (str(header.get(key, "")).replace("\\\\", "\\") for key in (_SAMPLE, _PROVENANCE))
    return emb.parse(sample, provenance, path)


def _lines(file: BinaryIO) -> list[bytes]:
    """The header, up to the empty line before the data."""
    lines: list[bytes] = []
    while (line := file.readline(_LONGEST_LINE)).strip():
        lines.append(line)
        if len(line) == _LONGEST_LINE or len(lines) > _MOST_LINES:
            raise ValueError("its header has no end")
    if not lines:
        raise ValueError("it is empty")
    return lines


def _values(header: Any, file: BinaryIO, path: Path) -> np.ndarray:
    """The values [x, y(, z)], whatever their packing."""
    from nrrd.reader import _determine_datatype

    missing = [name for name in ("type", "dimension", "sizes", "encoding") if name not in header]
    if missing:
        raise ValueError(f"its header lacks {', '.join(missing)}")
    shape = tuple(int(n) for n in header["sizes"])
    if len(shape) != header["dimension"] or min(shape) < 1 or len(shape) > 16:
        raise ValueError(f"sizes {shape} for dimension {header['dimension']}")
    dtype = _determine_datatype(header)
    named = header.get("datafile", header.get("data file"))
    if named is None:
        flat = _flat(header, file, path, count=math.prod(shape), dtype=dtype)
    else:
        beside = _beside(path, str(named))
        with open(beside, "rb") as data:
            flat = _flat(header, data, beside, count=math.prod(shape), dtype=dtype)
    return flat.reshape(shape, order="F")


def _beside(path: Path, named: str) -> Path:
    """The data file of a header: a plain name in the same folder, so that no header opens other files."""
    beside = path.parent / named
    if "%" in named or named.upper().startswith("LIST") or len(named.split()) > 1:
        raise UnsupportedFormat(f"{path}: its data lie in several files. Join them: unu save -f nrrd.")
    if Path(named).name != named or beside.resolve().parent != path.parent.resolve():
        problem = f"its data lie in {named}, outside its folder"
        raise UnreadableFile(path, problem, remedy="Put the data beside the header and name them plainly in it.")
    if not beside.is_file():
        raise UnreadableFile(path, f"its data file {named} is not there", remedy="Copy it beside the header.")
    return beside


def _flat(header: Any, file: BinaryIO, path: Path, *, count: int, dtype: np.dtype) -> np.ndarray:
    encoding, wanted = header["encoding"], count * dtype.itemsize
    lines, skip = (int(header.get(f"{w}skip", header.get(f"{w} skip", 0))) for w in ("line", "byte"))
    if lines < 0 or skip < -1 or lines > _MOST_LINES:
        raise ValueError(f"line skip {lines} and byte skip {skip}")
    for _ in range(lines):
        file.readline(_LONGEST_LINE)
    size = path.stat().st_size
    if encoding in ("ASCII", "ascii", "text", "txt"):
        if count > size:
            raise ValueError(f"{count} values in {size} bytes")
        return _counted(np.fromfile(file, dtype, sep=" "), count)
    if encoding == "raw":
        file.seek(size - wanted if skip == -1 else file.tell() + skip)
        if size - file.tell() != wanted:
            raise ValueError(f"{size - file.tell()} bytes of data, {wanted} were expected")
        emb.check_claim(path, wanted)
        return np.fromfile(file, dtype, count)
    if encoding not in _UNPACKERS:
        raise UnsupportedFormat(f"{path}: the encoding {encoding} is none that is read. Save it raw or by gzip.")
    emb.check_claim(path, wanted + max(skip, 0))
    with _UNPACKERS[encoding](file) as stream:
        exactly(stream, max(skip, 0))
        data = exactly(stream, wanted)
        if stream.read(1):
            raise ValueError(f"more data than the {wanted} bytes announced")
    return np.frombuffer(data, dtype)


def _counted(values: np.ndarray, count: int) -> np.ndarray:
    if len(values) != count:
        raise ValueError(f"{len(values)} values, {count} were expected")
    return values


def _spacing(header: Any, ndim: int) -> tuple[float, ...] | None:
    """Sizes of a voxel in the file's unit: lengths of the space directions, else the spacings."""
    if "space directions" in header:
        directions = np.asarray(header["space directions"], float)
        return tuple(float(np.linalg.norm(row)) for row in directions)[:ndim]
    return tuple(float(h) for h in header["spacings"])[:ndim] if "spacings" in header else None


def _origin(header: Any, spacing: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Corner of the first voxel in the file's unit, where the axes of the file are those of space."""
    if spacing is None or "space origin" not in header or "space directions" not in header:
        return None
    centre, directions = np.asarray(header["space origin"], float), np.asarray(header["space directions"], float)
    if centre.shape != (len(spacing),) or not np.array_equal(directions, np.diag(spacing)):
        return None
    return tuple(float(c - h / 2) for c, h in zip(centre, spacing)) if np.isfinite(centre).all() else None


def _unit(header: Any) -> tuple[float, tuple[str, ...]]:
    names = list(header.get("space units", header.get("units", ["mm"])))
    unit = str(names[0]).strip('"').strip()
    if any(str(name).strip('"').strip() != unit for name in names) or unit not in MICROMETRES:
        raise UnsupportedFormat(f"space units {names} are none that is understood")
    stated = "space units" in header or "units" in header
    return MICROMETRES[unit], () if stated else ("the file states no unit: mm taken",)
