"""Where to look next: ask for points of a unit cube, tell what was found there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from microgen.errors import EnvironmentProblem, InvalidParameter


class Search(Protocol):
    """Points [n, d] in and out, smaller values are better."""

    def ask(self, n: int) -> list[list[float]]: ...
    def tell(self, points: Sequence[Sequence[float]], values: Sequence[float]) -> None: ...


@dataclass
class GaussianProcess:
    """Bayesian search by a Gaussian process with expected improvement, several points at a time by constant liars.

    scikit-optimize; Jones, Schonlau & Welch, J. Glob. Optim. 13 (1998) 455; Ginsbourger, Le Riche & Carraro (2010).
    The first points, until a model can be made, are of a Latin hypercube.
    """

    dimensions: int
    seed: int
    first: int = 0
    """Points before the model is used; at least one is needed."""
    _optimizer: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from skopt import Optimizer

        self._optimizer = Optimizer(
            [(0.0, 1.0)] * self.dimensions,
            base_estimator="GP",
            n_initial_points=max(self.first, 1),
            initial_point_generator="lhs",
            acq_func="EI",
            random_state=self.seed,
        )

    def ask(self, n: int) -> list[list[float]]:
        with _quiet():
            return [list(map(float, point)) for point in self._optimizer.ask(n_points=n)]

    def tell(self, points: Sequence[Sequence[float]], values: Sequence[float]) -> None:
        with _quiet():
            self._optimizer.tell([list(map(float, p)) for p in points], [float(v) for v in values])

    def model(self) -> Any:
        """The last Gaussian process (`predict(X, return_std=True)`), None before there is one."""
        return self._optimizer.models[-1] if self._optimizer.models else None

    def predict(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation [n] of the model at points [n, d]."""
        transformed = self._optimizer.space.transform(np.clip(points, 0, 1).tolist())
        with _quiet():
            return self._optimizer.models[-1].predict(transformed, return_std=True)


@dataclass
class RandomSearch:
    """Uniform points: what any search has to beat."""

    dimensions: int
    seed: int
    first: int = 0
    _rng: np.random.Generator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def ask(self, n: int) -> list[list[float]]:
        return self._rng.random((n, self.dimensions)).tolist()

    def tell(self, points: Sequence[Sequence[float]], values: Sequence[float]) -> None:
        """Nothing is learnt."""


@dataclass
class Optuna:
    """The tree-structured Parzen estimator of Optuna, where it is installed."""

    dimensions: int
    seed: int
    first: int = 0
    _study: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            import optuna  # pyright: ignore[reportMissingImports] - an extra
        except ImportError as error:
            raise EnvironmentProblem("optuna is not installed. Use: pip install 'microgen-gpu[optuna]'") from error
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=max(self.first, 1), constant_liar=True)
        self._study = optuna.create_study(sampler=sampler)
        self._ranges = {f"x{k}": optuna.distributions.FloatDistribution(0, 1) for k in range(self.dimensions)}
        self._asked: dict[tuple[float, ...], Any] = {}

    def ask(self, n: int) -> list[list[float]]:
        points = []
        for _ in range(n):
            trial = self._study.ask(self._ranges)
            point = tuple(trial.params[name] for name in self._ranges)
            self._asked[point] = trial
            points.append(list(point))
        return points

    def tell(self, points: Sequence[Sequence[float]], values: Sequence[float]) -> None:
        import optuna  # pyright: ignore[reportMissingImports] - an extra

        for point, value in zip(points, values):
            trial = self._asked.pop(tuple(point), None)
            if trial is not None:
                self._study.tell(trial, float(value))
                continue
            told = optuna.trial.create_trial(
                params=dict(zip(self._ranges, map(float, point))), distributions=self._ranges, value=float(value)
            )
            self._study.add_trial(told)


SEARCHES: dict[str, type] = {"gp": GaussianProcess, "random": RandomSearch, "optuna": Optuna}


def make_search(name: str, dimensions: int, *, seed: int, first: int) -> Any:
    """A search by name: gp, random or optuna."""
    if name not in SEARCHES:
        raise InvalidParameter("search", expected="one of " + ", ".join(SEARCHES), got=name)
    return SEARCHES[name](dimensions, seed, first)


@contextmanager
def _quiet() -> Iterator[None]:
    """Of points asked for twice and kernels at their bounds nobody but the developer needs to hear."""
    with warnings.catch_warnings(), threadpool_limits(1):  # matrices of some tens: threads only get in their own way
        warnings.simplefilter("ignore")
        yield
