"""The voxels of a diagram's smallest boxes in plain torch, on any device: who wins, and what the others have.

The shares are those of `shares`: a plane where two sites share a voxel, eighths where three or more do. The kernels of
`leaf_cuda` do the same and are tested against this.
"""

from __future__ import annotations

import torch
from torch import Tensor

from microgen.core.kernels.diagram_torch import LEAF, VOXELS, Blocks, Eighths, Frame, Kernels, Leaves, keep, segments

TILE = 2**12  # blocks whose voxels are evaluated at a time: some ten kilobytes for each candidate
DIAGONAL = (4, 7, 9)  # of A in the coefficients of a candidate


def _part_of(all_blocks: Blocks, start: int, stop: int) -> Blocks:
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
    low = segments(cost, segment, count, "amin", torch.inf)
    rank = torch.arange(len(cost), device=cost.device)[:, None]
    mine = (cost == low[segment.clamp(max=count - 1)]) & (cost < torch.inf)
    return low, segments(torch.where(mine, rank, len(cost)), segment, count, "amin", len(cost))


def cut(gap: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """Share beyond the plane at `gap` and its derivative by -gap; `width` [3, ...] = h_k |g_k|. See `shares._cut`.

    In float64: along an axis, the difference of cubes would lose all that float32 has.
    """
    gap, width = gap.double(), width.double()
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
    some = _part_of(all_blocks, *span)
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
    partner = segments(torch.where(shares, rank, len(cost)), some.box, b, "amin", len(cost))
    share, slope = cut(*against(partner.clamp(max=max(len(cost) - 1, 0))))
    there = _inside(some, frame)
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


def _inside(some: Blocks, frame: Frame) -> Tensor:
    """bool [B, 64]: is the voxel in the lattice?"""
    axis = torch.arange(LEAF, device=some.low.device)
    return (some.low[:, None] + torch.cartesian_prod(axis, axis, axis) < frame.shape).all(-1)


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


KERNELS = Kernels(keep, leaf, eighths, TILE)
