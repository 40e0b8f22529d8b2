"""Costs that users write: the same cells as the family where they are the family, and what they may not be."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest
import torch

from microgen.core import CostDiagram, FormulaCost, MixedCost, PowerCost, brute_force, solve_cells
from microgen.core.formulas import formula_of
from microgen.core.kernels import cpu
from microgen.core.kernels.flips import moved
from microgen.core.laplacian import laplacian_of, pairs
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from tests.core.test_costs import box_of, cells
from tests.core.test_transport import problem


def softened(x, y, p):
    return (((y - x) ** 2).sum(-1) + p["core"] ** 2) ** 0.5


def as_formula(diagram: CostDiagram) -> CostDiagram:
    assert isinstance(diagram.cost, PowerCost)
    return CostDiagram(
        formula_of(diagram.cost), diagram.weights, diagram.lengths, diagram.periodic, diagram.void, diagram.domain
    )


@pytest.mark.parametrize(("d", "p", "void"), [(2, 1.0, True), (3, (1.0, 2.0, 4.0), True), (3, 2.0, False)])
@pytest.mark.parametrize("periodic", [(False,) * 3, (True, False, True)])
def test_the_family_written_as_a_formula_has_the_same_cells(d, p, void, periodic):
    diagram = cells(11, 15, d, p, periodic=periodic, void=void, aspect=1.5)
    grid, formula = box_of(diagram, (18, 16, 14) if d == 3 else (60, 50)), as_formula(diagram)
    assert torch.equal(formula.labels(grid), diagram.labels(grid))
    apart = (formula.volumes(grid) - diagram.volumes(grid)).abs() / grid.cell_measure
    assert apart.max() < 0.01 * float(diagram.volumes(grid).max()) / grid.cell_measure


def test_interface_terms_and_flips_are_those_of_the_kernel():
    diagram = cells(7, 12, 3, 3.0, void=True, aspect=1.5)
    grid, want, n = box_of(diagram, (20,) * 3), cpu.Wanted(True, True, 0.01), 13
    weights = np.append(diagram.weights.numpy(), 0.0)
    one, other = (each.sweep(weights, grid, want) for each in (diagram, as_formula(diagram)))
    kernel, formula = (laplacian_of(*pairs(swept), n).toarray() for swept in (one, other))
    assert np.abs(kernel - formula).max() < 0.02 * np.abs(kernel).max()
    assert np.array_equal(one.counts, other.counts)
    change = np.random.default_rng(0).uniform(-2e-3, 2e-3, n)
    after = as_formula(diagram).sweep(weights + change, grid, want)
    assert np.array_equal(moved(other, change, shares=False)[0], after.counts)
    assert not np.array_equal(other.counts, after.counts)


def test_volumes_are_met_in_a_domain_with_void_for_several_populations():
    grid = Grid((24, 24, 24), (1.0, 1.0, 1.0))
    inside = torch.from_numpy((np.linalg.norm(grid.points() - 12, axis=1) < 11.5).reshape(grid.shape))
    corners = np.stack(np.meshgrid(*[[8.2, 15.8]] * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = torch.from_numpy(corners + np.random.default_rng(0).uniform(-0.5, 0.5, corners.shape))
    soft = FormulaCost(softened, sites[:4], {"core": torch.full((4,), 0.5, dtype=torch.float64)})
    hard = PowerCost.of(sites[4:], torch.eye(3, dtype=torch.float64).expand(4, 3, 3) / 25, 6.0)
    volumes = torch.full((8,), 0.09, dtype=torch.float64) * float(inside.sum())
    solution = solve_cells(MixedCost((soft, hard)), volumes, grid, void=True, domain=inside)
    counts = np.bincount(solution.labels.numpy().ravel(), minlength=9)[1:]
    assert solution.converged
    assert np.abs(counts / volumes.numpy() - 1).max() <= 0.01
    assert int(solution.labels[~inside].max()) == 0


@pytest.mark.parametrize(
    "formula",
    [lambda x, y, p: 1 / (x[..., 0] - x[..., 0] + 0 * (y - x).sum(-1)), lambda x, y, p: ((y - x).sum(-1)) ** 0.5],
)
def test_a_formula_that_is_not_finite_is_refused(formula):
    grid = Grid((10, 10), (1.0, 1.0))
    sites, _, volumes = problem(1, 3, grid)
    with pytest.raises(InvalidParameter, match="finite costs"):
        solve_cells(FormulaCost(formula, sites), volumes, grid)


def test_parameters_are_one_a_site():
    with pytest.raises(InvalidParameter, match="core"):
        FormulaCost(softened, torch.zeros(3, 2), {"core": torch.zeros(2)})


def test_without_a_compiler_the_log_says_so_once(monkeypatch, caplog):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    brute_force.keops.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert brute_force.keops() is None
        assert brute_force.keops() is None
    brute_force.keops.cache_clear()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no C++ compiler" in caplog.text


def test_keops_finds_the_same_sites_as_torch(monkeypatch):
    pytest.importorskip("pykeops", reason="pykeops is not installed")
    if not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("no C++ compiler for KeOps")
    diagram = cells(5, 20, 3, 3.0)
    formula = FormulaCost(softened, diagram.cost.sites, {"core": torch.linspace(0.1, 0.2, 20, dtype=torch.float64)})
    points = torch.from_numpy(box_of(diagram, (8, 7, 6)).points())
    box = {"lengths": diagram.lengths, "periodic": diagram.periodic}
    plain = brute_force.nearest(formula, points, diagram.weights, 4, **box)
    monkeypatch.setattr(brute_force, "WORTH", 0)
    fast = brute_force.nearest(formula, points, diagram.weights, 4, **box)
    assert torch.equal(fast.site, plain.site)
    assert torch.allclose(fast.cost, plain.cost, atol=1e-12)


def by_numpy(x, y, p):
    return torch.from_numpy(np.sqrt(((y - x).numpy() ** 2).sum(-1) + p["core"].numpy() ** 2))


def without_slope(x, y, p):
    return softened(x, y, p).detach()


@pytest.mark.parametrize("formula", [by_numpy, without_slope])
def test_formulas_that_torch_cannot_differentiate_give_the_same_cells(formula):
    grid = Grid((24, 20), (1.0, 1.2), periodic=(True, False))
    sites, _, volumes = problem(4, 8, grid)
    core = {"core": torch.linspace(0.5, 2.0, 8, dtype=torch.float64)}
    one, other = (
        solve_cells(FormulaCost(f, sites, core), volumes, grid, repair=False, small=np.inf) for f in (softened, formula)
    )
    assert one.converged
    assert torch.equal(one.labels, other.labels)
    assert torch.allclose(one.diagram.weights, other.diagram.weights, atol=1e-7)


def test_a_formula_that_fails_says_its_own_error():
    def broken(x, y, p):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        brute_force.slopes(
            FormulaCost(broken, torch.zeros(1, 2)),
            torch.tensor([0]),
            torch.zeros(1, 2).double(),
            torch.ones(1, 2).double(),
            length=1.0,
        )
