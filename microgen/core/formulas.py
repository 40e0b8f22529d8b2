"""Ground costs that users write: one formula for broadcast torch tensors and for KeOps LazyTensors alike.

    def softened(x, y, p):                      # x sites, y points, p parameters by name
        return (((y - x) ** 2).sum(-1) + p["core"] ** 2) ** p["half"]

Vectors have their components along the last axis, which `.sum(-1)` takes away; parameters of shape [n] are numbers,
those of shape [n, k] vectors. Nothing is known of such a cost, and every pair of point and site is evaluated: unless it
is said to be convex in y, as powers of norms are from the first on, and sums of convex ones. See `convex`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from microgen.core.costs import PowerCost
from microgen.errors import InvalidParameter

Formula = Callable[[Any, Any, Mapping[str, Any]], Any]
TRIALS = 256  # middles of lines, at which a cost is tried for being convex
DIFFERENCE = 1e-6  # of the box: costs are float64, so a gradient is right to some 1e-10
RADII = 0.9, 1.1  # in the radius of a ball: where a formula is looked at to see how steep it is


@dataclass(frozen=True, eq=False)
class FormulaCost:
    """c_i(y) = formula(x_i, y, parameters_i)."""

    formula: Formula
    sites: Float[Tensor, "n d"]
    """µm"""
    parameters: Mapping[str, Tensor] = field(default_factory=dict)
    """By name, [n] or [n, k]."""
    convex: bool = False
    """Is it, as a function of y? Then sites are tried only where they can win. Tried at TRIALS places."""

    def __post_init__(self) -> None:
        n = len(self.sites)
        for name, tensor in {"sites": self.sites, **self.parameters}.items():
            if len(tensor) != n or not bool(torch.isfinite(tensor).all()):
                raise InvalidParameter(name, expected=f"finite numbers for {n} sites", got=tuple(tensor.shape))
        if self.convex:
            self._check_convex()

    def _check_convex(self) -> None:
        """A cost must lie below its chords and above its tangents, along lines about as long as the box."""
        draw = torch.Generator().manual_seed(0)
        n, d = self.sites.shape
        which = torch.randint(n, (TRIALS,), generator=draw)
        span = (self.sites.amax(0) - self.sites.amin(0)).double()
        span = torch.where(span > 0, span, 1.0)
        a, b = ((torch.rand(TRIALS, d, generator=draw).double() - 0.5) * span + self.sites[which] for _ in range(2))
        raw = self.of_pairs(which, (a + b) / 2).detach()
        chosen = {name: tensor[which] for name, tensor in self.parameters.items()}
        here, slope = differentiated(self.formula, self.sites[which].double(), a, chosen, float(span.min()))
        there, middle = self.of_pairs(which, b).detach().to(torch.float64), raw.to(torch.float64)
        ahead = (slope * (b - a)).sum(1)
        rounding = max(1e-6, 16 * torch.finfo(raw.dtype).eps) * (here.abs() + there.abs() + middle.abs() + ahead.abs())
        bent = (middle - (here + there) / 2 > rounding) | (here + ahead - there > rounding)
        if bool(bent.any()):
            site = int(which[int(bent.int().argmax())])
            got = f"one that, for site {site + 1}, lies above a chord or below a tangent"
            remedy = "Leave `convex` away: all pairs of point and site are then tried."
            raise InvalidParameter("formula", expected="a convex cost", got=got, remedy=remedy)

    def __len__(self) -> int:
        return len(self.sites)

    @property
    def parts(self) -> tuple[FormulaCost, ...]:
        """Itself: see `MixedCost`."""
        return (self,)

    def of_pairs(self, which: Int[Tensor, " m"], points: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
        """Cost of site which[k] at point k."""
        chosen = {name: tensor[which] for name, tensor in self.parameters.items()}
        return self.formula(self.sites[which], points, chosen)


@dataclass(frozen=True, eq=False)
class MixedCost:
    """Several populations, each with a formula (or powers) of its own; sites in the order of the populations."""

    populations: tuple[FormulaCost | PowerCost, ...]

    def __len__(self) -> int:
        return len(self.sites)

    @property
    def sites(self) -> Float[Tensor, "n d"]:
        return torch.cat([part.sites for part in self.populations])

    @cached_property
    def parts(self) -> tuple[FormulaCost, ...]:
        """All as formulas."""
        return tuple(part if isinstance(part, FormulaCost) else formula_of(part) for part in self.populations)


def formula_of(cost: PowerCost) -> FormulaCost:
    """The family of powers, written as a formula."""
    parameters = {"half": cost.exponents / 2, "metric": cost.scaled_metrics.flatten(1)}
    return FormulaCost(_power, cost.sites, parameters, convex=bool((cost.exponents >= 1).all()))


def is_convex(cost: FormulaCost | MixedCost) -> bool:
    """Are all populations said to be?"""
    return all(part.convex for part in cost.parts)


def _power(x: Any, y: Any, p: Mapping[str, Any]) -> Any:
    z, a = y - x, p["metric"]
    if isinstance(z, Tensor):
        d = z.shape[-1]
        return torch.einsum("...i,...ij,...j->...", z, a.unflatten(-1, (d, d)), z) ** p["half"]
    return ((z | a.matvecmult(z)) + 1e-300) ** p["half"]  # LazyTensors take the logarithm


def differentiated(
    formula: Formula, x: Tensor, y: Tensor, p: Mapping[str, Tensor], length: float
) -> tuple[Float[Tensor, " m"], Float[Tensor, "m d"]]:
    """Value and gradient by y, by automatic differentiation.

    Formulas that torch cannot differentiate (they round, detach, or go through NumPy) are by central differences over
    DIFFERENCE of `length`. There may be no gradient (nan), as at the site itself below the first power.
    """
    leaf = y.clone().requires_grad_()
    try:
        c = formula(x, leaf, p)
        if c.requires_grad:
            return c.detach().to(torch.float64), torch.autograd.grad(c.sum(), leaf)[0]
    except RuntimeError:  # "Can't call numpy() on Tensor that requires grad": what else is wrong fails again below
        pass
    h = DIFFERENCE * length
    ahead, behind = ([formula(x, y + s * h * axis, p) for axis in torch.eye(y.shape[1]).double()] for s in (1, -1))
    return formula(x, y, p).to(torch.float64), (torch.stack(ahead, 1) - torch.stack(behind, 1)).double() / (2 * h)


def shifts(lengths: tuple[float, ...], periodic: tuple[bool, ...]) -> Iterator[Float[Tensor, " d"]]:
    """The 3^d translates of a periodic cost."""
    for steps in itertools.product(*((-1, 0, 1) if p else (0,) for p in periodic)):
        yield torch.tensor(lengths, dtype=torch.float64) * torch.tensor(steps, dtype=torch.float64)


def wrapped(away: Tensor, lengths: tuple[float, ...], periodic: tuple[bool, ...]) -> Tensor:
    """Displacements, in [-L/2, L/2) along periodic axes; the last axis is that of the components."""
    box, wrap = torch.tensor(lengths, dtype=away.dtype), torch.tensor(periodic)
    return torch.where(wrap, torch.remainder(away + box / 2, box) - box / 2, away) if any(periodic) else away


def surface_costs(cost: FormulaCost | MixedCost, volumes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cost at the surface of a ball of each volume around its site, and what sets the stiffness of such a cell.

    See `PowerCost.surface_costs`: from dV/dw = d V / (r c') the unit is r c' / 2.
    """
    sites = cost.sites
    d = sites.shape[1]
    radius = torch.from_numpy((volumes / {2: np.pi, 3: 4 * np.pi / 3}[d]) ** (1 / d))
    low, high = (
        torch.stack([of_pairs(cost, sites + s * f * radius[:, None] * axis) for axis in torch.eye(d) for s in (-1, 1)])
        .mean(0)
        .numpy()
        for f in RADII
    )
    unit = np.maximum((high - low) / (RADII[1] - RADII[0]) / 2, 1e-3 * np.abs(high) + 1e-300)
    return (low + high) / 2, unit


def of_pairs(cost: FormulaCost | MixedCost, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Cost of each site at a point of its own, in the order of the sites."""
    found, first = [], 0
    for part in cost.parts:
        found.append(part.of_pairs(torch.arange(len(part)), points[first : first + len(part)]))
        first += len(part)
    return torch.cat(found).to(torch.float64)
