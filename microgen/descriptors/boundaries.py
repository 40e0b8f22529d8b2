"""Who borders whom: boundaries between grains, neighbours, misorientation across boundaries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.descriptors.grains import counted
from microgen.descriptors.moments import grain_ids
from microgen.errors import InvalidParameter
from microgen.grid import HexGrid
from microgen.microstructure import Microstructure
from microgen.orientation import grain_means, misorientation_angle


@dataclass(frozen=True, eq=False)
class Boundaries:
    """All pairs of grains that touch, each once."""

    first: np.ndarray
    """int [m]: smaller grain_id of each pair."""
    second: np.ndarray
    """int [m]: larger grain_id."""
    measure: np.ndarray
    """float64 [m]: length of the pixels' edges between them, µm (area of the voxels' faces, µm²)."""


def boundaries(ms: Microstructure) -> Boundaries:
    """Pairs of touching grains.

    Lengths follow the pixels' edges, so straight boundaries come out too long: 1 to sqrt(2) times on a square map (4/pi
    on average), 2/sqrt(3) to 4/3 times on a hexagonal one. As weights that mostly cancels.
    """
    _, n = grain_ids(ms)
    codes, sizes = [np.zeros(0, np.int64)], [np.zeros(0)]
    for a, b, size in _faces(ms):
        between = (a != b) & (a > 0) & (b > 0)
        low, high = np.minimum(a[between], b[between]), np.maximum(a[between], b[between])
        codes.append(low.astype(np.int64) * (n + 1) + high)
        sizes.append(np.full(len(low), size))
    pairs, place = np.unique(np.concatenate(codes), return_inverse=True)
    measure = np.bincount(place, np.concatenate(sizes), len(pairs))
    return Boundaries(pairs // (n + 1), pairs % (n + 1), measure)


def _faces(ms: Microstructure) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Grains on both sides of all faces between neighbouring points, and the size of these faces."""
    ids, grid = ms.grain_id, ms.grid
    assert ids is not None  # callers ask grain_ids first
    if isinstance(grid, HexGrid):
        i, j = grid.neighbour_pairs()
        yield ids.ravel()[i], ids.ravel()[j], grid.step / math.sqrt(3)
        return
    for axis, h in enumerate(grid.spacing):
        here = np.moveaxis(ids, axis, 0)
        # Two layers across a periodic axis meet once, as in Grid.neighbour_pairs.
        wraps = grid.periodic[axis] and grid.shape[axis] > 2
        there = np.roll(here, -1, 0) if wraps else here[1:]
        yield here[: len(there)].ravel(), there.ravel(), grid.cell_measure / h


def neighbours(ms: Microstructure, *, interior: bool = True) -> Distribution:
    """Number of grains that each grain shares a pixel edge (voxel face) with."""
    _, n = grain_ids(ms)
    pairs = boundaries(ms)
    number = np.bincount(np.concatenate([pairs.first, pairs.second]), minlength=n + 1)[1:]
    rows = counted(ms, interior=interior)
    return Distribution(number[rows], None, "", "neighbours", grain_id=rows + 1)


def boundary_misorientation(ms: Microstructure, *, phase_id: int | None = None) -> Distribution:
    """Disorientation angle between the mean orientations of touching grains of one phase, radians, weighted by length.

    Grain means, so that scans and samples (one orientation a grain) are treated alike; boundaries between phases are
    left out, and those of all other phases where one is named. Areas of faces weigh in a volume.
    """
    pairs = boundaries(ms)
    phase, q = _of_grains(ms)
    i, j = pairs.first - 1, pairs.second - 1
    angles, weights = [np.zeros(0)], [np.zeros(0)]
    for number in np.unique(phase[phase >= 0]) if phase_id is None else [phase_id]:
        both = (phase[i] == number) & (phase[j] == number)
        angles.append(misorientation_angle(q[i[both]], q[j[both]], ms.phases[number].laue_group))
        weights.append(pairs.measure[both])
    return Distribution(np.concatenate(angles), np.concatenate(weights), "rad", "boundary_misorientation")


def _of_grains(ms: Microstructure) -> tuple[np.ndarray, np.ndarray]:
    """Phase [n] and mean orientation [n, 4] of each grain, of its points where there is no table of grains."""
    if ms.grains is not None:
        return ms.grains.phase_id, ms.grains.orientation
    if ms.orientation is None or not ms.phases:
        raise InvalidParameter("ms", expected="a microstructure with a table of grains, or orientations", got=None)
    ids, n = grain_ids(ms)
    phase = np.full(n + 1, -1)
    of_point = ms.phase_id.ravel()
    named = (of_point >= 0) & (of_point < len(ms.phases))
    phase[ids[named]] = of_point[named]
    groups = [one.laue_group for one in ms.phases]
    return phase[1:], grain_means(ms.orientation, ids, np.maximum(phase[1:], 0), groups)
