"""Labels part by part against the whole volume: the same to the last bit, islands and centroids included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from microgen import Grid
from microgen.core import PowerDiagram, survey, tiles
from microgen.core.kernels.islands import give_away_islands
from microgen.core.kernels.moments import centroids
from microgen.core.tiles import Tiles, repaired


def diagram(grid: Grid, *, n: int = 120, seed: int = 0) -> PowerDiagram:
    """Long cells that cross each other: many islands, some of which touch islands."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((n, 3, 3)))[0]
    metrics = np.einsum("nij,nj,nkj->nik", turn, rng.uniform(0.3, 3.0, (n, 3)) ** -2.0, turn)
    sites = torch.from_numpy(rng.random((n, 3)) * grid.lengths)
    metrics = torch.from_numpy((metrics + metrics.transpose(0, 2, 1)) / 2)
    return PowerDiagram(sites, metrics, torch.from_numpy(0.02 * rng.random(n)), grid.lengths, grid.periodic)


@pytest.fixture(params=[(True, True, True), (False, True, False), (True, False, True)])
def grid(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Grid:
    monkeypatch.setattr(tiles, "SLAB", 20_000)  # a slab of 16 layers, so that there are four
    monkeypatch.setattr(survey, "TOGETHER", 5)
    return Grid((50, 37, 28), (1 / 64,) * 3, periodic=request.param)


def test_parts_are_parts_of_the_whole(grid: Grid) -> None:
    cells = diagram(grid)
    whole, parts = cells.labels(grid).numpy(), Tiles(cells, grid)
    assert np.array_equal(np.concatenate([labels for _, labels in parts.slabs()]), whole)
    assert np.array_equal(parts.labels((3, 17, 9), (35, 36, 10)), whole[3:35, 17:36, 9:10])


@pytest.mark.parametrize("seed", range(3))
def test_islands_go_where_they_go_in_memory(grid: Grid, seed: int) -> None:
    cells = diagram(grid, seed=seed)
    whole = cells.labels(grid).numpy()
    raw = whole.copy()
    lost = give_away_islands(whole, np.array(grid.periodic), len(cells))
    assert lost.sum() > 100
    found = repaired(Tiles(cells, grid))
    assert np.array_equal(np.concatenate([labels for _, labels in found.slabs()]), whole)
    assert np.array_equal(found.labels((5, 6, 7), (20, 30, 28)), whole[5:20, 6:30, 7:28])
    assert np.array_equal(found.counts(), np.bincount(whole.ravel(), minlength=len(cells) + 1)[1:])
    assert np.array_equal(found.repairs.voxels, np.flatnonzero(raw != whole))
    assert np.array_equal(found.repairs.before, raw[raw != whole])


def test_centroids_do_not_depend_on_layers(grid: Grid) -> None:
    cells = diagram(grid)
    lattice = cells.lattice(grid, (0, 1, 2))
    mended = repaired(Tiles(cells, grid))
    whole = centroids(np.concatenate([labels for _, labels in mended.slabs()]), cells.sites.numpy(), lattice)
    assert np.array_equal(mended.centroids(), whole)
    for k in range(len(cells)):
        few = np.isin(np.arange(len(cells)), (k, (7 * k) % len(cells)))
        assert np.array_equal(mended.centroids(few)[few], whole[few])
