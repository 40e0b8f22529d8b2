"""Power diagrams: exact against brute force, and against diagrams that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from microgen.core import PowerDiagram
from microgen.core.kernels import reference
from microgen.errors import InvalidParameter
from microgen.grid import Grid


def problem(seed: int, n: int, d: int, *, aspect: float = 1.0, ratio: float = 1.0):
    """Random sites, metrics of the given aspect and volume ratio, and weights; box lengths differ."""
    rng = np.random.default_rng(seed)
    lengths = tuple(rng.uniform(0.7, 1.4, d))
    volumes = ratio ** rng.random(n)
    volumes *= np.prod(lengths) / volumes.sum()
    axes = np.linalg.qr(rng.standard_normal((n, d, d)))[0]
    stretch = aspect ** rng.uniform(-1, 1, (n, d))
    stretch /= np.prod(stretch, axis=1, keepdims=True) ** (1 / d)
    metrics = np.einsum("nij,nj,nkj->nik", axes, stretch, axes) * volumes[:, None, None] ** (-2 / d)
    metrics = (metrics + metrics.transpose(0, 2, 1)) / 2
    weights = rng.normal(0, 0.1, n)
    return rng.random((n, d)) * lengths, metrics, weights, lengths


def diagram(sites, metrics, weights, lengths, periodic) -> PowerDiagram:
    tensors = (torch.as_tensor(np.asarray(a), dtype=torch.float64) for a in (sites, metrics, weights))
    return PowerDiagram(*tensors, tuple(lengths), tuple(periodic))


def excess(cells: PowerDiagram, grid: Grid) -> float:
    """How much dearer the labels are than the cheapest site, at worst."""
    cost = reference.costs(
        torch.from_numpy(grid.points()), cells.sites, cells.metrics, lengths=cells.lengths, periodic=cells.periodic
    )
    cost = cost - cells.weights
    mine = cost.gather(1, cells.labels(grid).reshape(-1, 1).long() - 1)[:, 0]
    return float((mine - cost.min(dim=1).values).max() / (1 + cost.abs().min()))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.sampled_from([1, 2, 3, 5, 20, 150]),
    d=st.sampled_from([2, 3]),
    aspect=st.floats(1, 10),
    ratio=st.floats(1, 1000),
    periodic=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_labels_equal_brute_force(seed, n, d, aspect, ratio, periodic):
    sites, metrics, weights, lengths = problem(seed, n, d, aspect=aspect, ratio=ratio)
    cells = diagram(sites, metrics, weights, lengths, periodic[:d])
    shape = (23, 18, 11)[:d]
    grid = Grid(shape, tuple(a / k for a, k in zip(lengths, shape)), periodic=periodic[:d])
    assert excess(cells, grid) < 1e-12


@pytest.mark.parametrize("origin", [(-1.3, 0.4, 0.2), (2.5, -3.0, 0.9)])
def test_grids_larger_than_the_period_repeat(origin):
    sites, metrics, weights, lengths = problem(3, 30, 3, aspect=3)
    cells = diagram(sites, metrics, weights, lengths, (True,) * 3)
    grid = Grid((40, 1, 50), (0.07, 0.05, 0.06), origin)
    assert excess(cells, grid) < 1e-12


def test_section_equals_the_volumes_plane():
    cells = diagram(*problem(5, 60, 3, aspect=4), (True, False, True))
    grid = Grid((24, 20, 16), tuple(a / k for a, k in zip(cells.lengths, (24, 20, 16))))
    whole = cells.labels(grid)
    for axis in range(3):
        shape, origin = list(grid.shape), list(grid.origin)
        shape[axis], origin[axis] = 1, 7 * grid.spacing[axis]
        plane = cells.labels(Grid(tuple(shape), grid.spacing, tuple(origin)))
        assert torch.equal(plane.squeeze(axis), whole.select(axis, 7))


def test_equal_weights_and_metrics_give_voronoi():
    from scipy.spatial import KDTree

    sites, _, _, lengths = problem(7, 200, 3)
    cells = diagram(sites, np.repeat(np.eye(3)[None], 200, 0), np.zeros(200), lengths, (True,) * 3)
    grid = Grid((20, 20, 20), tuple(a / 20 for a in lengths))
    nearest = KDTree(sites, boxsize=lengths).query(grid.points())[1] + 1
    assert np.array_equal(cells.labels(grid).numpy().ravel(), nearest)


@pytest.mark.parametrize("shift", [0.0, 0.13])
def test_two_sites_are_cut_by_the_analytic_plane(shift):
    # |y - a|² - w = |y - b|²  <=>  x = 1/2 - w / (2 · 0.4) for a = 0.3, b = 0.7: the weight moves the plane
    cells = diagram(
        [[0.3, 0.5], [0.7, 0.5]], np.repeat(np.eye(2)[None], 2, 0), [0.0, 2 * 0.4 * shift], (1.0, 1.0), (False, False)
    )
    grid = Grid((100, 4), (0.01, 0.25))
    assert cells.volumes(grid).numpy() == pytest.approx([0.5 - shift, 0.5 + shift], abs=1e-12)
    x = grid.points()[:, 0].reshape(grid.shape)
    assert np.array_equal(cells.labels(grid).numpy() == 1, x < 0.5 - shift)


def test_periodic_labels_follow_a_translation():
    sites, metrics, weights, lengths = problem(11, 80, 3, aspect=5)
    grid = Grid((20, 16, 12), tuple(a / k for a, k in zip(lengths, (20, 16, 12))), periodic=(True,) * 3)
    there = sites + np.array([3, 5, 7]) * grid.spacing
    before = diagram(sites, metrics, weights, lengths, (True,) * 3).labels(grid)
    after = diagram(there, metrics, weights, lengths, (True,) * 3).labels(grid)
    assert torch.equal(torch.roll(before, (3, 5, 7), (0, 1, 2)), after)


@pytest.mark.parametrize("d", [2, 3])
def test_volumes_sum_to_the_box_and_approach_the_true_ones(d):
    sites, metrics, weights, lengths = problem(13, 40, d, aspect=2)
    cells = diagram(sites, metrics, weights, lengths, (True,) * d)
    coarse, fine = (Grid((k,) * d, tuple(a / k for a in lengths)) for k in (24, 96))
    volumes = cells.volumes(coarse)
    counted = np.bincount(cells.labels(fine).numpy().ravel(), minlength=41)[1:] * fine.cell_measure
    assert float(volumes.sum()) == pytest.approx(np.prod(lengths), rel=1e-12)
    assert np.abs(volumes.numpy() - counted).max() < 0.5 * coarse.cell_measure + 0.01 * counted.max()


def test_results_do_not_depend_on_the_number_of_threads():
    import numba

    cells = diagram(*problem(17, 300, 3, aspect=3), (True,) * 3)
    grid = Grid((40, 40, 40), tuple(a / 40 for a in cells.lengths))
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
        many = cells.volumes(grid)
        numba.set_num_threads(1)
        assert torch.equal(cells.volumes(grid), many)
    finally:
        numba.set_num_threads(threads)


@pytest.mark.parametrize(
    ("metric", "word"), [([[1.0, 0.5], [0.4, 1.0]], "symmetric"), ([[1.0, 2.0], [2.0, 1.0]], "positive definite")]
)
def test_bad_metrics_are_refused(metric, word):
    with pytest.raises(InvalidParameter, match=word):
        diagram([[0.5, 0.5]], [metric], [0.0], (1.0, 1.0), (True, True))
