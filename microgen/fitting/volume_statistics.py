"""The statistics a solid is compared by: measured in blocks of one size, pooled over them, with the blocks' own noise.

Target and sample are cut into blocks of the same size and voxels: what a border does to a statistic it does to both.
The noise floor is a bootstrap over the blocks of the target: voxels side by side are not independent, blocks nearly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from microgen.descriptors.correlation import two_point_correlation
from microgen.descriptors.curvature import curvature_diagram
from microgen.descriptors.curve import Curve
from microgen.descriptors.distance import wasserstein
from microgen.descriptors.distribution import Distribution
from microgen.descriptors.euler import euler_contribution
from microgen.descriptors.lineal_path import solid_chord_length
from microgen.descriptors.solid import Side, solid, volume_fraction, voxel_grid
from microgen.descriptors.structure_model_index import structure_model_index
from microgen.descriptors.surface import specific_surface
from microgen.descriptors.thickness import separation, thickness
from microgen.fitting.statistics import Maps
from microgen.microstructure import Microstructure

KNOTS = 512  # values that stand for a distribution of a block
RESAMPLES = 200


def block_floor(
    parts: Sequence, count: int, distance: Callable[[Sequence, Sequence], float], rng: np.random.Generator
) -> tuple[float, float]:
    """Median and 95th percentile of the distance between all blocks and `count` blocks of one material; nan for one.

    Both are drawn with replacement from the blocks `parts` [n]: a block bootstrap (Künsch, Ann. Stat. 17 (1989) 1217).
    n blocks spread less about their own mean than about the material's, by sqrt(1 - 1/n), which is made good.
    """
    n = len(parts)
    if n < 2 or count < 1:
        return math.nan, math.nan
    draws = [(rng.integers(0, n, n), rng.integers(0, n, count)) for _ in range(RESAMPLES)]
    found = np.array([distance([parts[k] for k in a], [parts[k] for k in b]) for a, b in draws])
    found = found[np.isfinite(found)]
    if not len(found):
        return math.nan, math.nan
    return tuple(float(q) / math.sqrt(1 - 1 / n) for q in np.quantile(found, (0.5, 0.95)))  # type: ignore[return-value]


@dataclass(frozen=True)
class Lengths:
    """A distribution in each block, pooled with its weights; W1 over the target's mean (or root mean square)."""

    function: Callable[[Microstructure], Distribution]
    unit: str
    in_objective: bool
    signed: bool = False
    """Values of both signs, whose mean is no scale: the root mean square is."""

    def measure(self, maps: Maps) -> list[Distribution]:
        return [condensed(self.function(ms)) for ms in maps]

    def count(self, sample: Sequence[Distribution]) -> int:
        return sum(len(part) > 0 for part in sample)

    def value(self, sample: Sequence[Distribution]) -> float:
        return together(sample).mean

    def shown(self, sample: Sequence[Distribution]) -> Distribution | None:
        return together(sample)

    def distance(self, target: Sequence[Distribution], achieved: Sequence[Distribution]) -> float:
        a, b = together(target), together(achieved)
        if not len(a) or not len(b):
            return math.nan
        scale = math.hypot(a.mean, a.sd) if self.signed else a.mean
        return wasserstein(a, b) / scale if scale > 0 else math.nan

    def floor(self, target: Sequence[Distribution], count: int, rng: np.random.Generator) -> tuple[float, float]:
        return block_floor(target, count, self.distance, rng)


@dataclass(frozen=True)
class Mean:
    """A number in each block, compared by the absolute difference of the means."""

    function: Callable[[Microstructure], float]
    unit: str
    in_objective: bool

    def measure(self, maps: Maps) -> list[float]:
        return [float(self.function(ms)) for ms in maps]

    def count(self, sample: Sequence[float]) -> int:
        return int(np.isfinite(sample).sum())

    def value(self, sample: Sequence[float]) -> float:
        return float(np.nanmean(sample)) if self.count(sample) else math.nan

    def shown(self, sample: Sequence[float]) -> Distribution | None:
        return None

    def distance(self, target: Sequence[float], achieved: Sequence[float]) -> float:
        return abs(self.value(target) - self.value(achieved))

    def floor(self, target: Sequence[float], count: int, rng: np.random.Generator) -> tuple[float, float]:
        return block_floor(target, count, self.distance, rng)


@dataclass(frozen=True)
class Curves:
    """A curve in each block, averaged; the largest difference anywhere. Blocks of one size have the same abscissae."""

    function: Callable[[Microstructure], Curve]
    unit: str
    in_objective: bool

    def measure(self, maps: Maps) -> list[Curve]:
        return [self.function(ms) for ms in maps]

    def count(self, sample: Sequence[Curve]) -> int:
        return len(sample)

    def value(self, sample: Sequence[Curve]) -> float:
        """The length at which the mean curve has fallen half way to its last value."""
        x, y = sample[0].x, self._mean(sample)
        half = (y[0] + y[-1]) / 2
        below = np.flatnonzero(y <= half)
        k = int(below[0]) if len(below) else 0
        if k == 0 or y[k - 1] == y[k]:
            return math.nan
        return float(x[k - 1] + (x[k] - x[k - 1]) * (y[k - 1] - half) / (y[k - 1] - y[k]))

    def shown(self, sample: Sequence[Curve]) -> Distribution | None:
        return None

    def distance(self, target: Sequence[Curve], achieved: Sequence[Curve]) -> float:
        a, b = self._mean(target), self._mean(achieved)
        # Sizes of the voxels that differ by rounding shift the abscissae by nothing that counts.
        return float(np.abs(a - np.interp(target[0].x, achieved[0].x, b)).max())

    def floor(self, target: Sequence[Curve], count: int, rng: np.random.Generator) -> tuple[float, float]:
        return block_floor(target, count, self.distance, rng)

    @staticmethod
    def _mean(sample: Sequence[Curve]) -> np.ndarray:
        return np.mean([curve.y for curve in sample], axis=0)


def solid_kinds() -> dict[str, Lengths | Mean | Curves]:
    """All statistics of a solid, by name; the last ones are held out of every fit."""
    return {
        "volume_fraction": Mean(volume_fraction, "", True),
        "two_point_correlation": Curves(two_point_correlation, "µm", True),
        "chord_length": Lengths(_chords, "µm", True),
        "thickness": Lengths(thickness, "µm", True),
        "kappa_1": Lengths(_Curvature("kappa_1"), "1/mm", True, signed=True),
        "kappa_2": Lengths(_Curvature("kappa_2"), "1/mm", True, signed=True),
        "euler_density": Mean(_euler_density, "1/mm³", True),
        "separation": Lengths(separation, "µm", False),
        "void_chord_length": Lengths(_void_chords, "µm", False),
        "specific_surface": Mean(_surface, "1/mm", False),
        "structure_model_index": Mean(structure_model_index, "", False),
        "chord_anisotropy": Mean(_anisotropy, "", False),
    }


def together(parts: Sequence[Distribution]) -> Distribution:
    """One distribution of the values of all blocks, with their weights."""
    values, weights = ([getattr(p, name) for p in parts] for name in ("values", "weights"))
    return Distribution(np.concatenate(values), np.concatenate(weights), parts[0].unit, parts[0].name)


def condensed(d: Distribution) -> Distribution:
    """At most KNOTS values: the means of as many parts of equal weight, in order; the total weight is kept."""
    if len(d) <= KNOTS or not d.weights.sum() > 0:  # type: ignore[union-attr]
        return d
    order = np.argsort(d.values, kind="stable")
    values, weights = d.values[order], d.weights[order]  # type: ignore[index]
    ends = np.cumsum(weights)
    area = np.concatenate([[0.0], np.cumsum(values * weights)])
    edges = np.linspace(0, ends[-1], KNOTS + 1)
    parts = np.diff(np.interp(edges, np.concatenate([[0.0], ends]), area)) / np.diff(edges)
    return Distribution(parts, np.full(KNOTS, ends[-1] / KNOTS), d.unit, d.name)


def smoothed(ms: Microstructure) -> Microstructure:
    """With the voxels blurred by a Gaussian of one voxel as level set: voxels alone have no curvature.

    Samples go the same way, though they have a level set of their own: what the blur rounds off it rounds off in both.
    """
    grid = voxel_grid(ms)
    sigma = [min(grid.spacing) / h for h in grid.spacing]
    blurred = gaussian_filter(solid(ms).astype(np.float32), sigma, mode="nearest")
    return replace(ms, level_set=2 * blurred - 1)


@dataclass(frozen=True)
class _Curvature:
    """A class, as workers are sent the kinds and lambdas cannot be."""

    name: str

    def __call__(self, ms: Microstructure) -> Distribution:
        found = curvature_diagram(smoothed(ms)).distribution(self.name)
        return Distribution(1e3 * found.values, found.weights, "1/mm", found.name)


def _pooled_chords(ms: Microstructure, of: Side) -> list[Distribution]:
    return [solid_chord_length(ms, axis=axis, of=of) for axis in range(ms.grid.ndim)]


def _chords(ms: Microstructure) -> Distribution:
    return together(_pooled_chords(ms, "solid"))


def _void_chords(ms: Microstructure) -> Distribution:
    return together(_pooled_chords(ms, "void"))


def _anisotropy(ms: Microstructure) -> float:
    """Longest over shortest mean chord of the axes, of the solid."""
    means = [part.mean for part in _pooled_chords(ms, "solid") if len(part)]
    return max(means) / min(means) if means else math.nan


def _euler_density(ms: Microstructure) -> float:
    """What the block adds to the Euler number of the whole, per mm³."""
    return 1e9 * euler_contribution(ms) / float(np.prod(ms.grid.lengths))


def _surface(ms: Microstructure) -> float:
    return 1e3 * specific_surface(ms)
