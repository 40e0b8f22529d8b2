"""Exact Laguerre cells: known polyhedra, Qhull, the diagram on voxels, and volumes met to 1e-6."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy.spatial import ConvexHull, Voronoi

from microgen.core import PowerDiagram
from microgen.core.laguerre import Cells, laguerre_cells, laguerre_weights, stiffness
from microgen.errors import InvalidParameter, NotConverged

ALL, NONE = (True,) * 3, (False,) * 3


def lattice(k: int, *basis: tuple[float, float, float]) -> np.ndarray:
    """Sites of k³ unit cells of side 1."""
    corner = np.array(list(product(range(k), repeat=3)), float)
    return np.concatenate([corner + np.array(b) for b in basis])


def drawn(seed: int, n: int, *, spread: float = 0.0) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Random sites, weights of so much of a cell's squared size, box."""
    rng = np.random.default_rng(seed)
    lengths = tuple(rng.uniform(0.7, 1.4, 3))
    size = (np.prod(lengths) / n) ** (1 / 3)
    return rng.random((n, 3)) * lengths, spread * size**2 * rng.standard_normal(n), lengths


def check_sound(cells: Cells) -> None:
    """The box is filled, and each face is one face, equal from both sides."""
    assert abs(cells.volumes.sum() / np.prod(cells.lengths) - 1) < 1e-12
    inner = cells.neighbour >= 0
    here = np.column_stack([cells.owner, cells.neighbour, cells.shift])[inner]
    there = np.column_stack([cells.neighbour, cells.owner, -cells.shift])[inner]
    area, size = cells.area[inner], (np.prod(cells.lengths) / len(cells)) ** (2 / 3)
    sides = {tuple(row): a for row, a in zip(here.tolist(), area)}
    assert len(sides) == len(here)
    assert all(abs(sides.get(tuple(row), 0.0) - a) < 1e-9 * size for row, a in zip(there.tolist(), area))


@pytest.mark.parametrize("periodic", [ALL, NONE, (True, False, True)])
def test_a_cubic_lattice_gives_cubes(periodic):
    cells = laguerre_cells(lattice(4, (0.5, 0.5, 0.5)), np.zeros(64), lengths=(4, 4, 4), periodic=periodic)
    assert np.abs(cells.volumes - 1).max() < 1e-12
    assert (np.diff(cells.first) == 6).all()
    assert np.abs(cells.area - 1).max() < 1e-10
    assert np.abs(cells.centroids - cells.sites).max() < 1e-12
    check_sound(cells)


def test_bcc_gives_truncated_octahedra():
    sites = lattice(4, (0.1, 0.2, 0.3), (0.6, 0.7, 0.8))
    cells = laguerre_cells(sites, np.full(128, 7.0), lengths=(4, 4, 4), periodic=ALL)
    area = np.sort(cells.area.reshape(128, 14), axis=1)
    assert np.abs(cells.volumes - 0.5).max() < 1e-12
    assert np.abs(area[:, :6] - 1 / 8).max() < 1e-12  # squares of side sqrt(2)/4
    assert np.abs(area[:, 6:] - 1.5 * np.sqrt(3) / 8).max() < 1e-12
    check_sound(cells)


def test_fcc_gives_rhombic_dodecahedra():
    basis = (0.1, 0.2, 0.3), (0.6, 0.7, 0.3), (0.6, 0.2, 0.8), (0.1, 0.7, 0.8)
    cells = laguerre_cells(lattice(3, *basis), np.zeros(108), lengths=(3, 3, 3), periodic=ALL)
    assert np.abs(cells.volumes - 0.25).max() < 1e-12
    assert (np.diff(cells.first) == 12).all()
    assert np.abs(cells.area - np.sqrt(2) / 8).max() < 1e-10
    check_sound(cells)


def test_a_weight_moves_the_plane_between_two_sites():
    sites = np.array([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
    cells = laguerre_cells(sites, np.array([0.1, 0.0]), lengths=(1, 1, 1), periodic=NONE)
    assert np.allclose(cells.volumes, [0.6, 0.4], atol=1e-15)  # the plane moves by w / (2 D)
    assert np.allclose(cells.centroids[:, 0], [0.3, 0.8], atol=1e-15)
    assert set(cells.neighbour[:6]) == {1, -1, -3, -4, -5, -6}


def test_a_site_that_owns_nothing():
    sites = np.array([[0.5, 0.5, 0.5], [0.7, 0.5, 0.5], [0.1, 0.1, 0.1]])
    cells = laguerre_cells(sites, np.array([5.0, 0.0, 4.9]), lengths=(1, 1, 1), periodic=NONE)
    assert cells.volumes[1] == 0
    assert cells.first[1] == cells.first[2]
    check_sound(cells)


@pytest.mark.parametrize("seed", range(3))
def test_periodic_voronoi_cells_are_those_of_qhull(seed):
    sites, weights, lengths = drawn(seed, 60)
    cells = laguerre_cells(sites, weights, lengths=lengths, periodic=ALL)
    moves = [(0, 0, 0), *(m for m in product((-1, 0, 1), repeat=3) if any(m))]
    oracle = Voronoi(np.concatenate([sites + np.array(m) * lengths for m in moves]))
    hulls = [ConvexHull(oracle.vertices[oracle.regions[oracle.point_region[k]]]) for k in range(60)]
    assert np.abs(cells.volumes - [hull.volume for hull in hulls]).max() < 1e-12
    outside = np.add.reduceat(cells.area, cells.first[:-1])
    assert np.abs(outside - [hull.area for hull in hulls]).max() < 1e-11


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.sampled_from([1, 2, 3, 5, 20, 150]),
    spread=st.floats(0, 2),
    periodic=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_cells_fill_the_box_whatever_the_weights(seed, n, spread, periodic):
    sites, weights, lengths = drawn(seed, n, spread=spread)
    cells = laguerre_cells(sites, weights, lengths=lengths, periodic=periodic)
    check_sound(cells)
    same = laguerre_cells(sites, weights + 3.5, lengths=lengths, periodic=periodic)
    assert np.abs(same.volumes - cells.volumes).max() < 1e-9 * np.prod(lengths)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.sampled_from([2, 3, 4]), noise=st.sampled_from([0.0, 1e-15, 1e-12, 1e-9]))
def test_sites_that_are_nearly_a_lattice(seed, k, noise):
    rng = np.random.default_rng(seed)
    sites = lattice(k, (0.5, 0.5, 0.5)) + noise * rng.standard_normal((k**3, 3))
    cells = laguerre_cells(sites, np.zeros(k**3), lengths=(k, k, k), periodic=tuple(rng.random(3) < 0.5))
    assert abs(cells.volumes.sum() / k**3 - 1) < 1e-11
    assert np.abs(cells.volumes - 1).max() < 1e-7


@pytest.mark.parametrize("periodic", [ALL, NONE, (False, True, False)])
def test_points_lie_in_the_cell_that_the_diagram_on_voxels_gives_them(periodic):
    from microgen.core.kernels import reference

    sites, weights, lengths = drawn(5, 40, spread=0.3)
    points = np.random.default_rng(0).random((40_000, 3)) * lengths
    cost = reference.costs(
        torch.from_numpy(points),
        torch.from_numpy(sites),
        torch.eye(3, dtype=torch.float64).expand(40, 3, 3),
        lengths=lengths,
        periodic=periodic,
    )
    owner = (cost - torch.from_numpy(weights)).argmin(dim=1).numpy()
    cells = laguerre_cells(sites, weights, lengths=lengths, periodic=periodic)
    share = np.bincount(owner, minlength=40) / len(points)
    exact = cells.volumes / np.prod(lengths)
    assert (np.abs(share - exact) < 5 * np.sqrt(exact / len(points)) + 1e-12).all()


def test_sub_voxel_volumes_of_the_power_diagram_agree():
    from microgen.grid import Grid

    sites, weights, lengths = drawn(6, 30, spread=0.2)
    eye = torch.eye(3, dtype=torch.float64).expand(30, 3, 3).contiguous()
    diagram = PowerDiagram(torch.from_numpy(sites), eye, torch.from_numpy(weights), lengths, ALL)
    grid = Grid((80, 80, 80), tuple(a / 80 for a in lengths), periodic=ALL)
    cells = laguerre_cells(sites, weights, lengths=lengths, periodic=ALL)
    assert np.abs(diagram.volumes(grid).numpy() - cells.volumes).max() < 2e-3 * np.prod(lengths) / 30


def test_stiffness_is_the_derivative_of_the_volumes():
    sites, weights, lengths = drawn(7, 25, spread=0.2)
    change = 1e-5 * np.random.default_rng(1).standard_normal(25)
    up, middle, down = (laguerre_cells(sites, weights + s * change, lengths=lengths, periodic=ALL) for s in (1, 0, -1))
    slope = (up.volumes - down.volumes) / 2
    assert np.abs(stiffness(middle) @ change - slope).max() < 1e-5 * np.abs(slope).max()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.sampled_from([1, 2, 10, 60]),
    ratio=st.floats(1, 100),
    periodic=st.sampled_from([ALL, NONE, (True, True, False)]),
)
def test_volumes_are_met(seed, n, ratio, periodic):
    sites, _, lengths = drawn(seed, n)
    volumes = ratio ** np.random.default_rng(seed).random(n)
    volumes *= np.prod(lengths) / volumes.sum()
    found = laguerre_weights(sites, volumes, lengths=lengths, periodic=periodic)
    again = laguerre_cells(sites, found.cells.weights, lengths=lengths, periodic=periodic)
    assert np.abs(again.volumes / volumes - 1).max() <= 1e-6
    assert found.error_max <= 1e-6
    assert abs(found.cells.weights.mean()) < 1e-9


def test_weights_of_given_cells_are_recovered():
    sites, weights, lengths = drawn(11, 80, spread=0.02)
    weights -= weights.mean()
    cells = laguerre_cells(sites, weights, lengths=lengths, periodic=ALL)
    assert cells.volumes.min() > 0
    found = laguerre_weights(sites, cells.volumes, lengths=lengths, periodic=ALL, tolerance=1e-10)
    assert np.abs(found.cells.weights - weights).max() < 1e-9
    near = laguerre_weights(sites, cells.volumes, lengths=lengths, periodic=ALL, start=weights)
    assert near.steps == 0
    assert near.diagrams == 1


def test_cells_move_with_their_sites_through_the_periodic_box():
    sites, weights, lengths = drawn(12, 50, spread=0.2)
    move = np.array([0.3, 5.1, -0.4])
    before, after = (laguerre_cells(x, weights, lengths=lengths, periodic=ALL) for x in (sites, sites + move))
    assert np.abs(before.volumes - after.volumes).max() < 1e-13
    assert np.allclose(np.sort(before.area), np.sort(after.area), atol=1e-12)


def test_what_cannot_be_is_refused():
    sites, weights, lengths = drawn(0, 5)
    options = {"lengths": lengths, "periodic": NONE}
    with pytest.raises(InvalidParameter, match="between the walls"):
        laguerre_cells(sites + 2, weights, **options)
    with pytest.raises(InvalidParameter, match="weights"):
        laguerre_cells(sites, weights * np.nan, **options)
    with pytest.raises(InvalidParameter, match="lengths"):
        laguerre_cells(sites, weights, lengths=(1, 0, 1), periodic=NONE)
    with pytest.raises(InvalidParameter, match="sum to the box"):
        laguerre_weights(sites, np.full(5, 1.0), **options)
    twice = np.concatenate([sites, sites[:1]])
    with pytest.raises(InvalidParameter, match="one place"):
        laguerre_cells(twice, np.zeros(6), **options)


def test_what_rounding_does_not_allow_is_said():
    sites, _, lengths = drawn(3, 20)
    volumes = np.full(20, np.prod(lengths) / 20)
    with pytest.raises(NotConverged) as caught:
        laguerre_weights(sites, volumes, lengths=lengths, periodic=ALL, tolerance=1e-18)
    best = caught.value.best
    assert best.error_max < 1e-10
    assert replace(best, steps=0).cells is best.cells
