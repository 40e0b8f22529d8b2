"""Diagrams fitted to label maps: known diagrams come back, invariances, and the kernels against a plain reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.optimize import check_grad

from microgen.core import PowerDiagram
from microgen.core.kernels import label_loss
from microgen.core.label_fit import _pairs, _Problem, fit_labels, grain_moments, labels_on
from microgen.grid import Grid, HexGrid


def random_diagram(seed: int, n: int, grid: Grid) -> PowerDiagram:
    """Random sites, ellipses of aspect up to 2 in random directions, and weights."""
    rng, d = np.random.default_rng(seed), grid.ndim
    size = np.prod(grid.lengths) / n
    turn = np.linalg.qr(rng.standard_normal((n, d, d)))[0]
    metrics = np.einsum("nij,nj,nkj->nik", turn, rng.uniform(0.5, 1.5, (n, d)), turn) * size ** (-2 / d)
    sites = rng.random((n, d)) * grid.lengths
    metrics = torch.from_numpy((metrics + metrics.transpose(0, 2, 1)) / 2)
    weights = torch.from_numpy(rng.random(n) * 0.2)
    return PowerDiagram(torch.from_numpy(sites), metrics, weights, grid.lengths, grid.periodic)


def numbered(labels: np.ndarray) -> np.ndarray:
    """Without the numbers of cells that no point shows."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape) + 1


def reference(theta, problem: _Problem, pairs, temperature: float, ramp: bool) -> float:
    """The loss, point by point."""
    i, j = np.triu_indices(problem.grid.ndim)
    candidates: dict[int, list[tuple[int, float]]] = {}
    for grain in range(problem.n):
        for p in pairs.point[pairs.first[grain] : pairs.first[grain + 1]]:
            u = problem.whiten[grain] @ (problem.points[p] - problem.centre[grain])
            score = theta[grain] @ np.concatenate([[1.0], u, u[i] * u[j]])
            candidates.setdefault(int(p), []).append((grain, score))
    total = 0.0
    for p, found in candidates.items():
        scores = np.array([score for _, score in found]) / temperature
        log_p = scores - np.logaddexp.reduce(scores)
        own = log_p[[grain for grain, _ in found].index(problem.own[p])]
        total += 1 - np.exp(own) if ramp else -own
    return total


@pytest.mark.parametrize("ramp", [False, True])
@pytest.mark.parametrize("shape", [(20, 16), (8, 7, 6)])
def test_kernels_agree_with_the_reference_and_the_gradient_with_differences(shape, ramp):
    grid = Grid(shape, (0.5, 0.4, 0.6)[: len(shape)])
    problem = _Problem.of(grid, numbered(labels_on(random_diagram(3, 7, grid), grid)))
    pairs = _pairs(problem.near(), problem.own, problem.n)
    d = grid.ndim
    rng = np.random.default_rng(0)
    theta = rng.standard_normal((problem.n, 1 + d + d * (d + 1) // 2))
    shared = (problem.centre, problem.whiten, np.zeros(d), problem.points, pairs.first, pairs.point)

    def value(flat):
        s = np.empty(len(pairs.point))
        label_loss.scores(flat.reshape(theta.shape), *shared, s)
        return label_loss.loss(s, pairs.begin, pairs.order, pairs.own, 0.7, ramp), s

    def slope(flat):
        out = np.empty_like(theta)
        label_loss.gradient(value(flat)[1], *shared, out)
        return out.ravel()

    assert value(theta.ravel())[0] == pytest.approx(reference(theta, problem, pairs, 0.7, ramp), rel=1e-12)
    size = np.linalg.norm(slope(theta.ravel()))
    assert check_grad(lambda x: value(x)[0], slope, theta.ravel()) < 1e-5 * size


@pytest.mark.parametrize(("seed", "n", "shape"), [(0, 40, (120, 110)), (1, 25, (150, 90)), (2, 12, (32, 30, 28))])
def test_known_diagrams_come_back(seed, n, shape):
    grid = Grid(shape, (0.5,) * len(shape))
    labels = numbered(labels_on(random_diagram(seed, n, grid), grid))
    fitted = fit_labels(grid, labels)
    assert np.mean(fitted.labels != labels) <= 0.001
    assert np.mean(fitted.moments_labels != labels) > 0.01


def test_the_straight_boundary_of_two_grains_is_exact():
    grid = Grid((40, 30), (1.0, 1.0))
    x, y = grid.points().T
    labels = np.where(0.3 * x + y < 20.2, 1, 2).reshape(grid.shape)
    assert np.array_equal(fit_labels(grid, labels).labels, labels)


def test_a_disc_in_a_plate_is_exact():
    grid = Grid((41, 37), (1.0, 1.0))
    x, y = grid.points().T
    labels = np.where((x - 18) ** 2 + 2 * (y - 15) ** 2 < 90, 1, 2).reshape(grid.shape)
    assert np.array_equal(fit_labels(grid, labels).labels, labels)


def wavy(grid: Grid, seed: int = 5, n: int = 12) -> np.ndarray:
    """Cells that are no power diagram."""
    rng = np.random.default_rng(seed)
    sites = rng.random((n, 2)) * grid.lengths
    y = grid.points()
    y = y + 0.02 * np.array(grid.lengths) * np.sin(8 * np.pi * y[:, ::-1] / grid.lengths)
    return numbered(np.argmin(((y[:, None] - sites) ** 2).sum(-1), axis=1).reshape(grid.shape))


def test_neither_numbering_nor_place_of_the_window_nor_unit_matter():
    grid = Grid((70, 60), (1.0, 1.0))
    labels = wavy(grid)
    order = np.random.default_rng(0).permutation(int(labels.max())) + 1
    first = fit_labels(grid, labels)
    moved = fit_labels(Grid(grid.shape, grid.spacing, (37.0, -11.0)), labels)
    assert np.array_equal(moved.labels, first.labels)
    # The steps of a non-convex descent part by rounding: what was reached is compared, not each point.
    other = fit_labels(grid, order[labels - 1])
    small = fit_labels(Grid(grid.shape, (2.0**-10, 2.0**-10)), labels)  # a power of two rounds nothing
    assert min(other.history) == pytest.approx(min(first.history), abs=0.004)
    assert np.array_equal(small.labels, first.labels)
    assert min(first.history) < 0.7 * first.history[0]


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 12))
def test_metrics_stay_positive_definite_and_the_fit_is_never_worse_than_moments(seed, n):
    grid = Grid((36, 30), (1.0, 0.7))
    fitted = fit_labels(grid, wavy(grid, seed, n))
    assert np.linalg.eigvalsh(fitted.diagram.metrics.numpy()).min() > 0
    assert min(fitted.history) <= fitted.history[0]
    assert np.array_equal(labels_on(fitted.diagram, grid), fitted.labels)


def test_periodic_grains_are_put_together_across_the_border():
    grid = Grid((60, 50), (1.0, 1.0), periodic=(True, True))
    labels = numbered(labels_on(random_diagram(4, 14, grid), grid))
    assert np.mean(fit_labels(grid, labels).labels != labels) <= 0.002


@pytest.mark.parametrize("shifted", [0, 1])
def test_hexagonal_maps_are_labelled_at_their_own_points(shifted):
    grid = HexGrid((40, 35), 0.5, shifted=shifted, origin=(3.0, 4.0))
    diagram = random_diagram(6, 12, Grid((40, 35), (grid.step, grid.pitch)))
    x, a, w = (t.numpy() for t in (diagram.sites, diagram.metrics, diagram.weights))
    away = (grid.points() - grid.origin)[:, None] - x
    costs = np.einsum("pni,nij,pnj->pn", away, a, away) - w
    assert np.array_equal(labels_on(diagram, grid).ravel(), costs.argmin(axis=1) + 1)


@pytest.mark.parametrize("grid", [Grid((7, 5), (0.5, 0.4)), HexGrid((7, 5), 0.5)])
def test_moments_of_one_point_are_those_of_its_own_area(grid):
    centre, moments = grain_moments(np.array([[1.0, 2.0]]), np.array([0]), 1, grid)
    # A square of side h has h²/12 about each axis, a hexagon of pitch h 5 h²/72.
    sides = (np.array([0.25, 0.16]) / 12) if isinstance(grid, Grid) else np.full(2, 5 * 0.25 / 72)
    assert np.allclose(centre, [[1.0, 2.0]])
    assert np.allclose(moments, np.diag(sides))


def test_points_without_a_grain_take_no_part():
    grid = Grid((60, 50), (1.0, 1.0))
    labels = numbered(labels_on(random_diagram(8, 15, grid), grid))
    masked = labels.copy()
    masked[20:30, 10:35] = 0
    fitted = fit_labels(grid, numbered(masked) - 1)
    inside = masked > 0
    assert np.mean((fitted.labels != numbered(masked) - 1)[inside]) <= 0.002
