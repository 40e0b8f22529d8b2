"""The laws a polycrystal is drawn from: frozen parameters, checked when made, with their draws. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import ndtri

from microgen.errors import InvalidParameter

LAUE_GROUPS = ("-1", "2/m", "mmm", "-3", "-3m", "4/m", "4/mmm", "6/m", "6/mmm", "m-3", "m-3m")


def require(condition: bool, name: str, expected: str, got: Any, *, remedy: str = "") -> None:
    """Raise InvalidParameter unless the condition holds."""
    if not condition:
        raise InvalidParameter(name, expected=expected, got=got, remedy=remedy)


def number(value: Any) -> bool:
    """Is it one finite real number?"""
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value)


def strata(n: int, rng: np.random.Generator) -> np.ndarray:
    """n probabilities, one in each of n equal parts of (0, 1), shuffled: draws follow a law closely even at small n."""
    u = (rng.permutation(n) + rng.random(n)) / n
    return np.clip(u, 1e-12, 1 - 1e-12)


@dataclass(frozen=True)
class SizeLaw:
    """Number law of the equivalent-sphere diameter D (equivalent-circle diameter in a plane), µm."""

    kind: Literal["lognormal", "measured"] = "lognormal"
    """lognormal: from mean and cv; measured: from quantiles."""
    mean: float | None = None
    """Mean diameter, µm. Not given: it follows from the box and the number of grains."""
    cv: float = 0.35
    """Standard deviation over mean (lognormal only)."""
    quantiles: tuple[float, ...] = ()
    """Diameters at the probabilities (k + 1/2)/n, ascending, µm (measured only); scaled to `mean` where it is given."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "quantiles", tuple(self.quantiles))
        require(self.kind in ("lognormal", "measured"), "size.kind", "lognormal or measured", self.kind)
        ok = self.mean is None or (number(self.mean) and self.mean > 0)
        require(ok, "size.mean", "a positive length in µm", self.mean)
        require(number(self.cv) and 0 <= self.cv <= 5, "size.cv", "a number from 0 to 5", self.cv)
        q = self.quantiles
        if self.kind == "measured":
            require(len(q) >= 2, "size.quantiles", "two or more diameters", q, remedy="Or use size.kind lognormal.")
        require(all(number(x) and x > 0 for x in q), "size.quantiles", "positive lengths in µm", q)
        require(all(a <= b for a, b in zip(q, q[1:])), "size.quantiles", "ascending diameters", q)

    def relative(self, probability: np.ndarray) -> np.ndarray:
        """Diameters over their mean at the given probabilities, [n]."""
        if self.kind == "lognormal":
            variance = math.log1p(self.cv**2)
            return np.exp(math.sqrt(variance) * ndtri(probability) - variance / 2)
        knots = (np.arange(len(self.quantiles)) + 0.5) / len(self.quantiles)
        return np.interp(probability, knots, self.quantiles) / self._quantile_moment(1)

    def relative_moment(self, k: int) -> float:
        """E[D^k] / E[D]^k; exp(k(k-1)/2 ln(1 + cv²)) for the lognormal law."""
        if self.kind == "lognormal":
            return math.exp(k * (k - 1) / 2 * math.log1p(self.cv**2))
        return self._quantile_moment(k) / self._quantile_moment(1) ** k

    @property
    def resolved_mean(self) -> float | None:
        """Mean diameter, µm: as given, or that of the quantiles; None when neither is there."""
        if self.mean is None and self.kind == "measured":
            return self._quantile_moment(1)
        return self.mean

    def _quantile_moment(self, k: int) -> float:
        """E[D^k] of the law that interpolates the quantiles linearly and is constant in both end strata."""
        q = np.asarray(self.quantiles, float)
        a, b = q[:-1], q[1:]
        inner = np.sum([a**j * b ** (k - j) for j in range(k + 1)], axis=0) / (
            k + 1
        )  # mean of x^k over each linear piece
        return float((inner.sum() + 0.5 * (q[0] ** k + q[-1] ** k)) / len(q))


@dataclass(frozen=True)
class AspectRatioLaw:
    """Law of the long over the short axis of a grain's spheroid: 1 + a lognormal variable."""

    mean: float = 1.0
    """Mean of long axis over short axis."""
    cv: float = 0.0
    """Standard deviation over mean."""
    form: Literal["prolate", "oblate"] = "prolate"
    """prolate: one long axis, two equal short ones; oblate: one short axis, two equal long ones."""

    def __post_init__(self) -> None:
        require(number(self.mean) and 1 <= self.mean <= 50, "aspect_ratio.mean", "a number from 1 to 50", self.mean)
        require(number(self.cv) and 0 <= self.cv <= 5, "aspect_ratio.cv", "a number from 0 to 5", self.cv)
        spread = self.cv == 0 or self.mean > 1
        require(spread, "aspect_ratio.cv", "0 where the mean is 1 (no ratio is below 1)", self.cv)
        require(self.form in ("prolate", "oblate"), "aspect_ratio.form", "prolate or oblate", self.form)

    def at(self, probability: np.ndarray) -> np.ndarray:
        """Aspect ratios at the given probabilities, [n]."""
        excess = self.mean - 1
        if excess == 0:
            return np.ones_like(probability)
        variance = math.log1p((self.cv * self.mean / excess) ** 2)
        return 1 + excess * np.exp(math.sqrt(variance) * ndtri(probability) - variance / 2)


@dataclass(frozen=True)
class Fabric:
    """Law of the direction u of the grains' symmetry axes: Watson's, density proportional to exp(k (u·axis)²).

    u is the long axis of prolate grains and of ellipses, the short axis of oblate grains. Mardia and Jupp, Directional
    Statistics (2000), section 9.4.2. In a plane u is on the circle.
    """

    axis: tuple[float, ...] = (1.0, 0.0, 0.0)
    """Preferred direction (any length)."""
    concentration: float = 0.0
    """k: 0 all directions alike, above 0 along the axis, below 0 across it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "axis", tuple(self.axis))
        fine = len(self.axis) in (2, 3) and all(number(x) for x in self.axis) and any(x != 0 for x in self.axis)
        require(fine, "fabric.axis", "2 or 3 finite numbers, not all zero", self.axis)
        k = self.concentration
        require(number(k) and abs(k) <= 1e4, "fabric.concentration", "a number from -10000 to 10000", k)

    def directions(self, n: int, ndim: int, rng: np.random.Generator) -> np.ndarray:
        """Unit vectors [n, ndim]."""
        axis = self._axis(ndim)
        along = self._cosines(strata(n, rng), ndim)
        around = rng.standard_normal((n, ndim))
        around -= (around @ axis)[:, None] * axis
        around /= np.maximum(np.linalg.norm(around, axis=1), 1e-300)[:, None]
        return along[:, None] * axis + np.sqrt(np.maximum(0, 1 - along**2))[:, None] * around

    def _axis(self, ndim: int) -> np.ndarray:
        axis = np.zeros(ndim)
        given = self.axis[:ndim]
        axis[: len(given)] = given
        length = np.linalg.norm(axis)
        require(bool(length > 0), "fabric.axis", f"a direction in {ndim} dimensions", self.axis)
        return axis / length

    def _cosines(self, probability: np.ndarray, ndim: int) -> np.ndarray:
        """|u·axis| at the given probabilities, by the inverse of the tabulated law (angle from the axis 0..π/2)."""
        k = self.concentration
        reach = min(math.pi / 2, 12 / math.sqrt(max(k, 1e-9)))  # beyond, the density is below exp(-60) of its peak
        nodes = np.linspace(0, reach, 4097)
        if k < 0:
            nodes = math.pi / 2 - np.linspace(min(math.pi / 2, 12 / math.sqrt(-k)), 0, 4097)
        logs = k * np.cos(nodes) ** 2
        density = np.exp(logs - logs.max()) * (np.sin(nodes) if ndim == 3 else 1.0)
        mass = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
        return np.cos(np.interp(probability, mass / mass[-1], nodes))


@dataclass(frozen=True)
class PhaseLaw:
    """A phase and how much of the volume it fills."""

    name: str
    """Name of the phase."""
    fraction: float = 1.0
    """Share of the volume; the shares of all phases sum to 1."""
    laue_group: str = "m-3m"
    """One of -1 2/m mmm -3 -3m 4/m 4/mmm 6/m 6/mmm m-3 m-3m."""
    lattice: tuple[float, ...] = ()
    """a, b, c in Å and alpha, beta, gamma in degrees; empty when unknown."""
    size_factor: float = 1.0
    """Diameter of its grains relative to that of the other phases' grains (only ratios count)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lattice", tuple(self.lattice))
        require(isinstance(self.name, str) and self.name != "", "phases.name", "a name", self.name)
        fine = number(self.fraction) and 0 < self.fraction <= 1 + 1e-6
        require(fine, "phases.fraction", f"a share from 0 to 1 of {self.name}", self.fraction)
        require(self.laue_group in LAUE_GROUPS, "phases.laue_group", "one of " + " ".join(LAUE_GROUPS), self.laue_group)
        fine = number(self.size_factor) and 0.01 <= self.size_factor <= 100
        require(fine, "phases.size_factor", "a ratio from 0.01 to 100", self.size_factor)


@dataclass(frozen=True, eq=False)
class Texture:
    """Orientations: random, or measured ones (a weight each) with a kernel around them, per phase."""

    kind: Literal["random", "measured"] = "random"
    """random: uniform on SO(3); measured: drawn from a scan's own grains."""
    kernel: float = math.radians(5)
    """Half width of the kernel around each measured orientation, radians."""
    orientations: tuple[np.ndarray, ...] = ()
    """Per phase float64 [n, 4]: unit quaternions, scalar first, sample to crystal. A phase without any is random."""
    weights: tuple[np.ndarray, ...] = ()
    """Per phase float64 [n]: how much each counts (areas of the grains); all alike when not given."""
    misorientation: tuple[tuple[float, ...], ...] = ()
    """Per phase disorientation angles over its boundaries at the probabilities (k + 1/2)/n, ascending, radians; grains
    change orientations until theirs are like them. A phase without any, or all: as they are drawn."""

    def __post_init__(self) -> None:
        require(self.kind in ("random", "measured"), "texture.kind", "random or measured", self.kind)
        fine = number(self.kernel) and 0 <= self.kernel <= math.pi
        require(fine, "texture.kernel", "an angle from 0 to π, radians", self.kernel)
        needed = self.kind == "random" or any(len(q) for q in self.orientations)
        require(needed, "texture.orientations", "measured orientations", "none", remedy="Use texture.kind random.")
        object.__setattr__(self, "orientations", tuple(_quaternions(q) for q in self.orientations))
        weights = self.weights or tuple(np.ones(len(q)) for q in self.orientations)
        object.__setattr__(self, "weights", tuple(_weights(w, q) for w, q in zip(weights, self.orientations)))
        object.__setattr__(self, "misorientation", tuple(_angles(a) for a in self.misorientation))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Texture) or (self.kind, self.kernel) != (other.kind, other.kernel):
            return False
        pairs = [*_zip(self.orientations, other.orientations), *_zip(self.weights, other.weights)]
        return self.misorientation == other.misorientation and all(np.array_equal(a, b) for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]


def _angles(values: Any) -> tuple[float, ...]:
    angles = tuple(float(a) for a in values)
    fine = all(0 <= a <= math.pi for a in angles) and all(a <= b for a, b in zip(angles, angles[1:]))
    require(fine and len(angles) != 1, "texture.misorientation", "ascending angles from 0 to π, radians", angles[:3])
    return angles


def _zip(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> list[tuple[Any, Any]]:
    return list(zip(a, b)) if len(a) == len(b) else [(0, 1)]


def _quaternions(values: Any) -> np.ndarray:
    q = np.array(values, np.float64).reshape(-1, 4) if np.size(values) else np.zeros((0, 4))
    length = np.linalg.norm(q, axis=1)
    require(bool(np.all(np.abs(length - 1) < 1e-3)), "texture.orientations", "unit quaternions", "others")
    off = np.abs(length - 1) > 1e-15  # what is of length 1 stays, bit for bit, however often it is read again
    q[off] /= length[off, None]
    q.setflags(write=False)
    return q


def _weights(values: Any, q: np.ndarray) -> np.ndarray:
    w = np.array(values, np.float64).reshape(-1)
    fine = w.shape == (len(q),) and bool(np.all(np.isfinite(w)) and np.all(w >= 0)) and (len(w) == 0 or w.sum() > 0)
    require(fine, "texture.weights", "one weight >= 0 per orientation", w.shape)
    w.setflags(write=False)
    return w
