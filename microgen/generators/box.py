"""How large the box is: grains, shape, spacing and mean size, of which any three give the fourth."""

from __future__ import annotations

import math
from collections.abc import Sequence

from microgen.errors import InvalidParameter
from microgen.generators.laws import SizeLaw, number, require
from microgen.grid import Grid

GRAINS = 1000
VOXELS_ACROSS = 12  # voxels that the mean grain spans where nothing else is said
CAP = {2: 2048, 3: 160}  # points per axis that are not exceeded without being asked
AGREEMENT = 0.01
UNIT_BALL = {2: math.pi / 4, 3: math.pi / 6}  # measure of the ball of diameter 1


def mean_volume(size_law: SizeLaw, mean: float, ndim: int) -> float:
    """Mean volume of a grain: π/6 E[D³] in µm³, in a plane π/4 E[D²] in µm²."""
    return UNIT_BALL[ndim] * size_law.relative_moment(ndim) * mean**ndim


def implied_mean(size_law: SizeLaw, grains: int, grid: Grid) -> float:
    """Mean diameter, µm, of so many grains that fill the grid's box."""
    measure = math.prod(grid.lengths) / grains
    return (measure / (UNIT_BALL[grid.ndim] * size_law.relative_moment(grid.ndim))) ** (1 / grid.ndim)


def resolve_box(
    grains: int | None,
    shape: Sequence[int] | None,
    spacing: float | Sequence[float] | None,
    mean_size: float | None,
    *,
    size_law: SizeLaw | None = None,
    periodic: Sequence[bool] = (),
    ndim: int = 3,
) -> tuple[Grid, int, float]:
    """Grid, number of grains and mean diameter (µm) from those that are given (None: not given).

    Any three give the fourth: grains · E[V] = the box's volume, with E[V] = π/6 E[D³] (π/4 E[D²] in a plane).
    Of fewer than three: 1000 grains, then cubic voxels of which the mean grain spans 12 (at most 160^3 of them,
    unless the shape, or grains with spacing and size, ask for more), 1 µm each where no length is known.
    The mean returned is exactly the one that fills the grid returned. Raises InvalidParameter when all four are
    given and disagree by more than 1 %, or when there are more grains than voxels.
    """
    law = size_law or SizeLaw()
    ndim = len(shape) if shape is not None else ndim
    mean = mean_size if mean_size is not None else law.resolved_mean
    h = None if spacing is None else _per_axis(spacing, ndim)
    _check(grains, shape, mean, ndim)
    if shape is None:
        count, counts, h = _open_shape(law, grains, mean, h=h, ndim=ndim)
    else:
        count, h = _given_shape(law, grains, mean, shape=shape, h=h)
        counts = tuple(shape)
    grid = Grid(counts, h, periodic=tuple(periodic) or (True,) * ndim)
    implied = implied_mean(law, count, grid)
    if grains is not None and shape is not None and spacing is not None:
        require_agreement(mean, implied, count, grid)
    require_voxels(count, grid)
    return grid, count, implied


def require_agreement(mean: float | None, implied: float, grains: int, grid: Grid) -> None:
    """Raise InvalidParameter when a mean diameter differs by more than 1 % from the one that fills the box."""
    if mean is not None and abs(mean / implied - 1) > AGREEMENT:
        box = " x ".join(f"{length:.6g}" for length in grid.lengths)
        raise InvalidParameter(
            "size.mean",
            expected=f"{implied:.5g} µm: {grains} grains fill a box of {box} µm with it",
            got=mean,
            remedy="Leave out one of grains, shape, spacing and mean size.",
        )


def require_voxels(grains: int, grid: Grid, share: float = 1.0) -> None:
    """Raise InvalidParameter when there are more grains than voxels in the share of the grid that they fill."""
    name, most = "x".join(str(n) for n in grid.shape), int(grid.size * share)
    what = f"at most the {most} voxels of {name}" + (" that they fill" if share < 1 else "")
    require(grains <= most, "grains", what, grains, remedy="Refine the grid.")


def _given_shape(
    law: SizeLaw, grains: int | None, mean: float | None, *, shape: Sequence[int], h: tuple[float, ...] | None
) -> tuple[int, tuple[float, ...]]:
    ndim, points = len(shape), math.prod(shape)
    if h is None:
        count = grains or GRAINS
        one = 1.0 if mean is None else (count * mean_volume(law, mean, ndim) / points) ** (1 / ndim)
        return count, (one,) * ndim
    if grains is None and mean is not None:
        room = points * math.prod(h) / mean_volume(law, mean, ndim)
        require(room >= 0.5, "size.mean", "a box that holds at least one grain of this size", mean)
        return max(1, round(room)), h
    return grains or GRAINS, h


def _open_shape(
    law: SizeLaw, grains: int | None, mean: float | None, *, h: tuple[float, ...] | None, ndim: int
) -> tuple[int, tuple[int, ...], tuple[float, ...]]:
    step = float(math.prod(h) ** (1 / ndim)) if h else 1.0
    size = VOXELS_ACROSS * step if mean is None else mean
    volume, count = mean_volume(law, size, ndim), grains or GRAINS
    if h is None:
        h = (max(size / VOXELS_ACROSS, (count * volume) ** (1 / ndim) / CAP[ndim]),) * ndim
    elif grains is None:
        count = max(1, min(count, int((CAP[ndim] * min(h)) ** ndim / volume)))
    length = (count * volume) ** (1 / ndim)
    return count, tuple(max(1, round(length / step)) for step in h), h


def _per_axis(spacing: float | Sequence[float], ndim: int) -> tuple[float, ...]:
    values = (spacing,) * ndim if isinstance(spacing, (int, float)) else tuple(spacing)
    values = values * ndim if len(values) == 1 else values
    fine = len(values) == ndim and all(number(h) and h > 0 for h in values)
    require(fine, "spacing", f"a positive length in µm, or {ndim} of them", spacing)
    return tuple(float(h) for h in values)


def _check(grains: int | None, shape: Sequence[int] | None, mean: float | None, ndim: int) -> None:
    require(ndim in (2, 3), "shape", "2 or 3 positive integers", shape)
    whole = shape is None or all(number(n) and int(n) == n and n >= 1 for n in shape)
    require(whole, "shape", "2 or 3 positive integers", shape)
    fine = grains is None or (number(grains) and int(grains) == grains and grains >= 1)
    require(fine, "grains", "a positive integer", grains)
    require(mean is None or (number(mean) and mean > 0), "size.mean", "a positive length in µm", mean)
