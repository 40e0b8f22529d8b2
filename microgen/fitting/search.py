"""Where to look next: ask for points of a unit cube, tell what was found there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from microgen.errors import EnvironmentProblem, InvalidParameter
from microgen.fitting.composite import Composite, Parts


class Search(Protocol):
    """Points [n, d] in and out; of their values smaller ones are better; `parts` is what these are the means of.

    Points that are told of may have more coordinates, behind the others: what trials set by themselves.
    """

    def ask(self, n: int) -> list[list[float]]: ...
    def tell(
        self, points: Sequence[Sequence[float]], values: Sequence[float], parts: Sequence[Mapping[str, Parts]]
    ) -> None: ...


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

    def tell(
        self, points: Sequence[Sequence[float]], values: Sequence[float], parts: Sequence[Mapping[str, Parts]]
    ) -> None:
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

    def tell(
        self, points: Sequence[Sequence[float]], values: Sequence[float], parts: Sequence[Mapping[str, Parts]]
    ) -> None:
        import optuna  # pyright: ignore[reportMissingImports] - an extra

        for point, value in zip((list(p)[: self.dimensions] for p in points), values):
            trial = self._asked.pop(tuple(point), None)
            if trial is not None:
                self._study.tell(trial, float(value))
                continue
            told = optuna.trial.create_trial(
                params=dict(zip(self._ranges, map(float, point))), distributions=self._ranges, value=float(value)
            )
            self._study.add_trial(told)


SEARCHES: dict[str, type] = {"gp": Composite, "random": RandomSearch, "optuna": Optuna}


def make_search(name: str, dimensions: int, *, seed: int, first: int) -> Any:
    """A search by name: gp, random or optuna."""
    if name not in SEARCHES:
        raise InvalidParameter("search", expected="one of " + ", ".join(SEARCHES), got=name)
    return SEARCHES[name](dimensions, seed, first)
