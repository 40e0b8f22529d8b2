"""Semi-discrete optimal transport: weights that give each cell of a power diagram its prescribed volume.

They maximise the concave dual g(w) = sum_i v_i w_i + ∫ min_i (c_i - w_i), whose gradient is v_i - |cell_i| and whose
Hessian is minus a graph Laplacian: J_ij = -∫_face dS / |∇(c_i - c_j)|. Damped Newton (Kitagawa, Mérigot, Thibert,
J. Eur. Math. Soc. 2019), on coarse grids first, then on the voxel counts of the finest one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix, diags_array
from scipy.spatial import KDTree
from torch import Tensor

from microgen.core.cost_diagram import CostDiagram
from microgen.core.kernels import cpu
from microgen.core.kernels.moments import centroids
from microgen.core.laplacian import held, laplacian_of, pairs, solve
from microgen.core.polish import Polish
from microgen.core.power_diagram import PowerDiagram
from microgen.core.solution import SMALL, Solution, Step
from microgen.errors import InvalidParameter
from microgen.grid import Grid

COARSEST = 60  # mean voxels per grain of the first grid: fewer leave cells without a voxel, more cost time
NEAR = 0.05  # error at which a grid is left for the next finer one
NEAR_LAST = 0.15  # error from which voxel counts are dealt with directly
NEAR_ROUGH, SEEN = 0.3, 30.0  # the same where rough will do: errors of smaller cells count as of so many voxels
FAR = 1.0  # error above which a grid is not left as long as its steps help at all
LEAP = 0.7  # most that a weight changes in a step, in the cost at a surface: twice or half the volume, not more
BOLD = 2.5  # the same leap and caution for costs that are no squares, where a cell's own stiffness is taken
STEPS = 25  # sweeps of one grid before going on to the next

OnStep = Callable[[float, str], None]


def solve_weights(
    sites: Float[Tensor, "n d"],
    metrics: Float[Tensor, "n d d"],
    volumes: Float[Tensor, " n"],
    grid: Grid,
    *,
    tolerance: float = 0.01,
    repair: bool = True,
    start: Float[Tensor, " n"] | None = None,
    resumed: Solution | None = None,
    rough: bool = False,
    small: float = float(SMALL),
    labels: bool = True,
    device: str = "cpu",
    on_step: OnStep | None = None,
) -> Solution:
    """Weights for which cell i has volume `volumes[i]` (µm^d, summing to the box), within `tolerance` of each.

    With `repair`, voxels detached from their grain are given to the neighbour that shares most faces with them, and
    the counts are polished again. Targets below `small` voxels are held to their sub-voxel volume, not to a count.

    `start` are weights of a similar problem: then the coarse grids are left out. `resumed` is the solution (with these
    weights) of the same problem on the same grid but for some sites or metrics: where these are few, only what they
    touch is worked out again. `rough` stops where volumes are about
    right, cells of a few voxels aside, and does not polish: enough to see which cells are cut in two.

    Without `labels` the solution has `tiles` in their place (3-D grids only), and the volume of labels is never held.
    All other figures are the same to the last bit.

    With `device` "cuda" (3-D grids, with labels) it runs on a GPU, by the same steps; "auto" takes one where it can.

    The solution says whether the tolerance was met; it never raises for that. Raises InvalidParameter for coincident
    sites, metrics that are not positive definite, and volumes that are not positive or do not sum to the box.
    """
    from microgen.core.device_transport import on_device

    began = time.perf_counter()
    diagram = PowerDiagram(sites, metrics, torch.zeros(len(sites), dtype=torch.float64), grid.lengths, grid.periodic)
    _check(diagram, volumes, grid, tolerance)
    share = _array(volumes)
    problem = Problem(diagram, share / share.sum(), grid, tolerance, repair=repair, on_step=on_step)
    problem.rough, problem.least, problem.labels = rough, small, labels
    problem.small = problem.target < small
    if (there := on_device(problem, device)) is not None:
        return replace(there.solved(start), seconds=time.perf_counter() - began, history=tuple(problem.history))
    weights = problem.coarse_to_fine() if start is None else _array(start)
    if rough:
        return replace(problem.measured(*problem.newton(weights, grid)), seconds=time.perf_counter() - began)
    best = problem.polish(weights, resumed)
    return replace(best, seconds=time.perf_counter() - began, history=tuple(problem.history))


def lloyd(
    sites: Float[Tensor, "n d"],
    metrics: Float[Tensor, "n d d"],
    volumes: Float[Tensor, " n"],
    grid: Grid,
    *,
    steps: int = 1,
) -> Float[Tensor, "n d"]:
    """Sites after so many Lloyd steps: solve on a coarse grid, move each site to the centroid of its cell.

    Cells become rounder (in their own metric), nearer to their prescribed shape, and in one piece.
    """
    coarse = _halved(grid, len(sites))[-1]
    weights = np.zeros(len(sites))
    for _ in range(steps):
        diagram = PowerDiagram(sites, metrics, torch.from_numpy(weights), grid.lengths, grid.periodic)
        problem = Problem(diagram, _array(volumes) / float(volumes.sum()), coarse, 0.05, repair=False, on_step=None)
        weights, _ = problem.newton(weights, coarse)
        sites = at_centroids(diagram.with_weights(torch.from_numpy(weights)).labels(coarse), diagram, coarse)
    return sites


def at_centroids(
    labels: Int[Tensor, "*shape"], diagram: PowerDiagram | CostDiagram, grid: Grid
) -> Float[Tensor, "n d"]:
    """Centroid of each label 1..n, next to its site along periodic axes."""
    d = grid.ndim
    sites = np.zeros((len(diagram), 3))
    sites[:, 3 - d :] = _array(diagram.sites)
    volume = labels.numpy().reshape((1,) * (3 - d) + tuple(labels.shape))
    lattice = diagram.lattice(grid, (-1, 0, 1) if d == 2 else (0, 1, 2))
    return torch.from_numpy(centroids(volume, sites, lattice)[:, 3 - d :].copy())


def _halved(grid: Grid, n: int) -> list[Grid]:
    """The grid, and ever coarser ones of the same box while they have voxels enough for n cells."""
    grids = [grid]
    while grids[-1].size > 4 * COARSEST * n and min(grids[-1].shape) >= 16:
        shape = tuple(-(-k // 2) for k in grids[-1].shape)
        grids.append(Grid(shape, tuple(a / k for a, k in zip(grid.lengths, shape)), grid.origin, grid.periodic))
    return grids


class Problem:
    """One run of the solver: the fixed problem, and the history as it grows."""

    def __init__(
        self,
        diagram: PowerDiagram | CostDiagram,
        share: np.ndarray,
        grid: Grid,
        tolerance: float,
        *,
        repair: bool,
        on_step: OnStep | None,
    ):
        self.diagram, self.share, self.grid, self.tolerance = diagram, share, grid, tolerance
        self.repair, self.on_step, self.rough, self.least = repair, on_step, False, float(SMALL)
        self.labels, self.thin = True, isinstance(diagram, PowerDiagram)
        self.history: list[Step] = []
        self.target = share * diagram.measure(grid)
        # Cost at the surface of a ball of the prescribed volume: 1 unit of "a grain radius" in weight.
        filled = diagram.measure(grid) / grid.size
        self.start, self.unit = diagram.surface_costs(share * np.prod(grid.lengths) * filled)
        self.small = self.target < SMALL

    def coarse_to_fine(self) -> np.ndarray:
        """Newton on sub-voxel volumes, each grid but the finest starting from the weights of the coarser one."""
        weights = self.start.copy()  # of balls of the right volume: zero, up to a constant, if A ~ v^(-2/d)
        for grid in _halved(self.grid, len(weights))[:0:-1]:
            weights, _ = self.newton(weights, grid)
        return weights

    def newton(self, weights: np.ndarray, grid: Grid) -> tuple[np.ndarray, cpu.Sweep]:
        """Newton on the sub-voxel volumes of one grid, to the precision that grid has; the last sweep comes with it.

        Levenberg's term caution * v_i / unit_i keeps a cell from changing by more than its own size while far from
        the solution: it converges from a cold start where halving the step for the sake of one cell stalls.
        """
        target = self.share * self.diagram.measure(grid)
        rooms = [self.diagram.room(grid, flips=False) for _ in range(2)]
        want = cpu.Wanted(False, True, -1.0)
        swept = self.diagram.sweep(weights, grid, want, rooms[0])
        caution, failures, near = 0.5, 0, NEAR_LAST if grid is self.grid else NEAR
        least, near, patience = (SEEN, NEAR_ROUGH, 1) if self.rough else (0, near, 6)
        for _ in range(STEPS):
            residual = target - swept.volumes
            worst = float((np.abs(residual) / np.maximum(target, least)).max())
            self.tell(grid, worst, "sub-voxel volumes")
            if worst <= near or failures > (2 if worst < FAR and self.diagram.quadratic else patience):
                break
            trial = weights + self._direction(weights, swept, target, caution)
            if self.rough and grid is self.grid and self.thin:
                counted = self.diagram.sweep(trial, grid, cpu.Wanted(False, False, -1.0))
                if float((np.abs(target - counted.counts) / np.maximum(target, least)).max()) <= near:
                    return trial, counted._replace(volumes=counted.counts.astype(float))
            after = self.diagram.sweep(trial, grid, want, rooms[1])
            gain = _merit(target - after.volumes, target) / _merit(residual, target)
            if gain < 1:
                weights, swept, caution = trial, after, caution * (0.3 if gain < 0.6 else 1.0)
                rooms.reverse()
            else:
                caution = max(caution * 4, 0.1)
            failures = failures + 1 if gain > (0.7 if worst < FAR else 1.0) else 0
        return weights, swept

    def _direction(self, weights: np.ndarray, swept: cpu.Sweep, target: np.ndarray, caution: float) -> np.ndarray:
        """Newton direction; no cell leaps beyond its own size, and one that meets no other is lifted."""
        residual = target - swept.volumes
        laplacian = laplacian_of(*pairs(swept), len(target))
        alone, unit = laplacian.diagonal() <= 1e-9 * target / self.unit, self.unit
        if not self.diagram.quadratic:
            unit = BOLD * self.stiffness(laplacian, swept, target)
        step = solve(laplacian + diags_array(caution * target / unit), np.where(alone, 0.0, residual))
        step = held(step, laplacian, LEAP * unit)  # a sliver's small faces ask for too much
        lost = np.flatnonzero(alone & (residual > 0))
        step[lost] = [self._lift(weights, int(i)) for i in lost]
        return step

    def _lift(self, weights: np.ndarray, i: int) -> float:
        """What brings an empty cell back. The void has no site: it gets what balls of the right volumes leave."""
        n = len(self.diagram)
        if i < n:
            return self.diagram.lift(weights, i)
        return float(np.median(weights[:n] - self.start[:n]) - weights[n])

    def stiffness(self, laplacian: csr_matrix, swept: cpu.Sweep, target: np.ndarray) -> np.ndarray:
        """Change of a weight that is worth the whole cell, as the cell is now: costs at surfaces far from that of a
        ball differ by powers of ten where they are hard. Of slivers nothing is to be learned.
        """
        seen = swept.volumes * (swept.volumes > 0.05 * target) > 0
        diagonal = np.where(seen, laplacian.diagonal(), 0.0)
        return np.where(diagonal > 0, swept.volumes / np.maximum(diagonal, 1e-300), self.unit)

    def measured(self, weights: np.ndarray, swept: cpu.Sweep) -> Solution:
        """What these weights give, islands given away; sub-voxel volumes are those of the sweep."""
        return Polish(self).measured(weights, swept)

    def polish(self, weights: np.ndarray, resumed: Solution | None = None) -> Solution:
        """Bring counts, and sub-voxel volumes of small grains, within the tolerance: see `Polish`."""
        return Polish(self).run(weights, resumed)

    def tell(self, grid: Grid, error: float, stage: str) -> None:
        self.history.append(Step(grid.size, float(error), stage))
        if self.on_step is not None:
            self.on_step(float(error), stage)

    def busy(self, stage: str) -> None:
        """Tell of a stage in which errors stay what they are."""
        if self.on_step is not None and self.history:
            self.on_step(self.history[-1].error_max, stage)


def _merit(residual: np.ndarray, target: np.ndarray) -> float:
    return float(np.sqrt((residual**2 / target).sum()))


def _check(diagram: PowerDiagram, volumes: Tensor, grid: Grid, tolerance: float) -> None:
    if not 0 < tolerance < 1:
        raise InvalidParameter("tolerance", expected="a number between 0 and 1", got=tolerance, remedy="0.01 is usual.")
    v = _array(volumes)
    if v.shape != (len(diagram),) or not np.isfinite(v).all() or v.min() <= 0:
        raise InvalidParameter(
            "volumes", expected=f"{len(diagram)} positive numbers", got=f"shape {v.shape}, least {v.min():.3g}"
        )
    box = float(np.prod(grid.lengths))
    if abs(v.sum() / box - 1) > 1e-6:
        raise InvalidParameter(
            "volumes",
            expected=f"a sum of {box:.6g}, the box",
            got=float(v.sum()),
            remedy="Normalise: volumes * box / volumes.sum().",
        )
    if len(diagram) > grid.size:
        raise InvalidParameter("sites", expected=f"at most {grid.size}, one a voxel", got=len(diagram))
    check_distinct(_array(diagram.sites), diagram.lengths, diagram.periodic)


def check_distinct(sites: np.ndarray, lengths: tuple[float, ...], periodic: tuple[bool, ...]) -> None:
    """Raise InvalidParameter where two sites are one place."""
    wrapped = np.where(periodic, sites % lengths, sites)
    close = KDTree(wrapped / max(lengths)).query_pairs(1e-12, output_type="ndarray")
    if len(close):
        i, j = close[0] + 1
        raise InvalidParameter("sites", expected="distinct points", got=f"sites {i} and {j} in one place")


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float64).numpy()
