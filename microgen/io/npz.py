"""NumPy .npz: every array of a sample under its name, [x, y(, z)], its table of grains, grid and provenance.

    numpy.load("rve.npz")["grain_id"], ["spacing_um"], ["grains.orientation"], ...

A zip of .npy files, unpacked, as `numpy.savez` writes them. Pickles are never read.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.grid import Grid, HexGrid
from microgen.io import embedded as emb
from microgen.io.grey import DAMAGE
from microgen.io.losses import FACTS
from microgen.io.packed import exactly
from microgen.microstructure import Grains, Microstructure

NAME = "npz"
SUFFIXES = (".npz",)
MAGIC = b"PK\x03\x04"

ARRAYS = {"phase_id": "i", "grain_id": "i", "orientation": "f", "level_set": "f", "grey": "iufb", "measured": "b"}
"""Arrays of a sample and the kinds of number they may have."""
_GRAINS = "grains."
_SAMPLE, _PROVENANCE = "sample_json", "provenance_json"
_MOST_ARRAYS = 1000
_DAMAGE = (*DAMAGE, RuntimeError, SyntaxError, zipfile.BadZipFile)


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`."""
    return frozenset(FACTS)


def write(ms: Microstructure, path: str | Path) -> None:
    """Write all arrays of the sample, whatever its grid."""
    arrays: dict[str, np.ndarray] = {name: np.asarray(value) for name, value in _members(ms) if value is not None}
    arrays |= {f"{key}_um": np.array(getattr(ms.grid, key)) for key in ("spacing", "origin")}
    arrays["periodic"] = np.array(ms.grid.periodic)
    arrays[_SAMPLE] = np.array(_sample_json(ms).encode("ascii"))
    arrays[_PROVENANCE] = np.array(emb.provenance_json(emb.provenance_of(ms)).encode("ascii"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            # A fixed date, so that the same sample gives the same bytes.
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as file:
                _write(file, np.asarray(array, order="C"))


def _write(file: Any, array: np.ndarray) -> None:
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    if array.size:
        file.write(array.reshape(-1).view(np.uint8).data)


def _members(ms: Microstructure) -> Iterator[tuple[str, np.ndarray | None]]:
    yield from ((name, getattr(ms, name)) for name in ARRAYS)
    if ms.grains is not None:
        yield from ((_GRAINS + f.name, getattr(ms.grains, f.name)) for f in fields(ms.grains))


def _sample_json(ms: Microstructure) -> str:
    """Grid, phases and notes; of a hexagonal map what its grid has besides."""
    data = json.loads(emb.sample_json(ms)) | {"notes": list(ms.notes)}
    data.pop("phase_of_grain", None)
    if isinstance(ms.grid, HexGrid):
        data["hexagonal"] = {"step": ms.grid.step, "shifted": ms.grid.shifted, "short": ms.grid.short}
    return json.dumps(data)


def read(path: str | Path) -> Microstructure:
    """Read a sample written here; or one of others with an array grain_id or phase_id, and maybe spacing_um.

    Raises UnreadableFile for damaged files, UnsupportedFormat for pickles and for archives of other things.
    """
    path = Path(path)
    with _opened(path) as archive:
        members = _names(archive, path)
        names = {*ARRAYS, *(_GRAINS + f.name for f in fields(Grains)), "spacing_um", _SAMPLE, _PROVENANCE}
        arrays = {name: _array(archive, member, path) for name, member in members.items() if name in names}
        if not {"grain_id", "phase_id", "level_set"} & set(arrays):
            held = ", ".join(list(members)[:20])
            raise UnsupportedFormat(f"{path}: expected an array grain_id, phase_id or level_set, got {held}.")
        if _SAMPLE in arrays:
            return _sample(arrays, path)
        return _foreign(arrays, path)


def is_npz(path: Path) -> bool:
    """Of all zip files, those of NumPy arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            return all(name.endswith(".npy") for name in archive.namelist())
    except (*_DAMAGE, OSError):
        return False


def read_embedded(path: str | Path) -> emb.Embedded:
    """The provenance without the arrays; grid and phases are left out. Raises UnreadableFile."""
    path = Path(path)
    with _opened(path) as archive:
        member = _names(archive, path).get(_PROVENANCE)
        if member is None:
            return emb.Embedded()
        return emb.Embedded(provenance=emb.parse_provenance(_text(_array(archive, member, path)), path))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _DAMAGE as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UnreadableFile(path, f"is no whole .npz ({reason})", remedy="Write or copy it again.") from error


def _names(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    members = archive.infolist()
    names = {m.filename.removesuffix(".npy"): m for m in members}
    if len(names) != len(members) or len(members) > _MOST_ARRAYS:
        raise ValueError(f"{len(members)} arrays of {len(names)} names")
    # What the directory of an archive claims is checked in all before a byte is unpacked.
    emb.check_claim(path, sum(m.file_size for m in members))
    return names


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """An array whose header announces what its member holds."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsupportedFormat(f"{path}: {member.filename} is packed in a way NumPy does not use.")
    with archive.open(member) as file:
        head = io.BytesIO(file.read(2**16))
        version = np.lib.format.read_magic(head)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(head)
        if dtype.hasobject:
            raise UnsupportedFormat(f"{path}: {member.filename} holds pickled Python objects, which can run code.")
        wanted = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if wanted != member.file_size - head.tell():
            raise ValueError(f"{member.filename} announces {dtype} {shape} and has {member.file_size} bytes")
        start = head.read()
        data = bytearray(start) + exactly(file, wanted - len(start))
        if file.read(1):
            raise ValueError(f"{member.filename} goes on behind its end")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return np.asarray(array, dtype.newbyteorder("="), order="C")


def _text(array: np.ndarray) -> bytes:
    return bytes(array.item()) if array.dtype.kind == "S" and array.ndim == 0 else b""


def _sample(arrays: dict[str, np.ndarray], path: Path) -> Microstructure:
    text = _text(arrays[_SAMPLE])
    found, data = emb.parse(text, _text(arrays.get(_PROVENANCE, np.array(b""))), path), json.loads(text)
    for name, kinds in ARRAYS.items():
        if name in arrays and arrays[name].dtype.kind not in kinds:
            raise ValueError(f"{name} is of type {arrays[name].dtype}")
    grid: Grid | HexGrid | None = found.grid
    assert isinstance(grid, Grid)
    if "hexagonal" in data:
        shape, more = (grid.shape[0], grid.shape[1]), data["hexagonal"]
        origin = (grid.origin[0], grid.origin[1])
        grid = HexGrid(shape, float(more["step"]), int(more["shifted"]), bool(more["short"]), origin)
    own = {name: arrays[name] for name in ARRAYS if name in arrays}
    notes = tuple(str(note) for note in data.get("notes", ()))
    ms = Microstructure(grid, **own, phases=found.phases, provenance=found.provenance, notes=notes)  # type: ignore[arg-type]
    return replace(ms, grains=_table(arrays, ms))


def _table(arrays: dict[str, np.ndarray], ms: Microstructure) -> Grains | None:
    """The table of grains, whose columns have a row for every grain."""
    own = {f.name: arrays[_GRAINS + f.name] for f in fields(Grains) if _GRAINS + f.name in arrays}
    if not own:
        return None
    n, d = len(own["phase_id"]), ms.grid.ndim
    shapes = {"orientation": (n, 4), "sites": (n, d), "metrics": (n, d, d)}
    for name, column in own.items():
        if column.shape != shapes.get(name, (n,)) or column.dtype.kind not in "if":
            raise ValueError(f"{_GRAINS}{name} is {column.dtype} {column.shape}")
    if ms.grain_id is not None and not 0 <= ms.grain_id.min() <= ms.grain_id.max() <= n:
        raise ValueError(f"grain_id goes from {ms.grain_id.min()} to {ms.grain_id.max()}, the table has {n} grains")
    return Grains(**own)


def _foreign(arrays: dict[str, np.ndarray], path: Path) -> Microstructure:
    from microgen.io.grey import NO_SIZE
    from microgen.io.one_array import GRAINS, LEVEL, PHASES, restored

    name = next(key for key in (GRAINS, LEVEL, PHASES) if key in arrays)
    values, sizes = arrays[name], arrays.get("spacing_um")
    if values.ndim not in (2, 3) or not values.size:
        raise UnsupportedFormat(f"{path}: expected {name} in 2 or 3 dimensions, got {values.dtype} {values.shape}.")
    spacing = (1.0,) * values.ndim if sizes is None else tuple(np.broadcast_to(sizes, values.ndim).tolist())
    if name == PHASES:
        values = values + 1
    ms = restored(values, emb.Embedded(Grid(values.shape, spacing), array=name), path)
    return replace(ms, notes=(NO_SIZE,) if sizes is None else ())
