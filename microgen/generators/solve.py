"""From a layout to a solved power diagram: the only module of the generators that imports torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from microgen.core import transport
from microgen.core.transport import OnStep, Solution
from microgen.grid import Grid

if TYPE_CHECKING:
    from microgen.generators.polycrystal import Layout, Progress


def solve(
    layout: Layout, grid: Grid, *, tolerance: float, lloyd: int = 0, progress: Progress | None = None
) -> Solution:
    """Weights that give the grains of the layout their volumes on the grid, after so many Lloyd steps."""
    sites, metrics, volumes = (torch.from_numpy(array) for array in (layout.sites, layout.metrics, layout.volumes))
    if lloyd:
        sites = transport.lloyd(sites, metrics, volumes, grid, steps=lloyd)
    return transport.solve_weights(
        sites, metrics, volumes, grid, tolerance=tolerance, on_step=_reporter(tolerance, progress)
    )


def _reporter(tolerance: float, progress: Progress | None) -> OnStep | None:
    """Progress from errors: each factor of two towards the tolerance counts alike, and it never runs backwards."""
    if progress is None:
        return None
    tell, done = progress, 0.05

    def on_step(error: float, stage: str) -> None:
        nonlocal done
        near = 1 - math.log(max(error, tolerance) / tolerance) / math.log(1 / tolerance)
        done = max(done, 0.05 + 0.9 * min(max(near, 0.0), 1.0))
        tell(done, f"{stage}: worst grain off by {error:.1%}")

    return on_step
