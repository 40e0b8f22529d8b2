"""Masks of samples, the part of the box to keep as voxels or as a shape; and fields that `Curvatubes` starts from."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol, cast

import numpy as np

from microgen.errors import InvalidParameter
from microgen.generators.laws import require
from microgen.grid import Grid

STARTS = ("noise", "spheres", "tubes")
"""Starts that are drawn from the seed."""
THINNEST = 4.0
"""Widest place of a mask, at least, in eps: the width of an interface."""


class Shape(Protocol):
    """A body in the middle of the box, such as `microgen.meshing.Clip`: lengths in mm, above 0 inside."""

    def distance(self, shape: tuple[int, ...], spacing: np.ndarray) -> np.ndarray:
        """Signed distance of the centres of the voxels to its surface."""
        ...

    def cut(self, u: np.ndarray, spacing: np.ndarray) -> np.ndarray:
        """A level set cut to the shape, its surface below the voxel."""
        ...


@dataclass(frozen=True, eq=False)
class Region:
    """The voxels of a mask, and how a level set is cut to it."""

    inside: np.ndarray
    """bool [shape]"""
    shape: Shape | None
    """None where the mask was given as voxels: its surface then follows them."""
    told: dict[str, Any]
    """What provenance says of it, plain values."""

    def cut(self, u: np.ndarray, grid: Grid) -> np.ndarray:
        """float32: u inside, below 0 outside."""
        if self.shape is None:
            return np.where(self.inside, u, np.float32(-1))
        return self.shape.cut(u, _millimetres(grid)).astype(np.float32, copy=False)


def region(mask: np.ndarray | Shape, grid: Grid, *, eps: float, steps: tuple[float, ...]) -> Region:
    """The region of a mask on a grid, `eps` and `steps` in one unit.

    Raises InvalidParameter when it has another shape, holds nothing, or is nowhere as wide as an interface.
    """
    inside, told = voxels(mask, grid)
    width = _width(inside, steps)
    remedy = "Use a larger mask, or a smaller dx and eps."
    expected = f"a mask at least {THINNEST * eps:g} wide somewhere, {THINNEST:g} times eps"
    require(width >= THINNEST * eps, "mask", expected, f"{width:.3g}", remedy=remedy)
    return Region(inside, None if isinstance(mask, np.ndarray) else mask, told)


def voxels(mask: np.ndarray | Shape, grid: Grid) -> tuple[np.ndarray, dict[str, Any]]:
    """The voxels of a mask, bool [shape], and what provenance says of it. Raises InvalidParameter."""
    shape = None if isinstance(mask, np.ndarray) else mask
    inside = mask if isinstance(mask, np.ndarray) else _inside(mask, grid)
    fine = inside.shape == grid.shape and inside.dtype == bool
    size = " x ".join(str(n) for n in grid.shape)
    require(fine, "mask", f"true and false on {size} voxels", f"{inside.dtype} {inside.shape}", remedy=_RESHAPE)
    require(bool(inside.any()), "mask", "a mask with voxels inside", "an empty one", remedy=_EMPTY)
    told: dict[str, Any] = {"kind": "voxels"} if shape is None else {"kind": type(shape).__name__, **_plain(shape)}
    return inside, told | {"sha256": digest(inside)}


_RESHAPE = "Give a bool array of the grid's shape, solid > 0 for example."
_EMPTY = "Inside is where it is true."


def start_of(start: Any, grid: Grid) -> Any:
    """A start that can be used: a name, a state, or a field cut to -1 .. 1. Raises InvalidParameter.

    Fields are of the grid's shape, finite and not all alike.
    """
    if not isinstance(start, np.ndarray):
        fine = not isinstance(start, str) or start in STARTS
        require(fine, "start", f"a field, or one of {', '.join(STARTS)}", start)
        return start
    require(start.shape == grid.shape, "start", f"a field of shape {grid.shape}", f"one of shape {start.shape}")
    field = np.where(start, 1.0, -1.0) if start.dtype == bool else start.astype(float)
    require(bool(np.isfinite(field).all()), "start", "finite values", "NaN or infinite ones")
    field = np.clip(field, -1, 1)
    remedy = "Solid is where it is above 0, void below."
    require(bool(np.ptp(field) > 0), "start", "a field with solid and void", "one that is all alike", remedy=remedy)
    return field.astype(np.float32)


def digest(array: np.ndarray) -> str:
    """sha256 of the values, for provenance."""
    bits = np.packbits(array) if array.dtype == bool else np.ascontiguousarray(array)
    return hashlib.sha256(bits.tobytes()).hexdigest()


def _inside(shape: Shape, grid: Grid) -> np.ndarray:
    try:
        return shape.distance(grid.shape, _millimetres(grid)) > 0
    except InvalidParameter as error:
        raise InvalidParameter("mask", expected=error.expected, got=error.got, remedy=error.remedy) from error


def _width(inside: np.ndarray, steps: tuple[float, ...]) -> float:
    """Diameter of the largest ball of a mask; borders of the box do not bound it."""
    from scipy.ndimage import distance_transform_edt

    if inside.all():
        return math.inf
    # Distances go to the centre of the next voxel outside, half a voxel beyond the surface.
    depth = cast("np.ndarray", distance_transform_edt(inside, sampling=steps))
    return 2 * float(depth.max()) - min(steps)


def _millimetres(grid: Grid) -> np.ndarray:
    return np.array(grid.spacing) * 1e-3


def _plain(shape: Shape) -> dict[str, Any]:
    """Those fields of a shape that are numbers and words."""
    if not is_dataclass(shape):
        return {}
    values = {field.name: getattr(shape, field.name) for field in fields(shape)}
    return {name: value for name, value in values.items() if isinstance(value, str | int | float)}
