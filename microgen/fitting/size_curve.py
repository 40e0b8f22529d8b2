"""The size law while it is fitted: log diameters as a cubic in the normal score, so that noise is not followed.

A section meets a grain with a probability in proportion to its diameter. The curve therefore describes the law of
diameters weighted by diameter, whose quantiles move with those of the section; the number law follows from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from microgen.generators.laws import SizeLaw

PROBABILITIES = (np.arange(199) + 0.5) / 199
SCORES = ndtri(PROBABILITIES)
QUANTILES = 400  # of the number law that is handed on: rare large grains hold much of the volume
REACH = 1.5  # no grain is larger than this many times the largest section
PLANES = 0.06  # variance of the log diameters that sections of equal spheres show (cut at a third of the diameter)


@dataclass(frozen=True)
class SizeCurve:
    """log D(z) = sum of coefficients times Hermite polynomials 1, z, z² - 1, z³ - 3z; D in µm."""

    coefficients: tuple[float, ...]
    smallest: float
    """No smaller grain could be seen in the scan, µm."""
    largest: float
    """µm"""

    @classmethod
    def of_sections(cls, diameters: np.ndarray, *, visible: float) -> SizeCurve:
        """A first guess from the diameters (µm) of a scan's grains, of which none below `visible` can be seen.

        Random planes cut spheres into circles π/4 times as wide on average, and add to their spread.
        """
        if len(diameters) < 8:  # too few for a spread: the usual one of recrystallised metals
            c = [float(np.log(diameters).mean()), 0.4]
        else:
            c = project(np.log(np.quantile(diameters, PROBABILITIES)), degree(len(diameters))).tolist()
        c[0] -= math.log(math.pi / 4)
        c[1] = math.sqrt(max(c[1] ** 2 - PLANES, 0.01))
        return cls(tuple(c), visible, REACH * float(diameters.max()))

    def corrected(self, wanted: np.ndarray, achieved: np.ndarray, *, damping: float) -> SizeCurve:
        """The curve moved by what the section diameters `achieved` lack of those `wanted`, quantile by quantile."""
        gap = np.log(np.quantile(wanted, PROBABILITIES)) - np.log(np.quantile(achieved, PROBABILITIES))
        change = np.zeros(len(self.coefficients))
        used = degree(len(wanted))
        change[: used + 1] = project(gap, used)
        change[1:] *= damping
        return SizeCurve(tuple(np.add(self.coefficients, change)), self.smallest, self.largest)

    def law(self) -> SizeLaw:
        """The number law: weights 1/D on the curve's diameters."""
        raw = np.polynomial.hermite_e.hermeval(SCORES, self.coefficients)
        ascending = np.maximum.accumulate(raw)
        d = np.clip(np.exp(ascending), self.smallest, self.largest)
        weight = np.cumsum(1 / d)
        middle = (weight - 0.5 / d) / weight[-1]
        knots = (np.arange(QUANTILES) + 0.5) / QUANTILES
        quantiles = np.exp(np.interp(knots, middle, np.log(d)))
        return SizeLaw("measured", quantiles=tuple(float(f"{q:.6g}") for q in quantiles))


def degree(n: int) -> int:
    """Shape that n grains can tell: a mean (0), a spread (1), a skewness (2) and the weight of the tails (3)."""
    return int(np.searchsorted([8, 40, 100], n, side="right"))


def project(values: np.ndarray, highest: int) -> np.ndarray:
    """Coefficients [highest + 1] of the least-squares curve through values at PROBABILITIES."""
    return np.polynomial.hermite_e.hermefit(SCORES, values, highest)
