"""One axis of a map from the coordinates of its points: first position, step, and the number of each point's column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile

FLOAT32 = 1.2e-7
"""Relative rounding of single precision."""
LARGEST = 1e9
"""µm; a kilometre, so that anything beyond is damage."""
OFF, DIGITS = 0.12, 5e-5
"""A coordinate may lie beside the grid by 0.12 steps and, five significant digits being common, half of the fifth."""


@dataclass(frozen=True)
class Axis:
    """Positions first + index * step."""

    first: float
    step: float | None
    """µm; None when all points share one coordinate."""
    index: np.ndarray
    """int64 [n], from 0."""

    @property
    def count(self) -> int:
        return int(self.index.max()) + 1


def find_axis(path: Path, name: str, values: np.ndarray, *, claimed: float | None) -> Axis:
    """The coarsest axis on which all `values` lie. `claimed`, the header's step, is tried first and not trusted.

    Raises UnreadableFile when there is none.
    """
    if not np.all(np.abs(values) < LARGEST):
        raise UnreadableFile(path, f"the {name} coordinates hold values that are no lengths", remedy="Export it again.")
    said = [claimed, claimed / 2] if claimed is not None and math.isfinite(claimed) and claimed > 0 else []
    distinct, which = np.unique(values, return_inverse=True)
    for noise in _noise(distinct):
        group = np.concatenate([[0], np.cumsum(np.diff(distinct) > noise)])
        places = np.bincount(group, weights=distinct) / np.bincount(group)
        axis = _axis(places, group[which], said)
        if axis is not None:
            return axis
    problem = f"the {name} coordinates lie on no regular grid"
    raise UnreadableFile(path, problem, remedy="Export the map unrotated, with coordinates of enough digits.")


def _noise(distinct: np.ndarray) -> tuple[float, float]:
    """Differences that are none: float32 noise, and if that is not all, a hundredth of the widest gap."""
    return FLOAT32 * max(float(np.abs(distinct).max()), 1e-30), 0.01 * float(np.diff(distinct).max(initial=0))


def _axis(places: np.ndarray, which: np.ndarray, said: list[float]) -> Axis | None:
    if len(places) == 1:
        return Axis(float(places[0]), None, np.zeros(len(which), np.int64))
    gaps = np.diff(places)
    for guess in [*said, float(np.median(gaps)), float(gaps.min())]:
        index = _indices(gaps, guess, off=DIGITS * float(np.abs(places).max()))
        if index is not None:
            step = _rounded(places, index, said)
            digits = 6 - math.floor(math.log10(step))
            return Axis(round(float(np.mean(places - index * step)), digits), step, index[which])
    return None


def _indices(gaps: np.ndarray, guess: float, *, off: float) -> np.ndarray | None:
    """Whole numbers of steps from the first place to each, int64; None when `guess` is not (about) the step."""
    step, beside = guess, 0.0
    places = np.concatenate([[0.0], np.cumsum(gaps)])
    index = np.zeros(len(places), np.int64)
    # Twice: rounding of the coordinates spoils a guess taken from few gaps, not one from all places.
    for _ in range(2):
        jumps = np.rint(gaps / step)
        if jumps.min() < 1 or jumps.sum() > 2**40:
            return None
        jumps = jumps.astype(np.int64)
        index[1:] = np.cumsum(jumps // np.gcd.reduce(jumps))
        step, beside = _line(places, index)
    return index if beside <= min(OFF * step + off, 0.3 * step) else None


def _line(places: np.ndarray, index: np.ndarray) -> tuple[float, float]:
    """Step of the straight line through the places by least squares, and the largest distance from it."""
    number, place = index - index.mean(), places - places.mean()
    step = float(number @ place / (number @ number))
    return step, float(np.abs(place - step * number).max())


def _rounded(places: np.ndarray, index: np.ndarray, said: list[float]) -> float:
    """The step in as few digits as describe the places equally well; the header's when it does."""
    exact, beside = _line(places, index)
    allowed = 2 * (beside + FLOAT32 * float(np.abs(places).max()))
    for step in [*said, *(float(f"{exact:.{digits}g}") for digits in range(1, 8))]:
        if abs(step - exact) * index[-1] <= allowed:
            return step
    return exact
