"""What `solve_weights` returns: the diagram, its labels, and how well each grain's volume is met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from microgen.core.cost_diagram import CostDiagram
from microgen.core.power_diagram import PowerDiagram
from microgen.core.survey import Survey
from microgen.core.tiles import Tiles

SMALL = 400  # targets below this many voxels are held to their sub-voxel volume: a count of them is too coarse


@dataclass(frozen=True)
class Step:
    """One sweep of the solver."""

    voxels: int
    error_max: float
    """Largest relative error of a sub-voxel volume."""
    stage: str


class State(NamedTuple):
    """What the solver knows of its solution, for that of a problem of which few sites are different."""

    weights: np.ndarray
    counts: np.ndarray
    """int64 [n], of the cells with their islands."""
    volumes: np.ndarray
    """float64 [n], sub-voxel, of grains held to them."""
    aim: np.ndarray
    """float64 [n]: the volumes of cells that make grains right once islands are given away."""
    jacobian: csr_matrix
    problem: tuple[object, ...]
    """What must be the same for the next problem, beside the targets."""
    survey: Survey | None
    """The pieces of cells, where labels are not held."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Outcome of `solve_weights`. Volumes are in voxels, as the labels show them (islands given away)."""

    diagram: PowerDiagram | CostDiagram
    labels: Int[Tensor, "*shape"] | None
    """int32 [grid.shape], 1..n, 0 where there is void or no domain; None where they were not asked for, and `tiles`
    makes any part of them."""
    counts: Int[Tensor, " n"]
    subvoxel_volumes: Float[Tensor, " n"]
    """NaN for grains that are held to their count, where none but those of small ones were worked out to the end."""
    targets: Float[Tensor, " n"]
    lost: Int[Tensor, " n"]
    """Voxels of each cell that were islands, and were given away."""
    tolerance: float
    seconds: float
    history: tuple[Step, ...] = field(default=(), repr=False)
    small: float = float(SMALL)
    """Targets below this many voxels are held to their sub-voxel volume, larger ones to their count."""
    exact: Float[Tensor, " n"] | None = None
    """Volumes of the cells themselves, without a grid, where these are what is held to the tolerance."""
    tiles: Tiles | None = field(default=None, repr=False)
    state: State | None = field(default=None, repr=False)

    def slabs(self) -> Iterator[np.ndarray]:
        """The labels in slabs along the first axis: all of them at once where they are held."""
        if self.labels is not None:
            yield self.labels.numpy()
        elif self.tiles is not None:
            yield from (labels for _, labels in self.tiles.slabs())

    @property
    def _errors(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        counts, volumes, targets = (t.numpy().astype(float) for t in (self.counts, self.subvoxel_volumes, self.targets))
        return np.abs(counts / targets - 1), np.abs(volumes / targets - 1), targets >= self.small

    @property
    def island_voxels(self) -> int:
        return int(self.lost.sum())

    @property
    def volume_error_max(self) -> float:
        """Largest relative error of a voxel count, over all grains."""
        return float(self._errors[0].max())

    @property
    def volume_error_mean(self) -> float:
        return float(self._errors[0].mean())

    @property
    def volume_error_max_400(self) -> float:
        """Largest relative error of a voxel count, over the grains whose target is 400 voxels or more."""
        errors, _, large = self._errors
        return float(errors[large].max(initial=0.0))

    @property
    def subvoxel_error_max(self) -> float:
        """Largest relative error of a sub-voxel volume, over the grains that are held to it."""
        _, errors, large = self._errors
        return float(errors[~large].max(initial=0.0))

    @property
    def grains_below_400(self) -> int:
        return int((~self._errors[2]).sum())

    @property
    def exact_error_max(self) -> float | None:
        """Largest relative error of a cell's own volume, where cells were made without a grid."""
        return None if self.exact is None else float((self.exact / self.targets - 1).abs().max())

    @property
    def worst(self) -> float:
        """Largest error of what grains are held to: counts from 400 voxels on, sub-voxel volumes below.

        Cells made without a grid are held to their own volume.
        """
        if self.exact_error_max is not None:
            return self.exact_error_max
        return max(self.volume_error_max_400, self.subvoxel_error_max)

    @property
    def missed(self) -> Bool[Tensor, " n"]:
        """The grains that miss what they are held to."""
        counts, volumes, large = self._errors
        return torch.from_numpy(np.where(large, counts, volumes) > self.tolerance)

    @property
    def converged(self) -> bool:
        return self.worst <= self.tolerance

    @property
    def status(self) -> str:
        return "converged" if self.converged else "not_converged"

    @property
    def figures(self) -> dict[str, float | int | str]:
        """What provenance tells of a solution."""
        names = "volume_error_max volume_error_mean volume_error_max_400 subvoxel_error_max grains_below_400"
        exact = {} if self.exact_error_max is None else {"exact_error_max": self.exact_error_max}
        found = {name: getattr(self, name) for name in (*names.split(), "island_voxels")}
        return {"grains": len(self.targets), **found, **exact, "status": self.status}
