"""Annealed Sinkhorn steps: two cells with a known boundary, some per cent for many, and what Newton alone cannot do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from microgen.core import CostDiagram, FormulaCost, PowerCost, solve_cells
from microgen.core.kernels import cpu
from microgen.core.sinkhorn import sinkhorn_weights
from microgen.core.transport import Problem
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from tests.core.test_transport import problem


def test_two_cells_meet_where_they_must():
    # c_1 - c_2 = (x - 0.25)^2 - (x - 0.75)^2 = x - 1/2, so that w_1 - w_2 = s - 1/2 puts the boundary at x = s
    grid = Grid((100, 20), (0.01, 0.05))
    sites = torch.tensor([[0.25, 0.5], [0.75, 0.5]], dtype=torch.float64)
    cost = PowerCost.of(sites, torch.eye(2, dtype=torch.float64).expand(2, 2, 2), 2.0)
    diagram = CostDiagram(cost, torch.zeros(2, dtype=torch.float64), grid.lengths, grid.periodic)
    weights = sinkhorn_weights(diagram, np.array([0.3, 0.7]), grid)
    assert weights[0] - weights[1] == pytest.approx(-0.2, abs=0.01)


@pytest.mark.parametrize(("p", "void"), [(1.0, 0.3), (4.0, 0.0), (4.0, 0.3)])
def test_volumes_come_out_to_some_per_cent(p, void):
    grid = Grid((24, 24, 24), (1.0, 1.0, 1.0), periodic=(True, False, True))
    sites, metrics, volumes = problem(5, 20, grid, spread=0.1)
    found = solve_cells(
        PowerCost.of(sites, metrics, p), volumes * (1 - void), grid, void=void > 0, repair=False, method="sinkhorn"
    )
    error = found.subvoxel_volumes / found.targets - 1
    assert error.abs().max() < 0.2
    assert error.abs().mean() < 0.04


def test_formulas_and_domains_go_the_same_way():
    grid = Grid((40, 40), (1.0, 1.0))
    inside = torch.from_numpy((np.linalg.norm(grid.points() - 20, axis=1) < 19.5).reshape(grid.shape))
    rng = np.random.default_rng(0)
    sites = torch.from_numpy(20 + 12 * (rng.random((9, 2)) - 0.5))
    volumes = torch.full((9,), float(inside.sum()) / 9, dtype=torch.float64)
    cost = FormulaCost(lambda x, y, p: ((y - x) ** 2).sum(-1).detach(), sites)
    found = solve_cells(cost, volumes, grid, domain=inside, method="sinkhorn", tolerance=0.1, repair=False)
    assert found.converged
    assert int(found.labels[~inside].max()) == 0


def test_newton_gone_astray_begins_again_from_there(monkeypatch):
    grid = Grid((20, 20, 20), (1.0, 1.0, 1.0))
    sites, metrics, volumes = problem(3, 12, grid)
    begun, polish = [], Problem.polish

    def astray(self, weights):
        begun.append(weights)
        if len(begun) > 1:
            return polish(self, weights)
        far = weights - 1e3 * np.arange(len(weights))
        return self.measured(far, self.diagram.sweep(far, grid, cpu.Wanted(False, True, -1.0)))

    monkeypatch.setattr(Problem, "polish", astray)
    found = solve_cells(PowerCost.of(sites, metrics, 3.0), volumes, grid, repair=False)
    assert len(begun) == 2
    assert found.converged


def test_an_unknown_method_is_refused():
    grid = Grid((8, 8), (1.0, 1.0))
    sites, metrics, volumes = problem(0, 3, grid)
    with pytest.raises(InvalidParameter, match="newton or sinkhorn"):
        solve_cells(PowerCost.of(sites, metrics), volumes, grid, method="lbfgs")


def test_costs_that_vary_by_powers_of_ten_keep_their_cells():
    grid = Grid((30, 30), (1.0, 1.0))
    rng = np.random.default_rng(1)
    sites = torch.from_numpy(30 * rng.random((10, 2)))
    volumes = torch.full((10,), 90.0, dtype=torch.float64)
    cost = PowerCost.of(sites, torch.eye(2, dtype=torch.float64).expand(10, 2, 2) / 90, 8.0)
    diagram = CostDiagram(cost, torch.zeros(10, dtype=torch.float64), grid.lengths, grid.periodic)
    weights = sinkhorn_weights(diagram, volumes.numpy() / 900, grid)
    swept = diagram.sweep(weights, grid, cpu.Wanted(False, True, -1.0))
    assert np.abs(swept.volumes / 90 - 1).max() < 0.2


def test_more_cells_than_it_can_look_at_are_refused():
    grid = Grid((60, 60), (1.0, 1.0))
    sites, metrics, volumes = problem(0, 900, grid)
    with pytest.raises(InvalidParameter, match="newton for so many cells"):
        solve_cells(PowerCost.of(sites, metrics), volumes, grid, method="sinkhorn")
