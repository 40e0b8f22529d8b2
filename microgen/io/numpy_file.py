"""NumPy .npy of one raw array in order [x, y(, z)]: the level set as float32, else grain labels as int32, else grey.

Pickles are never read.
"""

from __future__ import annotations

import math
import tokenize
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import embedded as emb
from microgen.io.grey import NO_SIZE
from microgen.microstructure import Microstructure

NAME = "numpy"
SUFFIXES = (".npy",)

_DAMAGE = (ValueError, TypeError, SyntaxError, OSError, EOFError, RecursionError, MemoryError, tokenize.TokenError)
"""What NumPy raises on damaged headers, which it parses as Python, and on data."""


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the level set where there is one, else the grain labels, else the grey values.

    Raises InvalidParameter when there is none of them or the grid is not square.
    """
    emb.square_grid(ms, "a .npy file")
    values = getattr(ms, _chosen(ms))
    values = values.astype(np.float32, copy=False) if ms.level_set is not None else values
    if values is None:
        raise InvalidParameter("grain_id", expected="a sample with grains", got=None, remedy="Segment the scan first.")
    labels = np.ascontiguousarray(values)
    # Not np.save, which appends .npy to a temporary name and hides why the system refuses a write.
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(labels))
        file.write(labels.data)


def _chosen(ms: Microstructure) -> str:
    """Name of the array that is written."""
    there = [name for name in ("level_set", "grain_id", "grey") if getattr(ms, name) is not None]
    return there[0] if there else "grain_id"


def holds(ms: Microstructure) -> frozenset[str]:
    """See `losses`."""
    return frozenset({_chosen(ms)})


def read(path: str | Path) -> Microstructure:
    """Read labels, or a level set (any real numbers); the format has no voxel size, so that 1 µm is taken and noted.

    Raises UnreadableFile for damaged files, UnsupportedFormat for arrays that are no labels.
    """
    path = Path(path)
    array = load(path)
    if array.dtype.kind == "f":
        return _level_set(array, path, NO_SIZE)
    labels = emb.as_labels(array, path)
    return emb.labelled(labels, Grid(labels.shape, (1.0,) * labels.ndim), emb.Embedded(), notes=(NO_SIZE,))


def load(path: Path) -> np.ndarray:
    """The array as it is. Raises UnreadableFile for damaged files, UnsupportedFormat for pickles."""
    try:
        _check_header(path)
        return np.load(path, allow_pickle=False)
    except _DAMAGE as error:
        raise UnreadableFile(path, f"is no whole .npy ({error})", remedy="Write or copy it again.") from error


def _level_set(array: np.ndarray, path: Path, note: str) -> Microstructure:
    """Solid is u > 0."""
    if array.ndim not in (2, 3) or array.size == 0:
        raise UnsupportedFormat(f"{path}: expected numbers in 2 or 3 dimensions, got {array.shape}.")
    if not np.isfinite(array).all():
        problem = "holds NaN or infinite numbers. Replace them: void is below 0, solid above."
        raise UnsupportedFormat(f"{path}: {problem}")
    u = np.ascontiguousarray(array, dtype=np.float32)
    phase_id = np.where(u > 0, 0, -1).astype(np.int16)
    return Microstructure(Grid(u.shape, (1.0,) * u.ndim), phase_id, level_set=u, notes=(note,))


def _check_header(path: Path) -> None:
    """Compare what the header announces with the file before any memory is taken for it."""
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(file)
        if dtype.hasobject:
            raise UnsupportedFormat(f"{path}: holds pickled Python objects, which can run code; they are not read.")
        there = path.stat().st_size - file.tell()
    if math.prod(shape) * dtype.itemsize != there:
        raise UnreadableFile(path, f"announces {dtype} {shape} and holds {there} bytes")
