"""Prescribed volumes for any cost: with void, in domains, soft and hard; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from microgen.core import PowerCost, solve_cells, solve_weights
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from tests.core.test_transport import problem

CUBE = Grid((30, 30, 30), (0.5, 0.4, 0.6), periodic=(True, False, True))


def counted(solution, n: int) -> np.ndarray:
    return np.bincount(solution.labels.numpy().ravel(), minlength=n + 1)[1:]


def hourglass(grid: Grid) -> torch.Tensor:
    x, y, z = (grid.points() / grid.lengths - 0.5).T
    return torch.from_numpy((np.hypot(x, y) < 0.12 + 0.7 * np.abs(z)).reshape(grid.shape))


@pytest.mark.parametrize(("p", "void"), [(0.5, 0.0), (1.0, 0.3), (6.0, 0.0), (10.0, 0.4)])
def test_volumes_are_met_and_the_rest_is_void(p, void):
    sites, metrics, volumes = problem(60, 60, CUBE, spread=0.1)
    solution = solve_cells(PowerCost.of(sites, metrics, p), volumes * (1 - void), CUBE, void=void > 0, repair=False)
    targets = volumes.numpy() * (1 - void) / CUBE.cell_measure
    large, counts = targets >= 400, counted(solution, 60)
    assert solution.converged
    assert np.abs(counts / targets - 1)[large].max(initial=0.0) <= 0.01
    assert np.abs(solution.subvoxel_volumes.numpy() / targets - 1)[~large].max(initial=0.0) <= 0.01
    assert float((solution.labels == 0).double().mean()) == pytest.approx(void, abs=0.005)


def test_several_populations_share_a_container_with_void():
    grid = Grid((32, 32, 32), (1.0, 1.0, 1.0))
    inside = hourglass(grid)
    points = grid.points()[inside.numpy().ravel()]
    chosen = [points[0]]
    while len(chosen) < 30:  # each as far from the others as can be
        away = np.linalg.norm(points[:, None] - np.array(chosen), axis=2).min(axis=1)
        chosen.append(points[away.argmax()])
    volumes = torch.from_numpy(np.random.default_rng(2).uniform(0.7, 1.3, 30))
    volumes *= 0.8 * float(inside.sum()) / float(volumes.sum())
    metrics = torch.eye(3, dtype=torch.float64) * volumes[:, None, None] ** (-2 / 3)
    cost = PowerCost(torch.from_numpy(np.array(chosen)), metrics, torch.tensor([1.0, 8.0] * 15, dtype=torch.float64))
    solution = solve_cells(cost, volumes, grid, void=True, domain=inside)
    assert solution.converged
    assert int(solution.labels[~inside].abs().max()) == 0
    assert float((solution.labels[inside] == 0).double().mean()) == pytest.approx(0.2, abs=0.01)


def test_squares_give_the_weights_of_the_quadratic_path():
    sites, metrics, volumes = problem(9, 50, CUBE)
    general = solve_cells(PowerCost.of(sites, metrics), volumes, CUBE)
    quadratic = solve_weights(sites, metrics, volumes, CUBE)
    apart = general.diagram.weights - quadratic.diagram.weights  # two ways to within the tolerance; a constant is free
    assert (apart - apart.mean()).abs().max() < 0.01 * quadratic.diagram.weights.std()
    assert (general.labels != quadratic.labels).double().mean() < 1e-3


def test_weights_are_those_of_the_dual():
    # d/dw of sum v_i w_i + mean min(c_i - w_i, 0) vanishes; the void has weight zero
    grid = Grid((40, 40), (0.025, 0.025), periodic=(True, True))
    sites, metrics, volumes = problem(2, 12, grid, spread=0.1)
    cost = PowerCost.of(sites, metrics, 3.0)
    found = solve_cells(cost, 0.7 * volumes, grid, void=True, tolerance=0.002, repair=False).diagram
    weights = found.weights.clone().requires_grad_()
    points = torch.from_numpy(Grid((400, 400), (0.0025, 0.0025)).points())
    gap = cost.at(points, lengths=grid.lengths, periodic=grid.periodic) - weights
    dual = (0.7 * volumes * weights).sum() + gap.min(dim=1).values.clamp(max=0).mean()
    dual.backward()
    assert weights.grad.abs().max() < 0.01 * volumes.min()


def test_islands_that_touch_no_other_cell_become_void():
    from microgen.core.kernels.islands import give_away_islands

    labels = np.zeros((1, 4, 8), np.int32)
    labels[0, :, :3], labels[0, 1, 5] = 1, 1
    assert give_away_islands(labels, np.zeros(3, bool), 1, void=True).tolist() == [1]
    assert labels[0, 1, 5] == 0


def test_unreachable_tolerance_is_said_and_the_result_kept():
    grid = Grid((12, 12, 12), (1.0, 1.0, 1.0))
    sites, metrics, volumes = problem(1, 3, grid)
    solution = solve_cells(PowerCost.of(sites, metrics, 4.0), 0.5 * volumes, grid, void=True, tolerance=1e-6)
    assert solution.status == "not_converged"
    assert solution.volume_error_max < 0.1


@pytest.mark.parametrize(
    ("change", "name", "word"),
    [
        ({"volumes": 1.1}, "volumes", "Normalise: volumes \\* 0.909"),
        ({"volumes": 0.9}, "volumes", "or solve with void"),
        ({"volumes": 1.0, "void": True}, "volumes", "Leave void some room"),
        ({"volumes": -1.0}, "volumes", "positive"),
        ({"move": 20.0}, "sites", "inside the box"),
        ({"domain": torch.zeros(10, 10, dtype=torch.bool)}, "domain", "empty"),
        ({"domain": torch.ones(10, 10, 1, dtype=torch.bool)}, "domain", "2 dimensions"),
        ({"domain": torch.ones(10, 10)}, "domain", "true and false"),
        ({"domain": torch.eye(10, dtype=torch.bool)}, "sites", "inside the domain"),
        ({"tolerance": 0.0}, "tolerance", "between 0 and 1"),
    ],
)
def test_bad_problems_are_refused_by_name(change, name, word):
    grid = Grid((10, 10), (1.0, 1.0))
    sites, metrics, volumes = problem(1, 3, grid)
    options = {key: value for key, value in change.items() if key in ("void", "domain", "tolerance")}
    if "domain" in change and name == "sites":
        volumes = volumes * 0.1
    sites = sites + torch.tensor([change.get("move", 0.0), 0.0])
    with pytest.raises(InvalidParameter, match=word) as caught:
        solve_cells(PowerCost.of(sites, metrics, 3.0), volumes * change.get("volumes", 1.0), grid, **options)
    assert caught.value.name == name
