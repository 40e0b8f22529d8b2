"""Pieces of cells found box by box, and again where something changed, against a look at the whole volume."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
import torch

from microgen import Grid
from microgen.core import PowerDiagram, survey
from microgen.core.kernels.islands import components, give_away_islands
from microgen.core.survey import Survey, surveyed
from microgen.core.tiles import Tiles, mended, repaired
from tests.core.test_tiles import diagram

AXES = [(True, True, True), (False, True, False), (True, False, True), (False, False, False)]
N = 120


@pytest.fixture(params=AXES)
def grid(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Grid:
    monkeypatch.setattr(survey, "TOGETHER", 7)  # so that layers are joined one after the other
    return Grid((50, 37, 60), (1 / 64,) * 3, periodic=request.param)


def changed(cells: PowerDiagram, rng: np.random.Generator, *, few: int, kind: str) -> PowerDiagram:
    """The cells, `few` of which have another weight, place or shape."""
    sites, metrics, weights = cells.sites.clone(), cells.metrics.clone(), cells.weights.clone()
    which = torch.from_numpy(rng.choice(len(cells), few, replace=False))
    if kind == "weights":
        weights[which] += torch.from_numpy(0.05 * rng.standard_normal(few))
    elif kind == "sites":
        sites[which] = torch.from_numpy(rng.random((few, 3)) * cells.lengths)
    else:
        metrics[which] *= torch.from_numpy(rng.uniform(0.5, 2.0, (few, 1, 1)))
    return PowerDiagram(sites, metrics, weights, cells.lengths, cells.periodic)


def told(known: Survey) -> list[np.ndarray]:
    return [a for rows in (known.pieces, known.sides, known.wanted, known.voxels, known.touching) for a in rows.columns]


def neighbours(number: np.ndarray, periodic: tuple[bool, ...]) -> np.ndarray:
    """int64 [f, 2]: what lies at both sides of each face of a volume, both ways."""
    faces = []
    for axis in range(3):
        ahead = np.roll(number, -1, axis)
        inside = np.ones(number.shape, bool)
        if not periodic[axis]:
            np.moveaxis(inside, axis, 0)[-1] = False
        faces += [np.stack([number[inside], ahead[inside]], 1), np.stack([ahead[inside], number[inside]], 1)]
    return np.concatenate(faces)


def test_pieces_and_faces_are_those_of_the_volume(grid: Grid) -> None:
    cells = diagram(grid, n=N)
    pieces, voxels, piece = surveyed(cells, grid)[1]
    labels = cells.labels(grid).numpy()
    root, number, size = np.unique(components(labels, np.array(grid.periodic)), return_inverse=True, return_counts=True)
    assert np.array_equal(pieces.root, root)
    assert np.array_equal(pieces.size, size)
    assert np.array_equal(pieces.label, labels.ravel()[root])
    faces = neighbours(number.reshape(grid.shape), grid.periodic)
    faces = faces[pieces.islands()[faces[:, 0]] & (faces[:, 0] != faces[:, 1])]
    pairs, count = np.unique(faces, axis=0, return_counts=True)
    assert np.array_equal(pieces.faces, np.column_stack([pairs, count]))
    assert np.array_equal(np.sort(voxels), np.flatnonzero(pieces.islands()[number.ravel()]))
    assert np.array_equal(piece, number.ravel()[voxels])


@pytest.mark.parametrize(("seed", "kind"), list(enumerate(("weights", "sites", "metrics"))))
def test_a_look_where_cells_changed_tells_what_a_look_at_all_does(grid: Grid, seed: int, kind: str) -> None:
    rng, cells = np.random.default_rng(seed), diagram(grid, n=N, seed=seed)
    _, known = mended(Tiles(cells, grid))
    for few in (1, 0, 6):
        cells = changed(cells, rng, few=few, kind=kind)
        here, known = mended(Tiles(cells, grid), known)
        all_of_it, whole = mended(Tiles(cells, grid))
        assert all(np.array_equal(a, b) for a, b in zip(here.repairs, all_of_it.repairs))
        assert all(np.array_equal(a, b) for a, b in zip(told(known), told(whole)))
        labels = cells.labels(grid).numpy()
        give_away_islands(labels, np.array(grid.periodic), N)
        assert np.array_equal(here.labels((0, 0, 0), grid.shape), labels)
        assert np.array_equal(here.counts(), np.bincount(labels.ravel(), minlength=N + 1)[1:])


def test_only_what_changed_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    grid, seen = Grid((96, 96, 96), (1 / 64,) * 3, periodic=(True, True, True)), []
    cells = diagram(grid, n=800)
    _, known = mended(Tiles(cells, grid))
    cut = survey.cut
    monkeypatch.setattr(
        survey, "cut", lambda tree, lattice, boxes: seen.append(len(boxes)) or cut(tree, lattice, boxes)
    )
    mended(Tiles(cells, grid), known)
    assert seen == []
    mended(Tiles(changed(cells, np.random.default_rng(0), few=1, kind="weights"), grid), known)
    assert 0 < sum(seen) < 6**3 / 2


def test_voxels_as_near_to_two_sites_do_not_depend_on_how_sites_are_searched() -> None:
    """Sites on a lattice with voxels on the faces between them: the lowest site has these."""
    grid = Grid((40, 40, 40), (1.0,) * 3, origin=(-0.5,) * 3, periodic=(True, True, True))
    at = torch.cartesian_prod(*(torch.arange(0, 40, 8, dtype=torch.float64),) * 3)
    sites = at[torch.from_numpy(np.random.default_rng(0).permutation(len(at)))]
    n = len(sites)
    cells = PowerDiagram(
        sites, torch.eye(3).double().expand(n, 3, 3), torch.zeros(n).double(), (40.0,) * 3, (True,) * 3
    )
    gap = np.abs(np.argwhere(np.ones(grid.shape))[:, None] - sites.numpy())
    lowest = 1 + (np.minimum(gap, 40 - gap) ** 2).sum(-1).argmin(1).reshape(grid.shape)
    assert np.array_equal(cells.labels(grid).numpy(), lowest)
    want = survey.cpu.Wanted(True, True, 0.1)
    assert np.array_equal(cells.sweep(np.zeros(n), grid, want).labels, lowest)
    moved = sites.clone()
    moved[5] += 1.3
    after = replace(cells, sites=moved)
    here, _ = mended(Tiles(after, grid), mended(Tiles(cells, grid))[1])
    assert all(np.array_equal(a, b) for a, b in zip(here.repairs, repaired(Tiles(after, grid)).repairs))


def test_threads_do_not_matter(grid: Grid) -> None:
    cells, before = diagram(grid, n=N), numba.get_num_threads()
    found = []
    for threads in (1, min(2, before)):
        numba.set_num_threads(threads)
        _, known = mended(Tiles(cells, grid))
        found.append(told(mended(Tiles(changed(cells, np.random.default_rng(1), few=4, kind="sites"), grid), known)[1]))
    numba.set_num_threads(before)
    assert all(np.array_equal(a, b) for a, b in zip(*found))
