"""Boundary misorientations of a sample: orientations change places until boundaries are turned as those of the scan.

Orientations are drawn grain by grain, so that neighbours know nothing of each other. Swapping those of two grains of
one phase leaves the texture what it is; swapping among grains of about one size leaves it so by volume, too. Swaps that
bring the distribution of disorientation angles over the boundary area nearer to the measured one, by W1, are kept, all
others undone (Miodownik et al., Acta Mater. 47 (1999) 2661, at temperature zero: warmer ones gain a tenth).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import prange

from microgen.compiled import compiled, inner
from microgen.grid import Grid
from microgen.orientation import symmetry_operators

BINS = 360
WIDTH = math.pi / BINS  # half a degree
MERGED = 0.3  # radians that a boundary costs whose angle is below all wanted ones: a segmentation would not see it
LARGEST = 6000  # grains of a phase of which all pairs are worked out before (72 MB); of more, when they are asked for
PER_CLASS = 25  # grains of one size class, at least
CLASSES = 3  # fewer come nearer to the wanted law, more keep the texture by volume closer; both stay inside the noise
TRIES = 400  # swaps tried for each grain, at most
PATIENCE = 30  # tries for each grain without one that helps, after which it is over


@dataclass(frozen=True, eq=False)
class Contacts:
    """Pairs of grains (rows from 0) that share a boundary, each once."""

    first: np.ndarray
    second: np.ndarray
    area: np.ndarray


def contacts(slabs: Iterable[np.ndarray], grid: Grid) -> Contacts:
    """Touching grains of labels 1..n and the area of the voxel faces between them, across periodic borders too.

    The labels come in slabs along the first axis; a volume in memory is one slab.
    """
    codes: list[list[np.ndarray]] = [[] for _ in grid.shape]
    first = last = None
    for labels in slabs:
        for axis in range(1, grid.ndim):
            here = np.moveaxis(labels, axis, 0)
            codes[axis].append(_faces(here[:-1], here[1:]))
            if grid.periodic[axis] and len(here) > 2:
                codes[axis].append(_faces(here[-1:], here[:1]))
        whole = labels if last is None else np.concatenate([last, labels])
        codes[0].append(_faces(whole[:-1], whole[1:]))
        first, last = labels[:1].copy() if first is None else first, labels[-1:].copy()
    if grid.periodic[0] and grid.shape[0] > 2:
        assert first is not None
        assert last is not None
        codes[0].append(_faces(last, first))
    faces = [_counted(parts) for parts in codes]
    unique = np.unique(np.concatenate([face[0] for face in faces]))
    number = np.zeros((grid.ndim, len(unique)), np.int64)
    for axis, (code, count) in enumerate(faces):
        number[axis, np.searchsorted(unique, code)] = count
    area = _summed(number, np.array([grid.cell_measure / step for step in grid.spacing]))
    return Contacts((unique >> 32) - 1, (unique & 0xFFFFFFFF) - 1, area)


def _faces(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """int64 [2, m]: pairs of labels that differ, as codes, and how often each occurs."""
    apart = (a != b) & (a > 0) & (b > 0)  # void is no grain
    low, high = np.minimum(a[apart], b[apart]), np.maximum(a[apart], b[apart])
    return np.stack(np.unique(low.astype(np.int64) << 32 | high, return_counts=True))


def _counted(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    codes, counts = np.concatenate(parts, axis=1)
    unique, place = np.unique(codes, return_inverse=True)
    return unique, np.bincount(place, counts, len(unique)).astype(np.int64)


@compiled
def _summed(number, face):  # pragma: no cover - compiled
    """Areas face by face: the sum does not depend on how the volume was cut, to the last bit."""
    out = np.zeros(number.shape[1])
    for k in range(len(out)):
        for axis in range(len(face)):
            for _ in range(number[axis, k]):
                out[k] += face[axis]
    return out


def arranged(
    orientation: np.ndarray,
    touching: Contacts,
    volumes: np.ndarray,
    laue_group: str,
    wanted: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float, float]:
    """Orientations [n, 4] of one phase's grains in another order, and how far from the wanted law before and after.

    `touching` names pairs among these grains, `wanted` are quantiles of the disorientation angle, radians, at the
    probabilities (k + 1/2)/n. The distance is W1, radians, plus MERGED for boundaries below all wanted angles.
    """
    n = len(orientation)
    if n < 2 or len(touching.area) == 0:
        return orientation.copy(), math.nan, math.nan
    start, other, weight = _neighbours(touching, n)
    goal = _cumulative(wanted)
    classes = size_classes(volumes)
    seed = int(rng.integers(2**31))
    operators = symmetry_operators(laue_group)
    bins = _all_bins(orientation, operators) if n <= LARGEST else np.empty((0, 0), np.uint16)
    turns = (np.ascontiguousarray(orientation), operators, bins)
    order, before, after = _swapped(turns, start, other, weight / touching.area.sum(), classes, goal, seed)
    return orientation[order], before, after


def turned(
    orientation: np.ndarray,
    phase_id: np.ndarray,
    volumes: np.ndarray,
    slabs: Iterable[np.ndarray],
    grid: Grid,
    laws: Sequence[tuple[str, Sequence[float]]],
    rng: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """Orientations [n, 4] of all grains in another order within each phase, and the W1 that is left, radians.

    `laws` gives Laue group and wanted quantiles of each phase; phases without quantiles stay as they are. What is left
    is the largest of the phases, nan where none has a law.
    """
    out, left = orientation.copy(), math.nan
    if not any(len(quantiles) for _, quantiles in laws):
        return out, left
    touching = contacts(slabs, grid)
    for number, (group, quantiles) in enumerate(laws):
        mine = np.flatnonzero(phase_id == number)
        row = np.full(len(orientation), -1)
        row[mine] = np.arange(len(mine))
        first, second = row[touching.first], row[touching.second]
        both = (first >= 0) & (second >= 0)
        if not len(quantiles) or not both.any():
            continue
        pairs = Contacts(first[both], second[both], touching.area[both])
        out[mine], _, after = arranged(out[mine], pairs, volumes[mine], group, np.asarray(quantiles), rng)
        left = after if math.isnan(left) else max(left, after)
    return out, left


def size_classes(volumes: np.ndarray) -> np.ndarray:
    """int [classes + 1, ...]: rows of the grains of each size class, padded with -1."""
    n = len(volumes)
    count = int(np.clip(n // PER_CLASS, 1, CLASSES))
    parts = np.array_split(np.argsort(volumes, kind="stable"), count)
    out = np.full((count, max(map(len, parts))), -1, np.int64)
    for row, part in zip(out, parts):
        row[: len(part)] = part
    return out


def _neighbours(touching: Contacts, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boundaries of each grain one after the other: where those of each begin, the other grain, the area."""
    mine = np.concatenate([touching.first, touching.second])
    other = np.concatenate([touching.second, touching.first])
    order = np.argsort(mine, kind="stable")
    start = np.searchsorted(mine[order], np.arange(n + 1))
    return start, other[order], np.tile(touching.area, 2)[order]


def _cumulative(wanted: np.ndarray) -> np.ndarray:
    """Share of the law up to the end of each bin: float64 [BINS]."""
    quantiles = np.sort(np.asarray(wanted, float))
    probability = (np.arange(len(quantiles)) + 0.5) / len(quantiles)
    ends = WIDTH * np.arange(1, BINS + 1)
    return np.interp(ends, quantiles, probability, left=0.0, right=1.0)


@inner
def _bin(a, b, operators):  # pragma: no cover - compiled
    """Bin of the disorientation angle of two unit quaternions: 2 acos of the largest |scalar| of S a b*."""
    w = a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]
    x = -a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2]
    y = -a[0] * b[2] + a[2] * b[0] + a[3] * b[1] - a[1] * b[3]
    z = -a[0] * b[3] + a[3] * b[0] + a[1] * b[2] - a[2] * b[1]
    best = 0.0
    for k in range(len(operators)):
        s = operators[k]
        best = max(best, abs(s[0] * w - s[1] * x - s[2] * y - s[3] * z))
    return min(int(2 * math.acos(min(best, 1.0)) / WIDTH), BINS - 1)


@compiled(parallel=True)
def _all_bins(orientation, operators):  # pragma: no cover - compiled
    """Bin of every pair: uint16 [n, n]."""
    n = len(orientation)
    out = np.empty((n, n), np.uint16)
    for i in prange(n):
        for j in range(n):
            out[i, j] = _bin(orientation[i], orientation[j], operators)
    return out


@inner
def _cost(histogram, goal):  # pragma: no cover - compiled
    """W1, radians, and what boundaries below all wanted angles cost."""
    total, filled = 0.0, 0.0
    for k in range(BINS):
        filled += histogram[k]
        total += abs(filled - goal[k])
        if goal[k] <= 0.0:
            total += histogram[k] * MERGED / WIDTH
    return total * WIDTH


@inner
def _shift(histogram, order, i, j, data, turns, sign):  # pragma: no cover - compiled
    """Add (sign 1) or take away the boundaries of grain i, but for that to j."""
    start, other, weight = data
    orientation, operators, bins = turns
    for k in range(start[i], start[i + 1]):
        if other[k] != j:
            a, b = order[i], order[other[k]]
            place = np.int64(bins[a, b]) if len(bins) else _bin(orientation[a], orientation[b], operators)
            histogram[place] += sign * weight[k]


@compiled
def _swapped(turns, start, other, weight, classes, goal, seed):  # pragma: no cover - compiled
    np.random.seed(seed)  # noqa: NPY002 - Numba's own generator, of this thread
    n = len(turns[0])
    order = np.arange(n)
    data = (start, other, weight)
    histogram = np.zeros(BINS)
    for i in range(n):
        _shift(histogram, order, i, -1, data, turns, 0.5)
    before = _cost(histogram, goal)
    now, idle = before, 0
    trial = histogram.copy()
    for _ in range(TRIES * n):
        c = np.random.randint(len(classes))  # noqa: NPY002
        size = np.sum(classes[c] >= 0)
        i, j = classes[c, np.random.randint(size)], classes[c, np.random.randint(size)]  # noqa: NPY002
        if i == j:
            continue
        trial[:] = histogram
        _shift(trial, order, i, j, data, turns, -1.0)
        _shift(trial, order, j, i, data, turns, -1.0)
        order[i], order[j] = order[j], order[i]
        _shift(trial, order, i, j, data, turns, 1.0)
        _shift(trial, order, j, i, data, turns, 1.0)
        cost = _cost(trial, goal)
        if cost < now - 1e-12:
            now, idle = cost, 0
            histogram[:] = trial
        else:
            order[i], order[j] = order[j], order[i]
            idle += 1
            if idle > PATIENCE * n:
                break
    return order, before, now
