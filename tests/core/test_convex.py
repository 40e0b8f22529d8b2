"""Formulas that are convex: the same cells as by trying all pairs, and what is not convex is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from microgen.core import CostDiagram, FormulaCost, MixedCost, PowerCost, brute_force, convex, solve_cells
from microgen.core.formulas import formula_of, is_convex, surface_costs
from microgen.core.kernels import cpu
from microgen.core.kernels.flips import moved
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from tests.core.test_transport import problem


def softened(x, y, p):
    return (((y - x) ** 2).sum(-1) + p["core"] ** 2) ** p["half"]


def tilted(x, y, p):
    """A spheroid that leans: it grows faster along p than against it."""
    z = y - x
    return (z * z).sum(-1) ** 0.5 + 0.5 * (z * p["along"]).sum(-1)


def random_cost(seed: int, n: int, lengths: tuple[float, ...], half: tuple[float, float]) -> FormulaCost:
    rng, d = np.random.default_rng(seed), len(lengths)
    sites = torch.from_numpy(rng.random((n, d)) * lengths)
    core = torch.from_numpy(rng.uniform(0.02, 0.5, n) * min(lengths))
    return FormulaCost(softened, sites, {"core": core, "half": torch.from_numpy(rng.uniform(*half, n))}, convex=True)


def both(diagram: CostDiagram, grid: Grid, want: cpu.Wanted) -> tuple[cpu.Sweep, cpu.Sweep]:
    """What a sweep gives with culling, and by all pairs."""
    assert isinstance(diagram.cost, FormulaCost)
    weights = np.append(diagram.weights.numpy(), [0.0] * diagram.void)
    slow = replace(diagram, cost=replace(diagram.cost, convex=False))
    return diagram.sweep(weights, grid, want), slow.sweep(weights, grid, want)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n=st.sampled_from([1, 2, 9, 40]),
    shape=st.sampled_from([(13, 22), (40, 7), (9, 14, 11), (20, 6, 17)]),
    periodic=st.lists(st.booleans(), min_size=3, max_size=3),
    void=st.booleans(),
    reach=st.sampled_from([-1.0, 0.02]),
)
def test_what_is_left_out_wins_nowhere(seed, n, shape, periodic, void, reach):
    grid = Grid(shape, (0.5, 0.4, 0.6)[: len(shape)], periodic=tuple(periodic[: len(shape)]))
    cost = random_cost(seed, n, grid.lengths, (0.5, 1.5))
    weights = torch.from_numpy(np.random.default_rng(seed).uniform(1.0, 1.5, n))
    diagram = CostDiagram(cost, weights, grid.lengths, grid.periodic, void)
    fast, slow = both(diagram, grid, cpu.Wanted(True, True, reach))
    assert np.array_equal(fast.labels, slow.labels)
    assert np.array_equal(fast.counts, slow.counts)
    assert np.abs(fast.volumes - slow.volumes).max() < 1e-3 * grid.size
    if reach > 0:  # what the records of flips say of other weights is what a sweep finds there
        change = np.random.default_rng(seed).uniform(-reach, reach, n + void)
        change[n:] = 0.0
        after = diagram.sweep(np.append(weights.numpy(), [0.0] * void) + change, grid, cpu.Wanted(True, False, -1.0))
        assert np.array_equal(moved(fast, change, shares=False)[0][: n + void], after.counts)


def test_few_pairs_are_evaluated(monkeypatch):
    grid = Grid((48, 48, 48), (1.0, 1.0, 1.0), periodic=(True,) * 3)
    cost = random_cost(3, 200, grid.lengths, (0.5, 1.0))
    pairs, table = [0], brute_force.table

    def counted(cost, site, place, points):
        pairs[0] += points.shape[0] * points.shape[1] * site.shape[1]
        return table(cost, site, place, points)

    monkeypatch.setattr(brute_force, "table", counted)
    weights = torch.zeros(200, dtype=torch.float64)
    CostDiagram(cost, weights, grid.lengths, grid.periodic).labels(grid)
    assert 0 < pairs[0] < grid.size * 200 / 10


def test_several_populations_and_a_domain():
    grid = Grid((30, 26), (1.0, 1.0))
    sites, _, volumes = problem(3, 12, grid)
    along = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 2)))
    along /= along.norm(dim=1, keepdim=True)
    lean = FormulaCost(tilted, sites[:6], {"along": along}, convex=True)
    hard = PowerCost.of(sites[6:], torch.eye(2).double().expand(6, 2, 2) / 6, 3.0)  # as steep as the others
    inside = torch.from_numpy((np.linalg.norm(grid.points() - grid.points().mean(0), axis=1) < 12).reshape(grid.shape))
    mixed = MixedCost((lean, hard))
    assert is_convex(mixed)
    assert not is_convex(MixedCost((replace(lean, convex=False), hard)))
    weights = np.append(surface_costs(mixed, volumes.numpy())[0], 0.0)
    slow = MixedCost((replace(lean, convex=False), replace(formula_of(hard), convex=False)))
    one, other = (
        CostDiagram(c, torch.zeros(12).double(), grid.lengths, grid.periodic, True, inside).sweep(
            weights, grid, cpu.Wanted(True, True, -1.0)
        )
        for c in (mixed, slow)
    )
    assert np.array_equal(one.labels, other.labels)
    assert np.count_nonzero(one.counts) > 8
    # Sites that win nowhere in a box do not muddle how its voxels are shared out: these are the better volumes.
    assert np.abs(one.volumes - other.volumes).max() < 0.05


def test_volumes_are_met():
    grid = Grid((24, 20, 28), (1.0, 1.0, 1.0), periodic=(True, True, False))
    sites, _, volumes = problem(5, 12, grid)
    core = {"core": volumes ** (1 / 3) / 4, "half": torch.full((12,), 0.75, dtype=torch.float64)}
    solution = solve_cells(FormulaCost(softened, sites, core, convex=True), volumes, grid, repair=False)
    counts = np.bincount(solution.labels.numpy().ravel(), minlength=13)[1:]
    assert solution.converged
    assert np.abs(counts / volumes.numpy() * grid.cell_measure - 1)[volumes.numpy() >= 400].max() <= 0.01


@pytest.mark.parametrize(
    "formula",
    [lambda x, y, p: ((y - x) ** 2).sum(-1) ** 0.25, lambda x, y, p: -(((y - x) ** 2).sum(-1))],
)
def test_what_is_not_convex_is_refused(formula):
    with pytest.raises(InvalidParameter, match="convex"):
        FormulaCost(formula, torch.from_numpy(np.random.default_rng(0).random((5, 3))), convex=True)


@pytest.mark.parametrize("convexity", [True, False])
def test_costs_that_are_not_finite_are_refused_all_the_same(convexity):
    grid = Grid((10, 12), (1.0, 1.0))
    cost = FormulaCost(lambda x, y, p: ((y - x) ** 2).sum(-1) / (y[..., 0] < 8), torch.ones(2, 2).double() * 3)
    cost = replace(cost, convex=convexity)
    with pytest.raises(InvalidParameter, match="finite costs"):
        CostDiagram(cost, torch.zeros(2).double(), grid.lengths, grid.periodic).labels(grid)


@pytest.mark.parametrize("periodic", [(True, True, True), (False, True, False)])
@pytest.mark.parametrize("convexity", [True, False])
def test_a_part_of_the_box_has_the_labels_that_it_has_in_the_whole(periodic, convexity):
    grid = Grid((16, 12, 20), (0.5, 0.4, 0.6), periodic=periodic)
    cost = replace(random_cost(2, 15, grid.lengths, (0.5, 1.5)), convex=convexity)
    diagram = CostDiagram(cost, torch.zeros(15).double(), grid.lengths, grid.periodic)
    part = Grid((6, 11, 13), grid.spacing, origin=(1.5, 0.4, 3.6))
    assert torch.equal(diagram.labels(part), diagram.labels(grid)[3:9, 1:12, 6:19])


def test_powers_are_convex_from_the_first_on():
    sites, metrics = torch.zeros(1, 2).double(), torch.eye(2).double()[None]
    assert formula_of(PowerCost.of(sites, metrics, 1.0)).convex
    assert not formula_of(PowerCost.of(sites, metrics, 0.9)).convex


def test_boxes_hold_every_voxel_once():
    grid = Grid((19, 33, 8), (1.0, 1.0, 1.0))
    cost = random_cost(0, 7, grid.lengths, (0.5, 1.0))
    found = convex.cheapest(convex.Problem(cost, torch.zeros(7).double(), grid, grid.lengths, grid.periodic, 0.0), 4)
    assert np.array_equal(np.sort(np.concatenate([part.voxel for part in found])), np.arange(grid.size))
