"""Prescribed volumes: met as counted from the labels, gradients of the dual, islands, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.ndimage import label

from microgen.core import lloyd, solve_weights
from microgen.core.kernels import reference
from microgen.core.kernels.islands import give_away_islands
from microgen.errors import InvalidParameter
from microgen.grid import Grid


def problem(seed: int, n: int, grid: Grid, *, spread: float = 0.2, aspect: float = 1.5):
    """Sites on a jittered lattice, lognormal volumes, spheroids in random directions, with A = v^(-2/d) · shape."""
    rng, d = np.random.default_rng(seed), grid.ndim
    volumes = np.exp(spread * d * rng.standard_normal(n))
    volumes *= np.prod(grid.lengths) / volumes.sum()
    k = int(np.ceil(n ** (1 / d)))
    cells = rng.permutation(np.stack(np.meshgrid(*[np.arange(k)] * d, indexing="ij"), -1).reshape(-1, d))[:n]
    sites = (cells + 0.5 + rng.uniform(-0.3, 0.3, (n, d))) / k * grid.lengths
    axis = rng.standard_normal((n, d))
    outer = np.einsum("ni,nj->nij", axis, axis) / (axis**2).sum(1)[:, None, None]
    shape = aspect ** (2 / d) * (np.eye(d) - outer) + aspect ** (-2 * (d - 1) / d) * outer
    metrics = shape * volumes[:, None, None] ** (-2 / d)
    return tuple(torch.from_numpy(a) for a in (sites, metrics, volumes))


@pytest.mark.parametrize(
    ("n", "shape", "periodic"),
    [
        (1, (8, 8, 8), (True,) * 3),
        (2, (20, 16, 12), (True,) * 3),
        (60, (30, 30, 30), (True,) * 3),
        (60, (30, 30, 30), (False, True, False)),
        (150, (120, 100), (True, True)),
        (150, (120, 100), (False, False)),
    ],
)
def test_volumes_are_met_as_counted_from_the_labels(n, shape, periodic):
    grid = Grid(shape, (0.5, 0.4, 0.6)[: len(shape)], periodic=periodic)
    sites, metrics, volumes = problem(n, n, grid, spread=0.1)
    solution = solve_weights(sites, metrics, volumes, grid, repair=False)
    counts = np.bincount(solution.labels.numpy().ravel(), minlength=n + 1)[1:]
    targets = volumes.numpy() / grid.cell_measure
    large = targets >= 400
    assert solution.converged
    assert np.array_equal(counts, solution.counts.numpy())
    assert np.abs(counts / targets - 1)[large].max(initial=0.0) <= 0.01
    assert np.abs(solution.subvoxel_volumes.numpy() / targets - 1)[~large].max(initial=0.0) <= 0.01


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.floats(0, 0.3), aspect=st.floats(1, 2.5))
def test_raw_diagram_converges_on_random_problems(seed, spread, aspect):
    grid = Grid((36, 36, 36), (1.0, 1.0, 1.0), periodic=(True,) * 3)
    sites, metrics, volumes = problem(seed, 64, grid, spread=spread, aspect=aspect)
    solution = solve_weights(sites, metrics, volumes, grid, repair=False)
    assert solution.converged
    assert torch.equal(solution.labels, solution.diagram.labels(grid))


def test_small_grains_have_their_volume_on_a_much_finer_grid():
    grid = Grid((24, 24, 24), (1.0, 1.0, 1.0), periodic=(True,) * 3)
    sites, metrics, volumes = problem(4, 100, grid)
    solution = solve_weights(sites, metrics, volumes, grid, repair=False)
    fine = Grid((192,) * 3, (0.125,) * 3, periodic=(True,) * 3)
    counts = np.bincount(solution.diagram.labels(fine).numpy().ravel(), minlength=101)[1:] * fine.cell_measure
    small = volumes.numpy() < 400
    assert volumes.min() < 40
    assert np.abs(counts / volumes.numpy() - 1)[small].max() < 0.02


def test_solution_is_stationary_for_the_dual():
    grid = Grid((40, 40), (0.025, 0.025), periodic=(True, True))
    sites, metrics, volumes = problem(2, 12, grid, spread=0.1)
    diagram = solve_weights(sites, metrics, volumes, grid, tolerance=0.002, repair=False).diagram
    points = torch.from_numpy(Grid((400, 400), (0.0025, 0.0025)).points())
    cost = reference.costs(points, sites, metrics, lengths=grid.lengths, periodic=grid.periodic)
    weights = diagram.weights.clone().requires_grad_()
    reference.dual(cost, weights, volumes).backward()
    assert weights.grad.abs().max() < 0.01 * volumes.min()


def test_same_problem_gives_the_same_bits():
    grid = Grid((32, 32, 32), (1.0, 1.0, 1.0), periodic=(True,) * 3)
    first, second = (solve_weights(*problem(9, 50, grid), grid) for _ in range(2))
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(first.diagram.weights, second.diagram.weights)


def test_every_grain_is_one_piece():
    grid = Grid((40, 40, 40), (1.0, 1.0, 1.0))
    sites, metrics, volumes = problem(6, 80, grid, spread=0.35, aspect=3)
    solution = solve_weights(sites, metrics, volumes, grid)
    labels = solution.labels.numpy()
    assert solution.island_voxels > 0
    assert all(label(labels == k)[1] == 1 for k in range(1, 81))


def test_islands_go_to_the_neighbour_with_most_faces():
    labels = np.ones((1, 5, 8), np.int32)
    labels[0, :, 4:] = 2
    labels[0, 2, 6] = 1  # an island of 1 within 2
    labels[0, 0, 0] = 3
    lost = give_away_islands(labels, np.zeros(3, bool), 3)
    assert lost.tolist() == [1, 0, 0]
    assert labels[0, 2, 6] == 2
    assert labels[0, 0, 0] == 3


def test_a_grain_across_the_periodic_border_is_no_island():
    labels = np.ones((1, 4, 6), np.int32)
    labels[0, :, 0] = labels[0, :, 5] = 2
    assert give_away_islands(labels.copy(), np.array([False, False, True]), 2).sum() == 0
    assert give_away_islands(labels, np.zeros(3, bool), 2).tolist() == [0, 4]


def test_lloyd_brings_sites_to_their_centroids():
    grid = Grid((60, 60), (1.0, 1.0), periodic=(True, True))
    sites, metrics, volumes = problem(8, 25, grid, spread=0.05, aspect=1.0)
    moved = lloyd(sites, metrics, volumes, grid, steps=12)
    still = lloyd(moved, metrics, volumes, grid, steps=1)
    assert (still - moved).abs().max() < 0.1 * (moved - sites).abs().max()


def test_unreachable_tolerance_is_said_and_the_result_kept():
    grid = Grid((12, 12, 12), (1.0, 1.0, 1.0), periodic=(True,) * 3)
    solution = solve_weights(*problem(1, 3, grid), grid, tolerance=1e-6)
    assert solution.status == "not_converged"
    assert solution.volume_error_max < 0.05


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda s, v: (s[[0, 0, 2]], v), "sites"),
        (lambda s, v: (s, v * 1.1), "volumes"),
        (lambda s, v: (s, v * torch.tensor([1, -1, 1])), "volumes"),
        (lambda s, v: (s + torch.tensor([0.0, float("nan")]), v), "sites"),
    ],
)
def test_bad_problems_are_refused_by_name(change, name):
    grid = Grid((10, 10), (1.0, 1.0), periodic=(True, True))
    sites, metrics, volumes = problem(1, 3, grid)
    sites, volumes = change(sites, volumes)
    with pytest.raises(InvalidParameter) as caught:
        solve_weights(sites, metrics, volumes, grid)
    assert caught.value.name == name


@pytest.mark.parametrize("tolerance", [0.0, -1.0, 1.0, float("nan")])
def test_tolerance_must_be_a_share(tolerance):
    grid = Grid((10, 10), (1.0, 1.0))
    with pytest.raises(InvalidParameter, match="tolerance"):
        solve_weights(*problem(1, 3, grid), grid, tolerance=tolerance)


def test_all_targets_can_be_held_to_their_subvoxel_volume():
    grid = Grid((120, 100), (0.5, 0.4))
    sites, metrics, volumes = problem(3, 20, grid, spread=0.1)
    solution = solve_weights(sites, metrics, volumes, grid, repair=False, small=np.inf)
    assert solution.converged
    assert solution.grains_below_400 == 20
    assert np.abs(solution.subvoxel_volumes.numpy() / solution.targets.numpy() - 1).max() <= 0.01
