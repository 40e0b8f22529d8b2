"""From a layout to a solved power diagram: the only module of the generators that imports torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from microgen.core import transport
from microgen.core.transport import OnStep, Solution
from microgen.grid import Grid

if TYPE_CHECKING:
    from microgen.generators.polycrystal import Layout, Progress

PROBE = 150  # voxels a grain of the coarse grid that finds cells cut in two
PROBES, REPEATS = 5, 2
CUT = 0.02  # share of a cell in detached islands from which its grain is made rounder


class Solved(NamedTuple):
    """The solution, and how many grains were made rounder to reach it."""

    solution: Solution
    reshaped: int


def solve(layout: Layout, grid: Grid, *, tolerance: float, lloyd: int = 0, progress: Progress | None = None) -> Solved:
    """Weights that give the grains of the layout their volumes on the grid, after so many Lloyd steps.

    A long or flat grain can be cut in two by others that cross it; its volume cannot be met in one piece then. Such
    grains are looked for on a coarse grid and take the square root of their aspect ratio, until none is cut.
    """
    sites, metrics, volumes = (torch.from_numpy(array.copy()) for array in layout[:3])
    if lloyd:
        sites = transport.lloyd(sites, metrics, volumes, grid, steps=lloyd)
    changed = torch.zeros(len(sites), dtype=torch.bool)
    probe = _coarser(grid, len(sites))
    for _ in range(PROBES):
        ...


def rounder(metrics: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """The metrics with those of the grains `which` replaced by ones of half the logarithm of the aspect ratio."""
    values, vectors = torch.linalg.eigh(metrics[which])
    scale = values.log().mean(1, keepdim=True)
    half = (scale + 0.5 * (values.log() - scale)).exp()
    out = metrics.clone()
    out[which] = torch.einsum("nik,nk,njk->nij", vectors, half, vectors)
    return out
