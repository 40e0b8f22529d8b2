"""Cells that trouble their neighbours, and what is done about them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from microgen import Grid
from microgen.generators.filling import Filling
from microgen.generators.polycrystal import Layout
from microgen.generators.solve import Cells, evened, solve


def giant_and_gap(side: int = 40, radius: float = 13.0, gap: float = 10.0) -> tuple[Layout, Grid]:
    """A giant in the corner of a periodic box, small grains on a lattice around it, and none in the middle of the box:
    for a while the giant's cost is the lowest there, behind the grains between."""
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*[np.arange(2.5, side, 5.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    places += rng.uniform(-0.8, 0.8, places.shape)
    from_corner = np.linalg.norm(places - side * np.round(places / side), axis=1)
    from_middle = np.linalg.norm(places - side / 2, axis=1)
    sites = np.vstack([np.zeros(3), places[(from_corner > radius + 1.5) & (from_middle > gap)]])
    small, giant = len(sites) - 1, 4 / 3 * np.pi * radius**3
    volumes = np.append(giant, np.full(small, (side**3 - giant) / small))
    metrics = np.eye(3) * volumes[:, None, None] ** (-2 / 3)
    none = np.zeros(len(sites), np.int16)
    layout = Layout(sites, metrics, volumes, none, np.zeros((len(sites), 4)), 0.0)
    return layout, Grid((side,) * 3, (1.0,) * 3, periodic=(True,) * 3)


def test_a_giant_that_reaches_behind_its_neighbours_is_drawn_in() -> None:
    layout, grid = giant_and_gap()
    solution, reshaped = solve(layout, grid, tolerance=0.02)
    assert solution.converged
    assert 1 <= reshaped <= 5
    assert solution.diagram.metrics[0, 0, 0] > 1.5 * layout.metrics[0, 0, 0]


@pytest.mark.parametrize("exponent", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("d", [2, 3])
def test_metrics_come_halfway_to_the_usual_size_and_surfaces_stay(d: int, exponent: float) -> None:
    rng = np.random.default_rng(d)
    shapes = rng.normal(size=(9, d, d))
    metrics = torch.from_numpy(shapes @ shapes.transpose(0, 2, 1) + 0.1 * np.eye(d))
    volumes = torch.from_numpy(rng.uniform(1, 9, 9))
    none = torch.zeros(9, dtype=torch.int64)
    cells = Cells(torch.zeros(9, d, dtype=torch.float64), metrics, none, none.bool())
    which, weights = torch.arange(9) % 3 == 0, torch.from_numpy(rng.normal(size=9))
    found, moved = evened(cells, weights, volumes, which, filling=Filling(exponent=exponent))

    sizes = [torch.linalg.det(m) ** (1 / d) for m in (metrics, found.metrics)]
    assert torch.equal(found.reshaped, which)
    assert torch.equal(found.metrics[~which], metrics[~which])
    assert torch.allclose(sizes[1][which], (sizes[0][which] * sizes[0].median()).sqrt())
    assert torch.allclose(found.metrics / sizes[1][:, None, None], metrics / sizes[0][:, None, None])
    radius = 0.4 * volumes ** (2 / d)
    surface = [(size * radius) ** (exponent / 2) for size in sizes]
    assert torch.allclose(surface[1] - moved[:9], surface[0] - weights[:9])
