"""Measured volumes of grey values, whatever file they come from."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from microgen.errors import UnsupportedFormat
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase

MICROMETRES = {
    "nm": 1e-3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
}
MICROMETRES |= {"inch": 25400.0, "in": 25400.0, "nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "meter": 1e6}
DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    OSError,
    EOFError,
    MemoryError,
    zlib.error,
)
"""What libraries for volumes raise on files that are cut short, altered or hostile."""
NO_SIZE = "the file states no voxel size: 1 µm taken"


def grey_volume(
    values: np.ndarray, path: Path, *, spacing: tuple[float, ...] | None, notes: tuple[str, ...] = ()
) -> Microstructure:
    """Grey values [x, y(, z)] as they are. Where there are but two values, the larger one is solid; else all is void.

    Raises UnsupportedFormat for colours, vectors, complex and not finite numbers.
    """
    if values.dtype.kind not in "iufb" or values.ndim not in (2, 3) or values.size == 0:
        raise UnsupportedFormat(
            f"{path}: expected grey values in 2 or 3 dimensions, got {values.dtype} {values.shape}."
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UnsupportedFormat(f"{path}: expected finite grey values, got some that are not.")
    values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    if spacing is None:
        spacing, notes = (1.0,) * values.ndim, (*notes, NO_SIZE)
    low, high = values.min(), values.max()
    full = values == high
    phases: tuple[Phase, ...] = ()
    if low < high and np.count_nonzero(full) + np.count_nonzero(values == low) == values.size:
        phases, notes = (Phase("solid"),), (*notes, f"two values: {high} is solid, {low} is void")
    else:
        full[:] = False
    phase_id = np.where(full, 0, -1).astype(np.int16)
    return Microstructure(Grid(values.shape, spacing), phase_id, phases=phases, grey=values, notes=notes)


def all_positive(spacing: tuple[float, ...]) -> bool:
    """True for sizes that a voxel can have."""
    return all(np.isfinite(h) and h > 0 for h in spacing)
