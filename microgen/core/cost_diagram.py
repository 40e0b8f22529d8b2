"""Cells of any ground cost, with void and within a domain: cell i = {y : c_i(y) - w_i minimal}.

Void is a competitor of constant cost 0 and weight 0: cell i ends where c_i(y) = w_i (Diez and Feydy 2024, ICeShOT).
The domain is any boolean volume: what lies outside belongs to no cell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from microgen.core import brute_force, formula_sweep, formulas
from microgen.core.costs import PowerCost
from microgen.core.formulas import FormulaCost, MixedCost
from microgen.core.kernels import cpu, powers, powers_sweep
from microgen.core.kernels.boxes import Lattice
from microgen.core.power_diagram import PowerDiagram, axes_of, unordered
from microgen.errors import InvalidParameter
from microgen.grid import Grid


@dataclass(frozen=True, eq=False)
class CostDiagram:
    """Costs and weights in the box [0, lengths); periodic along the axes that say so."""

    cost: PowerCost | FormulaCost | MixedCost
    weights: Float[Tensor, " n"]
    """Unit of the cost; where there is void, its own weight is zero."""
    lengths: tuple[float, ...]
    """Box lengths, µm."""
    periodic: tuple[bool, ...]
    void: bool = False
    """Is there void, which takes what costs more than the weights?"""
    domain: Bool[Tensor, "*shape"] | None = None
    """The part of the box that cells and void share, on any grid of the box; None: all of it."""

    def __post_init__(self) -> None:
        n, d = self.cost.sites.shape
        if tuple(self.weights.shape) != (n,) or not bool(torch.isfinite(self.weights).all()):
            raise InvalidParameter("weights", expected=f"{n} finite numbers", got=tuple(self.weights.shape))
        if len(self.lengths) != d or len(self.periodic) != d:
            raise InvalidParameter("lengths", expected=f"a box of {d} dimensions, as the sites have", got=self.lengths)
        if self.domain is not None and self.domain.ndim != d:
            raise InvalidParameter("domain", expected=f"{d} dimensions", got=tuple(self.domain.shape))

    def __len__(self) -> int:
        return len(self.cost)

    @property
    def sites(self) -> Float[Tensor, "n d"]:
        return self.cost.sites

    @property
    def metrics(self) -> Float[Tensor, "n d d"]:
        """Of a cost that has some."""
        assert isinstance(self.cost, PowerCost)
        return self.cost.metrics

    def labels(self, grid: Grid) -> Int[Tensor, "*shape"]:
        """int32 [grid.shape]: the cell 1..n of each point of the grid; 0 for void and outside the domain.

        The grid may be any where there is no domain, else one of the whole box.
        """
        order = axes_of(grid)
        swept = self._swept(self._solver_weights, grid, order, cpu.Wanted(True, False, -1.0))
        return torch.from_numpy(unordered(swept.labels, grid, order))

    def volumes(self, grid: Grid) -> Float[Tensor, " n"]:
        """float64 [n]: sub-voxel volumes of the cells (areas in a plane), µm^d; the rest of the domain is void."""
        swept = self._swept(self._solver_weights, grid, axes_of(grid), cpu.Wanted(False, True, -1.0))
        return torch.from_numpy(swept.volumes[: len(self)]) * grid.cell_measure

    def with_weights(self, weights: Float[Tensor, " n1"]) -> CostDiagram:
        """The same costs with other weights [n]; or [n + 1] with the void's own, from which the others are counted."""
        n = len(self)
        return replace(self, weights=weights[:n] - weights[n] if len(weights) > n else weights)

    @property
    def quadratic(self) -> bool:
        """Are all costs squares?"""
        return isinstance(self.cost, PowerCost) and self.cost.quadratic

    def measure(self, grid: Grid) -> float:
        """What cells and void fill together, in voxels of a grid of the box."""
        return float(grid.size if self.domain is None else self._part(grid).sum() / powers_sweep.FULL)

    def surface_costs(self, volumes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `PowerCost.surface_costs`; `volumes` [n + 1] end with the void's, whose cost is constant."""
        bodies = volumes[: len(self)]
        if isinstance(self.cost, PowerCost):
            surface, unit = self.cost.surface_costs(bodies)
        else:
            surface, unit = formulas.surface_costs(self.cost, bodies)
        return np.append(surface, [0.0] * self.void), np.append(unit, [unit.mean()] * self.void)

    def sweep(self, weights: np.ndarray, grid: Grid, want: cpu.Wanted, room: cpu.Sweep | None = None) -> cpu.Sweep:
        """What the solver sees at other weights, the void's last; labels in the kernels' axes."""
        swept = self._swept(weights, grid, _solver_axes(grid), want, room)
        n = len(weights)
        return swept._replace(counts=swept.counts[:n], volumes=swept.volumes[:n])

    def room(self, grid: Grid, *, flips: bool) -> cpu.Sweep:
        """Room for such sweeps; formulas make their own."""
        if not isinstance(self.cost, PowerCost):
            grid, flips = Grid((1,) * grid.ndim, grid.spacing), False
        return cpu.buffers(self.lattice(grid, _solver_axes(grid)), len(self) + 1, flips=flips)

    def lift(self, weights: np.ndarray, i: int) -> float:
        """What brings the site of an empty cell to the cell's own boundary."""
        n = len(self)
        there, box = self.sites[i : i + 1], {"lengths": self.lengths, "periodic": self.periodic}
        if isinstance(self.cost, PowerCost):
            cost = self.cost.at(there, **box)[0].numpy()
        else:
            cost = torch.cat([brute_force.all_costs(part, there, **box) for part in self.cost.parts], 1)[0].numpy()
        rivals = np.delete(np.append(cost, [0.0] * self.void) - weights, i)
        return float(cost[i] - weights[i] - rivals.min()) if n + self.void > 1 else 0.0

    @property
    def _solver_weights(self) -> np.ndarray:
        return np.append(self.weights.to(torch.float64).numpy(), [0.0] * self.void)

    def _swept(
        self,
        weights: np.ndarray,
        grid: Grid,
        order: tuple[int, ...],
        want: cpu.Wanted,
        room: cpu.Sweep | None = None,
    ) -> cpu.Sweep:
        n = len(self)
        if not isinstance(self.cost, PowerCost):
            part = None if self.domain is None else self._part(grid) / powers_sweep.FULL
            box: dict[str, Any] = {"void": self.void, "lengths": self.lengths, "periodic": self.periodic}
            swept = formula_sweep.sweep(self.cost, weights, grid, want, **box, part=part)
            return swept._replace(labels=_ordered(swept.labels, order))
        tree = powers.with_weights(self._tree(order), weights[:n], float(weights[n]) if self.void else np.nan)
        return powers_sweep.sweep(tree, self.lattice(grid, order), self._mask(grid, order), want, room)

    def _tree(self, order: tuple[int, ...]) -> powers.PowerTree:
        if order not in self._trees:
            assert isinstance(self.cost, PowerCost)
            self._trees[order] = powers.power_tree(self._quadratic.tree(order), self.cost.exponents.numpy() / 2)
        return self._trees[order]

    def lattice(self, grid: Grid, order: tuple[int, ...]) -> Lattice:
        """The grid's points in the kernels' axes."""
        return self._quadratic.lattice(grid, order)

    def _mask(self, grid: Grid, order: tuple[int, ...]) -> powers_sweep.Mask:
        if self.domain is None:
            return powers_sweep.EVERYWHERE
        part = self._part(grid)
        return powers_sweep.Mask(True, part[None] if grid.ndim == 2 else np.ascontiguousarray(part.transpose(order)))

    def part(self, grid: Grid) -> Float[np.ndarray, "*shape"]:
        """How much of each voxel of a grid of the box lies in the domain, from 0 to 1."""
        return np.ones(grid.shape) if self.domain is None else self._part(grid) / powers_sweep.FULL

    def _part(self, grid: Grid) -> np.ndarray:
        """uint8 [grid.shape]: how much of each voxel lies in the domain, in parts of FULL."""
        assert self.domain is not None
        if grid.shape not in self._parts:
            if not np.allclose(grid.lengths, self.lengths, rtol=1e-9, atol=0):
                raise InvalidParameter("grid", expected=f"the whole box {self.lengths}, as it has a domain", got=grid)
            part = powers_sweep.FULL * self.domain.numpy().astype(np.float32)
            for axis, after in enumerate(grid.shape):
                part = np.moveaxis(np.tensordot(_overlap(part.shape[axis], after), part, (1, axis)), 0, axis)
            self._parts[grid.shape] = np.rint(part).astype(np.uint8)
        return self._parts[grid.shape]

    @cached_property
    def _quadratic(self) -> PowerDiagram:
        """The sites and metrics, which know how they lie in the kernels' axes."""
        zero = torch.zeros(len(self), dtype=torch.float64)
        n, d = self.sites.shape
        metrics = torch.eye(d, dtype=torch.float64).expand(n, d, d)
        if isinstance(self.cost, PowerCost):
            metrics = self.cost.scaled_metrics
        return PowerDiagram(self.sites, metrics, zero, self.lengths, self.periodic)

    @cached_property
    def _trees(self) -> dict[tuple[int, ...], powers.PowerTree]:
        return {}

    @cached_property
    def _parts(self) -> dict[tuple[int, ...], np.ndarray]:
        return {}


def _solver_axes(grid: Grid) -> tuple[int, ...]:
    return (-1, 0, 1) if grid.ndim == 2 else (0, 1, 2)


def _ordered(labels: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """In the kernels' axes."""
    return labels[None] if labels.ndim == 2 else np.ascontiguousarray(labels.transpose(order))


def _overlap(before: int, after: int) -> np.ndarray:
    """float32 [after, before]: the share of each new voxel that each old one fills, along one axis."""
    low, high = (np.arange(after) + k for k in (0, 1))
    start, end = (np.arange(before) + k for k in (0, 1))
    inner = np.minimum(high[:, None] * before, end * after) - np.maximum(low[:, None] * before, start * after)
    return (np.maximum(inner, 0) / before).astype(np.float32)
