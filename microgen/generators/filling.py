"""What grains fill, and how hard they are: the exponent of their costs, the void between them, the part of the box.

Squares in a whole box without void go the way of the quadratic diagram; all else that of any ground cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from microgen.errors import InvalidParameter
from microgen.grid import Grid

if TYPE_CHECKING:
    import torch

    from microgen.core import Solution


@dataclass(frozen=True, eq=False)
class Filling:
    """Nothing unusual by default."""

    exponent: float = 2.0
    """p of the cost |y - x|^p, in the grain's own metric."""
    void: float = 0.0
    """Share of the part that is left empty."""
    inside: np.ndarray | None = None
    """bool [shape]: the part of the box; None for all of it."""
    device: str = "cpu"
    """Where the quadratic diagram is solved for."""

    @property
    def plain(self) -> bool:
        """Does the quadratic diagram do?"""
        return self.exponent == 2 and self.void == 0 and self.inside is None

    @property
    def share(self) -> float:
        """Share of the box that grains fill."""
        return (1 - self.void) * (1.0 if self.inside is None else float(self.inside.mean()))

    def left(self, grain_id: np.ndarray) -> float:
        """Share of the part that is void."""
        return float(np.mean((grain_id if self.inside is None else grain_id[self.inside]) == 0))

    def solve(
        self, sites: torch.Tensor, metrics: torch.Tensor, volumes: torch.Tensor, grid: Grid, **options: Any
    ) -> Solution:
        """Weights for the volumes (µm^d); options as `core.solve_weights` has them."""
        import torch

        from microgen.core import PowerCost, solve_cells, solve_weights

        if self.plain:
            return solve_weights(sites, metrics, volumes, grid, device=self.device, **options)
        for name in ("labels", "resumed"):  # labels are always held
            options.pop(name, None)
        domain = None if self.inside is None else torch.from_numpy(self.inside)
        cost = PowerCost.of(sites, metrics, self.exponent)
        return solve_cells(cost, volumes, grid, void=self.void > 0, domain=domain, **options)

    def kept_inside(self, moved: torch.Tensor, sites: torch.Tensor, grid: Grid) -> torch.Tensor:
        """`moved` sites, but where they left the part (centroids of bent grains can) those of before."""
        import torch

        if self.inside is None:
            return moved
        shape, lengths = np.array(self.inside.shape), np.array(grid.lengths)
        voxel = np.floor((moved.numpy() - grid.origin) / lengths * shape).astype(int)
        voxel = np.where(grid.periodic, voxel % shape, np.clip(voxel, 0, shape - 1))
        return torch.where(torch.from_numpy(self.inside[tuple(voxel.T)])[:, None], moved, sites)


def device_for(asked: str, hindrances: Mapping[str, bool], *, grid: Grid | None, grains: int) -> str:
    """ "cpu" or "cuda" for auto, cpu or cuda; of the hindrances, those that are there leave a run to the CPU.

    So does, under auto, a `grid` that is too large for the GPU's memory.
    """
    from microgen.core.device import chosen

    lacks = [name for name, there in hindrances.items() if there]
    if lacks and asked == "cuda":
        remedy = "Use --device cpu (or auto)."
        raise InvalidParameter("device", expected=f"cpu or auto for {lacks[0]}", got=asked, remedy=remedy)
    found = chosen("cpu" if lacks and asked == "auto" else asked, kernels=False)
    if found == "cuda" and asked == "auto" and grid is not None:
        from microgen.core.device_diagram import fits

        return found if fits(grid, grains) else "cpu"
    return found
