"""Bayesian search that models each statistic of a sample by itself, and the objective as what it is: a sum of sizes.

Astudillo & Frazier, Bayesian optimization of composite functions, ICML (2019) 354. A distance has a kink where a
statistic meets its target, and a sum of seven says nothing of which one to mend; but what a statistic lacks, with its
sign, is a smooth function of the parameters, and nearly linear ones are known from few samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

DRAWS = 128
"""Of the models at a point, from which the expected improvement is taken."""
CANDIDATES = 2000
"""Points the improvement is worked out at: half of them anywhere, half near the best ones."""
JOINT = 100
"""The best of them, for which draws are made jointly, as points of a batch must differ."""
NEAR = 0.12
"""Standard deviation of these about a good point."""
APART = 0.05
"""Least distance, along one axis at least, between the points that are settled on."""
LARGEST = 10.0
"""Noise floors beyond which differences are compressed: from there all is equally wrong."""


@dataclass(frozen=True)
class Parts:
    """What a trial says of one statistic."""

    ratio: float
    """Its distance over its noise floor p95, at least 0."""
    lack: float
    """What it has more than the target, in any unit; nan where it has no value with a sign."""


@dataclass
class Composite:
    """A Gaussian process for what each statistic lacks, one for what else its distance holds; expected improvement.

    The W1 distance of two distributions is at least the difference of their means over the scale of W1. That scale is
    the largest ratio of both that was seen, so no statistic needs to tell it; what remains of the distance, differences
    in shape, is a process of its own. Several points are asked for at a time by improving on the draws of those before.
    """

    dimensions: int
    """Of the points that are asked for. Those told of may have more coordinates, which the trials set by themselves:
    where nothing was tried they are taken to be those of the nearest trial."""
    seed: int
    first: int = 0
    """Points of a Latin hypercube before there is a model; none where trials are told of before."""
    _points: list[list[float]] = field(init=False, repr=False, default_factory=list)
    _parts: list[Mapping[str, Parts]] = field(init=False, repr=False, default_factory=list)
    _values: list[float] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self._models: list[_Statistic] = []

    def tell(
        self, points: Sequence[Sequence[float]], values: Sequence[float], parts: Sequence[Mapping[str, Parts]]
    ) -> None:
        """What trials gave; one without parts gave no sample."""
        self._points += [list(map(float, p)) for p in points]
        self._values += [float(v) for v in values]
        self._parts += list(parts)
        self._models = []

    def settle(self, n: int) -> list[list[float]]:
        """Points where the least objective is expected, whatever there is still to be learnt elsewhere."""
        with _quiet():
            at = self._candidates()
            expected = self._draw(at, DRAWS, joint=False).mean(axis=0)
        order, chosen = np.argsort(expected, kind="stable"), []
        for k in order:
            apart = np.abs(at[k, : self.dimensions] - at[chosen, : self.dimensions]).max(axis=1, initial=0.0)
            if len(chosen) < n and (apart >= APART).all():
                chosen.append(k)
        return at[chosen, : self.dimensions].tolist()

    def ask(self, n: int) -> list[list[float]]:
        """Points to be tried next."""
        if self.first > len(self._points):
            return self._hypercube(n)
        if not self.informed:
            return self._rng.random((n, self.dimensions)).tolist()
        with _quiet():
            made = np.array([point for point, parts in zip(self._points, self._parts) if parts])
            lowest = float(self._draw(made, DRAWS, joint=False).mean(axis=0).min())  # a single value has luck in it
            at = self._candidates()
            gain = np.maximum(lowest - self._draw(at, DRAWS // 2, joint=False), 0).mean(axis=0)
            at = at[np.argsort(-gain, kind="stable")[:JOINT]]
            draws = self._draw(at, DRAWS)
        best = np.full(DRAWS, lowest)
        chosen: list[int] = []
        for _ in range(n):
            gain = np.maximum(best[:, None] - draws, 0).mean(axis=0)
            gain[chosen] = -1.0
            chosen.append(int(gain.argmax()))
            best = np.minimum(best, draws[:, chosen[-1]])
        return at[chosen, : self.dimensions].tolist()

    @property
    def informed(self) -> bool:
        """Is there a sample to make a model of?"""
        return any(self._parts)

    def predict(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation [n] of the logarithm of the objective at points [n, d], or with all that trials have."""
        with _quiet():
            at = np.asarray(points, float)
            at = at if at.shape[1] == len(self._points[0]) else self._completed(at)
            logs = np.log(np.maximum(self._draw(at, DRAWS // 2, joint=False), 1e-6))
        return logs.mean(axis=0), logs.std(axis=0)

    def _hypercube(self, n: int) -> list[list[float]]:
        from scipy.stats import qmc

        sampler = qmc.LatinHypercube(self.dimensions, rng=self.seed)
        return sampler.random(self.first)[len(self._points) : len(self._points) + n].tolist()

    def _candidates(self) -> np.ndarray:
        d = self.dimensions
        good = np.array(self._points)[np.argsort(self._values, kind="stable")[:4], :d]
        near = good[self._rng.integers(len(good), size=CANDIDATES // 2)]
        near = np.clip(near + NEAR * self._rng.standard_normal(near.shape), 0, 1)
        at = np.concatenate([self._rng.random((CANDIDATES - len(near), d)), near])
        failed = np.array([not p for p in self._parts])[self._nearest(at, range(len(self._points)))]
        return self._completed(at[~failed] if not failed.all() else at)

    def _completed(self, at: np.ndarray) -> np.ndarray:
        """Points with the coordinates that trials set by themselves, of the nearest one that gave a sample."""
        made = [k for k, parts in enumerate(self._parts) if parts]
        return np.hstack([at, np.array(self._points)[self._nearest(at, made), self.dimensions :]])

    def _nearest(self, at: np.ndarray, among: Sequence[int]) -> np.ndarray:
        """Numbers of the trials nearest to points, int [n]."""
        known = np.array(self._points)[list(among), : self.dimensions]
        return np.asarray(among)[((at[:, None] - known) ** 2).sum(axis=2).argmin(axis=1)]

    def _draw(self, at: np.ndarray, number: int, *, joint: bool = True) -> np.ndarray:
        """Objectives [number, n] at points, drawn from the models of all statistics."""
        if not self._models:
            self._models = self._fitted()
        return np.mean([model.draw(at, number, self._rng, joint) for model in self._models], axis=0)

    def _fitted(self) -> list[_Statistic]:
        rows = [k for k, p in enumerate(self._parts) if p]
        names = [name for name in self._parts[rows[0]] if all(name in self._parts[k] for k in rows)]
        at = np.array([self._points[k] for k in rows])
        return [_Statistic.fitted(at, [self._parts[k][name] for k in rows], self.seed) for name in names]


@dataclass
class _Statistic:
    """The models of one statistic."""

    lack: Any
    shape: Any

    @classmethod
    def fitted(cls, at: np.ndarray, parts: Sequence[Parts], seed: int) -> _Statistic:
        ratio, lack = np.array([(p.ratio, p.lack) for p in parts]).T
        known = np.isfinite(lack)
        if known.any():  # where a sample lacks the statistic there is nothing to be learnt of it
            at, ratio, lack = at[known], ratio[known], lack[known]
        else:
            lack = np.zeros_like(ratio)
        told = (ratio > 0) & (ratio < LARGEST)  # larger ones may have been cut off
        scale = np.max(np.abs(lack[told]) / ratio[told], initial=0.0)
        lack = lack / scale if scale > 0 else np.sign(lack) * ratio
        rest = np.maximum(ratio - np.abs(lack), 0)
        return cls(_Process.fitted(at, _compressed(lack), seed), _Process.fitted(at, _compressed(rest), seed))

    def draw(self, at: np.ndarray, number: int, rng: np.random.Generator, joint: bool) -> np.ndarray:
        lack, rest = (_expanded(p.draw(at, number, rng, joint)) for p in (self.lack, self.shape))
        return np.abs(lack) + np.maximum(rest, 0)


@dataclass
class _Process:
    """A Gaussian process with a linear part, or a constant where nothing varies."""

    model: Any
    constant: float

    @classmethod
    def fitted(cls, at: np.ndarray, values: np.ndarray, seed: int) -> _Process:
        from skopt.learning import GaussianProcessRegressor
        from skopt.learning.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

        if np.ptp(values) < 1e-9:
            return cls(None, float(values[0]))
        smooth = ConstantKernel(0.5, (1e-3, 10)) * RBF([1.0] * at.shape[1], (0.3, 20))  # type: ignore[arg-type] - one length a dimension
        linear = ConstantKernel(0.5, (1e-3, 10)) * DotProduct(1.0, (0.1, 10))
        kernel = smooth + linear + WhiteKernel(0.01, (1e-4, 1.0))
        model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed, n_restarts_optimizer=0)
        return cls(model.fit(at, values), 0.0)

    def draw(self, at: np.ndarray, number: int, rng: np.random.Generator, joint: bool) -> np.ndarray:
        if self.model is None:
            return np.full((number, len(at)), self.constant)
        if not joint:  # one quantile for all points: what they differ by is no luck of the draw
            mean, deviation = self.model.predict(at, return_std=True)
            return mean + deviation * rng.standard_normal((number, 1))
        normal = rng.standard_normal((number, len(at)))
        mean, covariance = self.model.predict(at, return_cov=True)
        values, vectors = np.linalg.eigh(covariance)
        return mean + (normal * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _compressed(x: np.ndarray) -> np.ndarray:
    return np.arcsinh(np.clip(x, -LARGEST, LARGEST))


def _expanded(x: np.ndarray) -> np.ndarray:
    return np.sinh(np.clip(x, -np.arcsinh(LARGEST), np.arcsinh(LARGEST)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Of points asked for twice and kernels at their bounds nobody but the developer needs to hear."""
    with warnings.catch_warnings(), threadpool_limits(1):  # matrices of some tens: threads only get in their own way
        warnings.simplefilter("ignore")
        yield
