"""Weights of about the right volumes for any ground cost, from its values alone: annealed Sinkhorn steps.

Smoothed cells share each point out, m_i(w) = sum_y softmax_i((w_i - c_i(y)) / eps), and

    w_i <- w_i + eps log(v_i / m_i)

is the half step of Sinkhorn's algorithm for the cells; that for the points is the normalisation of the softmax. As the
temperature eps falls, cells become sharp (Kosowsky & Yuille, Neural Networks 7 (1994) 477). Steps are taken longer
than that, by RELAXED (Thibault et al., Algorithms 14 (2021) 143). No derivative is needed and no cell can be lost, so
it works where Newton's method has nothing to start from: hard cells at random places, whose costs differ by powers of
ten. But each step is a small one and looks at all pairs of points and sites, and the last per cent is out of its reach.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from microgen.core import brute_force
from microgen.core.cost_diagram import CostDiagram
from microgen.core.costs import PowerCost
from microgen.grid import Grid

PAIRS = 10_000_000  # of points and sites that are held: 80 MB
ENOUGH = 60  # points a cell: with fewer, cells are nowhere near their volumes, after many minutes
POINTS = 240  # a cell, if there is room: smoothed cells of so many are right to a per cent
HOT, COLD, COOLING = 4.0, 0.03, 0.7  # temperatures, in the cost of a grain radius, and the factor between two
RELAXED = 1.6  # below 2, or it does not converge
NEAR = 0.03  # relative error of smoothed cells at which it cools down ...
STEPS = 300  # ... or after so many: where costs are far above the temperature volumes come slowly


def within_reach(n: int) -> bool:
    """Are so many cells few enough to be looked at with all their points, some 400 of them?"""
    return PAIRS // n >= ENOUGH * n


def sinkhorn_weights(diagram: CostDiagram, share: np.ndarray, grid: Grid) -> np.ndarray:
    """float64 [n], with the void's last where there is void: weights for volumes `share` [the same], summing to 1.

    Good to some per cent, on a grid of the box of ENOUGH to POINTS points a cell. Formulas must be finite.
    """
    coarse = _coarse(grid, len(diagram))
    part = diagram.part(coarse).ravel()
    inside = np.flatnonzero(part)
    amount = torch.from_numpy(part[inside] / part.sum())
    cost = _costs(diagram, torch.from_numpy(coarse.points()[inside]))
    start, unit = diagram.surface_costs(share * math.prod(grid.lengths) * float(part.mean()))
    weights, radius, wanted = torch.from_numpy(start), float(np.median(unit)), torch.from_numpy(share)
    eps = HOT * radius
    while eps > COLD * radius:
        for _ in range(STEPS):
            mass = amount @ torch.softmax((weights - cost) / eps, dim=1)
            weights = weights + RELAXED * eps * (wanted.log() - mass.clamp(min=1e-300).log())
            if float((mass / wanted - 1).abs().max()) < NEAR:
                break
        eps *= COOLING
    return weights.numpy()


def _coarse(grid: Grid, n: int) -> Grid:
    """A grid of the same box with POINTS points a cell, or as many as can be held, or as the grid has."""
    wanted = min(POINTS * n, PAIRS // n)
    factor = max(1.0, (grid.size / wanted) ** (1 / grid.ndim))
    shape = tuple(max(1, math.ceil(k / factor)) for k in grid.shape)
    return Grid(shape, tuple(a / k for a, k in zip(grid.lengths, shape)), grid.origin, grid.periodic)


def _costs(diagram: CostDiagram, points: Tensor) -> Tensor:
    """float64 [m, n]: costs of all pairs, and 0 of the void."""
    box = {"lengths": diagram.lengths, "periodic": diagram.periodic}
    if isinstance(diagram.cost, PowerCost):
        cost = diagram.cost.at(points, **box)
    else:
        cost = torch.cat([brute_force.all_costs(part, points, **box) for part in diagram.cost.parts], 1)
    return torch.cat([cost, torch.zeros(len(cost), int(diagram.void), dtype=cost.dtype)], 1)
