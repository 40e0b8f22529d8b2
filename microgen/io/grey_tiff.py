"""TIFF of grey values (ImageJ, scanners): pages are z; voxel size from the OME-XML or ImageJ's tags where stated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from microgen.io.grey import MICROMETRES, all_positive, grey_volume
from microgen.io.ome_tiff import ome_spacing, opened, read_pages
from microgen.microstructure import Microstructure

if TYPE_CHECKING:
    from tifffile import TiffFile

NAME = "imagej"
SUFFIXES = (".tiff", ".tif")


def read(path: str | Path) -> Microstructure:
    """Read grey values of any type. Raises UnreadableFile for damaged files, UnsupportedFormat for colours."""
    path = Path(path)
    with opened(path) as tif:
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
