"""Trials of a fit: made in batches, by several processes, written down one by one, and taken from the log on resuming.

A fit is deterministic in what its trials gave. Resuming therefore runs it again from its start, and takes from the log
what is there: no state of the search has to be saved, and nothing that was written down is lost.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from typing import Any, Protocol

from microgen.errors import InvalidParameter
from microgen.generators.ensemble import limit_threads, no_interrupt

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Trial:
    """One sample of a fit: what it was made of, and how far it was from the target."""

    number: int
    """From 1, in the order in which the fit asked for them."""
    stage: str
    """start, search or fresh."""
    parameters: dict[str, float]
    """Of the sample that was compared."""
    seed: int
    value: float
    """Mean of distance over noise floor p95 of the statistics in the objective; 30 where no sample came out."""
    distances: dict[str, float]
    """Of each statistic in the objective."""
    inside: bool
    """Every distance is within the median noise floor."""
    figures: dict[str, float] = field(default_factory=dict)
    """Values of the statistics, by name."""
    ratios: dict[str, float] = field(default_factory=dict)
    """Distance over noise floor p95 of each statistic in the objective."""
    lacks: dict[str, float] = field(default_factory=dict)
    """Values of these less those of the target, where they have one."""
    asked: dict[str, float] = field(default_factory=dict)
    """The parameters before the problem corrected some of them."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """What a problem says of one sample."""

    value: float
    distances: dict[str, float]
    inside: bool
    figures: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, float] = field(default_factory=dict)
    """Those that the sample was made with, where they are not those that were asked for."""
    ratios: dict[str, float] = field(default_factory=dict)
    """Distance over noise floor p95 of each statistic in the objective; empty where no sample came out."""
    lacks: dict[str, float] = field(default_factory=dict)
    """Values of these less those of the target, where they have one."""


class Problem(Protocol):
    """One generator before one target; sent to workers."""

    def evaluate(self, parameters: Mapping[str, float], *, seed: int, stage: str) -> Evaluation: ...


class TrialLog(Protocol):
    """Where trials are written down; `io.trials.TrialsFile` is its form as a file."""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]: ...
    def append(self, row: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True)
class Wanted:
    """A trial that is to be made."""

    parameters: dict[str, float]
    seed: int
    stage: str


class Runner:
    """Makes trials, in order, from the log or by working for them."""

    def __init__(
        self, problem: Problem, *, total: int, workers: int, log: TrialLog | None, progress: Progress | None
    ) -> None:
        self.trials: list[Trial] = []
        self.replayed = 0
        self._problem, self._total, self._log, self._progress = problem, total, log, progress
        self._workers, self._pool = workers, None
        self._rows = list(log.rows) if log is not None else []

    def run(self, wanted: Sequence[Wanted]) -> list[Trial]:
        """The trials, in the order given. Each is in the log before the next batch is asked for."""
        first = len(self.trials)
        old = [self._recorded(first + k, each) for k, each in enumerate(wanted)]
        fresh = self._made([each for each, trial in zip(wanted, old) if trial is None])
        for each, known in zip(wanted, old):
            trial = known or self._kept(each, next(fresh))
            self.trials.append(trial)
            self._tell(trial)
        return self.trials[first:]

    @contextmanager
    def pool(self) -> Iterator[None]:
        """Workers live inside; with one, trials are made in this process."""
        if self._workers <= 1:
            yield
            return
        threads = max(1, (os.cpu_count() or 1) // self._workers)
        with ProcessPoolExecutor(self._workers, get_context("spawn"), _begin, (self._problem, threads)) as pool:
            self._pool = pool
            try:
                yield
            finally:
                self._pool = None
                pool.shutdown(wait=False, cancel_futures=True)

    def _made(self, wanted: Sequence[Wanted]) -> Iterator[tuple[Evaluation, float]]:
        if self._pool is None:
            return (_timed(self._problem, each) for each in wanted)
        futures: list[Future[tuple[Evaluation, float]]] = []
        with no_interrupt():
            futures = [self._pool.submit(_work, each) for each in wanted]
        return (future.result() for future in futures)

    def _kept(self, wanted: Wanted, made: tuple[Evaluation, float]) -> Trial:
        found, seconds = made
        trial = Trial(
            len(self.trials) + 1,
            wanted.stage,
            found.parameters or dict(wanted.parameters),
            wanted.seed,
            found.value,
            found.distances,
            found.inside,
            found.figures,
            found.ratios,
            found.lacks,
            dict(wanted.parameters),
            round(seconds, 3),
        )
        if self._log is not None:
            self._log.append(asdict(trial))
        return trial

    def _recorded(self, index: int, wanted: Wanted) -> Trial | None:
        """Trial number index + 1 of the log, which must be the one that is wanted now."""
        if index >= len(self._rows):
            return None
        row = {k: v for k, v in self._rows[index].items() if k in Trial.__dataclass_fields__}
        trial = Trial(**row)
        if (
            "ratios" not in row
            or trial.number != index + 1
            or trial.seed != wanted.seed
            or not _equal(trial.asked, wanted.parameters)
        ):
            raise InvalidParameter(
                "trials",
                expected=f"as trial {index + 1} what this fit asks for",
                got="another one",
                remedy="The file comes from another fit, another version or another machine: start a new one.",
            )
        self.replayed += 1
        return trial

    def _tell(self, trial: Trial) -> None:
        if self._progress is not None:
            best = min(t.value for t in self.trials)
            done = min(len(self.trials) / self._total, 1.0)
            self._progress(done, f"trial {trial.number} of {self._total}: {trial.value:.2f}, best {best:.2f}")


def _equal(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    return a.keys() == b.keys() and all(math.isclose(a[k], b[k], rel_tol=1e-5, abs_tol=1e-12) for k in a)


_PROBLEM: Problem | None = None
"""Of a worker process: sent once, not with every trial."""


def _begin(problem: Problem, threads: int) -> None:
    global _PROBLEM
    _PROBLEM = problem
    limit_threads(threads)


def _work(wanted: Wanted) -> tuple[Evaluation, float]:
    assert _PROBLEM is not None
    return _timed(_PROBLEM, wanted)


def _timed(problem: Problem, wanted: Wanted) -> tuple[Evaluation, float]:
    began = time.perf_counter()
    found = problem.evaluate(wanted.parameters, seed=wanted.seed, stage=wanted.stage)
    return found, time.perf_counter() - began
