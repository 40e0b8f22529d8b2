"""`transport.Problem` with tensors that stay on a device: the same steps by the same rules, to the same tolerance.

Diagrams, their Jacobians, Newton's steps and conjugate gradients run on the device; the host reads a few numbers after
each sweep (and every so many steps of the conjugate gradients) to know when to stop. Islands are found on the host:
that walks through the labels once or twice a solution, and is no part of an iteration.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from microgen.core.device import chosen
from microgen.core.device_diagram import DeviceDiagram, Flips, Sweep, fits, require_memory, too_large
from microgen.core.kernels.islands import give_away_islands
from microgen.core.polish import LOCAL, MENDED, REACH
from microgen.core.power_diagram import PowerDiagram
from microgen.core.solution import Solution
from microgen.core.transport import FAR, LEAP, NEAR, NEAR_LAST, NEAR_ROUGH, SEEN, STEPS, Problem, _halved
from microgen.errors import InvalidParameter
from microgen.grid import Grid

UNSEEN = 10  # steps of the conjugate gradients between two looks at what is left
VOLUME = 2.0**32  # units of a voxel in which changes of shares are summed


class Laplacian(NamedTuple):
    """Graph Laplacian of the cells that touch, its rows one behind the other; see `laplacian.laplacian_of`."""

    diagonal: Tensor  # float64 [n]
    begin: Tensor  # int64 [n + 2]: where each row begins; the last row is of what is not in use
    column: Tensor  # int64 [m]
    value: Tensor  # float64 [m]: what is subtracted from the diagonal

    def times(self, x: Tensor) -> Tensor:
        """The product with x [n], summed in a fixed order."""
        n = len(x)
        terms = self.value * torch.cat([x, x.new_zeros(1)])[self.column]
        return self.diagonal * x - _row_sums(terms, self.begin)[:n]


class State(NamedTuple):
    """Weights, their sweep, and what the host knows of it."""

    weights: Tensor
    swept: Sweep
    laplacian: Laplacian
    worst: float
    merit: float
    lost: int
    """Cells that meet no other and are too small."""


def laplacian_of(pair: Tensor, area: Tensor, n: int) -> Laplacian:
    """Graph Laplacian from the interface terms of a sweep."""
    row, column = torch.cat([pair[:, 0], pair[:, 1]]), torch.cat([pair[:, 1], pair[:, 0]])
    _, order = (row * (n + 1) + column).sort()
    row, column, value = row[order], column[order], torch.cat([area, area])[order]
    ends = torch.searchsorted(row, torch.arange(n + 1, device=row.device))
    begin = torch.cat([ends, ends.new_full((1,), len(row))])
    return Laplacian(_row_sums(value, begin)[:n], begin, column, value)


def _row_sums(terms: Tensor, begin: Tensor) -> Tensor:
    return torch.segment_reduce(terms, "sum", offsets=begin, initial=0.0, unsafe=True)


def solve(laplacian: Laplacian, more: Tensor, residual: Tensor) -> Tensor:
    """Conjugate gradients for laplacian + diag(more), as `laplacian.solve`; mean zero."""
    diagonal = laplacian.diagonal + more
    scale = torch.where(diagonal > 0, 1 / diagonal.clamp(min=1e-300), 0)
    left = residual - residual.mean()
    step, way, last = torch.zeros_like(left), torch.zeros_like(left), torch.ones((), device=left.device)
    enough = 1e-4 * left.norm()
    for k in range(300):
        if k % UNSEEN == 0 and bool(left.norm() <= enough):
            break
        toward = scale * left
        now = left @ toward
        way = toward + _ratio(now, last if k else now.new_full((), torch.inf)) * way
        ahead = laplacian.times(way) + more * way
        length = _ratio(now, way @ ahead)
        step, left, last = step + length * way, left - length * ahead, now
    return step - step.mean()


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b; 0 where there is nothing left to do."""
    return torch.where(b > 0, a / b.clamp(min=1e-300), 0)


def held(change: Tensor, laplacian: Laplacian, most: Tensor | float) -> Tensor:
    """Changes none of which differs by more than `most` from the mean of its neighbours; see `laplacian.held`."""
    diagonal = laplacian.diagonal
    own = laplacian.times(change) / torch.where(diagonal > 0, diagonal, torch.inf)
    return change + own.clamp(-most, most) - own  # type: ignore[arg-type]


def moved(swept: Sweep, change: Tensor, *, shares: bool) -> tuple[Tensor, Tensor]:
    """Counts and sub-voxel volumes after the weights changed by `change` [n]; see `flips.moved`."""
    flips: Flips | None = swept.flips
    if flips is None:
        return swept.counts, swept.volumes
    site, gap, width = flips.site, flips.gap[:, ::2], flips.gap[:, 1::2]
    new = gap + change[site[:, :1]] - change[site[:, 1:]]
    first = new[:, 0] <= new[:, 1]
    flipped = new.min(1).values < 0
    taker = torch.where(first, site[:, 1], site[:, 2])
    counts = swept.counts.clone()
    counts.index_add_(0, site[:, 0], -flipped.long()).index_add_(0, taker, flipped.long())
    if not shares:
        return counts, swept.volumes
    units = ((_share(new, width) - _share(gap, width)) * VOLUME).round().long()
    total = torch.zeros_like(counts)
    total.index_add_(0, site[:, 0], -units.sum(1)).index_add_(0, site[:, 1:].flatten(), units.flatten())
    return counts, swept.volumes + total.double() / VOLUME


def _share(gap: Tensor, width: Tensor) -> Tensor:
    part = (0.5 - gap / width.clamp(min=1e-300)).clamp(0, 1)
    return torch.where(width > 0, part, (gap < 0).double())


def on_device(problem: Problem, device: str) -> DeviceProblem | None:
    """The problem's run on a GPU for "cuda", and for "auto" where there is one; None where the CPU is to do it."""
    lacks = "planes" if problem.grid.ndim == 2 else "" if problem.labels else "what is solved without labels"
    if device == "cuda" and lacks:
        raise InvalidParameter("device", expected=f"cpu for {lacks}", got=device, remedy="Use cpu, or auto.")
    found = chosen("cpu" if lacks and device == "auto" else device, kernels=False)
    if found == "cpu" or device == "auto" and not fits(problem.grid, len(problem.diagram)):
        return None
    return DeviceProblem(problem, found)


class DeviceProblem:
    """The solver's run on a device. `host` is the problem; it keeps the history and makes the solution."""

    def __init__(self, host: Problem, device: str):
        assert isinstance(host.diagram, PowerDiagram)
        require_memory(host.grid, len(host.diagram), device)
        self.reach = REACH * float(np.median(host.unit))
        self.host, self.device, self._last = host, device, (host.grid, None)
        self.target, self.unit, self.start = (self._tensor(x) for x in (host.target, host.unit, host.start))
        self.small = torch.from_numpy(host.small).to(device)
        self.some_small = bool(host.small.any())

    def _tensor(self, array: np.ndarray | Tensor) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float64, device=self.device)

    def _diagram(self, grid: Grid) -> DeviceDiagram:
        """The diagram on one grid; of the coarser ones only the last is kept."""
        kept_grid, diagram = self._last
        if diagram is None or kept_grid is not grid:
            assert isinstance(self.host.diagram, PowerDiagram)
            diagram = DeviceDiagram(self.host.diagram, grid, self.device)
            self._last = grid, diagram
        return diagram

    def solved(self, start: Tensor | None) -> Solution:
        """The solution, from weights that are known or from coarser grids.

        Raises EnvironmentProblem where the device has not the memory.
        """
        try:
            weights = self.coarse_to_fine() if start is None else self._tensor(start)
            return self.measured(self.newton(weights, self.host.grid)) if self.host.rough else self.polish(weights)
        except torch.OutOfMemoryError:
            raise too_large(self.host.grid, len(self.unit), torch.device(self.device)) from None

    def coarse_to_fine(self) -> Tensor:
        """Newton on sub-voxel volumes, each grid but the finest starting from the weights of the coarser one."""
        weights = self.start
        for grid in _halved(self.host.grid, len(weights))[:0:-1]:
            weights = self.newton(weights, grid)
        return weights

    def newton(self, weights: np.ndarray | Tensor, grid: Grid) -> Tensor:
        """As `Problem.newton`: Levenberg's term keeps a cell from changing by more than its own size."""
        target = self.target * (grid.size / self.host.grid.size)
        caution, failures, near = 0.5, 0, NEAR_LAST if grid is self.host.grid else NEAR
        least, near, patience = (SEEN, NEAR_ROUGH, 1) if self.host.rough else (0, near, 6)
        state = self._state(self._tensor(weights), grid, target, least)
        for _ in range(STEPS):
            self.host.tell(grid, state.worst, "sub-voxel volumes")
            if state.worst <= near or failures > (2 if state.worst < FAR else patience):
                break
            trial = self._state(state.weights + self._direction(state, target, caution), grid, target, least)
            gain, far = trial.merit / state.merit, state.worst >= FAR
            if gain < 1:
                state, caution = trial, caution * (0.3 if gain < 0.6 else 1.0)
            else:
                caution = max(caution * 4, 0.1)
            failures = failures + 1 if gain > (1.0 if far else 0.7) else 0
        return state.weights

    def _state(self, weights: Tensor, grid: Grid, target: Tensor, least: float) -> State:
        """A sweep, and the numbers that the host decides by: they are read at once."""
        diagram = self._diagram(grid)
        while True:
            swept = diagram.sweep(weights)
            laplacian = laplacian_of(swept.pair, swept.area, len(weights))
            residual = target - swept.volumes
            worst = (residual.abs() / target.clamp(min=least)).max()
            lost = (self._alone(laplacian, target) & (residual > 0)).sum()
            figures = torch.stack([worst, (residual**2 / target).sum().sqrt(), lost.double(), swept.fits.double()])
            worst, merit, lost, fits = figures.tolist()
            if fits:
                return State(weights, swept, laplacian, worst, merit, int(lost))
            diagram.room.forget()

    def _alone(self, laplacian: Laplacian, target: Tensor) -> Tensor:
        return laplacian.diagonal <= 1e-9 * target / self.unit

    def _direction(self, state: State, target: Tensor, caution: float) -> Tensor:
        """Newton direction; no cell leaps beyond its own size, and one that meets no other is lifted."""
        residual, alone = target - state.swept.volumes, self._alone(state.laplacian, target)
        step = solve(state.laplacian, caution * target / self.unit, torch.where(alone, 0, residual))
        step = held(step, state.laplacian, LEAP * self.unit)
        if state.lost:
            weights = state.weights.cpu().numpy()
            lost = torch.nonzero(alone & (residual > 0))[:, 0]
            step[lost] = self._tensor(np.array([self.host._lift(weights, i) for i in lost.tolist()]))
        return step

    def measured(self, weights: np.ndarray | Tensor) -> Solution:
        """What these weights give, islands given away."""
        diagram, weights = self._diagram(self.host.grid), self._tensor(weights)
        swept = diagram.sweep(weights, labels=True)
        if not bool(swept.fits):
            diagram.room.forget()
            swept = diagram.sweep(weights, labels=True)
        assert swept.labels is not None
        labels, raw, volumes = (x.cpu().numpy() for x in (swept.labels, swept.counts, swept.volumes))
        lost, counts, n = np.zeros(len(raw), np.int64), raw, len(raw)
        if self.host.repair:
            lost = give_away_islands(labels, np.array(self.host.grid.periodic), n)
            counts = np.bincount(labels.ravel(), minlength=n + 1)[1:] if lost.any() else raw
        return Solution(
            diagram=self.host.diagram.with_weights(weights.cpu()),
            labels=torch.from_numpy(labels),
            counts=torch.from_numpy(counts),
            subvoxel_volumes=torch.from_numpy(volumes + (counts - raw)),
            targets=torch.from_numpy(self.host.target),
            lost=torch.from_numpy(lost),
            small=self.host.least,
            tolerance=self.host.tolerance,
            seconds=0.0,
        )

    def polish(self, weights: np.ndarray | Tensor) -> Solution:
        """As `Problem.polish`: the raw diagram first, then what the repair of islands moves is made up for."""
        best, aim, failures = None, self.target, 0
        while True:
            weights, counts = self._settle(self._tensor(weights), aim, cold=best is None)
            solution = self.measured(weights)
            if best is None or _missed(solution) < 0.9 * _missed(best):
                best, failures = solution, 0
            else:
                failures += 1
            if solution.converged or solution.island_voxels == 0 or failures > 0:
                return best
            gift = self._tensor(solution.counts) - counts
            aim = torch.where(gift.abs() < MENDED * self.target, self.target - gift, self.target)

    def _settle(self, weights: Tensor, aim: Tensor, *, cold: bool) -> tuple[Tensor, Tensor]:
        """Sweep and adjust in turn until the raw diagram meets `aim`, or stops coming nearer: weights and counts."""
        host, best, least, failures = self.host, None, np.inf, 0
        error, gain = torch.zeros_like(aim), torch.ones_like(aim)
        while failures < 4 and least > 0:
            swept, new, (miss, worst, far) = self._recorded(weights, aim)
            if cold and far > NEAR_LAST:  # farther than the records reach
                weights = self.newton(weights, host.grid)
                swept, new, (miss, worst, far) = self._recorded(weights, aim)
            cold, before, error = False, error, new
            host.tell(host.grid, worst, "voxel counts")
            failures = 0 if miss < 0.8 * least else failures + 1
            if best is None or miss < least:
                best, least = (weights, swept.counts), miss
            overshot = (error * before < 0) & (error.abs() > 0.5 * before.abs())  # see `Problem._settle`
            gain = torch.where(overshot, 0.5 * gain, (1.5 * gain).clamp(max=1))
            if miss > 0:
                goal = torch.where(self.small, swept.volumes + gain * (aim - swept.volumes), aim)
                weights = weights + self._adjust(swept, goal)
        assert best is not None
        return best

    def _recorded(self, weights: Tensor, aim: Tensor) -> tuple[Sweep, Tensor, list[float]]:
        """A sweep with what may flip, each grain's error, and how much is missed, at worst, and by volume."""
        diagram = self._diagram(self.host.grid)
        while True:
            swept = diagram.sweep(weights, reach=self.reach, shares=self.some_small)
            error = self._error(swept.counts, swept.volumes, aim)
            miss = (error.abs() - self.host.tolerance).clamp(min=0).sum()
            far = (swept.volumes / aim - 1).abs().max()
            *figures, fits = torch.stack([miss, error.abs().max(), far, swept.fits.double()]).tolist()
            if fits:
                return swept, error, figures
            diagram.room.forget()

    def _error(self, counts: Tensor, volumes: Tensor, aim: Tensor) -> Tensor:
        return (torch.where(self.small, volumes, counts.double()) - aim) / self.target

    def _adjust(self, swept: Sweep, aim: Tensor) -> Tensor:
        """As `Problem._adjust`: what brings the recorded voxels within the tolerance, as far as the records reach."""
        target, inner = self.target, 0.5 * self.host.tolerance
        laplacian = laplacian_of(swept.pair, swept.area, len(aim))

        def excess(change: Tensor) -> tuple[Tensor, float, float]:
            error = self._error(*moved(swept, change, shares=self.some_small), aim)
            merit = ((error.abs() - inner).clamp(min=0) ** 2).sum()
            return error, *torch.stack([merit, error.abs().max()]).tolist()

        change = torch.zeros_like(aim)
        error, merit, worst = excess(change)
        for _ in range(40):
            if worst <= 0.9 * self.host.tolerance:
                break
            wrong = torch.where(error.abs() > inner, error - 0.5 * inner * error.sign(), 0) * target
            step = solve(laplacian, LOCAL * target / self.unit, target * (wrong.sum() / target.sum()) - wrong)
            for damping in (1.0, 0.5, 0.25, 0.1, 0.03):
                trial = held(change + damping * step, laplacian, self.reach)
                trial_error, trial_merit, trial_worst = excess(trial)
                if trial_merit < merit:
                    break
            else:
                break
            change, error, merit, worst = trial, trial_error, trial_merit, trial_worst
        return change


def _missed(solution: Solution) -> float:
    """Sum of what grains are beyond the tolerance."""
    counts, volumes, large = solution._errors
    return float(np.maximum(np.where(large, counts, volumes) - solution.tolerance, 0.0).sum())
