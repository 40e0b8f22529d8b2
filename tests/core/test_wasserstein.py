"""Debiased Sinkhorn divergence: exact answers, an exact assignment, and the plain float64 loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from microgen.core import wasserstein
from microgen.core.kernels import reference
from microgen.core.wasserstein import line_distance, sinkhorn_divergence
from microgen.errors import InvalidParameter, NotConverged


def clouds(n: int, m: int, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, k)), 1.5 * rng.standard_normal((m, k)) + 0.5


@pytest.mark.parametrize("blur", [0.1, 1.0, 10.0])
def test_a_moved_cloud_is_as_far_as_it_was_moved(blur: float) -> None:
    x, _ = clouds(80, 1)
    way = np.array([1.0, -2.0, 0.5, 0.0])
    found = sinkhorn_divergence(x, x + way, blur=blur, tolerance=1e-4)
    assert found.distance == pytest.approx(np.linalg.norm(way), rel=2e-3)


def test_equal_clouds_are_at_no_distance_and_others_are_as_far_both_ways() -> None:
    x, y = clouds(120, 90)
    assert sinkhorn_divergence(x, x[::-1], blur=0.5, tolerance=1e-3).squared == pytest.approx(0, abs=1e-3)
    there, back = (sinkhorn_divergence(p, q, blur=0.5, tolerance=1e-3).distance for p, q in ((x, y), (y, x)))
    assert there == pytest.approx(back, rel=1e-3)


@pytest.mark.parametrize("blur", [0.8, 2.0])
def test_it_is_what_the_plain_loops_give(blur: float) -> None:
    x, y = clouds(60, 40)
    rng = np.random.default_rng(1)
    a, b = rng.random(60), rng.random(40)
    found = sinkhorn_divergence(x, y, blur=blur, a=a, b=b, tolerance=1e-3)
    tensors = [torch.from_numpy(v) for v in (x, y, a / a.sum(), b / b.sum())]
    plain = reference.sinkhorn_divergence(*tensors, eps=blur**2, steps=200)
    assert found.squared == pytest.approx(float(plain), rel=1e-3)
    precise = sinkhorn_divergence(x, y, blur=blur, a=a, b=b, tolerance=1e-4, dtype=torch.float64)
    assert precise.squared == pytest.approx(float(plain), rel=1e-5)


def test_a_small_blur_gives_the_exact_assignment() -> None:
    x, y = clouds(300, 300)
    cost = cdist(x, y, "sqeuclidean")
    exact = np.sqrt(cost[linear_sum_assignment(cost)].mean())
    assert sinkhorn_divergence(x, y, blur=0.15).distance == pytest.approx(exact, rel=0.01)


def test_coarse_cells_change_where_it_starts_and_not_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = clouds(200, 150)
    whole = sinkhorn_divergence(x, y, blur=0.3, tolerance=1e-3).distance
    monkeypatch.setattr(wasserstein, "COARSE", 16)
    monkeypatch.setattr(wasserstein, "BLOCK", 1000)
    assert sinkhorn_divergence(x, y, blur=0.3, tolerance=1e-3).distance == pytest.approx(whole, rel=1e-3)


def test_a_point_of_double_weight_is_two_points_and_one_of_none_is_not_there() -> None:
    x, y = clouds(30, 20)
    twice = sinkhorn_divergence(np.vstack([x, x[:1]]), y, blur=0.5, tolerance=1e-4)
    heavy = sinkhorn_divergence(np.vstack([x, x[:1] + 9]), y, blur=0.5, a=np.r_[2, np.ones(29), 0], tolerance=1e-4)
    assert heavy.distance == pytest.approx(twice.distance, rel=1e-3)


def test_wide_clouds_are_taken_in_double_precision() -> None:
    x, y = clouds(20, 20, 2)
    assert sinkhorn_divergence(1e5 * x, 1e5 * x + 1, blur=1.0).distance == pytest.approx(np.sqrt(2), rel=1e-3)
    assert sinkhorn_divergence(x[:1], y[:1], blur=1e-3).distance == pytest.approx(np.linalg.norm(x[0] - y[0]), rel=1e-4)


def test_numbers_on_a_line_are_exact() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.random(50), rng.random(50) ** 2
    assert line_distance(x, y) == pytest.approx(np.sqrt(np.mean((np.sort(x) - np.sort(y)) ** 2)))
    assert line_distance([0.0, 1.0], [0.0], a=[3.0, 1.0]) == pytest.approx(0.5)  # type: ignore[arg-type]
    assert line_distance(np.r_[x, x], x) == pytest.approx(0, abs=1e-6)
    assert line_distance(x, 2 + x[::-1]) == pytest.approx(2)


def test_a_run_that_stops_early_says_so() -> None:
    x, y = clouds(50, 50)
    with pytest.raises(NotConverged, match="misplaced") as caught:
        sinkhorn_divergence(x, y, blur=0.003)
    best = caught.value.best
    assert isinstance(best, wasserstein.Divergence)
    assert not best.converged
    assert sinkhorn_divergence(x, y, blur=0.003, throw=False).squared == best.squared


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"x": np.zeros((0, 2))}, "x"),
        ({"y": np.full((3, 2), np.nan)}, "y"),
        ({"y": np.zeros((3, 5))}, "x, y"),
        ({"a": np.array([1.0, -1.0, 1.0])}, "a"),
        ({"b": np.zeros(3)}, "b"),
        ({"blur": 0.0}, "blur"),
        ({"blur": np.nan}, "blur"),
    ],
)
def test_clouds_that_are_none_are_refused(change: dict, name: str) -> None:
    given = {"x": np.eye(3)[:, :2], "y": np.eye(3)[:, :2], "blur": 1.0} | change
    with pytest.raises(InvalidParameter) as caught:
        sinkhorn_divergence(given.pop("x"), given.pop("y"), **given)
    assert caught.value.name == name
