"""The statistics a sample is compared by: how each is measured on segmented maps, its distance, its noise floor.

Several maps (the sections of a sample) are pooled. Phases are indices into the scan's own list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from microgen.core.wasserstein import sinkhorn_divergence
from microgen.descriptors.boundaries import boundary_misorientation, neighbours
from microgen.descriptors.distance import (
    fabric_floor,
    fabric_mmd,
    fraction_floor,
    noise_floor,
    relative_wasserstein,
    texture_floor,
    texture_mmd,
    wasserstein,
)
from microgen.descriptors.distribution import Distribution
from microgen.descriptors.grain_cloud import BLUR, grain_cloud
from microgen.descriptors.grains import (
    aspect_ratio,
    axis_angle,
    equivalent_diameter,
    grain_measure,
    interior_grains,
    long_axes,
)
from microgen.descriptors.texture import mean_orientations, texture_index
from microgen.fitting.views import resultant
from microgen.microstructure import Microstructure, Phase

MOST = 2000  # rows of a kernel matrix; of more values, evenly many are taken
MOST_POINTS, CLOUD_RESAMPLES = 400, 60  # of a divergence, which has to be found again for each resample

Maps = Sequence[Microstructure]


@dataclass(frozen=True, eq=False)
class Statistic:
    """One statistic of the scan (target) and of sections of a sample (achieved)."""

    target: float
    """Mean, share or index, in `unit`; nan where there is none."""
    achieved: float
    distance: float
    """W1 over the target's mean; absolute difference of shares; kernel discrepancy of textures and axes."""
    noise_floor: float
    """Median distance of two samples of the scan's own law, with the counts compared here."""
    noise_floor_p95: float
    """95th percentile of that distance: a smaller one is no evidence of a difference."""
    in_objective: bool
    """False: held out, the fit never looked at it."""
    unit: str
    target_values: Distribution | None = None
    achieved_values: Distribution | None = None

    @property
    def inside(self) -> bool:
        """Is the distance within the noise of the scan?"""
        return self.distance <= self.noise_floor_p95


class Kind(Protocol):
    """One kind of statistic. What `measure` returns is opaque to all but its own other methods."""

    @property
    def in_objective(self) -> bool: ...
    @property
    def unit(self) -> str: ...
    def measure(self, maps: Maps) -> Any: ...
    def count(self, sample: Any) -> int: ...
    def value(self, sample: Any) -> float: ...
    def shown(self, sample: Any) -> Distribution | None: ...
    def distance(self, target: Any, achieved: Any) -> float: ...
    def floor(self, target: Any, count: int, rng: np.random.Generator) -> tuple[float, float]: ...


def pooled(parts: Sequence[Distribution]) -> Distribution:
    """One distribution of the values of several maps."""
    if len(parts) == 1:
        return parts[0]
    values, weights = ([getattr(p, name) for p in parts] for name in ("values", "weights"))
    return replace(parts[0], values=np.concatenate(values), weights=np.concatenate(weights), grain_id=None)


@dataclass(frozen=True)
class Values:
    """A number for each grain (or boundary), compared by W1 over the target's mean."""

    function: Callable[[Microstructure], Distribution]
    unit: str
    in_objective: bool

    def measure(self, maps: Maps) -> Distribution:
        return pooled([self.function(ms) for ms in maps])

    def count(self, sample: Distribution) -> int:
        return len(sample)

    def value(self, sample: Distribution) -> float:
        return sample.mean

    def shown(self, sample: Distribution) -> Distribution | None:
        return sample

    def distance(self, target: Distribution, achieved: Distribution) -> float:
        return relative_wasserstein(target, achieved)

    def floor(self, target: Distribution, count: int, rng: np.random.Generator) -> tuple[float, float]:
        # Resamples are divided by the scan's mean, as the distance is: not each by its own.
        drawn = replace(target, values=target.values / target.mean)
        return noise_floor(drawn, len(target), count, distance=wasserstein, rng=rng)


@dataclass(frozen=True)
class Axes:
    """Directions of the long axes in the plane, compared by their kernel discrepancy; the value is their mean axis."""

    unit: str = "rad"
    in_objective: bool = True

    def measure(self, maps: Maps) -> tuple[np.ndarray, Distribution]:
        return np.concatenate([long_axes(ms) for ms in maps]), pooled([axis_angle(ms) for ms in maps])

    def count(self, sample: tuple[np.ndarray, Distribution]) -> int:
        return len(sample[0])

    def value(self, sample: tuple[np.ndarray, Distribution]) -> float:
        return float(np.angle(resultant(sample[1])) / 2 % math.pi)

    def shown(self, sample: tuple[np.ndarray, Distribution]) -> Distribution | None:
        return sample[1]

    def distance(self, target: tuple, achieved: tuple) -> float:
        return fabric_mmd(thinned(target[0]), thinned(achieved[0]))

    def floor(self, target: tuple, count: int, rng: np.random.Generator) -> tuple[float, float]:
        axes = thinned(target[0])
        return fabric_floor(axes, len(axes), min(count, MOST), rng=rng)


@dataclass(frozen=True)
class Fraction:
    """Area share of one phase, compared by the absolute difference; grains are what is resampled."""

    phase: int
    unit: str = ""
    in_objective: bool = True

    def measure(self, maps: Maps) -> tuple[np.ndarray, np.ndarray]:
        areas = [grain_measure(ms) for ms in maps]
        mine = [_grain_phases(ms) == self.phase for ms in maps]
        return np.concatenate(areas), np.concatenate(mine)

    def count(self, sample: tuple[np.ndarray, np.ndarray]) -> int:
        return len(sample[0])

    def value(self, sample: tuple[np.ndarray, np.ndarray]) -> float:
        areas, mine = sample
        return float(areas[mine].sum() / areas.sum())

    def shown(self, sample: tuple[np.ndarray, np.ndarray]) -> Distribution | None:
        return None

    def distance(self, target: tuple, achieved: tuple) -> float:
        return abs(self.value(target) - self.value(achieved))

    def floor(self, target: tuple, count: int, rng: np.random.Generator) -> tuple[float, float]:
        return fraction_floor(target[0], target[1].astype(int), len(target[0]), count, rng=rng)


@dataclass(frozen=True)
class TextureOf:
    """Orientations of one phase's grains, weighted by area; the value is the texture index."""

    phase: int
    laue_group: str
    unit: str = ""
    in_objective: bool = True

    def measure(self, maps: Maps) -> tuple[np.ndarray, np.ndarray]:
        """Orientations [n, 4], each once however many sections cut its grain, and areas [n]."""
        parts = [mean_orientations(ms, self.phase) for ms in maps]
        q, areas = (np.concatenate(list(column)) for column in zip(*parts))
        if len(maps) == 1:
            return q, areas
        _, first, place = np.unique(np.round(q, 6), axis=0, return_index=True, return_inverse=True)
        return q[first], np.bincount(place.ravel(), areas, len(first))

    def count(self, sample: tuple[np.ndarray, np.ndarray]) -> int:
        return len(sample[0])

    def value(self, sample: tuple[np.ndarray, np.ndarray]) -> float:
        q, weights = (thinned(x) for x in sample)
        return texture_index(q, self.laue_group, weights=weights) if len(q) > 1 else math.nan

    def shown(self, sample: tuple[np.ndarray, np.ndarray]) -> Distribution | None:
        return None

    def distance(self, target: tuple, achieved: tuple) -> float:
        if len(target[0]) == 0 or len(achieved[0]) == 0:
            return math.nan
        (q, w), (q_other, w_other) = ((thinned(x), thinned(y)) for x, y in (target, achieved))
        return texture_mmd(q, q_other, self.laue_group, weights_a=w, weights_b=w_other)

    def floor(self, target: tuple, count: int, rng: np.random.Generator) -> tuple[float, float]:
        q, weights = (thinned(x) for x in target)
        if len(q) == 0 or count == 0:
            return math.nan, math.nan
        return texture_floor(q, len(q), min(count, MOST), laue_group=self.laue_group, rng=rng, weights=weights)


@dataclass(frozen=True)
class SizeAndShape:
    """Grains as points in size and shape (`descriptors.grain_cloud`), compared by their debiased Sinkhorn divergence.

    Unlike laws of diameters and aspect ratios side by side it tells, for one, large grains that are long from small
    ones that are. The value is the spread: rms distance of a grain from the mean of all, in factors e of an axis.
    """

    unit: str = ""
    in_objective: bool = False

    def measure(self, maps: Maps) -> np.ndarray:
        parts = [grain_cloud(ms, interior=True).size_and_shape for ms in maps if interior_grains(ms).any()]
        return np.concatenate(parts) if parts else np.empty((0, 4))

    def count(self, sample: np.ndarray) -> int:
        return len(sample)

    def value(self, sample: np.ndarray) -> float:
        return float(np.sqrt(sample.var(axis=0).sum()))

    def shown(self, sample: np.ndarray) -> Distribution | None:
        return None

    def distance(self, target: np.ndarray, achieved: np.ndarray) -> float:
        x, y = (thinned(each, MOST_POINTS) for each in (target, achieved))
        # A distance that is some per cent off is better than none: the noise of so few grains is far larger.
        return sinkhorn_divergence(x, y, blur=BLUR, throw=False).distance

    def floor(self, target: np.ndarray, count: int, rng: np.random.Generator) -> tuple[float, float]:
        n = min(len(target), MOST_POINTS)
        return noise_floor(
            target, n, min(count, MOST_POINTS), distance=self.distance, rng=rng, resamples=CLOUD_RESAMPLES
        )


def kinds(
    phases: Sequence[Phase], present: Sequence[int], names: Sequence[str], *, neighbours_known: bool = True
) -> dict[str, Kind]:
    """All statistics of a scan with these phases, of which those numbered `present` occur, under these names."""
    each: dict[str, Kind] = {
        "equivalent_diameter": Values(equivalent_diameter, "µm", True),
        "aspect_ratio": Values(aspect_ratio, "", True),
        "axis_angle": Axes(),
    }
    each |= {f"phase_fraction.{name}": Fraction(p) for p, name in zip(present, names)}
    each |= {f"texture.{name}": TextureOf(p, phases[p].laue_group) for p, name in zip(present, names)}
    alone = len(present) == 1
    if not alone:
        each |= {
            f"boundary_misorientation.{name}": Values(_Between(p), "rad", neighbours_known)
            for p, name in zip(present, names)
        }
    return each | {
        "size_and_shape": SizeAndShape(),
        "neighbours": Values(neighbours, "", False),
        "equivalent_diameter_area_weighted": Values(_by_area, "µm", False),
        # Of several phases pooled it tells more of which phases cluster than of misorientations.
        "boundary_misorientation": Values(boundary_misorientation, "rad", alone and neighbours_known),
    }


@dataclass(frozen=True)
class _Between:
    """Boundary misorientation within one phase; a class, as workers are sent it."""

    phase: int

    def __call__(self, ms: Microstructure) -> Distribution:
        return boundary_misorientation(ms, phase_id=self.phase)


def thinned(rows: np.ndarray, most: int = MOST) -> np.ndarray:
    """At most so many of the rows, evenly spaced."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def _by_area(ms: Microstructure) -> Distribution:
    return equivalent_diameter(ms, weighting="measure")


def _grain_phases(ms: Microstructure) -> np.ndarray:
    assert ms.grains is not None  # maps are segmented
    return ms.grains.phase_id
