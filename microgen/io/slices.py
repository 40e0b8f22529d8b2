"""A folder of slices: one picture (TIFF or PNG) for each z, in the order of the numbers in their names."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io.embedded import check_memory
from microgen.io.grey import grey_volume
from microgen.io.ome_tiff import opened, read_pages
from microgen.microstructure import Microstructure

NAME = "slices"
SUFFIXES = ()
PICTURES = (".tif", ".tiff", ".png")


def read(path: str | Path) -> Microstructure:
    """Read a folder of grey pictures of one size and type; the voxel size is not in them, so that 1 µm is taken.

    Raises UnreadableFile when there are none or they differ, UnsupportedFormat for colours.
    """
    path = Path(path)
    files = sorted((f for f in path.iterdir() if f.suffix.lower() in PICTURES and f.is_file()), key=_natural)
    if len(files) < 2:
        problem = f"holds {len(files)} pictures, at least 2 slices were expected"
        raise UnreadableFile(path, problem, remedy=f"Give a folder of {' or '.join(PICTURES)}, or one file.")
    if len({f.suffix.lower() for f in files}) > 1:
        raise UnreadableFile(path, "holds pictures of several formats", remedy="Keep the slices only.")
    first = _picture(files[0])
    check_memory(path, first.nbytes * len(files))
    volume = np.empty((*first.shape, len(files)), first.dtype)
    for k, file in enumerate(files):
        page = first if k == 0 else _picture(file)
        if page.shape != first.shape or page.dtype != first.dtype:
            was = f"{first.shape} {first.dtype}"
            raise UnreadableFile(file, f"is {page.shape} {page.dtype}, the slices before it are {was}")
        volume[:, :, k] = page
    return grey_volume(volume, path, spacing=None, notes=(f"{len(files)} slices, {files[0].name} to {files[-1].name}",))


def _natural(path: Path) -> tuple[object, ...]:
    """Slice_9 comes before slice_10."""
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name))


def _picture(path: Path) -> np.ndarray:
    """One slice [x, y]."""
    if path.suffix.lower() == ".png":
        values = _png(path)
    else:
        with opened(path) as tif:
            values = read_pages(tif, path)
    if values.ndim != 2:
        raise UnsupportedFormat(f"{path}: expected one grey picture, got an array of shape {values.shape}.")
    return values.T


def _png(path: Path) -> np.ndarray:
    """Grey values [y, x] as stored: 1, 8 or 16 bits. (Matplotlib would scale them to 1.)"""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.mode not in ("1", "L", "I", "F") and not picture.mode.startswith("I;16"):
                raise UnsupportedFormat(f"{path}: expected a grey picture, got one of mode {picture.mode}.")
            return np.asarray(picture)
    except (OSError, ValueError, SyntaxError, EOFError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UnreadableFile(path, f"is no whole PNG ({error})", remedy="Write or copy it again.") from error
