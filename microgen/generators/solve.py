"""From a layout to a solved power diagram in which every grain is one piece: torch is imported here, not before.

A long or flat cell can be cut in two by others that cross it. Its islands belong to the neighbours in the voxel grains,
so the prescribed volumes are out of reach of any weights. Sites of such cells (and of those that inherit the islands)
move to the centroids of the voxel grains; cells that stay cut take the square root of their aspect ratio. A giant among
small ones reaches behind them even when all are round; what stays in trouble comes nearer to the others in size.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from microgen.core import Solution, lloyd
from microgen.core.transport import OnStep, at_centroids
from microgen.errors import NotConverged
from microgen.generators.filling import Filling
from microgen.grid import Grid

if TYPE_CHECKING:
    from microgen.generators.polycrystal import Layout, Progress

PROBE_VOXELS = 150  # a grain, on the coarse grid that finds cells cut in two
PROBES, REPEATS = 8, 16
LATE = 4  # rounds in trouble after which, each time, the size of a cell's metric changes and not its shape alone
CUT = 0.01  # islands that count: this share of their cell, or of the grain they go to
FEW = 0.003  # share of the grains that may be cut when the coarse grid is left

UNTANGLED, SOLVED = (0.05, 0.3), (0.3, 0.95)  # parts of the progress
RAW = 0.7  # of the latter, when cells have their volumes and islands are left


class Cells(NamedTuple):
    """Sites and metrics as they are changed, and what is known of their trouble."""

    sites: torch.Tensor
    metrics: torch.Tensor
    age: torch.Tensor
    """int [n]: for how many rounds a cell has been in trouble"""
    reshaped: torch.Tensor
    """bool [n]: with another metric than drawn"""


class Solved(NamedTuple):
    """The solution, and how many grains have another metric than drawn to reach it."""

    solution: Solution
    reshaped: int


def solve(
    layout: Layout,
    grid: Grid,
    *,
    tolerance: float,
    steps: int = 0,
    labels: bool = True,
    progress: Progress | None = None,
    filling: Filling = Filling(),  # noqa: B008 - frozen
) -> Solved:
    """Weights that give the grains of the layout their volumes on the grid, as single pieces, after Lloyd `steps`.

    Without `labels` the volume of labels is never held, and the solution has tiles instead.
    """
    volumes = torch.from_numpy(layout.volumes)
    cells, rough = untangle(layout, grid, steps=steps, filling=filling, progress=progress)
    weights, best, solution = rough.diagram.weights, None, None
    how: dict[str, Any] = {"tolerance": tolerance, "labels": labels, "on_step": _solving(progress, tolerance)}
    cells = cells._replace(age=torch.zeros_like(cells.age))
    for _ in range(REPEATS):
        solution = filling.solve(cells.sites, cells.metrics, volumes, grid, start=weights, resumed=solution, **how)
        if best is None or solution.worst < best.solution.worst:
            best = Solved(solution, int(cells.reshaped.sum()))
        if solution.converged:
            break
        cut, heirs = trouble(solution, grid, share=CUT / 2, among=solution.missed)
        cells = eased(cells, solution, grid, cut=cut | solution.missed, heirs=heirs, filling=filling)
        weights, late = solution.diagram.weights, (cut | solution.missed) & (cells.age > 0) & (cells.age % LATE == 0)
        if late.any():
            cells, weights = evened(cells, weights, volumes, late, filling=filling)
            solution = None  # cells change by more than what is known around them reaches
    assert best is not None
    return best


def converged(sample: Any, solution: Solution) -> Any:
    """The sample, or NotConverged with it where a grain misses its volume."""
    if not solution.converged:
        message = f"volumes are off by up to {solution.worst:.2%}, the tolerance is {solution.tolerance:.2%}. "
        raise NotConverged(message + "Use more voxels, fewer grains or a larger --tolerance.", best=sample)
    return sample


def untangle(
    layout: Layout,
    grid: Grid,
    *,
    steps: int = 0,
    probes: int = PROBES,
    filling: Filling = Filling(),  # noqa: B008 - frozen
    progress: Progress | None = None,
) -> tuple[Cells, Solution]:
    """Cells of which hardly any is cut in two, and their solution on a coarse grid (volumes right to some per cent)."""
    sites, metrics, volumes = (torch.from_numpy(array.copy()) for array in layout[:3])
    if steps and filling.plain:
        sites = lloyd(sites, metrics, volumes, grid, steps=steps)
    n, coarse, weights = len(sites), coarser(grid, len(sites)), None
    for _ in range(0 if filling.plain else steps):
        solution = filling.solve(sites, metrics, volumes, coarse, start=weights, rough=True)
        weights = solution.diagram.weights
        sites = filling.kept_inside(_centred(solution, coarse), sites, coarse)
    cells = Cells(sites, metrics, torch.zeros(n, dtype=torch.int64), torch.zeros(n, dtype=torch.bool))
    known: list[int] = []
    for left in range(probes, 0, -1):
        on_step = _untangling(progress, known, probes)
        solution = filling.solve(
            cells.sites, cells.metrics, volumes, coarse, start=weights, rough=True, on_step=on_step
        )
        cut, heirs = trouble(solution, coarse, share=CUT)
        known.append(int(cut.sum()))
        if left == 1 or known[-1] <= FEW * n:
            return cells, solution
        cells = eased(cells, solution, coarse, cut=cut, heirs=heirs, filling=filling)
        weights = solution.diagram.weights
    raise AssertionError("unreachable")


def trouble(
    solution: Solution, grid: Grid, *, share: float, among: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """bool [n] twice: cells with islands worth a share of their own or the heir's volume, and the heirs.

    With `among` (bool [n]) only where one of the two is marked: the others are made up for by volume.
    """
    cut, heirs = (torch.zeros(len(solution.targets), dtype=torch.bool) for _ in range(2))
    if solution.island_voxels == 0:
        return cut, heirs
    pairs, counts = torch.unique(_moved(solution, grid), dim=1, return_counts=True)
    pairs, counts = pairs[:, pairs.min(0).values >= 0], counts[pairs.min(0).values >= 0]  # void has no volume to miss
    least = solution.targets[pairs].min(0).values
    hit = counts > share * least
    if among is not None:
        hit &= among[pairs].any(0)
    cut[pairs[0, hit]], heirs[pairs[1, hit]] = True, True
    return cut, heirs


def _moved(solution: Solution, grid: Grid) -> torch.Tensor:
    """int64 [2, m]: the cell each voxel of an island is of, and the grain that got it (from 0)."""
    if solution.labels is None:
        assert solution.tiles is not None
        return torch.from_numpy(np.stack(solution.tiles.repairs[1:])).long() - 1
    raw, repaired = solution.diagram.labels(grid).flatten() - 1, solution.labels.flatten() - 1
    moved = raw != repaired
    return torch.stack([raw[moved], repaired[moved]]).long()


def _centred(solution: Solution, grid: Grid, among: torch.Tensor | None = None) -> torch.Tensor:
    """Centroids of the voxel grains; of those `among` (bool [n]) at least, where given."""
    if solution.labels is None:
        assert solution.tiles is not None
        return torch.from_numpy(solution.tiles.centroids(None if among is None else among.numpy()))
    return at_centroids(solution.labels, solution.diagram, grid)


def eased(
    cells: Cells,
    solution: Solution,
    grid: Grid,
    *,
    cut: torch.Tensor,
    heirs: torch.Tensor,
    filling: Filling = Filling(),  # noqa: B008 - frozen
) -> Cells:
    """Cells in trouble are centred on their voxel grains; those cut twice running are made rounder."""
    either = cut | heirs
    age = torch.where(either, cells.age + 1, 0)
    stubborn = cut & (age >= 2)
    centred = filling.kept_inside(_centred(solution, grid, either), cells.sites, grid)
    return Cells(
        torch.where(either[:, None], centred, cells.sites),
        rounder(cells.metrics, stubborn),
        age,
        cells.reshaped | stubborn,
    )


def rounder(metrics: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """The metrics, those of `which` with the square root of their axis ratios and the determinant they had."""
    values, vectors = torch.linalg.eigh(metrics[which])
    scale = values.log().mean(1, keepdim=True)
    half = (scale + 0.5 * (values.log() - scale)).exp()
    out = metrics.clone()
    out[which] = (vectors * half[:, None, :]) @ vectors.transpose(1, 2)
    out[which] = (out[which] + out[which].transpose(1, 2)) / 2
    return out


def evened(
    cells: Cells,
    weights: torch.Tensor,
    volumes: torch.Tensor,
    which: torch.Tensor,
    *,
    filling: Filling = Filling(),  # noqa: B008 - frozen
) -> tuple[Cells, torch.Tensor]:
    """Cells whose metrics, of `which` (bool [n]), are halfway to the median in size; and weights [n].

    The cost of a cell much larger than its neighbours grows so slowly that it wins gaps behind them. Cells of one
    metric are convex: the nearer metrics are to each other, the less there is of that. Weights change by what the cost
    at the surface of a ball of the cell's volume does.
    """
    d = cells.sites.shape[1]
    size = torch.linalg.det(cells.metrics) ** (1 / d)
    factor = torch.where(which, (size.median() / size).sqrt(), 1.0)
    before, after = ((0.4 * x * volumes ** (2 / d)) ** (filling.exponent / 2) for x in (size, factor * size))
    shifted = weights.clone()
    shifted[: len(size)] += after - before
    metrics = factor[:, None, None] * cells.metrics
    return cells._replace(metrics=metrics, reshaped=cells.reshaped | which), shifted


def coarser(grid: Grid, n: int) -> Grid:
    """A grid of the same box with about PROBE_VOXELS voxels for each of n cells, or the grid where it has fewer."""
    ratio = (grid.size / (PROBE_VOXELS * n)) ** (1 / grid.ndim)
    if ratio <= 1:
        return grid
    shape = tuple(min(k, math.ceil(k / ratio)) for k in grid.shape)
    spacing = tuple(length / k for length, k in zip(grid.lengths, shape))
    return Grid(shape, spacing, grid.origin, grid.periodic)


class _Way:
    """A part of the way that progress tells of. No one knows how many steps there will be: each does the same share,
    `stride`, of what is left, at least."""

    def __init__(self, progress: Progress, begin: float, end: float, stride: float):
        self.progress, self.begin, self.done, self.end, self.stride = progress, begin, begin, end, stride

    def step(self, text: str, share: float = 0.0) -> None:
        """Tell what is done; it is `share` of this part at least."""
        told = self.begin + share * (self.end - self.begin)
        self.done = max(told, self.done + self.stride * (self.end - self.done))
        self.progress(self.done, text)


def _untangling(progress: Progress | None, cut: list[int], probes: int) -> OnStep | None:
    """Progress of one look for cells cut in two, after looks that found so many."""
    if progress is None:
        return None
    ends = [UNTANGLED[0] + (UNTANGLED[1] - UNTANGLED[0]) * k / probes for k in (len(cut), len(cut) + 1)]
    way, found = _Way(progress, *ends, stride=0.1), f", {cut[-1]} cells cut in two" if cut else ""
    what = f"untangling, look {len(cut) + 1} of {probes}{found}"
    return lambda error, _: way.step(f"{what}: volumes off by {error:.0%}")


def _solving(progress: Progress | None, tolerance: float) -> OnStep | None:
    """Progress from errors: each factor of two towards the tolerance counts alike."""
    if progress is None:
        return None
    way = _Way(progress, *SOLVED, stride=0.02)

    def on_step(error: float, stage: str) -> None:
        near = 1 - math.log(max(error, tolerance) / tolerance) / math.log(1 / tolerance)
        way.step(f"{stage}: worst grain off by {error:.1%}", RAW * float(np.clip(near, 0, 1)))

    return on_step
