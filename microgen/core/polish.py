"""The last stage of the solver: voxel counts of the finest grid, and sub-voxel volumes of small grains, brought home.

Sweeps record the voxels near interfaces; weights are adjusted on these records alone, then the box is swept again.
Where few grains are still wrong only the part of the box that they and their neighbours touch is swept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csr_matrix, diags_array

from microgen.core.kernels import cpu
from microgen.core.kernels.flips import moved
from microgen.core.kernels.interfaces import ALL, Wanted
from microgen.core.kernels.islands import give_away_islands
from microgen.core.laplacian import held, laplacian_of, pairs, solve, solve_among
from microgen.core.nearby import WHOLE, Nearby
from microgen.core.power_diagram import PowerDiagram
from microgen.core.solution import Solution, State
from microgen.core.survey import Survey
from microgen.core.tiles import Tiles, gained, mended

if TYPE_CHECKING:
    from microgen.core.transport import Problem

REACH = 0.1  # recorded change of a cost gap, in the cost at a grain's surface: 0.15 voxel at 800 voxels a grain
LOCAL = 0.1  # share of a grain's own stiffness that ties its weight down while counts are polished
MENDED = 0.2  # islands up to this share of a grain are made up for by its volume: larger ones grow with it


class Polish:
    """One run of this stage."""

    def __init__(self, problem: Problem):
        self.problem, self.diagram, self.grid = problem, problem.diagram, problem.grid
        self.target, self.tolerance, self.small = problem.target, problem.tolerance, problem.small
        self.thin = problem.thin
        self.reach = REACH * float(np.median(problem.unit))
        self.bare = csr_matrix((len(problem.target),) * 2)
        """Jacobian of the sub-voxel volumes when they were last worked out."""
        self.survey: Survey | None = None
        """What is known of the cells' pieces, where labels are not held."""

    def measured(self, weights: np.ndarray, swept: cpu.Sweep) -> Solution:
        """What these weights give, islands given away; sub-voxel volumes are those of the sweep."""
        if not self.thin:
            counted = self.diagram.sweep(weights, self.grid, Wanted(self.problem.labels, False, -1.0))
            swept = counted._replace(volumes=swept.volumes)
        return self._solution(weights, swept)

    def run(self, weights: np.ndarray, resumed: Solution | None) -> Solution:
        """Bring counts (and sub-voxel volumes of small grains) of the finest grid within the tolerance.

        The raw diagram first. What the repair of islands then moves is prescribed the other way round, as long as
        that helps: an island can grow with its grain, and then only another site would do.

        `resumed` is the solution of a problem of which few sites were different: what it knows is taken over.
        """
        best, failures = None, 0
        near = None if resumed is None else self._taken_over(resumed)
        if near is not None:
            assert resumed is not None
            assert resumed.state is not None
            weights, self.bare, aim = resumed.state.weights, resumed.state.jacobian, resumed.state.aim
            self.survey = resumed.state.survey
            aim = np.where(near.active, self.target, aim)
        else:
            weights, swept = self.problem.newton(weights, self.grid)  # first, as records do not reach far
            self.bare, aim = laplacian_of(*pairs(swept), len(weights)), self.target
            near = self._nearby(weights, swept, aim)
        room = self.diagram.room(self.grid, flips=True)
        while True:
            weights, swept = self._settle(weights, aim, room, near)
            aim = self._made_up(solution := self._solution(weights, swept), swept)
            if best is None or _misses(solution) < 0.9 * _misses(best):
                known = weights, swept.counts, swept.volumes, aim, self.bare, self._same(), self.survey
                state = State(*known) if self.thin else None
                best, failures = replace(solution, state=state), 0
            else:
                failures += 1
            if solution.converged or solution.island_voxels == 0 or failures > 0:
                return best
            near = self._nearby(weights, swept, aim)
            if near is not None and not near.active.any():  # what is missed is missed at any weights
                return best

    def _looked(self, share: float) -> None:
        self.problem.busy(f"looking for islands, {share:.0%} done")

    def _made_up(self, solution: Solution, swept: cpu.Sweep) -> np.ndarray:
        """Volumes to aim at so that those are right that islands are given away from, and those they are given to."""
        target = self.target
        gift = solution.counts.numpy() - swept.counts[: len(self.diagram)]
        gift = np.append(gift, -gift.sum())[: len(target)]  # of void, which comes last
        return np.where(np.abs(gift) < MENDED * target, target - gift, target)

    def _taken_over(self, resumed: Solution) -> Nearby | None:
        """The part of the box that sites touch which are different; None where that is most of it, or little known."""
        diagram, old, state = self.diagram, resumed.diagram, resumed.state
        if not isinstance(diagram, PowerDiagram) or not isinstance(old, PowerDiagram) or state is None:
            return None
        if state.problem != self._same() or not np.array_equal(resumed.targets.numpy(), self.target):
            return None
        near = Nearby(old, self.grid, state.weights, state.counts, state.volumes)
        near.grow(((diagram.sites != old.sites).any(1) | (diagram.metrics != old.metrics).flatten(1).any(1)).numpy())
        near.diagram = diagram
        return near if near.share(self.reach) <= WHOLE else None

    def _same(self) -> tuple[object, ...]:
        return self.grid, self.problem.least, self.problem.repair, len(self.diagram)

    def _nearby(self, weights: np.ndarray, swept: cpu.Sweep, aim: np.ndarray) -> Nearby | None:
        """The part of the box that grains still wrong and their neighbours touch; None where that is most of it."""
        if not isinstance(self.diagram, PowerDiagram):
            return None
        near = Nearby(self.diagram, self.grid, weights, swept.counts, swept.volumes)
        near.grow(self._around(self._error(swept.counts, swept.volumes, aim)))
        return near if near.share(self.reach) <= WHOLE else None

    def _around(self, error: np.ndarray) -> np.ndarray:
        """bool [n]: grains outside the tolerance, and their neighbours."""
        wrong = np.abs(error) > self.tolerance
        return wrong | (self.bare @ wrong.astype(float) != 0)

    def _settle(
        self, weights: np.ndarray, aim: np.ndarray, room: cpu.Sweep, near: Nearby | None
    ) -> tuple[np.ndarray, cpu.Sweep]:
        """Sweep and adjust in turn until the raw diagram meets `aim`, or stops coming nearer; returns the best.

        Newton's last Jacobian serves all the way, and sub-voxel volumes are worked out no more but of grains held to
        them. (Costs that are no squares change too much for that.) Where few grains are wrong only what is `near`.
        """
        best, least, failures = None, np.inf, 0
        error, gain, small = np.zeros(len(aim)), np.ones(len(aim)), self.small
        while failures < 4 and least > 0:
            swept = self._look(weights, room, near)
            before, error = error, self._error(swept.counts, swept.volumes, aim)
            self.problem.tell(self.grid, np.abs(error).max(), "voxel counts")
            miss = float(np.maximum(np.abs(error) - self.tolerance, 0.0).sum())
            failures = 0 if miss < 0.8 * least else failures + 1
            if best is None or miss < least:
                best, least = (weights, swept), miss
            # A small grain that overshot aims half as far: the records do not see all that it meets. (Its weight must
            # not be damped by itself: weights also drift together, and only differences between neighbours count.)
            overshot = (error * before < 0) & (np.abs(error) > 0.5 * np.abs(before))
            gain = np.where(overshot, 0.5 * gain, np.minimum(1.0, 1.5 * gain))
            if miss > 0:
                goal = np.where(small, swept.volumes + gain * (aim - swept.volumes), aim)
                weights = weights + self._adjust(swept, goal, np.ones(len(aim), bool) if near is None else near.active)
                if near is not None:
                    near.grow(self._around(error))
        assert best is not None
        return best

    def _look(self, weights: np.ndarray, room: cpu.Sweep, near: Nearby | None) -> cpu.Sweep:
        """Counts, volumes of what is held to them, and records."""
        followed = self.small if self.thin else ALL
        labels = self.problem.labels and not self.thin
        shares = not self.thin and bool(self.small.any())
        want = Wanted(labels, True, self.reach, shares, followed=followed)
        if near is not None:
            swept = near.sweep(weights, want._replace(followed=ALL if self.small.any() else followed), room)
            if self.small.any():
                fresh, mine = laplacian_of(*pairs(swept), len(weights)), diags_array(near.active.astype(float))
                rest = diags_array(1.0 - near.active)
                self.bare = csr_matrix(rest @ self.bare @ rest + mine @ fresh + rest @ fresh @ mine)
            return swept
        return self.diagram.sweep(weights, self.grid, want, room)

    def _error(self, counts: np.ndarray, volumes: np.ndarray, aim: np.ndarray) -> np.ndarray:
        """Relative error of what each grain is held to: its count, or its sub-voxel volume where it is small."""
        return (np.where(self.small, volumes, counts) - aim) / self.target

    def _adjust(self, swept: cpu.Sweep, aim: np.ndarray, active: np.ndarray) -> np.ndarray:
        """Change of the weights (of `active` sites) that brings the recorded voxels within the tolerance, as far as the
        records reach."""
        target = self.target
        # Errors of counts are noise from grain to grain: Levenberg's term keeps what corrects them local.
        bare = self.bare if self.thin else laplacian_of(*pairs(swept), len(aim))
        unit, reach = self.problem.unit, self.reach
        if not self.diagram.quadratic:
            unit = self.problem.stiffness(bare, swept, target)
            self.reach = REACH * float(np.median(unit))  # of the next sweep
        laplacian = csr_matrix(bare + diags_array(LOCAL * target / unit))
        change, inner = np.zeros(len(aim)), 0.5 * self.tolerance
        enough = np.where(active, 0.9, 1.0) * self.tolerance

        def excess(change: np.ndarray) -> tuple[np.ndarray, float]:
            counts, volumes = moved(swept, change, shares=not self.thin)
            if self.thin:  # Newton's own model does better for sub-voxel volumes, of which every bit counts
                volumes = swept.volumes + bare @ change
            error = self._error(counts, volumes, aim)
            return error, float((np.maximum(np.abs(error) - inner, 0.0) ** 2).sum())

        error, merit = excess(change)
        for _ in range(40):
            if (np.abs(error) <= enough).all():
                break
            wrong = np.where(np.abs(error) > inner, error - 0.5 * inner * np.sign(error), 0.0) * target
            step = self._step(laplacian, wrong, active)
            for damping in (1.0, 0.5, 0.25, 0.1, 0.03):
                trial = held(change + damping * step, bare, reach) * active  # the records reach no farther
                trial_error, trial_merit = excess(trial)
                if trial_merit < merit:
                    break
            else:
                break
            change, error, merit = trial, trial_error, trial_merit
        return change

    def _step(self, laplacian: csr_matrix, wrong: np.ndarray, active: np.ndarray) -> np.ndarray:
        """Newton step of the weights for counts that are so many voxels wrong."""
        if not active.all():
            return solve_among(laplacian, -wrong, active)
        # What does not sum to zero goes to all grains by their volume: evenly, it would drown the smallest ones.
        return solve(laplacian, self.target * (wrong.sum() / self.target.sum()) - wrong)

    def _solution(self, weights: np.ndarray, swept: cpu.Sweep) -> Solution:
        """Labels, with islands given away where that is wanted, and what they measure; the void left out."""
        n, labels, tiles = len(self.diagram), None, None
        diagram, swept_counts = self.diagram.with_weights(torch.from_numpy(weights)), swept.counts[:n]
        lost, counts, volumes = np.zeros(n, np.int64), swept_counts, swept.volumes[:n]
        if self.thin and self.problem.labels:
            swept = self.diagram.sweep(weights, self.grid, Wanted(True, False, -1.0))
        if self.thin and not self.problem.rough:
            volumes = np.where(self.small, volumes, np.nan)
        if not self.problem.labels:
            assert isinstance(diagram, PowerDiagram)
            tiles = Tiles(diagram, self.grid)
            if self.problem.repair:
                tiles, self.survey = mended(tiles, self.survey, on_part=self._looked)
            lost, counts = np.bincount(tiles.repairs.before, minlength=n + 1)[1:], counts + gained(tiles.repairs, n)
        elif self.problem.repair:
            periodic = np.zeros(3, bool)
            periodic[3 - self.grid.ndim :] = self.grid.periodic
            lost = give_away_islands(swept.labels, periodic, n, void=len(weights) > n)
            counts = np.bincount(swept.labels.ravel(), minlength=n + 1)[1:] if lost.any() else counts
        if self.problem.labels:
            labels = torch.from_numpy(swept.labels[0] if self.grid.ndim == 2 else swept.labels)
        return Solution(
            diagram=diagram,
            labels=labels,
            counts=torch.from_numpy(counts.astype(np.int64)),
            subvoxel_volumes=torch.from_numpy(volumes + (counts - swept_counts)),
            targets=torch.from_numpy(self.target[:n]),
            lost=torch.from_numpy(lost),
            small=self.problem.least,
            tolerance=self.tolerance,
            seconds=0.0,
            tiles=tiles,
        )


def _misses(solution: Solution) -> float:
    counts, volumes, large = solution._errors
    return float(np.maximum(np.where(large, counts, volumes) - solution.tolerance, 0.0).sum())
