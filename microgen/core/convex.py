"""Which sites can own a part of a box, where formulas are convex: all others need not be evaluated there.

A convex function lies above its tangent planes, so over a box of half-widths h about c it is at least f(c) - |f'(c)|·h;
and it is largest at a corner. A site whose least cost in the box is above the largest of another owns no part of it.
The whole grid is halved along each axis, and again, down to some voxels; each box tries what its parent kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from microgen.core import brute_force
from microgen.core.formulas import FormulaCost, MixedCost, wrapped
from microgen.errors import InvalidParameter
from microgen.grid import Grid

SMALLEST = 2  # voxels along the smallest boxes
RIVALS = 4  # sites cheapest at the centre, whose costs at the corners bound those of the others
ROUNDING = 1e-9  # of the costs, by which bounds are loosened
VOXELS = 500_000  # whose cheapest sites are handed on at once
PIECE = 4_000_000  # pairs of voxel and site that are evaluated, and of box and site that are held, at once


class Boxes(NamedTuple):
    """Boxes of voxels, and as one list the sites that each needs, those of a box together and in their order."""

    low: Tensor  # int64 [b, d]: first voxels
    size: int  # voxels along an axis; fewer at the end of the grid
    box: Tensor  # int64 [m]: which box
    site: Tensor  # int64 [m]; n is the void
    place: Tensor  # float64 [m, d]: of that image of the site that is meant


class Problem(NamedTuple):
    """Costs less weights on a grid, which may be a part of the box or more than it."""

    cost: FormulaCost | MixedCost
    weights: Tensor  # float64 [n], or [n + 1] with the void's
    grid: Grid
    inside: np.ndarray  # bool [voxels]: those that are asked for, in memory order
    lengths: tuple[float, ...]  # of the box, µm
    periodic: tuple[bool, ...]
    slack: float  # sites are kept that cost at most so much more than the cheapest, somewhere in the box

    def values(self, site: Tensor, place: Tensor, points: Tensor) -> Tensor:
        """Cost less weight [m] of sites [m] with images at places [m, d] at points [m, d]; the void costs nothing."""
        return brute_force.values(self.cost, site, place, points) - self.weights[site]

    def far(self, place: Tensor, points: Tensor, half: Tensor | float = 0.0) -> Tensor:
        """Bool: images that are none of the 3^d by which a periodic cost is defined, for points or boxes about them."""
        limit = torch.where(torch.tensor(self.periodic), 1.5 * torch.tensor(self.lengths).double(), torch.inf)
        away = points - place
        return ((away + half >= limit) | (away - half < -limit)).any(-1)


def small_boxes(problem: Problem) -> Iterator[Boxes]:
    """The grid in boxes of SMALLEST voxels, with the sites that can own a part of each or come within the slack."""
    d = problem.grid.ndim
    for root in _roots(problem):
        left = [_narrowed(problem, root)]
        while left:
            boxes = left.pop()
            if boxes.size == SMALLEST:
                yield boxes
            elif len(boxes.site) << d > PIECE and len(boxes.low) > 1:
                left += _in_two(boxes)
            else:
                left.append(_narrowed(problem, _halved(boxes, problem.grid.shape)))


def _in_two(boxes: Boxes) -> Iterator[Boxes]:
    """The first half of the boxes, and the others."""
    middle = len(boxes.low) // 2
    for mine, low, first in (
        (boxes.box < middle, boxes.low[:middle], 0),
        (boxes.box >= middle, boxes.low[middle:], middle),
    ):
        yield Boxes(low, boxes.size, boxes.box[mine] - first, boxes.site[mine], boxes.place[mine])


def _roots(problem: Problem) -> Iterator[Boxes]:
    """Large boxes, none longer than a period, each with all sites and all their images that a point of it may mean."""
    cost, grid, box = problem.cost, problem.grid, (problem.lengths, problem.periodic)
    sites, n, size = cost.sites, len(cost), SMALLEST
    longest = [length if wrap else np.inf for length, wrap in zip(*box)]
    while size < max(grid.shape) and all(2 * size * h <= b * (1 + 1e-9) for h, b in zip(grid.spacing, longest)):
        size *= 2
    reach = [range(-2, 3) if wrap else range(1) for wrap in problem.periodic]
    shift = torch.tensor(list(itertools.product(*reach))) * torch.tensor(problem.lengths).double()
    for corner in itertools.product(*(range(0, length, size) for length in grid.shape)):
        low = torch.tensor([corner])
        centre, _ = _extent(low, size, grid)
        nearest = centre - wrapped(centre - sites, *box)
        place = (nearest[:, None] - shift).flatten(0, 1)
        site = torch.arange(n).repeat_interleave(len(shift))
        if len(problem.weights) > n:
            site, place = torch.cat([site, torch.tensor([n])]), torch.cat([place, centre])
        yield Boxes(low, size, torch.zeros(len(site), dtype=torch.int64), site, place)


def _halved(boxes: Boxes, shape: tuple[int, ...]) -> Boxes:
    """Each box in two along each axis, which try what it has kept."""
    size, many = boxes.size // 2, 2 ** len(shape)
    low = (boxes.low[:, None] + size * torch.tensor(list(itertools.product((0, 1), repeat=len(shape))))).flatten(0, 1)
    inside = (low < torch.tensor(shape)).all(1)
    number = inside.cumsum(0) - 1
    count = torch.bincount(boxes.box, minlength=len(boxes.low))
    first = count.cumsum(0) - count
    parent = torch.arange(len(boxes.low)).repeat_interleave(many)[inside]
    child = number[inside].repeat_interleave(count[parent])
    begin = (count[parent].cumsum(0) - count[parent]).repeat_interleave(count[parent])
    pair = torch.arange(len(child)) - begin + first[parent].repeat_interleave(count[parent])
    return Boxes(low[inside], size, child, boxes.site[pair], boxes.place[pair])


def _extent(low: Tensor, size: int, grid: Grid) -> tuple[Tensor, Tensor]:
    """Centres and half-widths [b, d] of boxes, their voxels whole, µm."""
    high = torch.minimum(low + size, torch.tensor(grid.shape))
    step, origin = torch.tensor(grid.spacing).double(), torch.tensor(grid.origin).double()
    return origin + (low + high) / 2 * step, (high - low) / 2 * step


def _narrowed(problem: Problem, boxes: Boxes) -> Boxes:
    """Without the sites that own no part of their box."""
    centre, half = _extent(boxes.low, boxes.size, problem.grid)
    box, site, place = boxes.box, boxes.site, boxes.place
    value, slope = brute_force.slopes(problem.cost, site, place, centre[box], length=min(problem.lengths))
    value = value - problem.weights[site]
    least = value - (slope.abs() * half[box]).sum(1)
    least = torch.where(torch.isfinite(least), least, -torch.inf)  # no tangent plane, no bound
    whole = torch.isfinite(value) & ~problem.far(place, centre[box], half[box])
    rivals = _cheapest(torch.where(whole, value, torch.inf), box, len(centre))
    largest = torch.full((len(rivals),), -torch.inf, dtype=torch.float64)
    for signs in itertools.product((-1.0, 1.0), repeat=centre.shape[1]):
        corner = (centre + torch.tensor(signs).double() * half)[box[rivals]]
        largest = torch.maximum(largest, problem.values(site[rivals], place[rivals], corner))
    largest = torch.where(torch.isfinite(largest) & whole[rivals], largest, torch.inf)
    bound = torch.full((len(centre),), torch.inf, dtype=torch.float64)
    bound = bound.scatter_reduce(0, box[rivals], largest, "amin")[box]
    loose = problem.slack + ROUNDING * (bound.abs() + (value + problem.weights[site]).abs())
    kept = ~(least > bound + loose)
    if int(torch.bincount(box[kept], minlength=len(centre)).min()) == 0:
        got = "one whose least cost in a box is above the largest of all"
        raise InvalidParameter("formula", expected="a convex cost", got=got, remedy="Leave `convex` away.")
    return Boxes(boxes.low, boxes.size, box[kept], site[kept], place[kept])


def _cheapest(value: Tensor, box: Tensor, n: int) -> Tensor:
    """Numbers of the RIVALS entries of least value in each of n boxes."""
    order = value.argsort()
    order = order[box[order].argsort(stable=True)]
    count = torch.bincount(box, minlength=n)
    rank = torch.arange(len(box)) - (count.cumsum(0) - count)[box[order]]
    return order[rank < RIVALS]


class Cheapest(NamedTuple):
    """Of voxels: the cheapest sites, cheapest first; as many as asked for, or as can own a part of their box."""

    voxel: np.ndarray  # int64 [m]: in memory order of the grid
    low: Tensor  # float64 [m, k]: cost less weight; inf for images that are not meant
    site: Tensor  # int64 [m, k]
    place: Tensor  # float64 [m, k, d]


def cheapest(problem: Problem, k: int) -> Iterator[Cheapest]:
    """All voxels of the grid that are inside, in any order. Raises InvalidParameter for costs that are not finite."""
    for boxes in _together(small_boxes(problem)):
        count = torch.bincount(boxes.box, minlength=len(boxes.low))
        first = count.cumsum(0) - count
        for sites in count.unique().tolist():  # boxes with as many sites have one table of them
            alike = (count == sites).nonzero()[:, 0]
            for some in alike.split(max(1, min(PIECE // sites, VOXELS) // SMALLEST**problem.grid.ndim)):
                entry = first[some][:, None] + torch.arange(sites)
                yield _in_boxes(problem, boxes.low[some], boxes.site[entry], boxes.place[entry], k)


def _together(parts: Iterator[Boxes]) -> Iterator[Boxes]:
    """As few lists as memory allows: boxes with as many sites are evaluated together."""
    held: list[Boxes] = []
    for part in itertools.chain(parts, (None,)):
        if held and (part is None or sum(len(p.site) for p in held) + len(part.site) > PIECE):
            first = np.cumsum([0] + [len(p.low) for p in held])
            box = torch.cat([p.box + int(k) for p, k in zip(held, first)])
            low, site, place = (torch.cat([getattr(p, name) for p in held]) for name in ("low", "site", "place"))
            yield Boxes(low, held[0].size, box, site, place)
            held = []
        held += [part] if part is not None else []


def _in_boxes(problem: Problem, low: Tensor, site: Tensor, place: Tensor, k: int) -> Cheapest:
    """The cheapest sites of the voxels of small boxes [b, d] of those in their tables [b, s]."""
    grid, shape = problem.grid, torch.tensor(problem.grid.shape)
    voxel = low[:, None] + torch.tensor(list(itertools.product(range(SMALLEST), repeat=grid.ndim)))
    stride = torch.tensor([int(np.prod(grid.shape[a + 1 :])) for a in range(grid.ndim)])
    number = (torch.minimum(voxel, shape - 1) * stride).sum(2)
    asked = (voxel < shape).all(2) & torch.from_numpy(problem.inside)[number]
    some = asked.any(1)
    low, site, place, voxel, number, asked = (t[some] for t in (low, site, place, voxel, number, asked))
    first = asked.int().argmax(1)  # stands for those that are not asked for: costs need not be finite there
    voxel = torch.where(asked[:, :, None], voxel, voxel[torch.arange(len(voxel)), first][:, None])
    step, origin = torch.tensor(grid.spacing).double(), torch.tensor(grid.origin).double()
    points = origin + (voxel + 0.5) * step
    value = brute_force.table(problem.cost, site, place, points) - problem.weights[site][:, None]
    value[problem.far(place[:, None], points[:, :, None])] = torch.inf
    _keep_nearest_images(value, site)
    value, rank = value.sort(dim=2, stable=True)
    value, rank = value[:, :, :k], rank[:, :, :k]
    owner = site[:, None].expand(-1, rank.shape[1], -1).gather(2, rank)
    where = place[torch.arange(len(place))[:, None, None], rank]
    return Cheapest(number[asked].numpy(), value[asked], owner[asked], where[asked])


def _keep_nearest_images(value: Tensor, site: Tensor) -> None:
    """Where a table has several images of a site, all but the cheapest at a voxel are set to infinity.

    They stand side by side, so that those g places apart are all compared before those farther apart.
    """
    for g in range(1, site.shape[1]):
        same = (site[:, g:] == site[:, :-g])[:, None]
        if not bool(same.any()):
            return
        one, other = value[:, :, :-g].clone(), value[:, :, g:].clone()
        value[:, :, g:] = torch.where(same & (other >= one), torch.inf, value[:, :, g:])
        value[:, :, :-g] = torch.where(same & (other < one), torch.inf, value[:, :, :-g])
