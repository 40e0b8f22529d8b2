"""Size and shape of grains: equivalent diameter, grain size number, aspect ratio, direction of the long axis."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.descriptors.moments import grain_counts, grain_ids, grain_moments
from microgen.errors import InvalidParameter
from microgen.microstructure import Microstructure


def interior_grains(ms: Microstructure) -> np.ndarray:
    """bool [n]: grains that have points and none on the map's border (periodic axes have no border)."""
    ids, n = grain_ids(ms)
    inside = np.concatenate([[False], grain_counts(ms) > 0])
    inside[ids[ms.grid.border().ravel()]] = False
    return inside[1:] if n else np.zeros(0, bool)


def counted(ms: Microstructure, *, interior: bool) -> np.ndarray:
    """Rows of the grains that a statistic is taken over: int [m]."""
    return np.flatnonzero(interior_grains(ms) if interior else grain_counts(ms) > 0)


def grain_measure(ms: Microstructure) -> np.ndarray:
    """Area (µm²) or volume (µm³) of each grain on this grid: float64 [n]."""
    return grain_counts(ms) * ms.grid.cell_measure


def equivalent_diameter(
    ms: Microstructure, *, interior: bool = True, weighting: Literal["number", "measure"] = "number"
) -> Distribution:
    """Diameter of the circle of equal area, 2 sqrt(A/pi), or of the sphere of equal volume, (6 V/pi)^(1/3), in µm.

    `weighting` counts each grain once, or by its area (volume). ASTM E2627.
    """
    if weighting not in ("number", "measure"):
        raise InvalidParameter("weighting", expected="number or measure", got=weighting)
    rows = counted(ms, interior=interior)
    measure = grain_measure(ms)[rows]
    diameter = 2 * np.sqrt(measure / np.pi) if ms.grid.ndim == 2 else np.cbrt(6 * measure / np.pi)
    weights = measure if weighting == "measure" else None
    return Distribution(diameter, weights, "µm", "equivalent_diameter", grain_id=rows + 1)


def astm_grain_size(ms: Microstructure, *, standard: Literal["E112", "E2627"] = "E112") -> float:
    """ASTM grain size number of a plane; nan when no grain qualifies.

    E112 (planimetric, Jeffries): G = 3.321928 log10(N_A) - 2.954 with N_A = (inside + cut by the border / 2) / area in
    grains per mm². E2627: G = -3.321928 log10(mean area in mm²) - 2.954 of the grains that the border does not cut and
    that have 100 points or more.
    """
    if ms.grid.ndim != 2 or standard not in ("E112", "E2627"):
        raise InvalidParameter("standard", expected="E112 or E2627, of a plane", got=(standard, ms.grid.ndim))
    measure, inside = grain_measure(ms), interior_grains(ms)
    if standard == "E112":
        present = int(np.count_nonzero(measure))
        number, area = (np.count_nonzero(inside) + present) / 2, measure.sum()
    else:
        whole = inside & (grain_counts(ms) >= 100)
        number, area = np.count_nonzero(whole), measure[whole].sum()
    return math.log2(number / (area * 1e-6)) - 2.954 if number else math.nan


def aspect_ratio(ms: Microstructure, *, interior: bool = True) -> Distribution:
    """Longest over shortest axis of the ellipse (ellipsoid) with the grain's second moments: sqrt(l_max / l_min)."""
    return _axis_ratio(ms, 0, interior=interior, name="aspect_ratio")


def aspect_ratio_middle(ms: Microstructure, *, interior: bool = True) -> Distribution:
    """Longest over middle axis of the ellipsoid with the grain's second moments; volumes only."""
    if ms.grid.ndim != 3:
        raise InvalidParameter("ms", expected="a volume", got=ms.grid)
    return _axis_ratio(ms, 1, interior=interior, name="aspect_ratio_middle")


def _axis_ratio(ms: Microstructure, axis: int, *, interior: bool, name: str) -> Distribution:
    rows = counted(ms, interior=interior)
    squared = np.linalg.eigvalsh(grain_moments(ms).covariance[rows])  # ascending
    return Distribution(np.sqrt(squared[:, -1] / squared[:, axis]), None, "", name, grain_id=rows + 1)


def long_axes(ms: Microstructure, *, interior: bool = True) -> np.ndarray:
    """Directions of the longest axis, each up to its sign: unit vectors [m, d], of the grains of `aspect_ratio`."""
    rows = counted(ms, interior=interior)
    return np.linalg.eigh(grain_moments(ms).covariance[rows])[1][:, :, -1]


def axis_angle(ms: Microstructure, *, interior: bool = True) -> Distribution:
    """Angle from x to the longest axis in a plane, radians in [0, pi): axial, so 0 and pi are the same."""
    if ms.grid.ndim != 2:
        raise InvalidParameter("ms", expected="a plane", got=ms.grid)
    axes = long_axes(ms, interior=interior)
    angle = np.arctan2(axes[:, 1], axes[:, 0]) % np.pi
    rows = counted(ms, interior=interior)
    return Distribution(np.where(angle >= np.pi, 0.0, angle), None, "rad", "axis_angle", grain_id=rows + 1)
