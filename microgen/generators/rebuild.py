"""A volume again from its table of grains, on any grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.provenance import Provenance

if TYPE_CHECKING:
    from microgen.core import Solution

UNFILLED = 0.1  # share of the box that target volumes may lack or exceed


def rebuild(
    grains: Grains,
    grid: Grid,
    *,
    lengths: Sequence[float],
    periodic: Sequence[bool],
    phases: Sequence[Phase] = (),
    tolerance: float = 0.01,
) -> Microstructure:
    """The power diagram of `grains` in the box [0, lengths) µm, as labels on `grid`.

    Voxels detached from their grain go to the neighbour that shares most faces with them, as in a sample: on the
    grid of the sample the labels are the sample's own.

    Grains without weights get those with which each cell has its `volume_target`, scaled to fill the box, within the
    `tolerance`: the diagram of Buze et al. 2024, arXiv 2403.03571, of grains that were measured. Sites stay where they
    are, so cells may be in several pieces: these stay theirs, as their volumes need them, and `detached_voxels` of the
    provenance counts them. The grid must then fill the box.

    Raises InvalidParameter for grains without sites and metrics (a measured scan has none) or without both weights and
    target volumes, NotConverged (with the sample as its `best`) where a volume is not met.
    """
    if grains.sites is None or grains.metrics is None:
        raise InvalidParameter("grains", expected="sites and metrics of every grain", got="a table without")
    if grains.weights is None:
        return _solved(grains, grid, lengths, periodic, phases, tolerance)
    import torch

    from microgen.core.power_diagram import PowerDiagram

    sites, metrics, weights = (
        torch.from_numpy(np.asarray(a, np.float64)) for a in (grains.sites, grains.metrics, grains.weights)
    )
    diagram = PowerDiagram(sites, metrics, weights, tuple(lengths), tuple(periodic))
    labels = diagram.labels(grid).numpy()
    islands = _given_away(labels, grid, len(grains))
    return _sample(grains, grid, labels, phases, {"grains": len(grains), "island_voxels": islands})


def _solved(
    grains: Grains,
    grid: Grid,
    lengths: Sequence[float],
    periodic: Sequence[bool],
    phases: Sequence[Phase],
    tolerance: float,
) -> Microstructure:
    """With weights for the target volumes."""
    from microgen.generators.solve import converged

    if grains.volume_target is None:
        raise InvalidParameter("grains", expected="weights or target volumes of every grain", got="a table without")
    if not np.allclose(grid.lengths, lengths, rtol=1e-9) or any(grid.origin) or grid.periodic != tuple(periodic):
        expected = f"the whole box of {lengths} µm where weights are to be found"
        raise InvalidParameter("grid", expected=expected, got=f"{grid.lengths} µm from {grid.origin}")
    filled = float(np.sum(grains.volume_target)) / math.prod(grid.lengths)
    if not abs(filled - 1) < UNFILLED:
        expected = f"target volumes that fill the box to {UNFILLED:.0%}, and are then scaled to it"
        raise InvalidParameter("grains", expected=expected, got=f"{filled:.3g} of the box")
    solution = _solution(grains, grid, tolerance)
    assert solution.labels is not None
    targets, weights = solution.targets.numpy() * grid.cell_measure, solution.diagram.weights.numpy()
    table = replace(grains, weights=weights, volume_target=targets)
    labels = solution.labels.numpy()
    figures = {**solution.figures, "detached_voxels": _given_away(labels.copy(), grid, len(grains))}
    return converged(_sample(table, grid, labels, phases, figures), solution)


def _solution(grains: Grains, grid: Grid, tolerance: float) -> Solution:
    import torch

    from microgen.core import solve_weights

    assert grains.volume_target is not None
    volumes = np.asarray(grains.volume_target, np.float64)
    volumes = volumes * (math.prod(grid.lengths) / volumes.sum())
    sites, metrics, v = (torch.from_numpy(np.asarray(a, np.float64)) for a in (grains.sites, grains.metrics, volumes))
    return solve_weights(sites, metrics, v, grid, tolerance=tolerance, repair=False)


def _sample(
    grains: Grains, grid: Grid, labels: np.ndarray, phases: Sequence[Phase], achieved: dict[str, Any]
) -> Microstructure:
    counts = np.bincount(labels.ravel(), minlength=len(grains) + 1)[1:]
    names = tuple(phases) or tuple(Phase(f"phase {k}") for k in range(int(grains.phase_id.max(initial=0)) + 1))
    return Microstructure(
        grid,
        grains.phase_id.astype(np.int16)[labels - 1],
        names,
        labels,
        grains=replace(grains, volume=counts * grid.cell_measure),
        provenance=Provenance("rebuild", achieved=achieved),
    )


def _given_away(labels: np.ndarray, grid: Grid, n: int) -> int:
    """How many voxels of the labels lay apart from their grain and were given to a neighbour, in place."""
    from microgen.core.kernels.islands import give_away_islands

    wrap = np.array((False,) * (3 - grid.ndim) + grid.periodic)
    return int(give_away_islands(labels if grid.ndim == 3 else labels[None], wrap, n).sum())
