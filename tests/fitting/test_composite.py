"""The search on made-up statistics that are smooth functions of five parameters, four of them to be met."""

from __future__ import annotations

import numpy as np
import pytest

from microgen.fitting.composite import Composite, Parts
from microgen.fitting.search import make_search
from tests.benchmarks.search import BEST, DIMENSIONS, SHAPE, parts_of, searched, value_of


def test_statistics_are_met_in_twenty_trials() -> None:
    rng = np.random.default_rng(1)
    chance = np.median([min(value_of(parts_of(list(p))) for p in rng.random((20, DIMENSIONS))) for _ in range(50)])
    best = [min(searched(seed, samples=20)[1]) for seed in range(2)]
    assert max(best) < 4 * SHAPE
    assert max(best) < 0.4 * chance


def test_the_same_seed_asks_for_the_same_points() -> None:
    assert searched(3, samples=12)[1] == searched(3, samples=12)[1]


def test_the_model_foretells_the_objective_where_it_was_not_tried() -> None:
    search, _ = searched(0, samples=24)
    points = np.clip(BEST + 0.1 * np.random.default_rng(2).standard_normal((40, DIMENSIONS)), 0, 1)
    mean, deviation = search.predict(points)
    true = np.log([value_of(parts_of(list(p))) for p in points])
    assert np.corrcoef(mean, true)[0, 1] > 0.8
    assert np.abs(mean - true).mean() < 0.35
    assert (deviation >= 0).all()


def test_trials_without_a_sample_and_statistics_without_a_value_do_no_harm() -> None:
    search = Composite(2, 0)
    points = [[0.1, 0.1], [0.9, 0.2], [0.5, 0.8], [0.2, 0.6], [0.9, 0.9]]
    nameless = [{"a": Parts(abs(x - 0.5) + 0.1, float("nan")), "b": Parts(abs(y - 0.5), y - 0.5)} for x, y in points]
    search.tell(points, [value_of(f) for f in nameless[:4]] + [30.0], [*nameless[:4], {}])
    asked = np.array(search.ask(8))
    assert asked.shape == (8, 2)
    told = np.array(points)
    nearest = ((asked[:, None] - told) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest != 4).all()  # where no sample came out none is asked for


def test_before_anything_came_out_points_are_spread() -> None:
    search = make_search("gp", 3, seed=0, first=0)
    search.tell([[0.5] * 3], [30.0], [{}])
    assert np.ptp(search.ask(6), axis=0).min() > 0.3


@pytest.mark.parametrize("first", [6, 8])
def test_the_first_points_are_a_latin_hypercube(first: int) -> None:
    search = Composite(3, 0, first)
    points = search.ask(4)
    search.tell(points, [1.0] * 4, [parts_of([*p, 0.5, 0.5]) for p in points])
    points += search.ask(first - 4)
    strata = np.sort(np.floor(np.array(points) * first), axis=0)
    assert (strata == np.arange(first)[:, None]).all()
