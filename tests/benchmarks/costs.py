"""One warm Newton step for cells of powers with void, beside the brute force of KeOps in the same run.

    python tests/benchmarks/costs.py                 # N = 1000 at 128³; KeOps takes about a minute
    python tests/benchmarks/costs.py --no-rival      # ours only
    python tests/benchmarks/costs.py --formula       # a formula of the user's, convex, against all pairs

Spheroids of aspect 1.5 on a jittered lattice, 70 % of the box filled, periodic; p = 1, 2 and 6. A step is a sweep that
gives sub-voxel volumes and the interface matrix, and the solution of the linear system; it is timed at the weights that
solve the problem. The rival is one evaluation of the cheapest site of every voxel by KeOps (`argmin`, float32, without
periodic images), which a step by brute force needs at least. Processor time of all threads stands beside wall time.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.sparse import diags_array

from microgen import Grid
from microgen.core import CostDiagram, FormulaCost, PowerCost, solve_cells
from microgen.core.kernels import cpu
from microgen.core.laplacian import laplacian_of, pairs, solve

N, SIDE, FILLED, ASPECT = 1000, 128, 0.7, 1.5


def problem(n: int, side: int, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sites, metrics and lognormal volumes (sigma ln D = 0.1) in the unit cube."""
    rng, k = np.random.default_rng(seed), int(np.ceil(n ** (1 / 3)))
    volumes = np.exp(0.3 * rng.standard_normal(n))
    volumes *= FILLED / volumes.sum()
    cells = rng.permutation(np.stack(np.meshgrid(*[np.arange(k)] * 3, indexing="ij"), -1).reshape(-1, 3))[:n]
    sites = (cells + 0.5 + rng.uniform(-0.3, 0.3, (n, 3))) / k
    axis = rng.standard_normal((n, 3))
    outer = np.einsum("ni,nj->nij", axis, axis) / (axis**2).sum(1)[:, None, None]
    shape = ASPECT ** (2 / 3) * (np.eye(3) - outer) + ASPECT ** (-4 / 3) * outer
    return tuple(torch.from_numpy(a) for a in (sites, shape * volumes[:, None, None] ** (-2 / 3), volumes))


def timed(work: Callable[[], Any], runs: int) -> tuple[float, float]:
    """Median of wall and of processor time."""
    times = []
    for _ in range(runs):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    return tuple(np.median(times, axis=0))


def step(diagram: CostDiagram, grid: Grid, target: np.ndarray, room: cpu.Sweep) -> np.ndarray:
    """One Newton step from the diagram's weights."""
    weights = np.append(diagram.weights.numpy(), 0.0)
    swept = diagram.sweep(weights, grid, cpu.Wanted(False, True, -1.0), room)
    laplacian = laplacian_of(*pairs(swept), len(target))
    return solve(laplacian + diags_array(1e-6 * laplacian.diagonal()), target - swept.volumes)


def rival(diagram: CostDiagram, grid: Grid, p: float) -> Callable[[], Any]:
    """The cheapest site of every voxel, void included, by KeOps."""
    from pykeops.torch import LazyTensor

    points = LazyTensor(torch.from_numpy(grid.points()).float()[:, None])
    cost = diagram.cost
    assert isinstance(cost, PowerCost)
    z = points - LazyTensor(cost.sites.float()[None])
    q = z | LazyTensor(cost.metrics.float().flatten(1)[None].contiguous()).matvecmult(z)
    gap = q if p == 2 else (q + 1e-30) ** (p / 2)
    weights = LazyTensor(diagram.weights.float()[None, :, None].contiguous())
    return lambda: (gap - weights).min_argmin(dim=1)


def softened(x: Any, y: Any, p: Mapping[str, Any]) -> Any:
    """A ball that is soft at its centre: convex, and none of the family."""
    return (((y - x) ** 2).sum(-1) / p["size"] ** 2 + 0.1) ** p["half"]


def formula() -> None:
    """Sweeps that give sub-voxel volumes: with sites tried where they can win, and with all tried everywhere."""
    sites, _, volumes = problem(N, SIDE)
    parameters = {"size": volumes ** (1 / 3), "half": torch.full((N,), 0.75, dtype=torch.float64)}
    cost, weights = FormulaCost(softened, sites, parameters, convex=True), np.append(np.full(N, 0.55), 0.0)
    for periodic in (False, True):
        grid = Grid((SIDE,) * 3, (1 / SIDE,) * 3, periodic=(periodic,) * 3)
        taken = {}
        for convex in (True, False)[: 1 if periodic else 2]:  # all images of all pairs are 27 times as many
            diagram = CostDiagram(
                replace(cost, convex=convex), torch.zeros(N).double(), grid.lengths, grid.periodic, True
            )
            work = partial(diagram.sweep, weights, grid, cpu.Wanted(False, True, -1.0))
            work()  # KeOps compiles
            taken[convex] = timed(work, 1)[0]
        text = f"convex formula, N={N} {SIDE}^3 {'periodic' if periodic else 'bounded'}: sweep {taken[True]:.2f} s"
        print(text + (f"; all pairs by KeOps {taken[False]:.1f} s" if False in taken else ""))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-rival", action="store_true")
    parser.add_argument("--formula", action="store_true")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}")
    if options.formula:
        formula()
        return
    grid, (sites, metrics, volumes) = Grid((SIDE,) * 3, (1 / SIDE,) * 3, periodic=(True,) * 3), problem(N, SIDE)
    for p in (2.0, 1.0, 6.0):
        solution = solve_cells(PowerCost.of(sites, metrics, p), volumes, grid, void=True, repair=False)
        diagram, room = solution.diagram, solution.diagram.room(grid, flips=False)
        assert isinstance(diagram, CostDiagram)
        target = np.append(volumes.numpy(), 1 - FILLED) / grid.cell_measure
        wall, processor = timed(lambda: step(diagram, grid, target, room), 5)  # noqa: B023 - called at once
        text = f"p={p:g} N={N} {SIDE}^3 void {1 - FILLED:.0%}: step {wall:.3f} s wall, {processor:.3f} s processor"
        print(f"{text}; solved cold in {solution.seconds:.1f} s, {len(solution.history)} sweeps, {solution.status}")
        if not options.no_rival:
            work = rival(diagram, grid, p)
            work()  # compiles
            other, busy = timed(work, 1)
            print(
                f"    KeOps, one evaluation: {other:.1f} s wall, {busy:.1f} s processor: {other / wall:.0f} times ours"
            )


if __name__ == "__main__":
    main()
