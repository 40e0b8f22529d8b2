"""Neper raster tessellations (.tesr 2.2): numbers of the cells in binary, x fastest, and an orientation a cell.

Layout after Neper's reference manual, "Raster Tessellation File" and "Rotation and Orientation Descriptors": a
descriptor is followed by its convention, as in `quaternion:active`, and active is meant where none is given. Active is
the rotation that turns the sample's axes into the crystal's. Bunge's angles give (cos Phi/2 cos (phi1 + phi2)/2, ...)
as quaternion in Neper as here, so that our quaternions are Neper's active ones, and passive ones their inverses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io.digits import number_list
from microgen.io.grain_volume import GrainVolume, grain_volume
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.orientation import LAUE_GROUPS, conjugate, from_euler

NAME = "neper"
SUFFIXES = (".tesr",)
NEEDS = ("volume", "grains")

_SYSTEMS = {"triclinic": "-1", "cubic": "m-3m", "hexagonal": "6/mmm"}
_NAMES = {laue: system for system, laue in _SYSTEMS.items()}
_TYPES = {"binary8": "u1", "binary16": "<i2", "binary16_big": ">i2", "binary32": "<i4", "binary32_big": ">i4"}
_PARAMETERS = {"rodrigues": 3, "euler-bunge": 3, "euler-kocks": 3, "euler-roe": 3, "axis-angle": 4, "quaternion": 4}
_REMEDY = "Write or copy it again."
_MOST_16 = 2**15 - 1


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`."""
    return frozenset({"grain_id", "grain_orientations", "volumes", "spacing", "origin"})


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the cells in 16 or 32 bits a voxel.

    Raises InvalidParameter for planes, and for samples without grains or orientations.
    """
    volume = grain_volume(ms, "Neper")
    kind = "binary16" if len(volume.phase_id) <= _MOST_16 else "binary32"
    with open(path, "wb") as file:
        file.writelines(head_lines(volume))
        file.write(f" **data\n   {kind}\n".encode())
        for layer in np.moveaxis(volume.labels, 2, 0):
            file.write(layer.astype(_TYPES[kind]).tobytes(order="F"))
        file.write(b"\n***end\n")


def head_lines(volume: GrainVolume) -> Iterator[bytes]:
    """Everything before the data; the crystal symmetry only where all phases share it."""
    grid, n = volume.grid, len(volume.phase_id)
    yield f"***tesr\n **format\n   2.2\n **general\n   3\n   {' '.join(map(str, grid.shape))}\n".encode()
    yield f"   {' '.join(map(repr, grid.spacing))}\n".encode()
    if any(grid.origin):
        yield f"  *origin\n   {' '.join(map(repr, grid.origin))}\n".encode()
    yield f" **cell\n   {n}\n  *id\n".encode() + number_list(np.arange(1, n + 1), 12, separator=" ")
    yield b"  *ori\n   quaternion:active\n"
    yield from (f"   {' '.join(map(repr, q))}\n".encode() for q in volume.orientation.tolist())
    groups = {phase.laue_group for phase in volume.phases}
    if len(groups) == 1:
        laue = groups.pop()
        yield f"  *crysym\n   {_NAMES.get(laue, laue)}\n".encode()


def read(path: str | Path) -> Microstructure:
    """Read a raster tessellation of cells, in text or binary; planes too. Data in other files are not looked for.

    Raises UnreadableFile for damaged files, UnsupportedFormat for maps without cells and descriptors not listed above.
    """
    path = Path(path)
    content = path.read_bytes()
    at = content.find(b"**data")
    if not content.lstrip().startswith(b"***tesr"):
        raise UnsupportedFormat(f"{path}: expected a raster tessellation of Neper, got another file.")
    if at < 0:
        whole = b"***end" in content[-200:]
        if whole:
            raise UnsupportedFormat(f"{path}: holds no cells (**data), only orientations. Segment the scan itself.")
        raise UnreadableFile(path, "ends before its data", remedy=_REMEDY)
    try:
        sections = _sections(content[:at].decode("ascii"))
        grid = _grid(sections)
        labels = _labels(path, content[at + len(b"**data") :], grid)
        return _sample(path, sections, grid, labels)
    except (ValueError, KeyError, IndexError, OverflowError, MemoryError) as error:
        raise UnreadableFile(path, f"is no whole .tesr ({error})", remedy=_REMEDY) from error


def _sections(head: str) -> dict[str, list[str]]:
    """Words below each heading, the asterisks left out."""
    sections: dict[str, list[str]] = {}
    name = ""
    for word in head.split():
        if word.startswith("*"):
            name = word.strip("*")
        sections.setdefault(name, []).append(word)
    return {name: words[1:] for name, words in sections.items()}


def _grid(sections: dict[str, list[str]]) -> Grid:
    version, general = float(sections["format"][0]), sections["general"]
    d = int(general[0])
    if not 2 <= version < 3 or len(general) != 1 + 2 * d:
        raise ValueError(f"version {version}, {len(general)} numbers in **general")
    spacing, origin = ([float(x) for x in words] for words in (general[1 + d :], sections.get("origin", [])))
    if not all(map(math.isfinite, origin)):
        raise ValueError("the origin is not finite")
    return Grid(tuple(int(x) for x in general[1 : 1 + d]), tuple(spacing), tuple(origin))


def _labels(path: Path, data: bytes, grid: Grid) -> np.ndarray:
    """int32 [x, y(, z)] of what follows `**data`."""
    line, _, rest = data.lstrip().partition(b"\n")
    kind = line.decode("ascii").strip()
    if kind.startswith("*file"):
        remedy = "Let Neper write one file, without -tesrformat raw."
        raise UnsupportedFormat(f"{path}: its data lie in another file, which is not opened. {remedy}")
    if kind == "ascii":
        text, end, _ = rest.partition(b"*")
        values = np.array(text.split(), dtype=np.int64) if len(text) < 2**34 else np.empty(0, np.int64)
        tail = end + rest[len(text) + 1 :]
    else:
        dtype = np.dtype(_TYPES[kind])
        size = grid.size * dtype.itemsize
        if size > len(rest):
            raise ValueError(f"{len(rest)} bytes of data where {size} were expected")
        values, tail = np.frombuffer(rest[:size], dtype=dtype), rest[size:]
    if len(values) != grid.size or b"***end" not in tail:
        raise ValueError(f"{len(values)} voxels where {grid.size} were expected, or no end")
    if values.min() < 0 or values.max() > np.iinfo(np.int32).max:
        raise ValueError(f"cells from {values.min()} to {values.max()}")
    return np.ascontiguousarray(values.reshape(grid.shape, order="F"), dtype=np.int32)


def _sample(path: Path, sections: dict[str, list[str]], grid: Grid, labels: np.ndarray) -> Microstructure:
    named = sections.get("crysym", ["cubic"])[0]
    phase = Phase("phase 1", _SYSTEMS.get(named, named))
    if phase.laue_group not in LAUE_GROUPS:
        raise ValueError(f"the crystal symmetry {named}")
    phase_id = np.where(labels > 0, 0, -1).astype(np.int16)
    notes = ("lengths are taken as µm", *(() if "crysym" in sections else ("no crystal symmetry: cubic is taken",)))
    if "ori" not in sections:
        return Microstructure(grid, phase_id, (phase,), labels, notes=(*notes, "no orientations"))
    count = int(sections["cell"][0])
    if labels.max() > count or count > len(sections["ori"]):
        raise ValueError(f"{count} cells, of which number {labels.max()} is one")
    orientation = _orientations(path, sections["ori"], count)
    volume = np.bincount(labels.ravel(), minlength=count + 1)[1:] * grid.cell_measure
    grains = Grains(np.zeros(count, np.int16), orientation, volume)
    return Microstructure(grid, phase_id, (phase,), labels, grains=grains, notes=notes)


def _orientations(path: Path, words: list[str], count: int) -> np.ndarray:
    """float64 [count, 4] of a descriptor and its parameters; angles are in degrees."""
    name, _, convention = words[0].partition(":")
    if name not in _PARAMETERS or convention not in ("", "active", "passive"):
        remedy = "Let Neper write it with -oridescriptor quaternion:active."
        raise UnsupportedFormat(f"{path}: orientations as {words[0]} are not read. {remedy}")
    values = np.array(words[1:], float).reshape(count, _PARAMETERS[name])
    if not np.isfinite(values).all():
        raise ValueError("orientations that are no numbers")
    q = _quaternions(name, values)
    norm = np.linalg.norm(q, axis=1, keepdims=True)
    if not (np.abs(norm - 1) < 1e-3).all():
        raise ValueError("quaternions that are not of length 1")
    q = np.where(q[:, :1] < 0, -q, q) / norm
    return conjugate(q) if convention == "passive" else q


def _quaternions(name: str, values: np.ndarray) -> np.ndarray:
    if name == "quaternion":
        return values
    if name == "rodrigues":
        q = np.column_stack([np.ones(len(values)), values])
        return q / np.linalg.norm(q, axis=1, keepdims=True)
    angles = np.radians(values)
    if name == "axis-angle":
        axis = values[:, :3] / np.maximum(np.linalg.norm(values[:, :3], axis=1, keepdims=True), 1e-300)
        half = angles[:, 3:] / 2
        return np.hstack([np.cos(half), np.sin(half) * axis])
    first, middle, last = angles.T
    if name == "euler-kocks":
        first, last = first + np.pi / 2, np.pi / 2 - last
    elif name == "euler-roe":
        first, last = first + np.pi / 2, last - np.pi / 2
    return from_euler(first, middle, last)
