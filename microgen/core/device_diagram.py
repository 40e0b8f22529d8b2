"""One sweep over a diagram on a device: counts, sub-voxel volumes, their Jacobian and the voxels that may still flip.

What `kernels.cpu.sweep` is on a CPU, with tensors that stay on their device. Lists whose length only the device knows
get the room that they needed before and some more; whether it was enough is a flag that the caller reads together with
the figures it stops on. Sums repeat bit for bit whatever the order of additions: they are of integers, and of fractions
in fixed point.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from microgen.core.device import has_kernels
from microgen.core.kernels.diagram_torch import (
    CODES,
    LEAF,
    VOXELS,
    Blocks,
    Frame,
    Kernels,
    Leaves,
    Level,
    blocks as blocks_of,
    parts,
    segments,
    shift_of,
)
from microgen.core.kernels.leaf_torch import KERNELS
from microgen.core.power_diagram import PowerDiagram
from microgen.errors import EnvironmentProblem
from microgen.grid import Grid

VOLUME = 2.0**32  # units of a voxel in which shares are summed
SLOPE = 2.0**34  # units of one voxel over a voxel's own cost in which slopes are; the largest counted is 256 of these
STEEPEST = 256.0
SPARE = 1.25  # room for lists, in what they needed before
LEAST = 64  # rows of a list at least
FEWEST = 64  # blocks of the smallest tile
LABELLED = 2**16  # blocks that are labelled at a time: some kB each


class Sweep(NamedTuple):
    """What one sweep gives, on the device."""

    counts: Tensor  # int64 [n]
    volumes: Tensor  # float64 [n], sub-voxel, in voxels
    pair: Tensor  # int64 [Q, 2]: neighbouring sites, rising; n where not in use
    area: Tensor  # float64 [Q]: d volume / d weight, voxels per unit of cost
    flips: Flips | None
    fits: Tensor  # bool: were all lists long enough? If not, nothing else is right
    labels: Tensor | None  # int32 [shape], 1..n


class Flips(NamedTuple):
    """Voxels near an interface, one behind the other; rows that are not in use have gaps without end."""

    site: Tensor  # int64 [F, 3]: winner, second, third
    gap: Tensor  # float64 [F, 4]: gap and variation across the voxel, of the second and the third


class Room:
    """How long the lists of earlier sweeps over one grid were, so that the next one need not ask the device."""

    def __init__(self, tile: int):
        self.tile = tile
        """Blocks whose voxels are worked out at a time."""
        self._rows: dict[str, int] = {}
        self._short: list[Tensor] = []

    def rows(self, name: str, total: Tensor) -> int:
        """Rows for a list that needs `total`, as far as is known without asking."""
        if name not in self._rows:
            self._rows[name] = int(SPARE * int(total)) + LEAST
        self._short.append(total > self._rows[name])
        return self._rows[name]

    def fits(self, device: torch.device) -> Tensor:
        """Did all lists fit since this was asked last?"""
        short, self._short = self._short, []
        return ~torch.stack(short).any() if short else torch.ones((), dtype=torch.bool, device=device)

    def forget(self) -> None:
        """Ask the device again."""
        self._rows.clear()
        self._short.clear()


class DeviceDiagram:
    """Sites and metrics of a diagram on a device, ready to be swept over one 3-D grid of its box."""

    def __init__(self, diagram: PowerDiagram, grid: Grid, device: str, *, kernels: Kernels | None = None):
        lattice = diagram.lattice(grid, (0, 1, 2))
        self.grid, self.device, self.kernels = grid, torch.device(device), kernels or kernels_for(device)
        self.room = Room(self.kernels.tile)
        metrics = diagram.metrics.double().cpu().numpy()
        lengths, corner = lattice.lengths, lattice.start - 0.5 * lattice.step
        sites = diagram.sites.double().cpu().numpy()
        period = np.where(lengths > 0, lengths, 1.0)
        sites = np.where(lengths > 0, corner + (sites - corner) % period, sites)
        rows = np.concatenate([sites, metrics[:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]], np.zeros((len(sites), 1))], 1)
        self._own_cost = float(np.median(np.trace(metrics, axis1=1, axis2=2)) / 3 * np.prod(lattice.step) ** (2 / 3))
        shape, step, start = (torch.from_numpy(a).to(self.device) for a in (lattice.shape, lattice.step, lattice.start))
        rows, period = torch.from_numpy(rows).to(self.device), torch.from_numpy(lengths).to(self.device)
        images = _all_images(rows[:, :3], start - 0.5 * step, shape * step, period)
        self._frame = Frame(rows, shape, step, start, period, images)
        self._first = torch.tensor([0, len(images)], device=self.device)
        self._never = torch.tensor([math.inf, 0.0, math.inf, 0.0], dtype=torch.float64, device=self.device)
        self._top = LEAF * 2 ** max(0, math.ceil(math.log2(max(grid.shape) / LEAF)))

    def sweep(self, weights: Tensor, *, reach: float = -1.0, shares: bool = True, labels: bool = False) -> Sweep:
        """Sweep at weights [n]. With reach >= 0 what changes of the weights up to it can flip is recorded.

        Voxels are counted in float64; sub-voxel volumes alone come from float32. Where the device has not memory
        enough for the voxels of a tile, tiles are halved; raises EnvironmentProblem where that does not help.
        """
        while True:
            try:
                return self._sweep(weights, reach, shares, labels)
            except torch.OutOfMemoryError:
                if self.room.tile <= FEWEST:
                    raise too_large(self.grid, len(self._frame.rows), self.device) from None
            torch.cuda.empty_cache()
            self.room.forget()  # of lists of other tiles
            self.room.tile //= 2

    def _sweep(self, weights: Tensor, reach: float, shares: bool, labels: bool) -> Sweep:
        n, total = len(weights), _Total(len(weights), self._frame, labels)
        frame = self._frame._replace(rows=torch.cat([self._frame.rows[:, :9], weights[:, None]], 1))
        level = self._descend(frame, 2 * max(reach, 0.0), total)
        keys, slopes, flips = [], [], []
        if len(level.image):
            blocks = blocks_of(frame, level, torch.float64 if reach >= 0 or labels else torch.float32)
            for start in range(0, len(level.low), self.room.tile):
                stop = min(start + self.room.tile, len(level.low))
                key, slope, near = self._tile(blocks, frame, (start, stop), total, (reach, shares))
                keys, slopes, flips = [*keys, key], [*slopes, slope], [*flips, near]
        pair, area = self._merged(keys, slopes, n)
        volumes = total.counts[:n] + total.shared[:n].double() / VOLUME
        record = Flips(*(torch.cat(x) for x in zip(*flips))) if reach >= 0 and flips else None
        fits = self.room.fits(self.device)
        return Sweep(total.counts[:n], volumes, pair, area, record, fits, total.volume_of_labels())

    def _descend(self, frame: Frame, slack: float, total: _Total) -> Level:
        """From the whole lattice down to the smallest boxes with several candidates."""
        device, side = self.device, self._top
        images, zero = frame.images, torch.zeros((1, 3), dtype=torch.int64, device=device)
        eight = torch.cartesian_prod(*[torch.arange(2, device=device)] * 3)
        level = Level(zero, self._first, torch.zeros_like(images), images)
        while True:
            boxes = parts(frame, level.low, zero if side == self._top else side * eight, side)
            kept = self.kernels.keep(frame, level, boxes, slack)
            level = self._narrowed(level, boxes, kept, total, side)
            if side == LEAF or len(level.image) == 0:
                return level
            side //= 2

    def _narrowed(self, level: Level, boxes: Any, kept: Tensor, total: _Total, side: int) -> Level:
        """The next level: parts of boxes with several candidates. Those with one are filled."""
        b, c = boxes.there.shape
        box = level.box.clamp(max=b - 1)
        ahead = torch.cat([torch.zeros_like(level.first[:1]).expand(1, c), kept.long().cumsum(0)])
        before = ahead[level.first[:-1]]
        count = ahead[level.first[1:]] - before
        total.fill(
            boxes,
            count == 1,
            segments(torch.where(kept, level.image[:, None] // CODES, -1), level.box, b, "amax", -1),
            side,
        )
        several = (count > 1).flatten()
        count = torch.where(several, count.flatten(), 0)
        begin = count.cumsum(0) - count
        boxes_left, pairs_left = several.sum(), count.sum()
        rows, pairs = self.room.rows(f"boxes of {side}", boxes_left), self.room.rows(f"pairs of {side}", pairs_left)
        number = torch.where(several, several.long().cumsum(0) - 1, rows).clamp(max=rows)
        open_pair = kept & several.view(b, c)[box]
        place = begin.view(b, c)[box] + ahead[1:] - before[box] - 1
        place = torch.where(open_pair, place, pairs).clamp(max=pairs)
        low = _placed(number, boxes.low.reshape(-1, 3), rows, 0)
        size = _placed(number, count, rows, 0)
        image = _placed(place.flatten(), level.image[:, None].expand(-1, c).flatten(), pairs, 0)
        owner = _placed(place.flatten(), number.view(b, c)[box].flatten(), pairs, rows)
        first = torch.cat([torch.zeros_like(size[:1]), size.cumsum(0)]) if rows else level.first[:1] * 0
        return Level(low, first.clamp(max=pairs), owner, image)

    def _tile(
        self, blocks: Blocks, frame: Frame, span: tuple[int, int], total: _Total, want: tuple[float, bool]
    ) -> Any:
        """Adds what the voxels of some blocks say to the total; interface terms and flips of these."""
        (start, stop), (reach, shares), n = span, want, total.n
        found: Leaves = self.kernels.leaf(blocks, frame, span, flips=reach >= 0)
        total.count(found.winner, blocks.low[start:stop])
        winner, partner = found.winner.flatten().long(), found.partner.flatten().long()
        at, used = self._listed(f"two {start}", partner >= 0)
        i, j = _or(winner[at], used, n), _or(partner[at], used, n)
        share, slope = found.share.flatten()[at], found.slope.flatten()[at]
        total.share(i, j, share)
        at, used = self._listed(f"more {start}", found.members.flatten() > 1)
        more = self.kernels.eighths(blocks, frame, start * VOXELS + at)
        best, taker = more.best.long(), more.taker.long()
        used = used[:, None] & (best >= 0)
        total.eighths(_or(winner[at], used[:, 0], n), _or(best, used, n))
        taken = used & (taker >= 0)
        best, taker = _or(best, taken, n).flatten(), _or(taker, taken, n).flatten()
        total.share(best, taker, 0.125 * more.share.flatten())
        key = _key(torch.cat([i, best]), torch.cat([j, taker]), n)
        slopes = self._fixed(torch.cat([slope, 0.25 * more.slope.flatten()]))
        merged = self._added(f"neighbours {start}", key, slopes, n)
        return *merged, self._flips(found, start, reach, shares) if reach >= 0 else None

    def _flips(self, found: Leaves, start: int, reach: float, shares: bool) -> Flips:
        """The voxels of a tile that changes of the weights up to `reach` can flip, or share otherwise."""
        assert found.rivals is not None
        assert found.gaps is not None
        gaps, rivals = found.gaps.reshape(-1, 4), found.rivals.reshape(-1, 2).long()
        winner = found.winner.flatten().long()
        limit = reach + 0.5 * gaps[:, 1::2] if shares else 2 * reach  # two weights change against another
        near = ((gaps[:, ::2] < limit) & (rivals >= 0)).any(1) & (winner >= 0)
        at, used = self._listed(f"flips {start}", near)
        own, gap = winner[at, None].clamp(min=0), gaps[at].double()
        site = torch.cat([own, torch.where(rivals[at] >= 0, rivals[at], own)], 1)
        return Flips(torch.where(used[:, None], site, 0), torch.where(used[:, None], gap, self._never))

    def _listed(self, name: str, which: Tensor) -> tuple[Tensor, Tensor]:
        """int64 [rows]: where `which` holds, in order; bool [rows]: is the row in use?"""
        rows = self.room.rows(name, which.sum())
        place = torch.where(which, which.long().cumsum(0) - 1, rows).clamp(max=rows)
        at = _placed(place, torch.arange(len(which), device=self.device), rows, 0)
        return at, torch.arange(rows, device=self.device) < which.sum()

    def _fixed(self, slope: Tensor) -> Tensor:
        """Slopes in fixed point; two sites 0.07 voxels apart are as steep as is counted."""
        return ((slope.double() * self._own_cost).clamp(max=STEEPEST) * SLOPE).round().long()

    def _merged(self, keys: list[Tensor], slopes: list[Tensor], n: int) -> tuple[Tensor, Tensor]:
        if not keys:
            none = torch.zeros(0, dtype=torch.int64, device=self.device)
            return none.view(0, 2), none.double()
        key, slope = keys[0], slopes[0]
        if len(keys) > 1:
            key, slope = self._added("neighbours", torch.cat(keys), torch.cat(slopes), n)
        pair = torch.stack([key // (n + 1), key % (n + 1)], 1)
        return pair, slope.double() / (SLOPE * self._own_cost)

    def _added(self, name: str, key: Tensor, slope: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Keys without repetition, rising, and the sum of each one's slopes; the key of (n, n) where not in use."""
        last = (n + 1) ** 2 - 1
        key, order = key.sort()
        head = key < last
        head[1:] &= key[1:] != key[:-1]
        rows = self.room.rows(name, head.sum())
        number = torch.where(key < last, head.long().cumsum(0) - 1, rows).clamp(max=rows)
        total = torch.zeros(rows + 1, dtype=torch.int64, device=self.device).index_add_(0, number, slope[order])
        return _placed(number, key, rows, last), total[:rows]


class _Total:
    """Counts, shares and labels as they add up. The last row takes what belongs to no site."""

    def __init__(self, n: int, frame: Frame, labels: bool):
        self.n, self.shape = n, tuple(frame.shape.tolist()) if labels else ()
        self.counts = torch.zeros(n + 1, dtype=torch.int64, device=frame.rows.device)
        self.shared = torch.zeros_like(self.counts)
        size = math.prod(self.shape) + 1 if labels else 0
        self.labels = torch.zeros(size, dtype=torch.int32, device=frame.rows.device)

    def fill(self, boxes: Any, which: Tensor, site: Tensor, side: int) -> None:
        """Boxes that one site owns: no voxel needs to be looked at."""
        voxels = (boxes.high - boxes.low).clamp(min=0).prod(-1)
        owner = _or(site, which, self.n)
        self.counts.index_add_(0, owner.flatten(), torch.where(which, voxels, 0).flatten())
        if self.shape and side > 4 * LEAF:  # few, and of many blocks
            volume, found = self.labels[:-1].view(self.shape), (boxes.low[which], boxes.high[which], owner[which])
            for (x, y, z), (end_x, end_y, end_z), label in zip(*(part.tolist() for part in found)):
                volume[x:end_x, y:end_y, z:end_z] = label + 1
        elif self.shape:
            low, owner = boxes.low[which], owner[which]
            for corner in torch.cartesian_prod(*[torch.arange(0, side, LEAF)] * 3).to(low.device):
                for k in range(0, len(low), LABELLED):
                    part = slice(k, k + LABELLED)
                    self._label(low[part] + corner, (owner[part] + 1).int()[:, None].expand(-1, VOXELS))

    def count(self, winner: Tensor, low: Tensor) -> None:
        owner = _or(winner.flatten().long(), winner.flatten() >= 0, self.n)
        self.counts.index_add_(0, owner, torch.ones_like(owner))
        if self.shape:
            self._label(low, winner + 1)

    def _label(self, low: Tensor, labels: Tensor) -> None:
        """Labels [B, 64] of blocks at low [B, 3]; what is beyond the lattice is left out."""
        shape = torch.tensor(self.shape, device=low.device)
        voxel = low[:, None] + torch.cartesian_prod(*[torch.arange(LEAF, device=low.device)] * 3)
        index = (voxel[..., 0] * shape[1] + voxel[..., 1]) * shape[2] + voxel[..., 2]
        there = (voxel < shape).all(-1) & (labels > 0)
        self.labels[torch.where(there, index, len(self.labels) - 1).flatten()] = labels.flatten()

    def share(self, giver: Tensor, taker: Tensor, share: Tensor) -> None:
        """The taker's share of voxels that were counted for the giver."""
        units = (share.double() * VOLUME).round().long()
        self.shared.index_add_(0, giver, -units).index_add_(0, taker, units)

    def eighths(self, winner: Tensor, best: Tensor) -> None:
        """Voxels that were counted for the winner [M] are given to the winners of their eighths [M, 8]."""
        self.shared.index_add_(0, winner, torch.full_like(winner, -int(VOLUME)))
        self.shared.index_add_(0, best.flatten(), torch.full_like(best.flatten(), int(VOLUME) // 8))

    def volume_of_labels(self) -> Tensor | None:
        return self.labels[:-1].view(self.shape) if self.shape else None


def _or(value: Tensor, used: Tensor, other: int) -> Tensor:
    return torch.where(used, value, other)


def _key(i: Tensor, j: Tensor, n: int) -> Tensor:
    """One number for a pair of sites, whatever their order; the largest where one is none."""
    return torch.minimum(i, j) * (n + 1) + torch.maximum(i, j)


def _placed(place: Tensor, value: Tensor, rows: int, start: int) -> Tensor:
    """A list of `rows` with each value at its place; what is placed at `rows` is left out."""
    out = torch.full((rows + 1, *value.shape[1:]), start, dtype=value.dtype, device=value.device)
    out[place] = value
    return out[:rows]


def _all_images(sites: Tensor, corner: Tensor, extent: Tensor, lengths: Tensor) -> Tensor:
    """int64 [P]: the images of all sites that are in reach of some voxel, site after site."""
    codes = torch.arange(CODES, device=sites.device)
    shifts, found = shift_of(codes, lengths), []
    still = shift_of(codes, torch.where(lengths > 0, 0.0, 1.0)) == 0  # none along an axis that is not periodic
    centre, half = corner + 0.5 * extent, 0.5 * extent
    for code in torch.nonzero(still.all(1))[:, 0].tolist():
        away = (centre - sites - shifts[code]).abs() - half
        far = ((lengths > 0) & (away > 1.5 * lengths)).any(1)
        found.append(torch.nonzero(~far)[:, 0] * CODES + code)
    return torch.cat(found).sort().values


def kernels_for(device: str) -> Kernels:
    """Triton's on a GPU, plain torch elsewhere and where triton lacks."""
    if device == "cpu" or not has_kernels():
        return KERNELS
    from microgen.core.kernels import leaf_cuda

    return leaf_cuda.KERNELS


def require_memory(grid: Grid, n: int, device: str) -> None:
    """Raise EnvironmentProblem where a sweep of n grains over the grid takes more than the device has free."""
    if device != "cpu" and not fits(grid, n, device):
        raise too_large(grid, n, torch.device(device))


def fits(grid: Grid, n: int, device: str = "cuda") -> bool:
    """Has the device memory for a sweep of n grains over the grid?"""
    return memory_need(grid, n) <= free_memory(device)


def free_memory(device: str | torch.device) -> int:
    """Bytes that a sweep can have: what is free, and what torch keeps of earlier ones."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept


def memory_need(grid: Grid, n: int) -> int:
    """Bytes on the device, about: images of the sites, records of half the voxels, one tile, labels at the end."""
    return 16_000 * n + 60 * grid.size + 2**30


def too_large(grid: Grid, n: int, device: torch.device) -> EnvironmentProblem:
    """What to say where a sweep does not fit: how much it needs, and the size that would do."""
    free = free_memory(device) if device.type == "cuda" else 0
    share = max(0.0, (free - memory_need(grid, n) + 60 * grid.size) / (60 * grid.size))
    shape = "x".join(str(max(LEAF, int(k * min(0.8, share) ** (1 / 3)))) for k in grid.shape)
    return EnvironmentProblem(
        f"--device {device.type}: its memory does not hold a sweep of {n} grains on {grid.shape}, which takes about "
        f"{memory_need(grid, n) / 2**30:.1f} GiB; {free / 2**30:.1f} GiB are free. About {shape} would fit. "
        "Use fewer voxels or --device cpu."
    )
