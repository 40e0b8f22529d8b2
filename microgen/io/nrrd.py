"""NRRD (.nrrd, .nhdr): grey values with their spacing. Files are x fastest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from microgen.errors import UnreadableFile, UnsupportedFormat
from microgen.io.grey import DAMAGE, MICROMETRES, all_positive, grey_volume
from microgen.microstructure import Microstructure

NAME = "nrrd"
SUFFIXES = (".nrrd", ".nhdr")


def read(path: str | Path) -> Microstructure:
    """Read grey values. Without a unit millimetres are taken, as usual in NRRD, and noted.

    Raises UnreadableFile for damaged files, UnsupportedFormat for colours and vectors.
    """
    import nrrd

    path = Path(path)
    try:
        values, header = nrrd.read(str(path), index_order="F")
        spacing = _spacing(header, values.ndim)
        factor, notes = _unit(header)
    except (*DAMAGE, nrrd.NRRDError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UnreadableFile(path, f"is no whole NRRD ({reason})", remedy="Write or copy it again.") from error
    if spacing is None or not all_positive(spacing):
        return grey_volume(values, path, spacing=None)
    return grey_volume(values, path, spacing=tuple(h * factor for h in spacing), notes=notes)


def _spacing(header: Any, ndim: int) -> tuple[float, ...] | None:
    """Sizes of a voxel in the file's unit: lengths of the space directions, else the spacings."""
    if "space directions" in header:
        directions = np.asarray(header["space directions"], float)
        return tuple(float(np.linalg.norm(row)) for row in directions)[:ndim]
    return tuple(float(h) for h in header["spacings"])[:ndim] if "spacings" in header else None


def _unit(header: Any) -> tuple[float, tuple[str, ...]]:
    names = list(header.get("space units", header.get("units", ["mm"])))
    unit = str(names[0]).strip('"').strip()
    if any(str(name).strip('"').strip() != unit for name in names) or unit not in MICROMETRES:
        raise UnsupportedFormat(f"space units {names} are none that is understood")
    stated = "space units" in header or "units" in header
    return MICROMETRES[unit], () if stated else ("the file states no unit: mm taken",)
