"""Cells of powers: exact against brute force and against balls; with void, in domains; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from microgen.core import CostDiagram, PowerCost, PowerDiagram, solve_cells
from microgen.core.kernels import cpu
from microgen.core.laplacian import laplacian_of, pairs
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from tests.core.test_power_diagram import problem


def cells(seed, n, d, p, *, periodic=(False,) * 3, void=False, aspect=2.0) -> CostDiagram:
    """Random cells; `p` one exponent or several that sites draw from."""
    sites, metrics, weights, lengths = (problem(seed, n, d, aspect=aspect)[k] for k in range(4))
    exponents = np.random.default_rng(seed).choice(np.atleast_1d(p).astype(float), n)
    weights = weights * 0.5 + (0.3 ** (exponents / 2) if void else 0.0)
    x, a, w, e = (torch.from_numpy(np.ascontiguousarray(t)) for t in (sites, metrics, weights, exponents))
    return CostDiagram(PowerCost(x, a, e), w, tuple(lengths), tuple(periodic[:d]), void)


def box_of(diagram: CostDiagram, shape: tuple[int, ...]) -> Grid:
    spacing = tuple(length / k for length, k in zip(diagram.lengths, shape))
    return Grid(shape, spacing, periodic=diagram.periodic)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.sampled_from([1, 2, 20, 50]),
    d=st.sampled_from([2, 3]),
    p=st.sampled_from([0.5, 1.0, 2.0, 3.0, 6.0, 10.0, (0.7, 2.0, 5.0)]),
    periodic=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    void=st.booleans(),
    aspect=st.floats(1, 6),
)
def test_labels_equal_brute_force(seed, n, d, p, periodic, void, aspect):
    diagram = cells(seed, n, d, p, periodic=periodic, void=void, aspect=aspect)
    grid = box_of(diagram, (19, 12, 9)[:d])
    cost = diagram.cost.at(torch.from_numpy(grid.points()), lengths=diagram.lengths, periodic=diagram.periodic)
    cost = torch.cat([torch.full((len(cost), 1), 0.0 if void else torch.inf), cost - diagram.weights], dim=1)
    mine = cost.gather(1, diagram.labels(grid).reshape(-1, 1).long())[:, 0]
    assert float((mine - cost.min(dim=1).values).max()) < 1e-11 * (1 + float(cost[:, 1:].abs().max()))


@pytest.mark.parametrize("d", [2, 3])
def test_squares_are_the_quadratic_path_to_the_last_bit(d):
    sites, metrics, weights, lengths = problem(5, 80, d, aspect=3)
    x, a, w = (torch.from_numpy(np.ascontiguousarray(t)) for t in (sites, metrics, weights))
    square = PowerDiagram(x, a, w, lengths, (True,) * d)
    diagram = CostDiagram(PowerCost.of(x, a), w, lengths, (True,) * d)
    grid = box_of(diagram, (40, 30, 20)[:d])
    assert torch.equal(diagram.labels(grid), square.labels(grid))
    assert torch.equal(diagram.volumes(grid), square.volumes(grid))


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 6.0, 10.0])
def test_one_cell_in_void_is_a_ball(p):
    # |y - x|^p < w: the radius is w^(1/p)
    cost = PowerCost.of(torch.full((1, 3), 0.51, dtype=torch.float64), torch.eye(3, dtype=torch.float64)[None], p)
    diagram = CostDiagram(cost, torch.tensor([0.4**p], dtype=torch.float64), (1.0,) * 3, (False,) * 3, True)
    grid = Grid((40,) * 3, (1 / 40,) * 3)
    assert float(diagram.volumes(grid)) == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=1e-3)
    inside = np.linalg.norm(grid.points() - 0.51, axis=1) < 0.4
    assert np.array_equal(diagram.labels(grid).numpy().ravel(), inside)


def test_scales_are_those_of_the_cost():
    plain = cells(3, 30, 3, (1.0, 3.0))
    scales = torch.from_numpy(np.random.default_rng(3).uniform(0.5, 2, 30))
    cost = PowerCost(plain.cost.sites, plain.cost.metrics, plain.cost.exponents, scales)
    points = torch.from_numpy(box_of(plain, (6, 5, 4)).points())
    box = {"lengths": plain.lengths, "periodic": plain.periodic}
    assert torch.allclose(cost.at(points, **box), scales * plain.cost.at(points, **box), rtol=1e-12)


@pytest.mark.parametrize("p", [0.5, 1.0, 4.0, 10.0, (1.0, 6.0)])
def test_subvoxel_volumes_approach_those_of_a_finer_grid(p):
    diagram = cells(13, 30, 3, p, void=True, periodic=(True,) * 3, aspect=1.5)
    coarse, fine = box_of(diagram, (20,) * 3), box_of(diagram, (100,) * 3)
    counts = np.bincount(diagram.labels(fine).numpy().ravel(), minlength=31)[1:] * fine.cell_measure
    volumes = diagram.volumes(coarse).numpy()
    assert np.abs(volumes - counts).max() < 0.5 * coarse.cell_measure + 0.01 * counts.max()


@pytest.mark.parametrize("p", [1.0, 2.0, 6.0, (0.7, 4.0)])
def test_interface_terms_are_the_derivatives_of_the_volumes(p):
    diagram = cells(7, 12, 3, p, void=True, periodic=(True, False, True), aspect=1.5)
    grid, want, n = box_of(diagram, (24,) * 3), cpu.Wanted(False, True, -1.0), 13
    weights = np.append(diagram.weights.numpy(), 0.0)
    matrix = laplacian_of(*pairs(diagram.sweep(weights, grid, want)), n).toarray()
    change = np.random.default_rng(1).normal(0, 2e-3, n) * np.abs(weights).mean()
    after, before = (diagram.sweep(weights + s * change, grid, want).volumes.copy() for s in (0.5, -0.5))
    assert np.abs(after - before - matrix @ change).max() < 0.05 * np.abs(matrix @ change).max()


def test_a_domain_is_shared_out_and_nothing_else():
    diagram = cells(17, 40, 3, 3.0, periodic=(True,) * 3)
    grid = box_of(diagram, (32, 24, 20))
    inside = np.linalg.norm(grid.points() / diagram.lengths - 0.5, axis=1).reshape(grid.shape) < 0.4
    masked = CostDiagram(
        diagram.cost, diagram.weights, diagram.lengths, diagram.periodic, domain=torch.from_numpy(inside)
    )
    assert torch.equal(masked.labels(grid), diagram.labels(grid) * torch.from_numpy(inside))
    assert float(masked.volumes(grid).sum()) == pytest.approx(inside.sum() * grid.cell_measure, rel=1e-12)
    halved = Grid((16, 12, 10), tuple(2 * h for h in grid.spacing), periodic=grid.periodic)
    assert masked.measure(halved) == pytest.approx(inside.sum() / 8, rel=1e-3)


def test_results_do_not_depend_on_the_number_of_threads():
    import numba

    diagram = cells(17, 200, 3, (1.0, 3.0), periodic=(True,) * 3, void=True)
    grid, threads = box_of(diagram, (40,) * 3), numba.get_num_threads()
    try:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
        many = diagram.volumes(grid)
        numba.set_num_threads(1)
        assert torch.equal(diagram.volumes(grid), many)
    finally:
        numba.set_num_threads(threads)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"exponents": torch.tensor([2.0, 0.0])}, "exponents"),
        ({"exponents": torch.tensor([2.0, float("nan")])}, "exponents"),
        ({"scales": torch.tensor([1.0, -1.0])}, "scales"),
        ({"metrics": torch.stack([torch.eye(2), -torch.eye(2)])}, "metrics"),
        ({"sites": torch.tensor([[0.1, 0.2], [0.3, torch.inf]])}, "sites"),
    ],
)
def test_costs_that_are_none_are_refused_by_name(change, name):
    fine = {
        "sites": torch.tensor([[0.1, 0.2], [0.3, 0.4]]),
        "metrics": torch.eye(2).expand(2, 2, 2),
        "exponents": torch.full((2,), 2.0),
    }
    with pytest.raises(InvalidParameter) as caught:
        PowerCost(**{key: value.double() for key, value in (fine | change).items()})
    assert caught.value.name == name


def test_a_void_that_vanished_comes_back() -> None:
    sites = torch.tensor([[6.0, 6.0], [18.0, 6.0], [6.0, 18.0], [18.0, 18.0]], dtype=torch.float64)
    cost = PowerCost.of(sites, (torch.eye(2, dtype=torch.float64) / 100).expand(4, 2, 2).contiguous())
    volumes, start = torch.full((4,), 100.0, dtype=torch.float64), torch.full((4,), 10.0, dtype=torch.float64)
    found = solve_cells(cost, volumes, Grid((24, 24), (1.0, 1.0)), void=True, start=start)
    assert found.converged
    assert found.subvoxel_volumes.numpy() == pytest.approx(100, rel=0.01)
    assert (found.labels == 0).any()
