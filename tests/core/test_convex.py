"""Formulas that are convex: the same cells as by trying all pairs, and what is not convex is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from microgen.core import CostDiagram, FormulaCost, MixedCost, PowerCost, convex, solve_cells
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


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), aspect=st.sampled_from([3.0, 8.0]), along=st.sampled_from([(8.0, 40.0), (6.0, 5.0)]))
def test_images_of_long_grains_are_those_of_all_pairs(seed, aspect, along):
    """Slanted needles nearly as long as the box: an image farther than the nearest one can win."""
    grid = Grid((12, 30), tuple(length / n for length, n in zip(along, (12, 30))), periodic=(True, True))
    rng = np.random.default_rng(seed)
    sites, angle = torch.from_numpy(rng.random((8, 2)) * along), torch.from_numpy(rng.uniform(0, np.pi, 8))
    turn = torch.stack([torch.stack([angle.cos(), -angle.sin()], -1), torch.stack([angle.sin(), angle.cos()], -1)], -2)
    metrics = turn @ torch.diag(torch.tensor([aspect, 1 / aspect])).double() @ turn.mT
    cost = formula_of(PowerCost.of(sites, metrics, 2.0))
    assert cost.convex
    fast, slow = both(
        CostDiagram(cost, torch.zeros(8).double(), grid.lengths, grid.periodic), grid, cpu.Wanted(True, False, -1.0)
    )
    assert np.array_equal(fast.labels, slow.labels)


def test_a_grid_longer_than_the_box_repeats():
    grid = Grid((12, 10), (1.0, 1.0), periodic=(True, True))
    cost = random_cost(4, 6, grid.lengths, (0.5, 1.0))
    diagram = CostDiagram(cost, torch.zeros(6).double(), grid.lengths, grid.periodic)
    assert torch.equal(diagram.labels(Grid((36, 40), (1.0, 1.0))), diagram.labels(grid).repeat(3, 4))


ODD = Grid((19, 20), (1.0, 1.0))
HALF = torch.arange(19)[:, None].expand(19, 20) < 10


@pytest.mark.parametrize(
    ("formula", "domain"),
    [
        (lambda x, y, p: (y * torch.log(y / x) - y + x).sum(-1), None),  # nan on the faces of the box
        (lambda x, y, p: ((y - x) ** 2).sum(-1) - torch.sqrt(19 - y[..., 0]), None),  # and beyond them
        (lambda x, y, p: ((y - x) ** 2).sum(-1) - torch.sqrt(10 - y[..., 0]), HALF),  # and outside the domain
    ],
)
def test_costs_need_be_finite_only_at_the_voxels(formula, domain):
    sites = torch.from_numpy(np.random.default_rng(0).uniform(1, 9, (7, 2)))
    cost = FormulaCost(formula, sites, convex=True)
    diagram = CostDiagram(cost, torch.zeros(7).double(), ODD.lengths, ODD.periodic, domain=domain)
    fast, slow = both(diagram, ODD, cpu.Wanted(True, False, -1.0))
    assert np.array_equal(fast.labels, slow.labels)


def test_few_pairs_are_evaluated(monkeypatch):
    grid = Grid((36, 36, 36), (1.0, 1.0, 1.0), periodic=(True,) * 3)
    cost = random_cost(3, 150, grid.lengths, (0.5, 1.0))
    pairs, formula = [0], cost.formula

    def counted(x, y, p):
        found = formula(x, y, p)
        pairs[0] += found.numel()
        return found

    cost = replace(cost, formula=counted)
    pairs[0] = 0
    CostDiagram(cost, torch.zeros(150).double(), grid.lengths, grid.periodic).labels(grid)
    assert 0 < pairs[0] < grid.size * 150 / 8  # all pairs, of one image each


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
    grid = Grid((18, 16, 20), (1.0, 1.0, 1.0), periodic=(True, True, False))
    sites, _, volumes = problem(5, 8, grid)
    core = {"core": volumes ** (1 / 3) / 4, "half": torch.full((8,), 0.75, dtype=torch.float64)}
    solution = solve_cells(FormulaCost(softened, sites, core, convex=True), volumes, grid, repair=False)
    counts = np.bincount(solution.labels.numpy().ravel(), minlength=9)[1:]
    assert solution.converged
    assert np.abs(counts / volumes.numpy() * grid.cell_measure - 1)[volumes.numpy() >= 400].max() <= 0.01


@pytest.mark.parametrize(
    "formula",
    [
        lambda x, y, p: ((y - x) ** 2).sum(-1) ** 0.25,
        lambda x, y, p: -(((y - x) ** 2).sum(-1)),
        lambda x, y, p: ((y - x) ** 2).sum(-1).detach() + 0.1 * ((y - x) ** 2).sum(-1),  # no tangent of it
    ],
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


def test_single_precision_is_convex_enough():
    FormulaCost(lambda x, y, p: (y - x).abs().sum(-1).float(), torch.rand(5, 3).double(), convex=True)


def test_powers_are_convex_from_the_first_on():
    sites, metrics = torch.zeros(1, 2).double(), torch.eye(2).double()[None]
    assert formula_of(PowerCost.of(sites, metrics, 1.0)).convex
    assert not formula_of(PowerCost.of(sites, metrics, 0.9)).convex


def test_boxes_hold_every_voxel_once():
    grid = Grid((19, 33, 8), (1.0, 1.0, 1.0))
    cost = random_cost(0, 7, grid.lengths, (0.5, 1.0))
    found = convex.cheapest(
        convex.Problem(cost, torch.zeros(7).double(), grid, np.ones(grid.size, bool), grid.lengths, grid.periodic, 0.0),
        4,
    )
    assert np.array_equal(np.sort(np.concatenate([part.voxel for part in found])), np.arange(grid.size))
