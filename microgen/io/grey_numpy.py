"""NumPy .npy of grey values in order [x, y(, z)], asked for by name: without, whole numbers are taken for labels."""

from __future__ import annotations

from pathlib import Path

from microgen.io.grey import grey_volume
from microgen.io.numpy_file import load
from microgen.microstructure import Microstructure

NAME = "numpy-grey"
SUFFIXES = (".npy",)


def read(path: str | Path) -> Microstructure:
    """Read grey values of any type; the format has no voxel size, so that 1 µm is taken and noted.

    Raises UnreadableFile for damaged files, UnsupportedFormat for what is no plane or volume of finite numbers.
    """
    return grey_volume(load(Path(path)), Path(path), spacing=None)
