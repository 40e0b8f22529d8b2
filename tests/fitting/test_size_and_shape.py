"""The statistic of size and shape together: within its noise for one law, beyond it for another with equal margins."""

from __future__ import annotations

import numpy as np
import pytest

from microgen import Grid
from microgen.fitting.statistics import SizeAndShape
from microgen.generators.polycrystal import Polycrystal


def grains(n: int, seed: int, coupling: float) -> np.ndarray:
    """Sizes and elongations of unit spread, correlated."""
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_normal([0, 0], [[0.16, 0.16 * coupling], [0.16 * coupling, 0.16]], n)
    turn = 2 * np.pi * rng.random(n)
    return np.column_stack([drawn[:, 0], drawn[:, 1] * np.cos(turn), drawn[:, 1] * np.sin(turn), np.zeros(n)])


def test_one_law_is_within_its_noise_and_a_coupling_is_seen_that_no_margin_shows() -> None:
    kind, target = SizeAndShape(), grains(150, 0, 0.9)
    target[:, 1:] = np.abs(target[:, 1:])
    floor, p95 = kind.floor(target, 150, np.random.default_rng(0))
    assert 0 < floor < p95
    same, other = grains(150, 1, 0.9), grains(150, 1, -0.9)
    for each in (same, other):
        each[:, 1:] = np.abs(each[:, 1:])
    assert kind.distance(target, same) <= p95 < kind.distance(target, target * [1, 2, 2, 1])
    assert kind.distance(target, target) == pytest.approx(0, abs=1e-2)


def test_interior_grains_of_all_maps_are_points() -> None:
    maps = [Polycrystal(30).sample(Grid((40, 40), (1.0, 1.0)), seed=seed) for seed in (0, 1)]
    kind = SizeAndShape()
    parts = [kind.count(kind.measure([ms])) for ms in maps]
    both = kind.measure(maps)
    assert kind.count(both) == sum(parts) > 10
    assert 0.2 < kind.value(both) < 1
    alone = Polycrystal(1).sample(Grid((8, 8), (1.0, 1.0)), seed=0)
    assert kind.count(kind.measure([alone])) == 0


def test_a_handful_of_grains_has_a_floor_too() -> None:
    few = np.random.default_rng(3).normal(size=(2, 4)) * [0.6, 0.3, 0.3, 0.3]
    median, p95 = SizeAndShape().floor(few, 40, np.random.default_rng(0))
    assert 0 < median <= p95 < 10
