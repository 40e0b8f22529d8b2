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
from microgen.core.formulas import FormulaCost, MixedCost, shifts, wrapped
from microgen.grid import Grid

SMALLEST = 2  # voxels along the smallest boxes
RIVALS = 4  # sites cheapest at the centre, whose costs at the corners bound those of the others
ROUNDING = 1e-9  # of the costs, by which bounds are loosened
PIECE = 4_000_000  # pairs of voxel and site that are evaluated, and of box and site that are held, at once


class Boxes(NamedTuple):
    """Boxes of voxels, and as one list the sites that each needs, those of a box together and in their order."""

    low: Tensor  # int64 [b, d]: first voxels
    size: int  # voxels along an axis; fewer at the end of the grid
    box: Tensor  # int64 [m]: which box
    site: Tensor  # int64 [m]; n is the void
    place: Tensor  # float64 [m, d]: of that image of the site that is meant


class Problem(NamedTuple):
    """Costs less weights on a grid, which may be a part of the box."""

    cost: FormulaCost | MixedCost
    weights: Tensor  # float64 [n], or [n + 1] with the void's
    grid: Grid
    lengths: tuple[float, ...]  # of the box, µm
    periodic: tuple[bool, ...]
    slack: float  # sites are kept that cost at most so much more than the cheapest, somewhere in the box

    def values(self, site: Tensor, place: Tensor, points: Tensor) -> Tensor:
        """Cost less weight [m] of sites [m] with images at places [m, d] at points [m, d]; the void costs nothing."""
        return brute_force.values(self.cost, site, place, points) - self.weights[site]


def small_boxes(problem: Problem) -> Iterator[Boxes]:
    """The grid in boxes of SMALLEST voxels, with the sites that can own a part of each or come within the slack."""
    size = SMALLEST
    while size < max(problem.grid.shape):
        size *= 2
    left = [_all_sites(problem, size)]
    while left:
        boxes = _narrowed(problem, left.pop())
        if boxes.size == SMALLEST:
            yield boxes
        else:
            left += [_halved(part, problem.grid.shape) for part in _in_pieces(boxes, problem.grid.ndim)]


def _in_pieces(boxes: Boxes, d: int) -> Iterator[Boxes]:
    """Lists that are not too long when each box has become 2^d."""
    b = len(boxes.low)
    for some in np.array_split(np.arange(b), min(b, -(-(len(boxes.site) << d) // PIECE))):
        first, last = int(some[0]), int(some[-1])
        mine = ((boxes.box >= first) & (boxes.box <= last)).nonzero()[:, 0]
        yield Boxes(
            boxes.low[first : last + 1], boxes.size, boxes.box[mine] - first, boxes.site[mine], boxes.place[mine]
        )


def _all_sites(problem: Problem, size: int) -> Boxes:
    """The whole grid, and all sites with all their images."""
    cost, grid, box = problem.cost, problem.grid, (problem.lengths, problem.periodic)
    low = torch.zeros(1, grid.ndim, dtype=torch.int64)
    centre, _ = _extent(low, size, grid)
    sites, n = cost.sites, len(cost)
    away = wrapped(centre - sites, *box)
    place = torch.cat([centre - away - shift for shift in shifts(*box)])
    site = torch.arange(n).repeat(len(place) // n)
    order = site.argsort(stable=True)
    site, place = site[order], place[order]
    if len(problem.weights) > n:
        site, place = torch.cat([site, torch.tensor([n])]), torch.cat([place, centre])
    return Boxes(low, size, torch.zeros(len(site), dtype=torch.int64), site, place)


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
    value, slope = brute_force.slopes(problem.cost, site, place, centre[box])
    brute_force.require_finite(value)
    value = value - problem.weights[site]
    least = value - (slope.abs() * half[box]).sum(1)
    least = torch.where(torch.isfinite(least), least, -torch.inf)  # no tangent plane, no bound
    rivals = _cheapest(value, box, len(centre))
    largest = torch.full((len(rivals),), -torch.inf, dtype=torch.float64)
    for signs in itertools.product((-1.0, 1.0), repeat=centre.shape[1]):
        corner = (centre + torch.tensor(signs).double() * half)[box[rivals]]
        largest = torch.maximum(largest, problem.values(site[rivals], place[rivals], corner))
    bound = torch.full((len(centre),), torch.inf, dtype=torch.float64)
    bound = bound.scatter_reduce(0, box[rivals], largest, "amin")[box]
    loose = problem.slack + ROUNDING * (bound.abs() + (value + problem.weights[site]).abs())
    kept = (least <= bound + loose).nonzero()[:, 0]
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
    low: Tensor  # float64 [m, k]: cost less weight; 0 where only one site is left
    site: Tensor  # int64 [m, k]
    place: Tensor  # float64 [m, k, d]


def cheapest(problem: Problem, k: int) -> Iterator[Cheapest]:
    """All voxels of the grid, in any order."""
    for boxes in _together(small_boxes(problem)):
        count = torch.bincount(boxes.box, minlength=len(boxes.low))
        first = count.cumsum(0) - count
        for sites in count.unique().tolist():  # boxes with as many sites have one table of them
            alike = (count == sites).nonzero()[:, 0]
            for some in alike.split(max(1, PIECE // (sites * SMALLEST**problem.grid.ndim))):
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
    grid, (b, s) = problem.grid, site.shape
    shape = torch.tensor(grid.shape)
    voxel = low[:, None] + torch.tensor(list(itertools.product(range(SMALLEST), repeat=grid.ndim)))
    inside = (voxel < shape).all(2)
    stride = torch.tensor([int(np.prod(grid.shape[a + 1 :])) for a in range(grid.ndim)])
    number = (torch.minimum(voxel, shape - 1) * stride).sum(2)
    if s == 1:
        value = torch.zeros(b, number.shape[1], 1, dtype=torch.float64)
    else:
        step, origin = torch.tensor(grid.spacing).double(), torch.tensor(grid.origin).double()
        points = origin + (voxel + 0.5) * step
        value = brute_force.table(problem.cost, site, place, points) - problem.weights[site][:, None]
        _keep_nearest_images(value, site)
    value, rank = value.sort(dim=2, stable=True)
    value, rank = value[:, :, :k], rank[:, :, :k]
    owner = site[:, None].expand(-1, rank.shape[1], -1).gather(2, rank)
    where = place[torch.arange(b)[:, None, None], rank]
    return Cheapest(number[inside].numpy(), value[inside], owner[inside], where[inside])


def _keep_nearest_images(value: Tensor, site: Tensor) -> None:
    """Where a table has several images of a site, all but the cheapest at a voxel are set to infinity."""
    if not bool((site[:, 1:] == site[:, :-1]).any()):  # images of one site stand side by side
        return
    for i, j in itertools.combinations(range(site.shape[1]), 2):
        same = (site[:, i] == site[:, j]).nonzero()[:, 0]
        if len(same):
            one, other = value[same, :, i], value[same, :, j]
            value[same, :, j] = torch.where(other >= one, torch.inf, other)
            value[same, :, i] = torch.where(other < one, torch.inf, one)
