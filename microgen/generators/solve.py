"""From a layout to a solved power diagram in which every grain is one piece: torch is imported here, not before.

A long or flat cell can be cut in two by others that cross it. Its islands belong to the neighbours in the voxel grains,
so the prescribed volumes are out of reach of any weights. Sites of such cells (and of those that inherit the islands)
move to the centroids of the voxel grains; cells that stay cut take the shape of the piece that remains.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from microgen.core import Solution, lloyd, solve_weights
from microgen.core.transport import OnStep, at_centroids
from microgen.grid import Grid

if TYPE_CHECKING:
    from microgen.generators.polycrystal import Layout, Progress

PROBE_VOXELS = 150  # a grain, on the coarse grid that finds cells cut in two
PROBES, REPEATS = 8, 8
LOOSE = 0.9  # tolerance of the volumes on the coarse grid: islands show long before volumes are right
CUT = 0.01  # islands that count: this share of their cell, or of the grain they go to
HALVED = 0.1  # a cell that loses more than this share is not waited for
FEW = 0.003  # share of the grains that may be cut when the coarse grid is left


class Cells(NamedTuple):
    """Sites and metrics as they are changed, and what is known of their trouble."""

    sites: torch.Tensor
    metrics: torch.Tensor
    age: torch.Tensor
    """int [n]: for how many rounds a cell has been in trouble"""
    reshaped: torch.Tensor
    """bool [n]: given another shape"""


class Trouble(NamedTuple):
    """bool [n] each: cells with islands that count, grains that inherit them, cells that lose a good part."""

    cut: torch.Tensor
    heirs: torch.Tensor
    badly: torch.Tensor


class Solved(NamedTuple):
    """The solution, and how many grains were given another shape to reach it."""

    solution: Solution
    reshaped: int


def solve(layout: Layout, grid: Grid, *, tolerance: float, steps: int = 0, progress: Progress | None = None) -> Solved:
    """Weights that give the grains of the layout their volumes on the grid, as single pieces, after Lloyd `steps`."""
    volumes = torch.from_numpy(layout.volumes)
    cells, rough = untangle(layout, grid, steps=steps)
    weights, best = rough.diagram.weights, None
    on_step = _reporter(tolerance, progress)
    cells = cells._replace(age=torch.zeros_like(cells.age))
    for _ in range(REPEATS):
        solution = solve_weights(
            cells.sites, cells.metrics, volumes, grid, tolerance=tolerance, start=weights, on_step=on_step
        )
        if best is None or solution.worst < best.solution.worst:
            best = Solved(solution, int(cells.reshaped.sum()))
        if solution.converged:
            break
        found = trouble(solution, grid, share=CUT / 2)
        cells = eased(cells, solution, grid, found._replace(cut=found.cut | solution.missed))
        weights = solution.diagram.weights
    assert best is not None
    return best


def untangle(layout: Layout, grid: Grid, *, steps: int = 0, probes: int = PROBES) -> tuple[Cells, Solution]:
    """Cells of which hardly any is cut in two, and their solution on a coarse grid (volumes right to some per cent)."""
    sites, metrics, volumes = (torch.from_numpy(array.copy()) for array in layout[:3])
    if steps:
        sites = lloyd(sites, metrics, volumes, grid, steps=steps)
    n, coarse, weights = len(sites), coarser(grid, len(sites)), None
    cells = Cells(sites, metrics, torch.zeros(n, dtype=torch.int64), torch.zeros(n, dtype=torch.bool))
    for left in range(probes, 0, -1):
        solution = solve_weights(cells.sites, cells.metrics, volumes, coarse, tolerance=LOOSE, start=weights)
        found = trouble(solution, coarse, share=CUT)
        if left == 1 or int(found.cut.sum()) <= FEW * n:
            return cells, solution
        cells = eased(cells, solution, coarse, found)
        weights = solution.diagram.weights
    raise AssertionError("unreachable")


def trouble(solution: Solution, grid: Grid, *, share: float) -> Trouble:
    """Cells with islands worth a share of their own or the heir's volume, and the heirs."""
    cut, heirs = (torch.zeros(len(solution.targets), dtype=torch.bool) for _ in range(2))
    if solution.island_voxels == 0:
        return Trouble(cut, heirs, cut)
    raw, repaired = solution.diagram.labels(grid).flatten() - 1, solution.labels.flatten() - 1
    moved = raw != repaired
    pairs, counts = torch.unique(torch.stack([raw[moved], repaired[moved]]).long(), dim=1, return_counts=True)
    least = solution.targets[pairs].min(0).values
    hit = counts > share * least
    cut[pairs[0, hit]], heirs[pairs[1, hit]] = True, True
    return Trouble(cut, heirs, cut & (solution.lost > HALVED * solution.targets))


def eased(cells: Cells, solution: Solution, grid: Grid, found: Trouble) -> Cells:
    """Cells in trouble are centred on their voxel grains; those cut badly or twice running take their shape as well."""
    either = found.cut | found.heirs
    age = torch.where(either, cells.age + 1, 0)
    stubborn = found.cut & ((age >= 2) | found.badly)
    centred = at_centroids(solution.labels, solution.diagram, grid)
    metrics = cells.metrics
    if bool(stubborn.any()):
        metrics = moulded(metrics, stubborn, _covariance(solution, centred, grid, which=stubborn))
    return Cells(torch.where(either[:, None], centred, cells.sites), metrics, age, cells.reshaped | stubborn)


def moulded(metrics: torch.Tensor, which: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    """The metrics, those of `which` shaped as the covariance [m, d, d] of their grains says, det A as before.

    The largest ratio of two axes shrinks by 5 % at least, so that a cell which stays in trouble ends round.
    """
    before = torch.linalg.eigvalsh(metrics[which]).log()
    values, vectors = torch.linalg.eigh(covariance)
    logs = -values.log()
    logs = logs - logs.mean(1, keepdim=True)
    most = 0.95 * (before[:, -1] - before[:, 0])
    logs = logs * (most / (logs[:, 0] - logs[:, -1]).clamp(min=1e-9)).clamp(max=1.0)[:, None]
    axes = (logs + before.mean(1, keepdim=True)).exp()
    shaped = (vectors * axes[:, None, :]) @ vectors.transpose(1, 2)
    out = metrics.clone()
    out[which] = (shaped + shaped.transpose(1, 2)) / 2
    return out


def _covariance(solution: Solution, centred: torch.Tensor, grid: Grid, *, which: torch.Tensor) -> torch.Tensor:
    """Second moments [m, d, d], µm², of the voxel grains `which` about their centroids, voxels taken as boxes."""
    label = solution.labels.flatten().long() - 1
    voxels = torch.nonzero(which[label]).flatten()
    row = (torch.cumsum(which, 0) - 1)[label[voxels]]
    spacing = torch.tensor(grid.spacing, dtype=torch.float64)
    index = torch.stack(torch.unravel_index(voxels, grid.shape), 1)
    x = (index + 0.5) * spacing + torch.tensor(grid.origin, dtype=torch.float64) - centred[label[voxels]]
    lengths, periodic = torch.tensor(grid.lengths, dtype=torch.float64), torch.tensor(grid.periodic)
    x = x - torch.where(periodic, lengths * torch.round(x / lengths), 0.0)
    m, d = int(which.sum()), grid.ndim
    sums = torch.zeros((m, d, d), dtype=torch.float64).index_add_(0, row, x[:, :, None] * x[:, None, :])
    counts = torch.bincount(row, minlength=m).clamp(min=1)
    return sums / counts[:, None, None] + torch.diag(spacing**2 / 12)


def coarser(grid: Grid, n: int) -> Grid:
    """A grid of the same box with about PROBE_VOXELS voxels for each of n cells, or the grid where it has fewer."""
    ratio = (grid.size / (PROBE_VOXELS * n)) ** (1 / grid.ndim)
    if ratio <= 1:
        return grid
    shape = tuple(min(k, math.ceil(k / ratio)) for k in grid.shape)
    spacing = tuple(length / k for length, k in zip(grid.lengths, shape))
    return Grid(shape, spacing, grid.origin, grid.periodic)


def _reporter(tolerance: float, progress: Progress | None) -> OnStep | None:
    """Progress from errors: each factor of two towards the tolerance counts alike, and it never runs backwards."""
    if progress is None:
        return None
    tell, done = progress, 0.3

    def on_step(error: float, stage: str) -> None:
        nonlocal done
        near = 1 - math.log(max(error, tolerance) / tolerance) / math.log(1 / tolerance)
        done = max(done, 0.3 + 0.65 * float(np.clip(near, 0, 1)))
        tell(done, f"{stage}: worst grain off by {error:.1%}")

    return on_step
