"""One sweep over cells of any formula, in plain torch, giving what `kernels.cpu.sweep` gives.

Of each voxel the few cheapest sites are found; where more than one may share it, the plane between two of them is
linearised at its centre as in `kernels.shares`, and a voxel of three or more is cut in eight.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from microgen.core import brute_force, convex
from microgen.core.convex import Cheapest
from microgen.core.formulas import FormulaCost, MixedCost, is_convex
from microgen.core.kernels.cpu import Sweep, Wanted
from microgen.grid import Grid

FEW = 4  # sites that a voxel is shared by, at most
LOOSE = 1.5  # of the gap at which a voxel may be shared: by how much curvature can move it
VOXELS = 500_000  # looked at together


class _Box:
    """The fixed part of a sweep."""

    def __init__(
        self,
        cost: FormulaCost | MixedCost,
        weights: np.ndarray,
        void: bool,
        grid: Grid,
        lengths: tuple[float, ...],
        periodic: tuple[bool, ...],
    ):
        self.cost, self.n, self.void, self.step = cost, len(cost), void, torch.tensor(grid.spacing).double()
        self.weights = torch.from_numpy(np.asarray(weights, float))
        self.box: dict[str, Any] = {"lengths": lengths, "periodic": periodic}

    def cheapest(self, grid: Grid, inside: np.ndarray, reach: float) -> Iterator[Cheapest]:
        """The FEW cheapest sites of all voxels, or of those `inside` bool [voxels]; the void is number n."""
        if is_convex(self.cost):
            weights = self.weights[: self.n + self.void]
            problem = convex.Problem(self.cost, weights, grid, inside, slack=2 * max(reach, 0.0), **self.box)
            yield from convex.cheapest(problem, FEW)
            return
        points, numbers = torch.from_numpy(grid.points()), np.flatnonzero(inside)
        for voxels in np.array_split(numbers, max(1, -(-len(numbers) // VOXELS))):
            yield self._of_all(voxels, points[voxels])

    def _of_all(self, voxels: np.ndarray, points: Tensor) -> Cheapest:
        """By trying all sites."""
        found = brute_force.nearest(self.cost, points, self.weights[: self.n], FEW, **self.box)
        cost, site = found.cost, found.site
        if self.void:
            cost = torch.cat([cost, (-self.weights[self.n]).expand(len(points), 1)], 1)
            site = torch.cat([site, torch.full((len(points), 1), self.n)], 1)
        cost, order = cost.sort(dim=1, stable=True)
        cost, site = cost[:, :FEW], site.gather(1, order)[:, :FEW]
        flat, y = site.flatten(), points.repeat_interleave(site.shape[1], 0)
        place = brute_force.images(self.cost, flat, y, **self.box)
        return Cheapest(voxels, cost, site, place.reshape(*site.shape, -1))

    def slopes(self, site: Tensor, place: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Cost minus weight [m, k] and gradient [m, k, d] of sites [m, k] at points [m, d]; the void's are constant.

        Where there is no gradient it counts as zero.
        """
        m, k = site.shape
        flat, y = site.flatten(), points.repeat_interleave(k, 0)
        value, gradient = brute_force.slopes(self.cost, flat, place.flatten(0, 1), y, length=min(self.box["lengths"]))
        gradient = torch.nan_to_num(gradient, 0.0, 0.0, 0.0)
        return (value - self.weights[flat]).reshape(m, k), gradient.reshape(m, k, -1)

    def excess(self, site: Tensor, place: Tensor, points: Tensor) -> Tensor:
        """What curvature adds to the mean of the costs [m, k] over voxels: sum_a h_a² d²c/da² / 24."""
        total = -2 * points.shape[1] * self.values(site, place, points)
        for axis in torch.diag(self.step / 2):
            total += self.values(site, place, points + axis) + self.values(site, place, points - axis)
        return total / 6

    def values(self, site: Tensor, place: Tensor, points: Tensor) -> Tensor:
        """Cost minus weight [m, k] alone."""
        flat, y = site.flatten(), points.repeat_interleave(site.shape[1], 0)
        return (brute_force.values(self.cost, flat, place.flatten(0, 1), y) - self.weights[flat]).reshape(site.shape)


def sweep(
    cost: FormulaCost | MixedCost,
    weights: np.ndarray,
    grid: Grid,
    want: Wanted,
    *,
    void: bool,
    lengths: tuple[float, ...],
    periodic: tuple[bool, ...],
    part: np.ndarray | None,
) -> Sweep:
    """Sweep a grid of a box of `lengths`; `part` float [grid.shape]: how much of each voxel takes part; None: all."""
    box, n = _Box(cost, weights, void, grid, lengths, periodic), len(cost)
    amount = np.ones(grid.size) if part is None else part.ravel()
    labels, volumes = np.zeros(grid.size, np.int32), np.zeros(n + 1)
    counts = np.zeros(n + 1, np.int64)
    pairs, flips = [(np.empty((0, 2), np.int64), np.empty(0))], [(np.empty((0, 3)), np.empty((0, 4)))]
    for found in box.cheapest(grid, amount > 0, want.reach):
        voxels, winner = found.voxel, found.site[:, 0].numpy()
        whole = amount[voxels] > 0.5
        labels[voxels] = np.where(whole & (winner < n), winner + 1, 0)
        counts += np.bincount(winner[whole], minlength=n + 1)
        if want.volumes:
            volumes += np.bincount(winner, amount[voxels], minlength=n + 1)
            if found.site.shape[1] > 1:
                moved, terms, flipped = _shared(box, grid, torch.from_numpy(amount[voxels]), found, want)
                volumes += moved
                pairs.append(terms)
                flips.append(flipped)
    return _packed(labels.reshape(grid.shape), counts, volumes, pairs, flips)


def _shared(
    box: _Box, grid: Grid, amount: Tensor, found: Cheapest, want: Wanted
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Volume that changes hands within voxels, the interface terms, and the voxels that may flip."""
    y, low, site, place = _points(grid, found.voxel), found.low, found.site, found.place
    _, gradient = box.slopes(site, place, y)
    widths = (gradient - gradient[:, :1]).abs() * box.step  # h_k |g_k| of the gap to the winner
    vary, gap = widths.sum(-1), low - low[:, :1]
    curved, maybe = torch.zeros_like(gap), (gap < LOOSE * vary / 2)[:, 1:].any(1).nonzero()[:, 0]
    curved[maybe] = box.excess(site[maybe], place[maybe], y[maybe])
    curved -= curved[:, :1].clone()
    near = gap + curved < vary / 2
    near[:, 0] = True
    count = near.sum(1)
    two, more = (count == 2).nonzero()[:, 0], (count > 2).nonzero()[:, 0]
    other = near[two, 1:].double().argmax(1) + 1
    share, slope = _cut(widths[two, other], (gap + curved)[two, other])
    lists = [(site[two, 0], site[two, other], share * amount[two], slope * amount[two])]
    moved = np.zeros(box.n + 1)
    if len(more):
        sharing = _Sharing(site[more], place[more], gradient[more], curved[more] / 4, near[more])
        taken, eighths = _eighths(box, y[more], amount[more], sharing)
        moved += taken
        lists.append(eighths)
    i, j, share, slope = (torch.cat(column).numpy() for column in zip(*lists))
    moved += np.bincount(j, share, box.n + 1) - np.bincount(i, share, box.n + 1)
    reach = want.reach + (vary[:, 1] / 2 if want.shares else want.reach)
    flip = (gap[:, 1] < reach) & (amount > 0.5) if want.reach >= 0 else torch.zeros(len(y), dtype=torch.bool)
    return moved, (np.stack([i, j], 1), slope), _flips(site[flip], gap[flip], vary[flip])


class _Sharing(NamedTuple):
    """Sites of voxels that three or more share, their places, gradients and curvature's part, and which do share."""

    site: Tensor
    place: Tensor
    gradient: Tensor
    curved: Tensor
    near: Tensor


def _eighths(
    box: _Box, y: Tensor, amount: Tensor, sharing: _Sharing
) -> tuple[np.ndarray, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Voxels that three or more share: each eighth lies between its winner and the site that takes most of it."""
    d, moved, lists, (site, place, gradient, curved, near) = y.shape[1], np.zeros(box.n + 1), [], sharing
    part = amount / 2**d
    moved -= np.bincount(site[:, 0].numpy(), amount.numpy(), box.n + 1)
    for signs in itertools.product((-0.25, 0.25), repeat=d):
        value = box.values(site, place, y + torch.tensor(signs).double() * box.step)
        value = torch.where(near, value, torch.inf)
        best = value.argmin(1, keepdim=True)
        moved += np.bincount(site.gather(1, best)[:, 0].numpy(), part.numpy(), box.n + 1)
        base = gradient.gather(1, best[..., None].expand(-1, 1, d))
        widths = (gradient - base).abs() * box.step / 2  # an eighth is half as wide
        gap, vary = value - value.gather(1, best) + curved - curved.gather(1, best), widths.sum(-1)
        portion = torch.where(vary > 0, 0.5 - gap / vary.clamp(min=1e-300), 0.0).scatter(1, best, 0.0)
        most, taker = portion.max(1)
        some = (most > 0).nonzero()[:, 0]
        j = taker[some]
        share, slope = _cut(widths[some, j], gap[some, j])
        lists.append((site[some, best[some, 0]], site[some, j], share * part[some], slope * part[some]))
    i, j, share, slope = (torch.cat(column) for column in zip(*lists))
    return moved, (i, j, share, slope)


def _points(grid: Grid, voxels: np.ndarray) -> Tensor:
    """Centres [m, d] of voxels, µm."""
    at = np.stack(np.unravel_index(voxels, grid.shape), axis=1)
    return torch.from_numpy(np.array(grid.origin) + (at + 0.5) * np.array(grid.spacing))


def _cut(widths: Tensor, gap: Tensor) -> tuple[Tensor, Tensor]:
    """Share beyond the plane and its derivative by -gap: `kernels.shares._cut` for widths [m, d], 2 or 3 of them."""
    s = widths.sum(1).clamp(min=1e-300)
    n = torch.maximum(widths / s[:, None], torch.tensor(1e-4, dtype=widths.dtype))
    n = n / n.sum(1, keepdim=True)
    d = n.shape[1]
    alpha = (0.5 - gap / s).clamp(0, 1)
    near = torch.minimum(alpha, 1 - alpha)
    volume, area = near**d, near ** (d - 1)
    for axes in range(1, d + 1):  # inclusion and exclusion over the corners below the plane
        for chosen in itertools.combinations(range(d), axes):
            beyond = (near - n[:, list(chosen)].sum(1)).clamp(min=0)
            volume = volume + (-1) ** axes * beyond**d
            area = area + (-1) ** axes * beyond ** (d - 1)
    scale = 1 / ({2: 2, 3: 6}[d] * n.prod(1))
    volume = (volume * scale).clamp(0, 0.5)
    return torch.where(alpha <= 0.5, volume, 1 - volume), d * area * scale / s


def _flips(site: Tensor, gap: Tensor, vary: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Winner, second and third [m, 3] of voxels that may flip; gaps and variations of the last two [m, 4]."""
    m, k = site.shape
    three = torch.cat([site[:, :3], site[:, :1].expand(m, max(0, 3 - k))], 1)
    gaps = torch.cat([gap[:, 1:3], torch.full((m, max(0, 3 - k)), torch.inf)], 1)
    varies = torch.cat([vary[:, 1:3], torch.zeros(m, max(0, 3 - k))], 1)
    return three.numpy(), torch.stack([gaps[:, 0], varies[:, 0], gaps[:, 1], varies[:, 1]], 1).numpy()


def _packed(
    labels: np.ndarray,
    counts: np.ndarray,
    volumes: np.ndarray,
    pairs: list[tuple[np.ndarray, np.ndarray]],
    flips: list[tuple[np.ndarray, np.ndarray]],
) -> Sweep:
    """As one chunk; interface terms of a pair of sites are summed."""
    pair, area = (np.concatenate(column) for column in zip(*pairs))
    flip, flip_gap = (np.concatenate(column) for column in zip(*flips))
    code, place = np.unique(pair.min(1) * len(counts) + pair.max(1), return_inverse=True)
    pair = np.stack([code // len(counts), code % len(counts)], 1).astype(np.int32)
    area = np.bincount(place, area, len(code))
    used, flipped = np.array([len(code)]), np.array([len(flip)])
    flip, flip_gap = flip.astype(np.int32), flip_gap.astype(np.float32)
    return Sweep(labels, counts, volumes, pair[None], area[None], used, flip[None], flip_gap[None], flipped)
