"""One half of a map against the other: what the scan itself can resolve, and whether there is a gradient across it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from microgen.descriptors.distance import fraction_distance, wasserstein
from microgen.descriptors.distribution import Distribution
from microgen.descriptors.moments import grain_moments
from microgen.descriptors.phases import phase_fraction
from microgen.errors import InvalidParameter
from microgen.microstructure import Microstructure


@dataclass(frozen=True)
class Halves:
    """Distances between the halves of a map; nan where one of them holds no value."""

    left_right: float
    top_bottom: float


def halves(ms: Microstructure, values: Distribution) -> Halves:
    """W1 / mean of all between the grains on both sides of the map's middle, along x and along y, by their centroids.

    `values` is a statistic of `ms` with one value a grain.
    """
    if values.grain_id is None:
        raise InvalidParameter("values", expected="a distribution with a value a grain", got=values.name)
    centroid = grain_moments(ms).centroid[values.grain_id - 1]
    middle = np.asarray(ms.grid.origin) + np.asarray(ms.grid.lengths) / 2

    def between(axis: int) -> float:
        low = centroid[:, axis] < middle[axis]
        if low.all() or not low.any():
            return float("nan")
        return wasserstein(values.take(low), values.take(~low)) / values.mean

    return Halves(left_right=between(0), top_bottom=between(1))


def fraction_halves(ms: Microstructure) -> Halves:
    """Largest difference of a phase's share between the halves of the map."""

    def between(axis: int) -> float:
        cut = (ms.grid.shape[axis] + 1) // 2
        index = np.arange(ms.grid.shape[axis]).reshape([-1 if k == axis else 1 for k in range(ms.grid.ndim)])
        low, high = (replace(ms, phase_id=np.where(part, ms.phase_id, -1)) for part in (index < cut, index >= cut))
        return fraction_distance(phase_fraction(low), phase_fraction(high))

    return Halves(left_right=between(0), top_bottom=between(1))
