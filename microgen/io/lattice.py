"""One axis of a map from the coordinates of its points: first position, step, and the number of each point's column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from microgen.errors import UnreadableFile

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
    places, which = _places(values)
    if len(places) == 1:
        return Axis(float(places[0]), None, np.zeros(len(values), np.int64))
    gaps = np.diff(places)
    candidates = [float(np.median(gaps)), float(gaps.min())]
    if claimed is not None and math.isfinite(claimed) and claimed > 0:
        candidates = [claimed, claimed / 2, *candidates]
    for guess in candidates:
        index = _indices(gaps, guess, off=DIGITS * float(np.abs(places).max()))
        if index is None:
            continue
        step = _rounded(places, index, claimed)
        return Axis(round(float(np.mean(places - index * step)), 9), step, index[which])
    problem = f"the {name} coordinates lie on no regular grid"
    raise UnreadableFile(path, problem, remedy="Export the map unrotated, with coordinates of enough digits.")


def _places(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct coordinates in rising order, and which of them each value is; float32 noise is no difference."""
    distinct, which = np.unique(values, return_inverse=True)
    noise = 4e-7 * max(float(np.abs(distinct).max()), 1e-30)
    group = np.concatenate([[0], np.cumsum(np.diff(distinct) > noise)])
    sums = np.bincount(group, weights=distinct)
    return sums / np.bincount(group), group[which]


def _indices(gaps: np.ndarray, guess: float, *, off: float) -> np.ndarray | None:
    """Whole numbers of steps from the first place to each, int64; None when `guess` is not (about) the step."""
    step = guess
    index = np.zeros(len(gaps) + 1, np.int64)
    # Twice: rounding of the coordinates spoils a guess taken from few gaps, not one from the whole span.
    for _ in range(2):
        jumps = np.rint(gaps / step)
        if jumps.min() < 1 or jumps.sum() > 2**40:
            return None
        jumps = jumps.astype(np.int64)
        index[1:] = np.cumsum(jumps // np.gcd.reduce(jumps))
        step = float(gaps.sum() / index[-1])
    places = np.concatenate([[0.0], np.cumsum(gaps)])
    allowed = min(OFF * step + off, 0.3 * step)
    return index if np.abs(places - index * step).max() <= allowed else None


def _rounded(places: np.ndarray, index: np.ndarray, claimed: float | None) -> float:
    """The step in as few digits as describe the places equally well; the header's when it does."""
    exact = float((places[-1] - places[0]) / index[-1])
    rounded = [float(f"{exact:.{digits}g}") for digits in range(1, 8)]
    said = [claimed, claimed / 2] if claimed else []
    for step in [*said, *rounded]:
        if abs(step - exact) * index[-1] <= 0.001 * exact:
            return step
    return exact
