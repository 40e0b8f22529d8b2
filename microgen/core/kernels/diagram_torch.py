"""A diagram on any device, in plain torch: which sites can own a part of a box, and the voxels of the smallest boxes.

The octree of `boxes`, level by level: a level is a flat list of pairs (box, image of a site) in CSR order, the pairs of
a box one behind the other, by site. A periodic image is a candidate of its own. Each step evaluates all pairs at the
centres of the boxes' eighths, finds the winner of each and keeps what the difference bound against it cannot dismiss.
Boxes of 4³ voxels with several candidates end in the leaf pass, where costs are differences from the first candidate
of the box, around the box's centre: what is common to all is cancelled in float64, and float32 resolves the rest to
1e-6 of the costs' spread in the box. The kernels of `diagram_cuda` do the same and are tested against this.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LEAF = 4  # voxels of the smallest boxes along each axis
VOXELS = LEAF**3
SHIFTS = 5  # periods by which an image may be moved along an axis: -2..2
CODES = SHIFTS**3
PAIRS = 2**20  # pairs evaluated at a time: some hundred bytes each
TILE = 2**12  # blocks whose voxels are evaluated at a time: some ten kilobytes for each candidate
DIAGONAL = (4, 7, 9)  # of A in the coefficients of a candidate


class Frame(NamedTuple):
    """Lattice and sites, on the device."""

    rows: Tensor  # float64 [n, 10]: x y z in the lattice's own period, A_xx A_xy A_xz A_yy A_yz A_zz, w
    shape: Tensor  # int64 [3]
    step: Tensor  # float64 [3]
    start: Tensor  # float64 [3]: centre of the first voxel
    lengths: Tensor  # float64 [3]: 0 where not periodic
    images: Tensor  # int64 [P]: site * CODES + code of its shift, of all images in reach of the lattice; by site


class Level(NamedTuple):
    """Boxes of one size and the images that may own a part of them. Rows beyond what is in use are empty boxes."""

    low: Tensor  # int64 [B, 3]: first voxel
    first: Tensor  # int64 [B + 1]: where the pairs of each box begin
    box: Tensor  # int64 [P]; B for rows that are not in use
    image: Tensor  # int64 [P]


class Boxes(NamedTuple):
    """Parts of boxes [B, C], cut at the end of the lattice."""

    low: Tensor  # int64 [B, C, 3]
    high: Tensor  # int64 [B, C, 3]
    centre: Tensor  # float64 [B, C, 3]
    half: Tensor  # float64 [B, C, 3]: half-widths, whole voxels
    there: Tensor  # bool [B, C]: is any voxel in the lattice?


class Blocks(NamedTuple):
    """The smallest boxes, ready for their voxels. Costs are those of a candidate minus those of the box's first one."""

    low: Tensor  # int64 [B, 3]
    first: Tensor  # int64 [B + 1]
    box: Tensor  # int64 [P]
    site: Tensor  # int64 [P]
    coefficient: Tensor  # float [P, 10]: cost at the centre, q = A (centre - x), A_xx A_xy A_xz A_yy A_yz A_zz
    away: Tensor  # float [P, 3]: centre - x, in units of 1.5 lengths; 0 where not periodic
    special: Tensor  # bool [P]: another image of the site is beside it, or it is out of reach of some voxels


class Leaves(NamedTuple):
    """What the voxels of the blocks [B, 64] say; sites, -1 where there is none. Shares and slopes: see `shares`."""

    winner: Tensor  # int32; -1 beyond the lattice
    partner: Tensor  # int32: the only other site that shares the voxel
    members: Tensor  # int32: sites that share it beside the winner
    share: Tensor  # float: of the partner
    slope: Tensor  # float: d share / d (weight of the partner)
    rivals: Tensor | None  # int32 [B, 64, 2]: second and third
    gaps: Tensor | None  # float [B, 64, 4]: gap and variation of the second, of the third


class Eighths(NamedTuple):
    """Eighths [M, 8] of voxels that three or more sites share."""

    best: Tensor  # int32: site
    taker: Tensor  # int32: site that takes most of it, -1 where none does
    share: Tensor  # float: of the eighth
    slope: Tensor  # float


def shift_of(code: Tensor, lengths: Tensor) -> Tensor:
    """float64 [..., 3]: by how much an image lies beside its site."""
    digits = torch.stack([code // SHIFTS**2, code // SHIFTS % SHIFTS, code % SHIFTS], -1)
    return (digits - 2) * lengths


def _images(frame: Frame, image: Tensor) -> Tensor:
    """float64 [P, 10]: rows of the sites, moved."""
    site = torch.div(image, CODES, rounding_mode="floor")
    rows = frame.rows[site]
    return torch.cat([rows[:, :3] + shift_of(image - site * CODES, frame.lengths), rows[:, 3:]], 1)


def _evaluate(rows: Tensor, centre: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Displacement y, q = A y and cost minus weight of rows [..., 10] at centres [..., 3]."""
    y = centre - rows[..., :3]
    x, y_, z = y.unbind(-1)
    xx, xy, xz, yy, yz, zz, weight = rows[..., 3:].unbind(-1)
    q = torch.stack([xx * x + xy * y_ + xz * z, xy * x + yy * y_ + yz * z, xz * x + yz * y_ + zz * z], -1)
    return y, q, (y * q).sum(-1) - weight


def parts(frame: Frame, low: Tensor, offsets: Tensor, side: int) -> Boxes:
    """The boxes of `side` voxels at low [B, 3] + offsets [C, 3]."""
    low = low[:, None] + offsets
    high = torch.minimum(low + side, frame.shape)
    centre = frame.start + 0.5 * (low + high - 1) * frame.step
    half = 0.5 * (high - low).clamp(min=0) * frame.step
    return Boxes(low, high, centre, half, (high > low).all(-1))


def _out_of_reach(frame: Frame, y: Tensor, half: Tensor, sign: int) -> Tensor:
    """Is the image none of the 3^d translates somewhere (sign +1) or everywhere (sign -1) in the box?"""
    return ((frame.lengths > 0) & (y.abs() + sign * half > 1.5 * frame.lengths)).any(-1)


def keep(frame: Frame, level: Level, boxes: Boxes, slack: float) -> Tensor:
    """bool [P, C]: may the image own a part of this part of its box? See `boxes` for the bound."""
    p, (b, c) = len(level.image), boxes.there.shape
    value = torch.empty((p, c), dtype=torch.float64, device=level.image.device)
    box, chunks = level.box.clamp(max=b - 1), [slice(k, k + PAIRS // c) for k in range(0, p, PAIRS // c)]
    for part in chunks:
        y, _, val = _evaluate(_images(frame, level.image[part])[:, None], boxes.centre[box[part]])
        value[part] = torch.where(_out_of_reach(frame, y, boxes.half[box[part]], +1), torch.inf, val)
    lowest = _segments(value, level.box, b, "amin", torch.inf)
    rank = torch.arange(p, device=value.device)[:, None]
    mine = (value == lowest[box]) & (level.box < b)[:, None] & (value < torch.inf)
    winner = _segments(torch.where(mine, rank, p), level.box, b, "amin", p)
    rows = _images(frame, level.image[winner.clamp(max=max(p - 1, 0)).flatten()]).reshape(b, c, 10)
    kept = torch.empty((p, c), dtype=torch.bool, device=value.device)
    for part in chunks:
        kept[part] = _wins_somewhere(frame, level.image[part], box[part], boxes, rows, slack)
    unbeaten = (winner == p)[box]
    near = torch.where(unbeaten, _anywhere(frame, level, box, boxes), kept)
    return near & boxes.there[box] & (level.box < b)[:, None]


def _segments(value: Tensor, segment: Tensor, count: int, how: str, start: float) -> Tensor:
    """[count, C]: minimum ("amin") or maximum of the rows of each segment; `start` where there are none."""
    out = torch.full((count + 1, *value.shape[1:]), start, dtype=value.dtype, device=value.device)
    index = segment.reshape(-1, *(1,) * (value.ndim - 1)).expand_as(value)
    return out.scatter_reduce_(0, index, value, how)[:count]


def _anywhere(frame: Frame, level: Level, box: Tensor, boxes: Boxes) -> Tensor:
    """bool [P, C]: is the image in reach of a part of the box at all?"""
    y = boxes.centre[box] - _images(frame, level.image)[:, None, :3]
    return ~_out_of_reach(frame, y, boxes.half[box], -1)


def _wins_somewhere(frame: Frame, image: Tensor, box: Tensor, boxes: Boxes, best: Tensor, slack: float) -> Tensor:
    """bool [P, C]: is the difference bound of the images against the rows best [B, C, 10] at most `slack`?"""
    rows, centre, half = _images(frame, image)[:, None], boxes.centre[box], boxes.half[box]
    y, q, value = _evaluate(rows, centre)
    rival = best[box]
    _, q_best, value_best = _evaluate(rival, centre)
    spread = (half * (q - q_best).abs()).sum(-1)
    xx, xy, xz, yy, yz, zz = (rows - rival)[..., 3:9].unbind(-1)
    hx, hy, hz = half.unbind(-1)
    square = xx.clamp(max=0) * hx**2 + yy.clamp(max=0) * hy**2 + zz.clamp(max=0) * hz**2
    cross = xy.abs() * hx * hy + xz.abs() * hx * hz + yz.abs() * hy * hz
    lead = value - value_best - 2 * spread + square - 2 * cross
    loses = lead > slack + 1e-12 * (value.abs() + value_best.abs())
    return ~loses & ~_out_of_reach(frame, y, half, -1)


def blocks(frame: Frame, level: Level, dtype: torch.dtype) -> Blocks:
    """The level's boxes with the costs of their candidates: differences in float64, then rounded to dtype."""
    b, used = len(level.low), level.box < len(level.low)
    box = level.box.clamp(max=max(b - 1, 0))
    rows = _images(frame, level.image)
    centre = frame.start + (level.low + 0.5 * (LEAF - 1)) * frame.step
    y, q, value = _evaluate(rows, centre[box])
    whole = torch.cat([value[:, None], q, rows[:, 3:9]], 1)
    whole = whole - whole[level.first[box].clamp(max=max(len(whole) - 1, 0))]
    site = torch.div(level.image, CODES, rounding_mode="floor")
    follows = torch.zeros_like(used)
    follows[1:] = (site[1:] == site[:-1]) & (box[1:] == box[:-1]) & used[1:]
    beside = follows.clone()
    beside[:-1] |= follows[1:]
    special = beside | _out_of_reach(frame, y, 0.5 * LEAF * frame.step, +1)
    reach = torch.where(frame.lengths > 0, 1.5 * frame.lengths, torch.inf)
    return Blocks(level.low, level.first, level.box, site, whole.to(dtype), (y / reach).to(dtype), special)


def part_of(all_blocks: Blocks, start: int, stop: int) -> Blocks:
    """Some of the blocks."""
    first = all_blocks.first[start : stop + 1]
    a, b = first[[0, -1]].tolist()
    rest = (x[a:b] for x in all_blocks[3:])
    return Blocks(all_blocks.low[start:stop], first - a, all_blocks.box[a:b] - start, *rest)


def offsets(frame: Frame, dtype: torch.dtype) -> Tensor:
    """float [64, 3]: voxels of a block from its centre, µm."""
    axis = torch.arange(LEAF, device=frame.step.device) - 0.5 * (LEAF - 1)
    return (torch.cartesian_prod(axis, axis, axis) * frame.step).to(dtype)


def _features(t: Tensor) -> Tensor:
    """[V, 10]: what the coefficients of a cost are multiplied with at t [V, 3]."""
    x, y, z = t.unbind(-1)
    return torch.stack(
        [torch.ones_like(x), 2 * x, 2 * y, 2 * z, x * x, 2 * x * y, 2 * x * z, y * y, 2 * y * z, z * z], -1
    )


def _gradients(coefficient: Tensor, t: Tensor) -> Tensor:
    """[3, ...]: q = A (y - x) at t [..., 3] from coefficients [..., 10]."""
    _, qx, qy, qz, xx, xy, xz, yy, yz, zz = coefficient.unbind(-1)
    x, y, z = t.unbind(-1)
    return torch.stack([qx + xx * x + xy * y + xz * z, qy + xy * x + yy * y + yz * z, qz + xz * x + yz * y + zz * z])


def _costs(some: Blocks, frame: Frame, t: Tensor) -> Tensor:
    """[P, 64]: costs; infinite out of reach, and where another image of the site costs less."""
    cost = (some.coefficient[:, None] * _features(t)).sum(-1)
    if bool(some.special.any()):
        reach = torch.where(frame.lengths > 0, 1.5 * frame.lengths, torch.inf)
        near = ((some.away[:, None] + (t / reach).to(t.dtype)).abs() <= 1).all(-1)
        cost = torch.where(near, cost, torch.inf)
        head = torch.ones_like(some.special)
        head[1:] = (some.site[1:] != some.site[:-1]) | (some.box[1:] != some.box[:-1])
        run = head.long().cumsum(0) - 1
        _, first = _lowest(cost, run, len(run))
        cost = torch.where(torch.arange(len(run), device=run.device)[:, None] == first[run], cost, torch.inf)
    return cost


def _lowest(cost: Tensor, segment: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Lowest cost of each segment [count, V] and its row; ties go to the first, the row is P where there is none."""
    low = _segments(cost, segment, count, "amin", torch.inf)
    rank = torch.arange(len(cost), device=cost.device)[:, None]
    mine = (cost == low[segment.clamp(max=count - 1)]) & (cost < torch.inf)
    return low, _segments(torch.where(mine, rank, len(cost)), segment, count, "amin", len(cost))


def cut(gap: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """Share beyond the plane at `gap` and its derivative by -gap; `width` [3, ...] = h_k |g_k|. See `shares._cut`."""
    s = width.sum(0).clamp(min=1e-30)
    width = torch.maximum(width, 1e-4 * s)
    n = width / width.sum(0)
    alpha = 0.5 - gap / s
    near = torch.minimum(alpha, 1 - alpha).clamp(min=0)
    beyond, past = (near - n).clamp(min=0), (near - 1 + n).clamp(min=0)
    scale = 1 / (6 * n.prod(0))
    volume = ((near**3 + (past**3 - beyond**3).sum(0)) * scale).clamp(max=0.5)
    area = near**2 + (past**2 - beyond**2).sum(0)
    return torch.where(alpha <= 0.5, volume, 1 - volume), 3 * area * scale / s


def leaf(all_blocks: Blocks, frame: Frame, span: tuple[int, int], *, flips: bool) -> Leaves:
    """Winner, and what the others have of each voxel, in blocks span[0] <= index < span[1]."""
    some = part_of(all_blocks, *span)
    dtype, b = some.coefficient.dtype, len(some.low)
    if len(some.site) == 0:  # rows that are not in use
        return _nothing(some, flips)
    t, step = offsets(frame, dtype), frame.step.to(dtype)
    cost = _costs(some, frame, t)
    low, winner = _lowest(cost, some.box, b)
    q = _gradients(some.coefficient[:, None], t)
    curve = some.coefficient[:, list(DIAGONAL)] @ (step * step / 12)
    column = torch.arange(VOXELS, device=t.device).expand(b, VOXELS)
    own = winner.clamp(max=max(len(cost) - 1, 0))
    q_own, curve_own = q[:, own, column], curve[own]

    def against(row: Tensor) -> tuple[Tensor, Tensor]:
        """Gap and widths [3] between the winner and the candidates row [b, 64]."""
        gap = cost[row, column] - low + curve[row] - curve_own
        return gap, 2 * step[:, None, None] * (q[:, row, column] - q_own).abs()

    half = (step[:, None, None] * (q - q_own[:, some.box]).abs()).sum(0)
    rank = torch.arange(len(cost), device=t.device)[:, None]
    other = (rank != winner[some.box]) & (cost < torch.inf)
    shares = other & (cost - low[some.box] + curve[:, None] - curve_own[some.box] < half)
    members = torch.zeros((b, VOXELS), dtype=torch.int32, device=t.device)
    members.index_add_(0, some.box, shares.int())
    partner = _segments(torch.where(shares, rank, len(cost)), some.box, b, "amin", len(cost))
    share, slope = cut(*against(partner.clamp(max=max(len(cost) - 1, 0))))
    there = ((some.low[:, None] + torch.cartesian_prod(*[torch.arange(LEAF, device=t.device)] * 3)) < frame.shape).all(
        -1
    )
    one = (members == 1) & there
    rivals, gaps = _rivals(cost, some, (low, winner), against) if flips else (None, None)
    return Leaves(
        _sites(winner, some.site, there),
        _sites(partner, some.site, one),
        torch.where(there, members, 0),
        torch.where(one, share, 0),
        torch.where(one, slope, 0),
        rivals,
        gaps,
    )


def _nothing(some: Blocks, flips: bool) -> Leaves:
    """Of blocks without candidates."""
    none = torch.full((len(some.low), VOXELS), -1, dtype=torch.int32, device=some.low.device)
    zero = torch.zeros(none.shape, dtype=some.coefficient.dtype, device=none.device)
    rivals, gaps = none[..., None].expand(-1, -1, 2), zero[..., None].expand(-1, -1, 4)
    return Leaves(none, none, none + 1, zero, zero, rivals if flips else None, gaps if flips else None)


def _sites(row: Tensor, site: Tensor, there: Tensor) -> Tensor:
    there = there & (row < len(site))
    return torch.where(there, site[row.clamp(max=max(len(site) - 1, 0))], -1).int()


def _rivals(cost: Tensor, some: Blocks, won: tuple[Tensor, Tensor], against) -> tuple[Tensor, Tensor]:
    """Second and third site of each voxel, with their gaps and variations."""
    (low, winner), found = won, []
    rank, taken = torch.arange(len(cost), device=cost.device)[:, None], cost
    for _ in range(2):
        taken = torch.where(rank == winner[some.box], torch.inf, taken)
        next_low, winner = _lowest(taken, some.box, len(low))
        none = winner == len(cost)
        variation = against(winner.clamp(max=len(cost) - 1))[1].sum(0)
        found.append((_sites(winner, some.site, ~none), next_low - low, torch.where(none, 0, variation)))
    (second, gap, width), (third, gap_third, width_third) = found
    return torch.stack([second, third], -1), torch.stack([gap, width, gap_third, width_third], -1)


def eighths(some: Blocks, frame: Frame, at: Tensor) -> Eighths:
    """The eighths of voxels at [M] (block * 64 + voxel): each lies between its winner and who takes most of it."""
    dtype = some.coefficient.dtype
    t, step = offsets(frame, dtype)[at % VOXELS], frame.step.to(dtype)
    block = torch.div(at, VOXELS, rounding_mode="floor")
    voxel, row = _members(some, block)
    coefficient, m = some.coefficient[row], len(at)
    if len(row) == 0:
        none = torch.full((m, 8), -1, dtype=torch.int32, device=at.device)
        return Eighths(none, none, none.to(dtype), none.to(dtype))
    cost = (coefficient * _features(t)[voxel]).sum(-1)[:, None]
    cost = torch.where(_live(some, frame, (voxel, row), t, cost), cost, torch.inf)
    low, winner = _lowest(cost, voxel, m)
    q, curve = _gradients(coefficient, t[voxel]), coefficient[:, list(DIAGONAL)] @ (step * step / 12)
    own = winner[voxel, 0]
    half = (step[:, None] * (q - q[:, own]).abs()).sum(0)
    member = (cost[:, 0] - low[voxel, 0] + curve - curve[own] < half) | (torch.arange(len(row), device=t.device) == own)
    member &= cost[:, 0] < torch.inf
    sign = 1 - 2 * torch.tensor([[k >> 2, k >> 1 & 1, k & 1] for k in range(8)], device=t.device)
    place = t[:, None] + 0.25 * sign * step
    value = (coefficient[:, None] * _features(place.reshape(-1, 3)).reshape(m, 8, 10)[voxel]).sum(-1)
    value = torch.where(member[:, None], value, torch.inf)
    least, best = _lowest(value, voxel, m)
    end = max(len(row) - 1, 0)  # of rows that are not in use, whose blocks may be empty
    best = best.clamp(max=end)
    first = best[voxel]  # [K, 8]
    gap = value - least[voxel] + 0.25 * (curve[:, None] - curve[first])
    width = 2 * step[:, None, None] * (q[:, :, None] - q[:, first]).abs()
    part = torch.where(member[:, None] & (torch.arange(len(row), device=t.device)[:, None] != first), 0, -torch.inf)
    part = part + 0.5 - gap.nan_to_num(posinf=0) / (0.5 * width.sum(0)).clamp(min=1e-30)
    most, taker = _lowest(-part, voxel, m)
    none, taker = most >= 0, taker.clamp(max=end)
    column = torch.arange(8, device=t.device).expand(m, 8)
    share, slope = cut(2 * gap[taker, column], width[:, taker, column])
    return Eighths(
        some.site[row[best]].int(),
        torch.where(none, -1, some.site[row[taker]]).int(),
        torch.where(none, 0, share),
        torch.where(none, 0, slope),
    )


def _members(some: Blocks, block: Tensor) -> tuple[Tensor, Tensor]:
    """All candidates of voxels in `block` [M]: number of the voxel and row of the candidate, [K] each."""
    count = some.first[block + 1] - some.first[block]
    voxel = torch.repeat_interleave(torch.arange(len(block), device=block.device), count)
    begin = count.cumsum(0) - count
    return voxel, some.first[block[voxel]] + torch.arange(len(voxel), device=block.device) - begin[voxel]


def _live(some: Blocks, frame: Frame, pair: tuple[Tensor, Tensor], t: Tensor, cost: Tensor) -> Tensor:
    """bool [K, 1]: is the image in reach, and the cheapest of its site?"""
    voxel, row = pair
    if not bool(some.special[row].any()):
        return torch.ones_like(cost, dtype=torch.bool)
    reach = torch.where(frame.lengths > 0, 1.5 * frame.lengths, torch.inf)
    near = ((some.away[row] + (t / reach).to(t.dtype)[voxel]).abs() <= 1).all(-1, keepdim=True)
    head = torch.ones_like(row, dtype=torch.bool)
    head[1:] = (some.site[row[1:]] != some.site[row[:-1]]) | (voxel[1:] != voxel[:-1])
    run = head.long().cumsum(0) - 1
    _, first = _lowest(torch.where(near, cost, torch.inf), run, len(run))
    return near & (torch.arange(len(row), device=row.device)[:, None] == first[run])
