"""NumPy .npy of the raw grain labels, int32 in order [x, y(, z)]. Pickles are never read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from microgen.errors import InvalidParameter, UnreadableFile, UnsupportedFormat
from microgen.grid import Grid
from microgen.io import embedded as emb
from microgen.microstructure import Microstructure

NAME = "numpy"
SUFFIXES = (".npy",)


def write(ms: Microstructure, path: str | Path) -> None:
    """Write the grain labels. Raises InvalidParameter when there are none or the grid is not square."""
    emb.square_grid(ms, "a .npy file")
    if ms.grain_id is None:
        raise InvalidParameter("grain_id", expected="a sample with grains", got=None, remedy="Segment the scan first.")
    labels = np.ascontiguousarray(ms.grain_id)
    # Not np.save, which appends .npy to a temporary name and hides why the system refuses a write.
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(labels))
        file.write(labels.data)


def read(path: str | Path) -> Microstructure:
    """Read labels; the format has no voxel size, so that 1 µm is taken and noted.

    Raises UnreadableFile for damaged files, UnsupportedFormat for arrays that are no labels.
    """
    path = Path(path)
    try:
        _check_header(path)
        array = np.load(path, allow_pickle=False)
    except (ValueError, TypeError, SyntaxError, OSError, EOFError, RecursionError, MemoryError) as error:
        raise UnreadableFile(path, f"is no whole .npy ({error})", remedy="Write or copy it again.") from error
    labels = emb.as_labels(array, path)
    note = "the format states no voxel size: 1 µm taken"
    return emb.labelled(labels, Grid(labels.shape, (1.0,) * labels.ndim), emb.Embedded(), notes=(note,))


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
