"""Random curvature polynomials: the law a morphospace is drawn from, at one scale and with a bound below."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from microgen.generators.ensemble import member_seed
from microgen.generators.laws import number, require
from microgen.generators.polynomial import Coefficients


@dataclass(frozen=True)
class CurvatureDraw:
    """A polynomial h2 (2M - H0)² + kg K + s (kappa_1 - p)² + t (kappa_2 - q)², its mass, and the seed of its field."""

    h2: float
    H0: float
    kg: float
    s: float
    p: float
    t: float
    q: float
    mass: float
    seed: int

    @property
    def coefficients(self) -> Coefficients:
        """The six coefficients."""
        return Coefficients.reduced(self.h2, self.H0, self.kg, self.s, self.p, self.t, self.q)


@dataclass(frozen=True)
class CurvaturePrior:
    """Law of random polynomials in the reduced form of Song 2022 (JMIV 64), with h2 = 1, as a common factor is void.

    A preferred pair of curvatures lies on a circle of radius `curvature`, at an angle uniform between -90° (tunnels)
    and 45° (balls), as kappa_1 >= kappa_2 and as a thin solid cannot be hollow balls. This fixes the scale, as
    (a, b/l, c/l²) is the same texture l times as large. H0 is the sum of the pair, p and q its members, each with a
    normal deviation of `frustration` `curvature`: terms that contradict one another more only make surface dear, and
    the texture coarsens to one lump. s and t are zero with probability `absent`, else log-uniform in `stiffness`; kg is
    uniform in `gauss`, and s, t and kg are drawn again until the polynomial has a least value. That may be below zero,
    as in half of the published sets: sponges among them, which the blur of the flow holds. The mass is uniform in
    `mass`.
    """

    curvature: float = 35.0
    """Length of the preferred pair of curvatures, 1/length; the published sets have about 15 to 50."""
    frustration: float = 0.2
    """Deviation of H0, p and q from one preferred pair, over `curvature`."""
    stiffness: tuple[float, float] = (0.1, 10.0)
    """Bounds of s and t."""
    absent: float = 0.25
    """Probability that s is zero, and that t is."""
    gauss: tuple[float, float] = (-2.0, 6.0)
    """Bounds of kg; the published sets have a11 = 2 + kg >= 0, and below there are little else than balls."""
    mass: tuple[float, float] = (-0.8, -0.2)
    """Bounds of the mean of u."""

    def __post_init__(self) -> None:
        for name in ("stiffness", "gauss", "mass"):
            bounds = tuple(getattr(self, name))
            object.__setattr__(self, name, bounds)
            fine = len(bounds) == 2 and all(number(b) for b in bounds) and bounds[0] <= bounds[1]
            require(fine, f"prior.{name}", "a lower and an upper bound", bounds)
        require(self.stiffness[0] > 0, "prior.stiffness", "bounds above 0", self.stiffness)
        require(self.mass[0] > -1 and self.mass[1] < 1, "prior.mass", "bounds between -1 and 1", self.mass)
        require(number(self.curvature) and self.curvature > 0, "prior.curvature", "a positive number", self.curvature)
        require(number(self.frustration) and self.frustration >= 0, "prior.frustration", "0 or more", self.frustration)
        require(number(self.absent) and 0 <= self.absent <= 1, "prior.absent", "a probability", self.absent)
        # With s = t = 0 the bound is kg in [-4, 0]: without a part of it some draws would never end.
        require(self.gauss[0] < 0 and self.gauss[1] > -4, "prior.gauss", "bounds around a part of [-4, 0]", self.gauss)

    def draw(self, k: int, *, seed: int) -> CurvatureDraw:
        """Draw number k (from 0): the same whatever else is drawn, in whatever order."""
        own = member_seed(seed, k)
        rng = np.random.default_rng([own, 1])  # apart from the field's own noise
        while True:
            s, t = self._stiffness(rng), self._stiffness(rng)
            kg = float(rng.uniform(*self.gauss))
            if 4 * (1 + s) * (1 + t) >= (2 + kg) ** 2:  # a20 and a02 are above 0: positive (semi)definite
                break
        angle = rng.uniform(-0.5, 0.25) * math.pi
        pair = math.cos(angle), math.sin(angle)
        spread = self.frustration * rng.standard_normal(3)
        H0, p, q = (float(self.curvature * (x + e)) for x, e in zip((sum(pair), *pair), spread))
        p, q = (p if s else 0.0), (q if t else 0.0)
        return CurvatureDraw(1.0, H0, kg, s, p, t, q, float(rng.uniform(*self.mass)), own)

    def configuration(self) -> dict[str, Any]:
        """All parameters as plain values."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def _stiffness(self, rng: np.random.Generator) -> float:
        there, value = rng.random() >= self.absent, rng.uniform(*np.log(self.stiffness))
        return float(np.exp(value)) if there else 0.0
