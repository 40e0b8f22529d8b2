"""The loop of a fit, on a problem whose answer is known: a bowl in two parameters, and a third that does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from microgen.errors import EnvironmentProblem, InvalidParameter
from microgen.fitting.bayesian import WORST, Outcome, Plan, alike, optimise
from microgen.fitting.search import make_search
from microgen.fitting.space import Parameter, Space
from microgen.fitting.trials import Evaluation, Runner, Wanted

SPACE = Space(tuple(Parameter(name, 0.0, 1.0) for name in ("a", "b", "idle")))
LOWEST = 0.3


@dataclass(frozen=True)
class Bowl:
    """sqrt((a - 0.7)² + (b - 0.2)²) above LOWEST, with a little noise of the seed."""

    noise: float = 0.0

    def evaluate(self, parameters: Mapping[str, float], *, seed: int, stage: str) -> Evaluation:
        distance = float(np.hypot(parameters["a"] - 0.7, parameters["b"] - 0.2))
        value = LOWEST + 4 * distance + self.noise * np.random.default_rng(seed).random()
        one = {"one": float(value)}
        return Evaluation(float(value), one, distance < 0.01, {}, dict(parameters), one)


@dataclass
class Log:
    """Trials in memory."""

    rows: list[Mapping[str, Any]] = field(default_factory=list)

    def append(self, row: Mapping[str, Any]) -> None:
        self.rows.append(dict(row))


def fitted(*, search: str = "gp", evaluations: int = 24, seed: int = 0, log: Log | None = None) -> Outcome:
    plan = Plan(evaluations, seed, search)
    runner = Runner(Bowl(0.02), total=plan.total, workers=1, log=log, progress=None)
    runner.run([Wanted({"a": 0.4, "b": 0.5, "idle": 0.5}, seed, "start")])
    return optimise(SPACE, plan, runner)


@pytest.fixture(scope="module")
def whole() -> tuple[Outcome, Log]:
    log = Log()
    return fitted(log=log), log


def test_the_lowest_place_is_found_and_what_does_nothing_is_said_to(whole: tuple[Outcome, Log]) -> None:
    found, _ = whole
    assert found.best["a"] == pytest.approx(0.7, abs=0.06)
    assert found.best["b"] == pytest.approx(0.2, abs=0.06)
    assert found.estimates["a"].identifiable
    assert found.estimates["b"].identifiable
    assert not found.estimates["idle"].identifiable
    assert found.estimates["a"].low <= 0.7 <= found.estimates["a"].high


def test_a_search_is_better_than_chance() -> None:
    better = [
        fitted(seed=s, evaluations=16).seen < fitted(search="random", seed=s, evaluations=16).seen for s in range(3)
    ]
    assert sum(better) >= 2


def test_what_is_reported_comes_from_seeds_that_the_search_never_saw(whole: tuple[Outcome, Log]) -> None:
    found, log = whole
    fresh = [row for row in log.rows if row["stage"] == "fresh"]
    assert len(fresh) == 9
    assert {row["seed"] for row in fresh}.isdisjoint({0})
    mine = [row["value"] for row in fresh if row["parameters"] == found.best]
    assert found.value == pytest.approx(np.mean(mine))


def test_a_log_is_gone_on_with_and_gives_the_same_result(whole: tuple[Outcome, Log]) -> None:
    complete, all_of_it = whole
    log = Log(list(all_of_it.rows[:13]))
    again = fitted(log=log)
    assert again.best == complete.best
    assert again.value == complete.value
    assert [r["parameters"] for r in log.rows] == [r["parameters"] for r in all_of_it.rows]


def test_the_log_of_another_fit_is_refused() -> None:
    log = Log()
    fitted(log=log, evaluations=6)
    with pytest.raises(InvalidParameter, match="another fit"):
        fitted(log=log, seed=1, evaluations=6)


def test_a_start_is_left_only_for_what_is_better_by_more_than_chance() -> None:
    plan = Plan(12, 0)
    runner = Runner(Bowl(0.5), total=plan.total, workers=1, log=None, progress=None)
    start = {"a": 0.69, "b": 0.2, "idle": 0.123}
    runner.run([Wanted(start, 0, "start")])
    assert optimise(SPACE, plan, runner).best == start


def test_a_search_ends_when_nothing_is_left_to_tell() -> None:
    plan = Plan(60, 0, least=5)
    runner = Runner(Bowl(), total=plan.total, workers=1, log=None, progress=None)
    runner.run([Wanted({"a": 0.7, "b": 0.2, "idle": 0.5}, 0, "start")])
    found = optimise(SPACE, plan, runner)
    assert found.status == "inside"
    assert len(found.trials) < 25


@pytest.mark.parametrize(("value", "terms"), [(0.3, 1), (0.3, 7), (0.9, 2), (2.0, 3)])
def test_alike_lets_one_term_grow_to_its_limit(value: float, terms: int) -> None:
    limit = alike(value, terms, 0.0)
    assert value < limit <= max(1.0, 1.05 * value)
    assert limit >= value + max(1 - value, 0) / terms - 1e-12


def test_samples_that_did_not_come_out_do_no_harm() -> None:
    class Broken(Bowl):
        def evaluate(self, parameters: Mapping[str, float], *, seed: int, stage: str) -> Evaluation:
            if parameters["a"] < 0.5:
                return Evaluation(WORST, {}, False, {}, dict(parameters))
            return super().evaluate(parameters, seed=seed, stage=stage)

    plan = Plan(16, 0)
    runner = Runner(Broken(), total=plan.total, workers=1, log=None, progress=None)
    runner.run([Wanted({"a": 0.9, "b": 0.9, "idle": 0.5}, 0, "start")])
    assert optimise(SPACE, plan, runner).seen < 1.5


def test_where_samples_lack_a_statistic_the_search_does_not_stay() -> None:
    class Lacking(Bowl):
        """Ever nearer in one statistic, but without the other beyond a = 0.5."""

        def evaluate(self, parameters: Mapping[str, float], *, seed: int, stage: str) -> Evaluation:
            x = 1 - parameters["a"]
            y = abs(parameters["b"] - 0.2) if parameters["a"] < 0.5 else WORST
            ratios, lacks = {"x": x, "y": y}, {"x": x, "y": y if y < WORST else float("nan")}
            return Evaluation((x + y) / 2, ratios, False, {}, dict(parameters), ratios, lacks)

    plan = Plan(24, 0)
    runner = Runner(Lacking(), total=plan.total, workers=1, log=None, progress=None)
    runner.run([Wanted({"a": 0.1, "b": 0.9, "idle": 0.5}, 0, "start")])
    found = optimise(SPACE, plan, runner)
    assert found.value < 0.32  # 0.25 at a = 0.5, b = 0.2; 0.8 at the start
    assert sum(t.parameters["a"] >= 0.5 for t in runner.trials) < len(runner.trials) / 2


def test_trials_that_an_earlier_version_wrote_are_refused(whole: tuple[Outcome, Log]) -> None:
    rows = [{k: v for k, v in row.items() if k != "ratios"} for row in whole[1].rows[:1]]
    with pytest.raises(InvalidParameter, match="another version"):
        fitted(log=Log(rows))


def test_unknown_searches_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="search"):
        make_search("grid", 2, seed=0, first=1)


def test_optuna_is_an_extra() -> None:
    pytest.importorskip("skopt")
    try:
        import optuna  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(EnvironmentProblem, match="optuna"):
            make_search("optuna", 2, seed=0, first=1)
        return
    search = make_search("optuna", 2, seed=0, first=1)
    points = search.ask(3)
    search.tell(points, [1.0, 2.0, 3.0], [{}] * 3)
    assert np.shape(points) == (3, 2)
