"""Weights that give each cell its prescribed volume, for any ground cost, with void and within any domain.

The problem and the damped Newton method are those of `transport`; void is one more competitor of constant cost, whose
volume is what the cells leave (Diez and Feydy 2024, ICeShOT), and voxels outside the domain count for nobody.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from microgen.core.cost_diagram import CostDiagram
from microgen.core.costs import PowerCost
from microgen.core.formulas import FormulaCost, MixedCost
from microgen.core.kernels.interfaces import Wanted
from microgen.core.sinkhorn import sinkhorn_weights, within_reach
from microgen.core.solution import SMALL, Solution
from microgen.core.transport import OnStep, Problem, check_distinct
from microgen.errors import InvalidParameter
from microgen.grid import Grid

LOST = 0.1  # error of the worst volume from which Newton's method is taken to have gone astray


def solve_cells(
    cost: PowerCost | FormulaCost | MixedCost,
    volumes: Float[Tensor, " n"],
    grid: Grid,
    *,
    void: bool = False,
    domain: Tensor | None = None,
    tolerance: float = 0.01,
    repair: bool = True,
    start: Float[Tensor, " n"] | None = None,
    rough: bool = False,
    small: float = float(SMALL),
    method: str = "newton",
    on_step: OnStep | None = None,
) -> Solution:
    """Weights for which cell i has volume `volumes[i]` (µm^d), within `tolerance` of each.

    `domain` is the part of the box that is shared out, bool on the grid or any other of the same box. Without `void`
    the volumes sum to it; with `void` they sum to less, and the rest is void, label 0. The other options are those
    of `solve_weights`.

    `method` is newton; or sinkhorn, for volumes right to some per cent from the values of the costs alone, without
    polish and for some 400 cells at most (see `sinkhorn`). Newton begins from there by itself where it is LOST else.

    The solution says whether the tolerance was met, and holds the best that was found; it never raises for that. Raises
    InvalidParameter for volumes that are not positive or do not fit the domain, an empty domain, and sites that
    coincide or lie outside the domain, and formulas that are not finite.
    """
    began = time.perf_counter()
    weights = torch.zeros(len(cost), dtype=torch.float64)
    _check_domain(domain)
    diagram = CostDiagram(cost, weights, grid.lengths, grid.periodic, void, domain)
    share = _shares(volumes, diagram, grid)
    _check_sites(diagram, grid)
    if not 0 < tolerance < 1:
        raise InvalidParameter("tolerance", expected="a number between 0 and 1", got=tolerance, remedy="0.01 is usual.")
    _check_method(method, len(cost))
    problem = Problem(diagram, share, grid, tolerance, repair=repair, on_step=on_step)
    problem.rough, problem.least = rough, small
    problem.small = problem.target < small
    if method == "sinkhorn":
        weights = sinkhorn_weights(diagram, share, grid)
        best = problem.measured(weights, diagram.sweep(weights, grid, Wanted(False, True, -1.0)))
    elif rough:
        best = problem.measured(*problem.newton(_begin(problem, start, void), grid))
    else:
        best = problem.polish(_begin(problem, start, void))
        if best.worst > LOST and start is None and within_reach(len(cost)):
            again = problem.polish(sinkhorn_weights(diagram, share, grid))
            best = min(best, again, key=lambda solution: solution.worst)
    return replace(best, seconds=time.perf_counter() - began, history=tuple(problem.history))


def _check_method(method: str, n: int) -> None:
    if method not in ("newton", "sinkhorn"):
        raise InvalidParameter("method", expected="newton or sinkhorn", got=method)
    if method == "sinkhorn" and not within_reach(n):
        raise InvalidParameter("method", expected="newton for so many cells", got=f"{method} for {n}")


def _begin(problem: Problem, start: Tensor | None, void: bool) -> np.ndarray:
    return problem.coarse_to_fine() if start is None else np.append(start.numpy(), [0.0] * void)


def _shares(volumes: Tensor, diagram: CostDiagram, grid: Grid) -> np.ndarray:
    """Shares of the domain, the void's last; volumes that do not fit are refused, with those that would."""
    v, n = volumes.detach().to("cpu", torch.float64).numpy(), len(diagram)
    if v.shape != (n,) or not np.isfinite(v).all() or v.min() <= 0:
        least = f"shape {v.shape}" + (f", least {v.min():.3g}" if v.size else "")
        raise InvalidParameter("volumes", expected=f"{n} positive numbers", got=least)
    room = grid.size * (1.0 if diagram.domain is None else float(diagram.domain.double().mean()))
    if n > room:
        raise InvalidParameter("sites", expected=f"at most {int(room)}, one a voxel of the domain", got=n)
    whole, total = room * grid.cell_measure, float(v.sum())
    if diagram.void:
        if total > whole * (1 - 1e-6):
            remedy = f"Leave void some room: volumes * {0.9 * whole / total:.6g} fill 90 %, or solve without void."
            raise InvalidParameter("volumes", expected=f"a sum below {whole:.6g}, the domain", got=total, remedy=remedy)
        return np.append(v, whole - total) / whole
    if abs(total / whole - 1) > 1e-6:
        remedy = f"Normalise: volumes * {whole / total:.8g}" + (", or solve with void." if total < whole else ".")
        raise InvalidParameter("volumes", expected=f"a sum of {whole:.6g}, the domain", got=total, remedy=remedy)
    return v / total


def _check_domain(domain: Tensor | None) -> None:
    if domain is None:
        return
    if domain.dtype != torch.bool:
        raise InvalidParameter("domain", expected="true and false on voxels", got=domain.dtype)
    if not bool(domain.any()):
        raise InvalidParameter(
            "domain", expected="voxels inside", got="an empty one", remedy="Inside is where it is true."
        )


def _check_sites(diagram: CostDiagram, grid: Grid) -> None:
    """Each site in a place of its own, inside the box along axes that do not repeat, and inside the domain."""
    sites, lengths = diagram.sites.numpy(), np.array(grid.lengths)
    check_distinct(sites, grid.lengths, grid.periodic)
    x = sites - np.array(grid.origin)
    x = np.where(grid.periodic, x % lengths, x)
    outside = ((x < 0) | (x > lengths)).any(axis=1)
    where = "the box"
    if diagram.domain is not None and not outside.any():
        shape = np.array(diagram.domain.shape)
        voxel = np.minimum((x / lengths * shape).astype(int), shape - 1)
        outside, where = ~diagram.domain.numpy()[tuple(voxel.T)], "the domain"
    if outside.any():
        k = int(outside.argmax())
        got = f"site {k + 1} at {', '.join(f'{a:.6g}' for a in sites[k])}"
        raise InvalidParameter("sites", expected=f"points inside {where}", got=got)
