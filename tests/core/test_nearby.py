"""Sweeps of a part of the box, and sweeps that follow some sites, against sweeps of everything."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from microgen.core import PowerDiagram, solve_weights
from microgen.core.kernels import cpu
from microgen.core.laplacian import gradients, laplacian_of, solve_among
from microgen.core.nearby import Nearby
from microgen.grid import Grid
from tests.core.test_transport import problem

N = 300
GRID = Grid((70, 64, 52), (1.0, 1.0, 1.0), periodic=(True, False, True))
WHOLE = cpu.Wanted(False, True, 0.01)


@pytest.fixture(scope="module")
def diagram() -> PowerDiagram:
    sites, metrics, _ = problem(3, N, GRID, spread=0.2)
    return PowerDiagram(sites, metrics, torch.zeros(N, dtype=torch.float64), GRID.lengths, GRID.periodic)


def first(k: int) -> np.ndarray:
    return np.arange(N) < k


def test_a_part_of_the_box_tells_of_the_whole_as_weights_change(diagram: PowerDiagram) -> None:
    rng, weights, room = np.random.default_rng(0), np.zeros(N), diagram.room(GRID, flips=True)
    swept = diagram.sweep(weights, GRID, WHOLE)
    near = Nearby(diagram, GRID, weights, swept.counts, swept.volumes)
    for k in (1, 3):
        near.grow(first(k))
        weights = weights + 0.05 * rng.standard_normal(N) * near.active
        part, whole = near.sweep(weights, WHOLE, room), diagram.sweep(weights, GRID, WHOLE)
        assert np.array_equal(part.counts, whole.counts)
        assert part.volumes == pytest.approx(whole.volumes, abs=1e-9)
    assert 0 < near.part.mean() < 0.8
    assert not np.array_equal(whole.counts, swept.counts)


def test_a_part_of_the_box_tells_of_the_whole_as_sites_move(diagram: PowerDiagram) -> None:
    room, weights, swept = diagram.room(GRID, flips=True), np.zeros(N), diagram.sweep(np.zeros(N), GRID, WHOLE)
    moved = diagram.sites.clone()
    moved[0] += torch.tensor([20.0, 3.0, 15.0])
    near = Nearby(diagram, GRID, weights, swept.counts, swept.volumes)
    near.grow(first(1))
    near.diagram = PowerDiagram(moved, diagram.metrics, diagram.weights, GRID.lengths, GRID.periodic)
    part, whole = near.sweep(weights, WHOLE, room), near.diagram.sweep(weights, GRID, WHOLE)
    assert np.array_equal(part.counts, whole.counts)
    assert part.volumes == pytest.approx(whole.volumes, abs=1e-9)


def test_nothing_is_swept_where_nothing_changes(diagram: PowerDiagram) -> None:
    swept = diagram.sweep(np.zeros(N), GRID, WHOLE)
    near = Nearby(diagram, GRID, np.zeros(N), swept.counts, swept.volumes)
    again = near.sweep(np.zeros(N), WHOLE, diagram.room(GRID, flips=True))
    assert np.array_equal(again.counts, swept.counts)
    assert again.flip_used.sum() == 0


def test_what_is_followed_is_measured_as_in_a_whole_sweep(diagram: PowerDiagram) -> None:
    whole, followed = diagram.sweep(np.zeros(N), GRID, WHOLE), first(20)
    some = diagram.sweep(np.zeros(N), GRID, WHOLE._replace(followed=followed))
    assert np.array_equal(some.counts, whole.counts)
    assert some.volumes[followed] == pytest.approx(whole.volumes[followed], abs=1e-9)
    assert some.flip_used.sum() < 0.7 * whole.flip_used.sum()


def test_a_problem_of_which_few_sites_changed_goes_on_from_its_solution() -> None:
    sites, metrics, volumes = problem(3, N, GRID, spread=0.2)
    before = solve_weights(sites, metrics, volumes, GRID)
    sites[0] += torch.tensor([2.0, -1.0, 1.0])
    after = solve_weights(sites, metrics, volumes, GRID, start=before.diagram.weights, resumed=before)
    assert before.converged
    assert after.converged
    assert {step.stage for step in after.history} == {"voxel counts"}  # no whole Newton
    assert torch.equal(after.counts, torch.bincount(after.labels.flatten(), minlength=N + 1)[1:])


def test_only_active_weights_change_and_solve_their_equations() -> None:
    rng, n = np.random.default_rng(1), 40
    pair = rng.integers(0, n, (200, 2))
    matrix = laplacian_of(pair[pair[:, 0] != pair[:, 1]], rng.random((pair[:, 0] != pair[:, 1]).sum()), n)
    active, right = np.arange(n) < 9, rng.standard_normal(n)
    step = solve_among(matrix, right, active)
    assert np.array_equal(step[~active], np.zeros(n - 9))
    assert (matrix @ step)[active] == pytest.approx(right[active], abs=1e-3)
    assert np.array_equal(gradients(matrix, np.zeros(n)), np.zeros(n))
