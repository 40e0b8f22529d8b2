"""The diagram on a device against that of the CPU's kernels: labels, counts, volumes, Jacobian, records."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from test_power_diagram import diagram, problem

from microgen.core import PowerDiagram, device_transport, laplacian
from microgen.core.device_diagram import DeviceDiagram, Sweep
from microgen.core.kernels import cpu, flips
from microgen.errors import EnvironmentProblem
from microgen.grid import Grid

ALL, REACH = (True, True, True), 0.05


def cells_on(seed, n, shape, periodic, *, aspect=2.0, ratio=8.0, origin=(0.0, 0.0, 0.0)) -> tuple[PowerDiagram, Grid]:
    """A diagram on a grid of its box, voxels that are no cubes."""
    sites, metrics, weights, lengths = problem(seed, n, 3, aspect=aspect, ratio=ratio)
    grid = Grid(shape, tuple(a / k for a, k in zip(lengths, shape)), origin, periodic)
    return diagram(sites + np.array(origin), metrics, 0.3 * weights, lengths, periodic), grid


def both(cells: PowerDiagram, grid: Grid, device: str) -> tuple[cpu.Sweep, Sweep]:
    """Sweeps of both kinds, with all that they can give."""
    there = cells.sweep(cells.weights.numpy(), grid, cpu.Wanted(True, True, REACH))
    here = DeviceDiagram(cells, grid, device).sweep(cells.weights.to(device), reach=REACH, labels=True)
    return there, here


def jacobian(here: Sweep, n: int) -> np.ndarray:
    """[n, n]"""
    of = device_transport.laplacian_of(here.pair, here.area, n)
    return (
        torch.stack([of.times(row) for row in torch.eye(n, dtype=torch.float64, device=here.area.device)]).cpu().numpy()
    )


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.sampled_from([1, 2, 3, 5, 20, 40]),
    aspect=st.floats(1, 10),
    ratio=st.floats(1, 1000),
    periodic=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_a_sweep_is_that_of_the_cpu(device, seed, n, aspect, ratio, periodic):
    cells, grid = cells_on(seed, n, (10, 9, 6), periodic, aspect=aspect, ratio=ratio)
    there, here = both(cells, grid, device)
    assert bool(here.fits)
    assert np.array_equal(there.labels, here.labels.cpu().numpy())
    assert np.array_equal(there.counts, here.counts.cpu().numpy())
    np.testing.assert_allclose(here.volumes.cpu().numpy(), there.volumes, atol=1e-6)
    expected = laplacian.laplacian_of(*laplacian.pairs(there), n).toarray()
    np.testing.assert_allclose(jacobian(here, n), expected, atol=1e-7 * max(np.abs(expected).max(), 1e-30))


def test_another_origin_and_more_grains(device):
    cells, grid = cells_on(6, 60, (14, 12, 13), ALL, aspect=3, origin=(3.0, -2.0, 0.1))
    there, here = both(cells, grid, device)
    assert np.array_equal(there.labels, here.labels.cpu().numpy())
    np.testing.assert_allclose(here.volumes.cpu().numpy(), there.volumes, atol=1e-6)


def test_boxes_of_one_grain_are_labelled_whatever_their_size(device):
    cells, grid = cells_on(2, 2, (40, 66, 35), (False, True, False), ratio=1)
    here = DeviceDiagram(cells, grid, device).sweep(cells.weights.to(device), labels=True)
    assert torch.equal(here.labels.cpu(), cells.labels(grid))
    assert here.counts.sum() == grid.size


def test_float32_is_enough_for_volumes(device):
    cells, grid = cells_on(7, 30, (12, 12, 12), ALL)
    there, here = both(cells, grid, device)[0], DeviceDiagram(cells, grid, device).sweep(cells.weights.to(device))
    np.testing.assert_allclose(here.volumes.cpu().numpy(), there.volumes, rtol=1e-4, atol=1e-2)


def test_float32_is_enough_for_faces_along_an_axis(device):
    sites = np.array([[0.2, 0.5, 0.5], [0.7, 0.5, 0.5]])
    cells = diagram(sites, np.stack([np.eye(3)] * 2), np.zeros(2), (1.0,) * 3, (False,) * 3)
    grid = Grid((8, 8, 8), (0.125,) * 3)
    volumes = DeviceDiagram(cells, grid, device).sweep(cells.weights.to(device)).volumes
    assert volumes.cpu().numpy() == pytest.approx(
        [0.45 * 512, 0.55 * 512], abs=2e-3
    )  # the CPU, too: planes lean by 1e-4


def test_small_changes_follow_from_the_records(device):
    cells, grid = cells_on(8, 20, (12, 12, 12), ALL)
    change = np.random.default_rng(1).uniform(-REACH / 2, REACH / 2, 20)
    there, here = both(cells, grid, device)
    counts, volumes = (
        x.cpu().numpy() for x in device_transport.moved(here, torch.tensor(change, device=device), shares=True)
    )
    expected_counts, expected_volumes = flips.moved(there, change, shares=True)
    assert np.array_equal(counts, expected_counts)
    np.testing.assert_allclose(volumes, expected_volumes, atol=0.05)  # records of voxels whose third site is near


def test_tiles_and_room_that_was_known_change_no_bit(device):
    cells, grid = cells_on(9, 20, (12, 10, 11), (True, False, True))
    swept = DeviceDiagram(cells, grid, device)
    weights = cells.weights.to(device)
    first, again = swept.sweep(weights), swept.sweep(weights)
    swept.room.forget()
    swept.room.tile = 20
    tiled = swept.sweep(weights)
    assert first.pair.shape == again.pair.shape
    for other in (again, tiled):
        used = first.pair[:, 0] < 20, other.pair[:, 0] < 20
        assert torch.equal(first.volumes, other.volumes)
        assert torch.equal(first.pair[used[0]], other.pair[used[1]])
        assert torch.equal(first.area[used[0]], other.area[used[1]])


def test_room_that_is_too_small_is_said(device):
    cells, grid = cells_on(9, 20, (12, 12, 12), ALL)
    swept = DeviceDiagram(cells, grid, device)
    swept.sweep(cells.weights.to(device))
    swept.room._rows["two 0"] = 3
    assert not bool(swept.sweep(cells.weights.to(device)).fits)


def test_systems_are_solved_as_on_the_cpu(device):
    cells, grid = cells_on(10, 20, (12, 12, 12), ALL)
    there, here = both(cells, grid, device)
    expected = laplacian.laplacian_of(*laplacian.pairs(there), 20)
    of = device_transport.laplacian_of(here.pair, here.area, 20)
    right = np.random.default_rng(2).standard_normal(20)
    step = device_transport.solve(
        of, torch.zeros(20, dtype=torch.float64, device=device), torch.tensor(right, device=device)
    )
    left = right - right.mean() - expected @ step.cpu().numpy()
    assert np.linalg.norm(left) < 1e-3 * np.linalg.norm(right)
    np.testing.assert_allclose(
        device_transport.held(step, of, 1e-3).cpu().numpy(),
        laplacian.held(step.cpu().numpy(), expected, 1e-3),
        rtol=1e-6,
    )


@pytest.mark.parametrize("enough", [100, 0])
def test_a_full_device_takes_smaller_tiles_and_then_names_what_would_fit(device, monkeypatch, enough):
    cells, grid = cells_on(11, 8, (12, 12, 12), ALL)
    swept = DeviceDiagram(cells, grid, device)
    swept.room.tile, weights, usual = 256, cells.weights.to(device), swept._tile
    expected = swept.sweep(weights).volumes

    def tile(*what):
        if swept.room.tile > enough:
            raise torch.OutOfMemoryError
        return usual(*what)

    monkeypatch.setattr(swept, "_tile", tile)
    if enough:
        assert torch.equal(swept.sweep(weights).volumes, expected)
    else:
        with pytest.raises(EnvironmentProblem, match=r"8 grains on \(12, 12, 12\).* would fit.*--device cpu"):
            swept.sweep(weights)
