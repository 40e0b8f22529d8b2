"""Distances between two samples of a statistic, and how large they are for two samples of one and the same law."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from microgen.descriptors.distribution import Distribution
from microgen.descriptors.kernels import axial_gram, mmd, orientation_gram
from microgen.errors import InvalidParameter

ORIENTATION_HALF_WIDTH = math.radians(12)
AXIS_HALF_WIDTH = math.radians(15)


def wasserstein(a: Distribution, b: Distribution) -> float:
    """Exact 1-Wasserstein distance, in the unit of the values: W1 = integral of |F_a(x) - F_b(x)| dx.

    Villani, Optimal Transport (2009), remark 6.6. Raises InvalidParameter when one of them is empty.
    """
    for name, d in (("a", a), ("b", b)):
        if len(d) == 0 or not np.isfinite(d.share).all():
            raise InvalidParameter(name, expected="a distribution with weight", got=f"{len(d)} values ({d.name})")
    values = np.concatenate([a.values, b.values])
    order = np.argsort(values, kind="stable")
    difference = np.cumsum(np.concatenate([a.share, -b.share])[order])[:-1]
    return float(np.abs(difference) @ np.diff(values[order]))


def relative_wasserstein(a: Distribution, b: Distribution) -> float:
    """W1(a, b) / mean(a), dimensionless; a is the target."""
    if not a.mean > 0:
        raise InvalidParameter("a", expected="a distribution with a positive mean", got=a.mean)
    return wasserstein(a, b) / a.mean


def texture_mmd(
    qa: np.ndarray,
    qb: np.ndarray,
    laue_group: str,
    *,
    weights_a: np.ndarray | None = None,
    weights_b: np.ndarray | None = None,
    half_width: float = ORIENTATION_HALF_WIDTH,
) -> float:
    """Kernel maximum mean discrepancy of two sets of orientations [n, 4], [m, 4] of one phase, modulo symmetry.

    See `kernels.orientation_gram` and `kernels.mmd` (biased). 0 for equal sets, at most sqrt(2). Without weights each
    orientation counts once.
    """
    gram = _pooled(qa, qb, lambda a, b: orientation_gram(a, b, laue_group, half_width=half_width))
    return float(mmd(gram, _signed(len(qa), len(qb), weights_a, weights_b)))


def fabric_mmd(
    axes_a: np.ndarray,
    axes_b: np.ndarray,
    *,
    weights_a: np.ndarray | None = None,
    weights_b: np.ndarray | None = None,
    half_width: float = AXIS_HALF_WIDTH,
) -> float:
    """The same for axes: unit vectors [n, d], [m, d] up to their sign, on the circle or the sphere."""
    gram = _pooled(axes_a, axes_b, lambda a, b: axial_gram(a, b, half_width=half_width))
    return float(mmd(gram, _signed(len(axes_a), len(axes_b), weights_a, weights_b)))


def _pooled(a: np.ndarray, b: np.ndarray, kernel: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Kernel matrix of both samples together: [n + m, n + m]."""
    across = kernel(a, b)
    return np.block([[kernel(a, a), across], [across.T, kernel(b, b)]])


def _signed(n: int, m: int, weights_a: np.ndarray | None, weights_b: np.ndarray | None) -> np.ndarray:
    if n == 0 or m == 0:
        raise InvalidParameter("samples", expected="one or more values on both sides", got=(n, m))
    a = Distribution(np.zeros(n), weights_a).share
    b = Distribution(np.zeros(m), weights_b).share
    return np.concatenate([a, -b])


def fraction_distance(a: dict[str, float], b: dict[str, float]) -> float:
    """Largest absolute difference of the shares of any phase; a phase that is not named has none."""
    return max((abs(a.get(name, 0.0) - b.get(name, 0.0)) for name in {*a, *b}), default=0.0)


def noise_floor(
    values: Any,
    n_a: int,
    n_b: int,
    *,
    distance: Callable[[Any, Any], float],
    rng: np.random.Generator,
    resamples: int = 200,
) -> tuple[float, float]:
    """Median and 95th percentile of the distance between two samples of n_a and n_b values of one law.

    Both are drawn with replacement from `values` (a Distribution or an array with a value a row), whose own law stands
    for the material's: a distance below the second number is no evidence of a difference. Bootstrap of Efron, Ann.
    Stat. 7 (1979) 1. For W1 of diameters the median is about 1.15 CV sqrt(1/n_a + 1/n_b) of the mean.
    """
    take = values.take if isinstance(values, Distribution) else np.asarray(values).__getitem__
    draws = _draws(len(values), n_a, n_b, rng=rng, resamples=resamples)
    return _median_and_p95(np.array([distance(take(a), take(b)) for a, b in draws]))


def texture_floor(
    q: np.ndarray,
    n_a: int,
    n_b: int,
    *,
    laue_group: str,
    rng: np.random.Generator,
    weights: np.ndarray | None = None,
    half_width: float = ORIENTATION_HALF_WIDTH,
    resamples: int = 200,
) -> tuple[float, float]:
    """`noise_floor` of `texture_mmd`, all resamples from one kernel matrix."""
    gram = orientation_gram(q, q, laue_group, half_width=half_width)
    return _mmd_floor(gram, n_a, n_b, weights=weights, rng=rng, resamples=resamples)


def fabric_floor(
    axes: np.ndarray,
    n_a: int,
    n_b: int,
    *,
    rng: np.random.Generator,
    weights: np.ndarray | None = None,
    half_width: float = AXIS_HALF_WIDTH,
    resamples: int = 200,
) -> tuple[float, float]:
    """`noise_floor` of `fabric_mmd`."""
    return _mmd_floor(
        axial_gram(axes, axes, half_width=half_width), n_a, n_b, weights=weights, rng=rng, resamples=resamples
    )


def fraction_floor(
    areas: np.ndarray,
    phase_id: np.ndarray,
    n_a: int,
    n_b: int,
    *,
    rng: np.random.Generator,
    resamples: int = 200,
) -> tuple[float, float]:
    """`noise_floor` of `fraction_distance`: grains are what is drawn, as their pixels are not independent.

    areas [n] and phase_id [n] of all grains of a map.
    """
    count = int(np.max(phase_id, initial=0)) + 1
    draws = _draws(len(areas), n_a, n_b, rng=rng, resamples=resamples)

    def shares(rows: np.ndarray) -> np.ndarray:
        filled = np.bincount(phase_id[rows], areas[rows], count)
        return filled / filled.sum()

    return _median_and_p95(np.array([np.abs(shares(a) - shares(b)).max() for a, b in draws]))


def _mmd_floor(
    gram: np.ndarray, n_a: int, n_b: int, *, weights: np.ndarray | None, rng: np.random.Generator, resamples: int
) -> tuple[float, float]:
    n = len(gram)
    w = np.ones(n) if weights is None else np.asarray(weights, float)
    signed = np.empty((resamples, n))
    for row, (a, b) in enumerate(_draws(n, n_a, n_b, rng=rng, resamples=resamples)):
        first, second = np.bincount(a, w[a], n), np.bincount(b, w[b], n)
        signed[row] = first / first.sum() - second / second.sum()
    return _median_and_p95(mmd(gram, signed))


def _draws(
    n: int, n_a: int, n_b: int, *, rng: np.random.Generator, resamples: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    for name, number in (("values", n), ("n_a", n_a), ("n_b", n_b), ("resamples", resamples)):
        if number < 1:
            raise InvalidParameter(name, expected="one or more", got=number)
    return [(rng.integers(0, n, n_a), rng.integers(0, n, n_b)) for _ in range(resamples)]


def _median_and_p95(distances: np.ndarray) -> tuple[float, float]:
    return float(np.median(distances)), float(np.quantile(distances, 0.95))
