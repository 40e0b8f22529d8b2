"""TIFF as ImageJ has it: pages are z; voxel size from ImageJ's tags, or the OME-XML. Read are grey values.

Written are labels, level sets and grey values, unpacked, in the types that ImageJ knows: uint8, uint16, float32; at
most 4 GiB. Grid, phases and provenance are in the text that ImageJ shows by Image > Show Info.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from microgen.errors import InvalidParameter
from microgen.io import embedded as emb, one_array
from microgen.io.grey import MICROMETRES, all_positive, grey_volume
from microgen.io.ome_tiff import embedded, fill, info, ome_spacing, opened, read_pages
from microgen.io.planes import slabs
from microgen.microstructure import Microstructure

if TYPE_CHECKING:
    from tifffile import TiffFile

NAME = "imagej"
SUFFIXES = (".tiff", ".tif")
LARGEST = 2**32 - 2**24
"""Bytes: offsets in a classic TIFF end at 4 GiB, and ImageJ reads no BigTIFF."""
_WHOLE = 2**24
"""A float32 holds each whole number up to this."""

holds = one_array.holds


def write(ms: Microstructure, path: str | Path) -> None:
    """Write grain labels, else the level set, else grey values, else phases (+ 1); labels above 65535 as float32.

    Raises InvalidParameter when there is none of them, the grid is not square, for values that ImageJ's types do not
    hold exactly, and for more than 4 GiB.
    """
    from tifffile import TiffWriter

    name, values = one_array.chosen(ms, "a TIFF")
    dtype = _type(name, values)
    if values.size * dtype.itemsize > LARGEST:
        got = f"{values.size * dtype.itemsize} bytes"
        remedy = "Write an OME-TIFF (--format ome) or a .zarr."
        raise InvalidParameter("shape", expected="at most 4 GiB of values in ImageJ's TIFF", got=got, remedy=remedy)
    shape = (values.shape if values.ndim == 3 else (*values.shape, 1))[::-1]
    with TiffWriter(path, imagej=True, byteorder=">") as tif:
        facts: dict[str, Any] = {"resolution": _resolution(ms), "metadata": _facts(ms, name, values)}
        place = tif.write(shape=shape, dtype=dtype, returnoffset=True, **facts)
    fill(path, place, slabs(values, dtype.newbyteorder(">")))


def _type(name: str, values: np.ndarray) -> np.dtype:
    """The smallest type of ImageJ that holds the values exactly."""
    if values.dtype.kind == "f":
        exact = values.dtype.itemsize <= 4 or np.array_equal(values, values.astype(np.float32))
    else:
        low, high = int(values.min()), int(values.max())
        if low >= 0 and high <= 65535:
            return np.dtype(np.uint8 if high <= 255 else np.uint16)
        exact = low >= -_WHOLE and high <= _WHOLE
    if not exact:
        remedy = "Write an OME-TIFF (--format ome), .nrrd or .zarr."
        expected = "values that a float32 holds exactly, ImageJ's widest type"
        raise InvalidParameter(name, expected=expected, got=f"up to {values.max()} ({values.dtype})", remedy=remedy)
    return np.dtype(np.float32)


def _resolution(ms: Microstructure) -> tuple[float, float]:
    return 1 / ms.grid.spacing[0], 1 / ms.grid.spacing[1]


def _facts(ms: Microstructure, name: str, values: np.ndarray) -> dict[str, object]:
    grid = emb.square_grid(ms, "a TIFF")
    text = info(one_array.sample_json(ms, name), emb.provenance_json(emb.provenance_of(ms)))
    depth = {"spacing": grid.spacing[2]} if grid.ndim == 3 else {}
    return {"axes": "ZYX", "unit": "micron", **depth, "min": values.min(), "max": values.max(), "Info": text}


def read(path: str | Path) -> Microstructure:
    """Read our own samples whole, and of others grey values of any type.

    Raises UnreadableFile for damaged files, UnsupportedFormat for colours.
    """
    path = Path(path)
    with opened(path) as tif:
        found = embedded(tif, path) if tif.is_imagej else emb.Embedded()
        if found.grid is not None:
            return one_array.restored(read_pages(tif, path).T, found, path)
        return volume(tif, path)


def volume(tif: TiffFile, path: Path) -> Microstructure:
    """The grey values of an open TIFF; `path` is what errors name."""
    values = read_pages(tif, path).T
    spacing = ome_spacing(tif.ome_metadata, values.ndim) if tif.is_ome else _imagej_spacing(tif, values.ndim)
    return grey_volume(values, path, spacing=spacing)


def _imagej_spacing(tif: TiffFile, ndim: int) -> tuple[float, ...] | None:
    """Pixel size from resolution and unit, slices `spacing` apart; None unless ImageJ's unit is a length.

    One pixel an inch is what ImageJ writes for a picture without a scale.
    """
    facts = tif.imagej_metadata or {}
    unit = str(facts.get("unit", "")).replace("\\u00B5", "µ")
    tags = tif.pages.first.tags
    found = [tags.valueof(name) for name in ("XResolution", "YResolution")]
    if unit not in MICROMETRES or any(value is None or not value[0] for value in found):
        return None
    pixel = [value[1] / value[0] * MICROMETRES[unit] for value in found]
    if unit in ("inch", "in") and "spacing" not in facts:
        return None
    depth = float(facts.get("spacing", pixel[0] / MICROMETRES[unit])) * MICROMETRES[unit]
    spacing = (*pixel, depth)[:ndim]
    return spacing if all_positive(spacing) else None
