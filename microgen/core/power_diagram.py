"""The anisotropic power diagram of Buze, Feydy, Roper, Sedighiani and Bourne (2024), arXiv 2403.03571.

Cell i = {y : c_i(y) - w_i minimal},  c_i(y) = (y - x_i)^T A_i (y - x_i),  A_i symmetric positive definite.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from microgen.core.kernels import cpu
from microgen.core.kernels.boxes import Lattice
from microgen.core.kernels.tree import SiteTree, build, with_weights
from microgen.errors import InvalidParameter
from microgen.grid import Grid

THIN = 1e-9  # thickness of the third axis that a plane gets, in parts of its voxels: no cost can see it


@dataclass(frozen=True, eq=False)
class PowerDiagram:
    """Sites, metrics and weights in the box [0, lengths); periodic along the axes that say so.

    Along periodic axes the cost is the minimum over the 3^d translates of the componentwise wrapped displacement.
    With A_i = v_i^(-2/d) times a unit-determinant shape, costs and weights have no unit.
    """

    sites: Float[Tensor, "n d"]
    """µm"""
    metrics: Float[Tensor, "n d d"]
    """1/µm²"""
    weights: Float[Tensor, " n"]
    lengths: tuple[float, ...]
    """Box lengths, µm."""
    periodic: tuple[bool, ...]

    def __post_init__(self) -> None:
        n, d = self.sites.shape
        for name, shape in (("sites", (n, d)), ("metrics", (n, d, d)), ("weights", (n,))):
            tensor = getattr(self, name)
            if tuple(tensor.shape) != shape or not bool(torch.isfinite(tensor).all()):
                raise InvalidParameter(name, expected=f"finite numbers of shape {shape}", got=tuple(tensor.shape))
        if d not in (2, 3) or n < 1 or len(self.lengths) != d or len(self.periodic) != d:
            raise InvalidParameter(
                "sites", expected="at least one site in 2 or 3 dimensions, as the box has", got=(n, d)
            )
        check_metrics(self.metrics)

    def __len__(self) -> int:
        return len(self.sites)

    def __getstate__(self) -> dict[str, object]:
        """What is sent to other processes: trees are built again, which takes less time than to send them."""
        return {name: value for name, value in self.__dict__.items() if name != "_trees"}

    def labels(self, grid: Grid) -> Int[Tensor, "*shape"]:
        """int32 [grid.shape]: the cell 1..n that each point of the grid lies in.

        The grid may be any: one voxel thick (a section), shifted, or larger than a periodic box.
        """
        order = axes_of(grid)
        swept = cpu.sweep(self.tree(order), self.lattice(grid, order), cpu.Wanted(True, False, -1.0))
        return torch.from_numpy(unordered(swept.labels, grid, order))

    def volumes(self, grid: Grid) -> Float[Tensor, " n"]:
        """float64 [n]: sub-voxel volumes (areas in a plane), µm^d."""
        order = axes_of(grid)
        swept = cpu.sweep(self.tree(order), self.lattice(grid, order), cpu.Wanted(False, True, -1.0))
        return torch.from_numpy(swept.volumes) * grid.cell_measure

    def sweep(self, weights: np.ndarray, grid: Grid, want: cpu.Wanted, room: cpu.Sweep | None = None) -> cpu.Sweep:
        """What the solver sees at other weights [n]; labels in the kernels' axes."""
        return cpu.sweep(self.solver_tree(weights), self.solver_lattice(grid), want, room)

    def solver_tree(self, weights: np.ndarray) -> SiteTree:
        """Search tree at other weights [n], in the axes of `sweep`."""
        return with_weights(self._bare_tree(self._solver_axes), weights)

    def solver_lattice(self, grid: Grid) -> Lattice:
        """The grid's points in the axes of `sweep`."""
        return self.lattice(grid, self._solver_axes)

    @property
    def _solver_axes(self) -> tuple[int, ...]:
        return (-1, 0, 1) if len(self.lengths) == 2 else (0, 1, 2)

    def room(self, grid: Grid, *, flips: bool) -> cpu.Sweep:
        """Room for such sweeps."""
        return cpu.buffers(self.solver_lattice(grid), len(self), flips=flips)

    @property
    def quadratic(self) -> bool:
        """Are all costs squares?"""
        return True

    def measure(self, grid: Grid) -> float:
        """What the cells fill together, in voxels."""
        return float(grid.size)

    def surface_costs(self, volumes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """About the cost at the surface of a ball of each volume, and what sets a cell's stiffness: here the same."""
        d = self.sites.shape[1]
        unit = 0.4 * np.linalg.det(_array(self.metrics)) ** (1 / d) * volumes ** (2 / d)
        return unit, unit

    def lift(self, weights: np.ndarray, i: int) -> float:
        """What brings the site of an empty cell to the cell's own boundary: next to a close site, half of that cell."""
        sites, lengths = _array(self.sites), np.array(self.lengths)
        away = sites[i] - sites
        away -= np.where(self.periodic, lengths * np.round(away / lengths), 0.0)
        cost = np.einsum("nj,njk,nk->n", away, _array(self.metrics), away) - weights
        return float(cost[i] - np.delete(cost, i).min())

    def with_weights(self, weights: Float[Tensor, " n"]) -> PowerDiagram:
        """The same sites and metrics with other weights."""
        made = replace(self, weights=weights)
        made.__dict__["_trees"] = self._trees  # bare ones, which know no weights
        return made

    def tree(self, order: tuple[int, ...]) -> SiteTree:
        """Search tree in the kernels' three axes: `order` says which of ours each is, -1 the one a plane lacks."""
        return with_weights(self._bare_tree(order), _array(self.weights))

    def _bare_tree(self, order: tuple[int, ...]) -> SiteTree:
        if order not in self._trees:
            sites, metrics = _array(self.sites), _array(self.metrics)
            n = len(sites)
            x, a = np.zeros((n, 3)), np.zeros((n, 3, 3))
            there = [k for k in range(3) if order[k] >= 0]
            axes = [order[k] for k in there]
            x[:, there] = sites[:, axes]
            for k, axis in zip(there, axes):
                if self.periodic[axis]:
                    x[:, k] %= self.lengths[axis]
            a[:, np.array(there)[:, None], there] = metrics[:, np.array(axes)[:, None], axes]
            if len(there) == 2:  # any positive number: displacements along the missing axis are zero
                a[:, 0, 0] = np.trace(metrics, axis1=1, axis2=2) / 2
            self._trees[order] = build(x, a, np.zeros(n))
        return self._trees[order]

    @cached_property
    def _trees(self) -> dict[tuple[int, ...], SiteTree]:
        return {}

    def lattice(self, grid: Grid, order: tuple[int, ...]) -> Lattice:
        """The grid's points in the kernels' axes."""
        if grid.ndim != self.sites.shape[1]:
            raise InvalidParameter("grid", expected=f"{self.sites.shape[1]} dimensions", got=grid.shape)
        shape, step, start, lengths = (
            np.ones(3, np.int64),
            np.full(3, THIN * min(grid.spacing)),
            np.zeros(3),
            np.zeros(3),
        )
        for k, axis in enumerate(order):
            if axis >= 0:
                shape[k], step[k] = grid.shape[axis], grid.spacing[axis]
                start[k] = grid.origin[axis] + 0.5 * grid.spacing[axis]
                lengths[k] = self.lengths[axis] if self.periodic[axis] else 0.0
        return Lattice(shape, step, start, lengths)


def axes_of(grid: Grid) -> tuple[int, ...]:
    """Kernel axes: a plane's missing axis or a thin one comes first, as rows run along the last."""
    if grid.ndim == 2:
        return (-1, 0, 1)
    thin = int(np.argmin(grid.shape))
    return (thin, *(k for k in range(3) if k != thin)) if grid.shape[thin] == 1 else (0, 1, 2)


def unordered(labels: np.ndarray, grid: Grid, order: tuple[int, ...]) -> np.ndarray:
    if grid.ndim == 2:
        return labels[0]
    return np.ascontiguousarray(np.transpose(labels, np.argsort(order)))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float64).numpy()


def check_metrics(metrics: Float[Tensor, "n d d"]) -> None:
    a = _array(metrics)
    if not np.allclose(a, a.transpose(0, 2, 1), rtol=1e-9, atol=0):
        raise InvalidParameter("metrics", expected="symmetric matrices", got="asymmetric ones")
    lowest = np.linalg.eigvalsh(a)[:, 0]
    if lowest.min() <= 0:
        k = int(lowest.argmin())
        raise InvalidParameter(
            "metrics", expected="positive definite matrices", got=f"eigenvalue {lowest[k]:.3g} at site {k + 1}"
        )
