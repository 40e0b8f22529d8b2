"""From a layout to exact Laguerre cells, and the voxels that show them: the same diagram, drawn on the grid."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from microgen.core import PowerDiagram, Solution
from microgen.core.kernels.islands import give_away_islands
from microgen.core.laguerre import Cells, Weighed, laguerre_weights
from microgen.core.tiles import Tiles, repaired
from microgen.errors import NotConverged
from microgen.generators.solve import Solved
from microgen.grid import Grid

if TYPE_CHECKING:
    from microgen.generators.polycrystal import Layout, Progress

EXACT = 1e-6
"""Relative error of a cell's volume."""
ROUGH = 0.02
"""The same between Lloyd steps."""


def solve_exact(
    layout: Layout,
    grid: Grid,
    *,
    tolerance: float,
    steps: int = 0,
    labels: bool = True,
    progress: Progress | None = None,
) -> Solved:
    """Cells of the layout's volumes after Lloyd `steps`, exact to EXACT or to the tolerance where that is less.

    Without `labels` the volume of labels is never held, and the solution has tiles instead.
    """
    began = time.perf_counter()
    sites, weights = layout.sites - np.asarray(grid.origin), None
    for _ in range(steps):
        moved = _weighed(sites, layout.volumes, grid, tolerance=ROUGH, start=weights).cells
        sites, weights = moved.centroids, moved.weights
    if progress is not None:
        progress(0.3, "cutting cells")
    found = _weighed(sites, layout.volumes, grid, tolerance=min(EXACT, tolerance), start=weights)
    if progress is not None:
        progress(0.8, f"volumes off by {found.error_max:.1g}")
    solution = _drawn(found.cells, layout.volumes, grid, tolerance, labels=labels)
    return Solved(replace(solution, seconds=time.perf_counter() - began), 0)


def _weighed(
    sites: np.ndarray, volumes: np.ndarray, grid: Grid, *, tolerance: float, start: np.ndarray | None
) -> Weighed:
    try:
        return laguerre_weights(
            sites, volumes, lengths=grid.lengths, periodic=grid.periodic, tolerance=tolerance, start=start
        )
    except NotConverged as error:  # the sample says itself what it missed
        return cast(Weighed, error.best)


def _drawn(cells: Cells, volumes: np.ndarray, grid: Grid, tolerance: float, *, labels: bool) -> Solution:
    """The cells on the grid. Voxels that sharp corners leave alone go to a neighbour, as in `rebuild`."""
    n, unit = len(cells), float(np.prod(grid.lengths) / len(cells)) ** (2 / 3)
    diagram = PowerDiagram(
        torch.from_numpy(cells.sites + np.asarray(grid.origin)),
        torch.eye(3, dtype=torch.float64).expand(n, 3, 3).contiguous() / unit,
        torch.from_numpy(cells.weights / unit),
        grid.lengths,
        grid.periodic,
    )
    drawn, tiles = None, None
    if labels:
        drawn = diagram.labels(grid).numpy()
        lost = give_away_islands(drawn, np.array(grid.periodic), n)
        counts = np.bincount(drawn.ravel(), minlength=n + 1)[1:]
    else:
        tiles = repaired(Tiles(diagram, grid))
        lost, counts = np.bincount(tiles.repairs.before, minlength=n + 1)[1:], tiles.counts()
    exact = torch.from_numpy(cells.volumes / grid.cell_measure)
    return Solution(
        diagram=diagram,
        labels=None if drawn is None else torch.from_numpy(drawn),
        counts=torch.from_numpy(counts.astype(np.int64)),
        subvoxel_volumes=exact,
        targets=torch.from_numpy(volumes / grid.cell_measure),
        lost=torch.from_numpy(lost),
        tolerance=tolerance,
        seconds=0.0,
        exact=exact,
        tiles=tiles,
    )
