"""Weights solved on a device: the tolerance is met, by the steps that the CPU takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_transport import problem

from microgen.core import PowerDiagram, Solution, solve_weights
from microgen.core.device_transport import DeviceProblem
from microgen.core.transport import Problem
from microgen.grid import Grid


def pair_of_problems(n, grid, device, **options) -> tuple[Problem, DeviceProblem, tuple[torch.Tensor, ...]]:
    """A problem, the same on the device, and its sites, metrics and volumes."""
    sites, metrics, volumes = problem(n, n, grid, **options)
    diagram = PowerDiagram(sites, metrics, torch.zeros(n, dtype=torch.float64), grid.lengths, grid.periodic)
    host = Problem(diagram, (volumes / volumes.sum()).numpy(), grid, 0.01, repair=True, on_step=None)
    return host, DeviceProblem(host, device), (sites, metrics, volumes)


def solved(there: DeviceProblem) -> Solution:
    return there.polish(there.coarse_to_fine())


@pytest.mark.parametrize(
    ("n", "shape", "periodic"),
    [(1, (8, 8, 8), (True,) * 3), (2, (12, 8, 8), (True,) * 3), (12, (16, 14, 13), (True, False, True))],
)
def test_volumes_are_met_as_on_the_cpu(device, n, shape, periodic):
    grid = Grid(shape, (0.5, 0.4, 0.6), periodic=periodic)
    _, there, problem = pair_of_problems(n, grid, device, spread=0.15)
    found, expected = solved(there), solve_weights(*problem, grid)
    assert found.status == expected.status
    known = ~expected.subvoxel_volumes.isnan()  # of grains held to them: of the others the CPU does not ask
    assert found.subvoxel_volumes[known].numpy() == pytest.approx(expected.subvoxel_volumes[known].numpy(), rel=0.015)
    assert found.counts.numpy() == pytest.approx(expected.counts.numpy(), rel=0.03)


def test_newtons_steps_are_those_of_the_cpu(device):
    grid = Grid((16, 14, 13), (0.5, 0.4, 0.6), periodic=(True, False, True))
    host, there, problem = pair_of_problems(12, grid, device, spread=0.15)
    host.rough = True
    found = there.solved(there.start)
    expected = solve_weights(*problem, grid, repair=False, start=there.start.cpu(), rough=True)
    change = (found.diagram.weights - expected.diagram.weights).numpy()
    assert np.ptp(change) < 1e-3 * host.unit.min()


def test_labels_are_those_of_the_weights_and_their_counts_add_up(device):
    grid = Grid((16, 16, 16), (1.0,) * 3, periodic=(True,) * 3)
    found = solved(pair_of_problems(8, grid, device)[1])
    labels, raw = found.labels.numpy(), found.diagram.labels(grid).numpy()
    assert found.converged
    assert (labels != raw).sum() == found.island_voxels
    assert np.array_equal(np.bincount(labels.ravel(), minlength=9)[1:], found.counts.numpy())


def test_the_same_problem_gives_the_same_bits(device):
    grid = Grid((12, 12, 12), (1.0,) * 3)
    first, second = (solved(pair_of_problems(6, grid, device)[1]) for _ in range(2))
    assert torch.equal(first.diagram.weights, second.diagram.weights)
    assert torch.equal(first.labels, second.labels)


def test_coarse_grids_come_first(device):
    grid = Grid((24, 24, 24), (1.0,) * 3, periodic=(True,) * 3)
    host, there, _ = pair_of_problems(3, grid, device)
    assert solved(there).converged
    assert [step.voxels for step in host.history][0] == 12**3
    assert [step.voxels for step in host.history][-1] == 24**3


def test_a_cell_that_vanished_is_lifted_and_comes_back(device):
    grid = Grid((16, 16, 16), (1.0,) * 3, periodic=(True,) * 3)
    _, there, _ = pair_of_problems(10, grid, device)
    weights = there.start.clone()
    weights[3] -= 50 * there.unit[3]
    assert there.polish(weights).converged


def test_rough_is_enough_to_see_which_cells_are_cut(device):
    grid = Grid((16, 16, 16), (1.0,) * 3, periodic=(True,) * 3)
    host, there, _ = pair_of_problems(20, grid, device)
    host.rough = True
    found = there.measured(there.newton(there.start, grid))
    assert found.subvoxel_volumes.numpy() == pytest.approx(found.targets.numpy(), rel=0.5)
    assert {step.stage for step in host.history} == {"sub-voxel volumes"}
