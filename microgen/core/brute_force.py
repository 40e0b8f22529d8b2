"""The sites of least cost at each point, by trying all pairs: KeOps where it can compile, else torch in pieces.

KeOps (Charlier et al. 2021, J. Mach. Learn. Res. 22, 74) compiles each formula once, which takes 10 to 12 s, and then
needs no memory for the pairs. Costs are float64 on both roads.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from functools import lru_cache
from io import StringIO
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from microgen.core.formulas import FormulaCost, MixedCost, differentiated, shifts, wrapped
from microgen.errors import InvalidParameter

LOG = logging.getLogger(__name__)
PIECE = 4_000_000  # pairs that torch holds at once
WORTH = 200_000_000  # pairs from which a compilation pays


class Nearest(NamedTuple):
    """The k cheapest sites of each point, cheapest first."""

    cost: Float[Tensor, "m k"]
    """Less the weight."""
    site: Int[Tensor, "m k"]


def nearest(
    cost: FormulaCost | MixedCost,
    points: Float[Tensor, "m d"],
    weights: Float[Tensor, " n"],
    k: int,
    *,
    lengths: tuple[float, ...],
    periodic: tuple[bool, ...],
) -> Nearest:
    """The k sites of least cost minus weight. Raises InvalidParameter for costs that are not finite."""
    found, first = [], 0
    for part in cost.parts:
        mine, few = weights[first : first + len(part)], min(k, len(part))
        if len(points) * len(part) >= WORTH and not any(periodic) and keops() is not None:
            one = _by_keops(part, points, mine, few)
        else:
            one = _by_torch(part, points, mine, few, lengths=lengths, periodic=periodic)
        found.append(Nearest(one.cost, one.site + first))
        first += len(part)
    values, sites = (torch.cat([getattr(one, name) for one in found], 1) for name in ("cost", "site"))
    values, order = values.topk(min(k, values.shape[1]), dim=1, largest=False)
    return Nearest(values, sites.gather(1, order))


def _by_torch(
    part: FormulaCost,
    points: Tensor,
    weights: Tensor,
    k: int,
    *,
    lengths: tuple[float, ...],
    periodic: tuple[bool, ...],
) -> Nearest:
    values, sites = [], []
    for y in points.split(max(1, PIECE // len(part))):
        least = all_costs(part, y, lengths=lengths, periodic=periodic) - weights
        require_finite(least)
        low, where = least.topk(k, dim=1, largest=False)
        values.append(low)
        sites.append(where)
    return Nearest(torch.cat(values), torch.cat(sites))


def all_costs(
    part: FormulaCost, points: Float[Tensor, "m d"], *, lengths: tuple[float, ...], periodic: tuple[bool, ...]
) -> Float[Tensor, "m n"]:
    """Costs of all pairs: the least over the translates of the wrapped displacement along periodic axes."""
    y = points[:, None, :]
    away = wrapped(y - part.sites, lengths, periodic)
    parameters = {name: tensor[None] for name, tensor in part.parameters.items()}
    least = torch.full((len(points), len(part)), torch.inf, dtype=torch.float64)
    for shift in shifts(lengths, periodic):
        value = part.formula(y - away - shift, y, parameters).to(torch.float64)
        least = torch.fmin(least, value) if any(periodic) else value.expand(least.shape)
    return least


def _by_keops(part: FormulaCost, points: Tensor, weights: Tensor, k: int) -> Nearest:
    lazy = keops()
    assert lazy is not None
    few = torch.cat([points[:: max(1, len(points) // 64)], points[-1:]])
    d = points.shape[1]
    require_finite(all_costs(part, few, lengths=(1.0,) * d, periodic=(False,) * d))
    parameters = {
        name: lazy(tensor.to(torch.float64).reshape(1, len(part), -1).contiguous())
        for name, tensor in part.parameters.items()
    }
    x, y = lazy(part.sites[None].contiguous()), lazy(points[:, None].contiguous())
    gap = part.formula(x, y, parameters) - lazy(weights.reshape(1, -1, 1).contiguous())
    values, sites = gap.Kmin_argKmin(K=k, dim=1)
    require_finite(values)
    return Nearest(values.reshape(len(points), k), sites.reshape(len(points), k).long())


@lru_cache(maxsize=1)
def keops() -> Any:
    """KeOps' LazyTensor; None where it cannot work, said once in the log."""
    problem = "no C++ compiler" if not any(map(shutil.which, ("g++", "clang++", "c++"))) else ""
    if not problem:
        try:
            with redirect_stdout(StringIO()):  # it prints that there is no GPU
                import pykeops
                from pykeops.torch import LazyTensor

                pykeops.set_verbose(False)
                probe = LazyTensor(torch.zeros(2, 1, 1)) - LazyTensor(torch.zeros(1, 2, 1))
                (probe**2).argmin(dim=1)
            return LazyTensor
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
    LOG.warning("KeOps cannot be used (%s): formulas are evaluated in pieces by torch, which takes longer", problem)
    return None


def require_finite(values: Tensor) -> None:
    """Raises InvalidParameter where costs, of any shape, are not finite."""
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        got = f"{float(values[~finite][0])} among them"
        remedy = "Keep roots and logarithms of what can be zero away from it: (q + 1e-12) ** 0.5."
        raise InvalidParameter("formula", expected="finite costs everywhere in the box", got=got, remedy=remedy)


def images(
    cost: FormulaCost | MixedCost,
    site: Int[Tensor, " m"],
    points: Float[Tensor, "m d"],
    *,
    lengths: tuple[float, ...],
    periodic: tuple[bool, ...],
) -> Float[Tensor, "m d"]:
    """Where that image of a site [m] lies whose cost at a point is least; of the void (site n) the point itself."""
    found = points.clone()
    for part, mine, which in _members(cost, site):
        y = points[mine]
        away = wrapped(y - part.sites[which], lengths, periodic)
        chosen = {name: tensor[which] for name, tensor in part.parameters.items()}
        least, best = torch.full((len(mine),), torch.inf, dtype=torch.float64), away
        for shift in shifts(lengths, periodic) if any(periodic) else ():
            c = part.formula(y - away - shift, y, chosen).detach().to(torch.float64)
            best = torch.where((c < least)[:, None], away + shift, best)
            least = torch.fmin(least, c)
        found[mine] = y - best
    return found


def values(
    cost: FormulaCost | MixedCost, site: Int[Tensor, " m"], place: Float[Tensor, "m d"], points: Float[Tensor, "m d"]
) -> Float[Tensor, " m"]:
    """Cost of the images of sites at `place` at points; 0 for the void, which is site n."""
    found = torch.zeros(len(points), dtype=torch.float64)
    for part, mine, which in _members(cost, site):
        chosen = {name: tensor[which] for name, tensor in part.parameters.items()}
        found[mine] = part.formula(place[mine], points[mine], chosen).detach().to(torch.float64)
    return found


def slopes(
    cost: FormulaCost | MixedCost,
    site: Int[Tensor, " m"],
    place: Float[Tensor, "m d"],
    points: Float[Tensor, "m d"],
    *,
    length: float,
) -> tuple[Float[Tensor, " m"], Float[Tensor, "m d"]]:
    """The same and its gradient by the point, see `formulas.differentiated`; `length` is that of the box."""
    value, gradient = torch.zeros(len(points), dtype=torch.float64), torch.zeros_like(points)
    for part, mine, which in _members(cost, site):
        chosen: Mapping[str, Tensor] = {name: tensor[which] for name, tensor in part.parameters.items()}
        value[mine], gradient[mine] = differentiated(part.formula, place[mine], points[mine], chosen, length)
    return value, gradient


def table(
    cost: FormulaCost | MixedCost,
    site: Int[Tensor, "b k"],
    place: Float[Tensor, "b k d"],
    points: Float[Tensor, "b m d"],
) -> Float[Tensor, "b m k"]:
    """Costs of the sites of each of b boxes at its m points. Raises InvalidParameter for costs that are not finite."""
    found, first = torch.zeros(*points.shape[:2], site.shape[1], dtype=torch.float64), 0
    x, y = place[:, None], points[:, :, None]
    for part in cost.parts:
        mine = (site >= first) & (site < first + len(part))
        which = (site - first).clamp(0, len(part) - 1)
        chosen = {name: tensor[which][:, None] for name, tensor in part.parameters.items()}
        value = part.formula(x, y, chosen).detach().to(torch.float64)
        found = torch.where(mine[:, None], value, found)
        first += len(part)
    require_finite(found)
    return found


def _members(cost: FormulaCost | MixedCost, site: Tensor) -> Iterator[tuple[FormulaCost, Tensor, Tensor]]:
    """Of each population: itself, which entries of `site` are of it, and their numbers in it."""
    first = 0
    for part in cost.parts:
        mine = ((site >= first) & (site < first + len(part))).nonzero()[:, 0]
        yield part, mine, site[mine] - first
        first += len(part)
