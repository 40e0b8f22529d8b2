"""Polycrystals of exact Laguerre cells: volumes to 1e-6, and voxels of the same diagram."""

from __future__ import annotations

import numpy as np
import pytest

from microgen import Grid, Polycrystal, rebuild
from microgen.core.laguerre import laguerre_cells
from microgen.errors import InvalidParameter
from microgen.generators.laws import AspectRatioLaw

GRID = Grid((30, 24, 20), (0.5, 0.5, 0.6), (1.0, -2.0, 0.0), periodic=(True, True, False))


@pytest.fixture(scope="module")
def sample():
    return Polycrystal(grains=40, cells="laguerre", lloyd=2).sample(GRID, seed=3)


def test_volumes_are_met_without_a_grid(sample):
    assert np.abs(sample.grains.volume / sample.grains.volume_target - 1).max() <= 1e-6
    assert sample.provenance.achieved["exact_error_max"] <= 1e-6
    assert sample.provenance.achieved["status"] == "converged"


def test_the_table_of_grains_gives_the_cells_again(sample):
    grains = sample.grains
    unit = 1 / grains.metrics[0, 0, 0]
    assert np.allclose(grains.metrics, np.eye(3) / unit, rtol=1e-15)
    cells = laguerre_cells(
        grains.sites - GRID.origin, grains.weights * unit, lengths=GRID.lengths, periodic=GRID.periodic
    )
    assert np.abs(cells.volumes / grains.volume - 1).max() < 1e-9


def test_voxels_show_the_cells(sample):
    counts = np.bincount(sample.grain_id.ravel(), minlength=41)[1:] * GRID.cell_measure
    rounding = 2 * (sample.grains.volume / GRID.cell_measure) ** (2 / 3) * GRID.cell_measure  # a share of the surface
    assert (np.abs(counts - sample.grains.volume) < rounding).all()
    again = rebuild(sample.grains, GRID, lengths=GRID.lengths, periodic=GRID.periodic)
    assert np.array_equal(again.grain_id, sample.grain_id)


def test_configuration_comes_back_and_the_sample_repeats(sample):
    laws = Polycrystal.from_configuration(sample.provenance.configuration)
    assert laws.cells == "laguerre"
    assert np.array_equal(laws.sample(GRID, seed=3).grain_id, sample.grain_id)


def test_lloyd_makes_cells_rounder():
    grid = Grid((20, 20, 20), (1.0, 1.0, 1.0), periodic=(True,) * 3)

    def surface(lloyd: int) -> float:
        grains = Polycrystal(grains=60, cells="laguerre", hard_core=0.0, lloyd=lloyd).sample(grid, seed=1).grains
        weights = grains.weights / grains.metrics[0, 0, 0]
        return laguerre_cells(grains.sites, weights, lengths=grid.lengths, periodic=grid.periodic).area.sum()

    assert surface(8) < 0.97 * surface(0)


def test_shapes_and_planes_are_refused():
    with pytest.raises(InvalidParameter, match=r"aspect_ratio\.mean"):
        Polycrystal(cells="laguerre", aspect_ratio=AspectRatioLaw(mean=1.5))
    with pytest.raises(InvalidParameter, match="cells"):
        Polycrystal(cells="voronoi")  # type: ignore[arg-type]
    with pytest.raises(InvalidParameter, match="shape"):
        Polycrystal(grains=10, cells="laguerre").sample(Grid((20, 20), (1.0, 1.0)), seed=0)
