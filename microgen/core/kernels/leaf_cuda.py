"""The voxels of a diagram's smallest boxes on a GPU, in Triton: those of `leaf_torch`, which it is tested against.

One program does the 64 voxels of a block, reading its candidates one after the other: once for the lowest costs, once
for who shares a voxel with the winner. Voxels of three or more sites are few, and a warp does four of them. No two
programs write one number, so results repeat bit for bit. With TRITON_INTERPRET=1 the same code runs on a CPU.
"""

# What the compiler makes of a kernel's numbers and loops is not what a type checker sees.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from microgen.core.kernels.diagram_cuda import keep
from microgen.core.kernels.diagram_torch import VOXELS, Blocks, Eighths, Frame, Kernels, Leaves
from microgen.core.kernels.leaf_torch import offsets

TILE = 2**16  # blocks whose voxels are worked out at a time: some hundred bytes each voxel
FEW = 4  # voxels of several sites that a program does: 32 eighths


@triton.jit
def _candidate(coefficient, k):
    """The ten coefficients of candidate(s) k."""
    at = coefficient + k * 10
    value, qx, qy, qz = tl.load(at), tl.load(at + 1), tl.load(at + 2), tl.load(at + 3)
    xx, xy, xz = tl.load(at + 4), tl.load(at + 5), tl.load(at + 6)
    return value, qx, qy, qz, xx, xy, xz, tl.load(at + 7), tl.load(at + 8), tl.load(at + 9)


@triton.jit
def _value(c, x, y, z):
    """Cost of a candidate at (x, y, z) from the block's centre."""
    cross = c[5] * x * y + c[6] * x * z + c[8] * y * z
    return c[0] + 2 * (c[1] * x + c[2] * y + c[3] * z + cross) + c[4] * x * x + c[7] * y * y + c[9] * z * z


@triton.jit
def _near(away, k, x, y, z, per):
    """Is the image in reach at (x, y, z)?"""
    near = tl.abs(tl.load(away + 3 * k) + x * tl.load(per)) <= 1
    near &= tl.abs(tl.load(away + 3 * k + 1) + y * tl.load(per + 1)) <= 1
    return near & (tl.abs(tl.load(away + 3 * k + 2) + z * tl.load(per + 2)) <= 1)


@triton.jit
def _cost(candidates, k, odd, begin, count, most, x, y, z):
    """Cost of candidate(s) k; infinite out of reach, and where another image of the site costs less.

    That is looked for where `odd` says so, among the `count` candidates (at most `most`) from `begin` on; where it
    need not be, it changes nothing.
    """
    coefficient, site, away, per = candidates
    cost = _value(_candidate(coefficient, k), x, y, z)
    if odd != 0:
        cost = tl.where(_near(away, k, x, y, z, per), cost, float("inf"))
        for r in range(most):
            j = begin + tl.minimum(r, tl.maximum(count, 1) - 1)
            other = _value(_candidate(coefficient, j), x, y, z)
            other = tl.where(_near(away, j, x, y, z, per), other, float("inf"))
            other = tl.where(tl.load(site + j) == tl.load(site + k), other, float("inf"))
            cost = tl.where(tl.where(j < k, other <= cost, (other < cost) & (j != k)), float("inf"), cost)
    return cost


@triton.jit
def _widths(a, b, x, y, z, step):
    """h_k |q_k| of b - a for the axes at (x, y, z), and what curvature adds to the mean of their gap."""
    hx, hy, hz = tl.load(step), tl.load(step + 1), tl.load(step + 2)
    xx, xy, xz, yy, yz, zz = b[4] - a[4], b[5] - a[5], b[6] - a[6], b[7] - a[7], b[8] - a[8], b[9] - a[9]
    wx = hx * tl.abs(b[1] - a[1] + xx * x + xy * y + xz * z)
    wy = hy * tl.abs(b[2] - a[2] + xy * x + yy * y + yz * z)
    wz = hz * tl.abs(b[3] - a[3] + xz * x + yz * y + zz * z)
    return wx, wy, wz, (xx * hx * hx + yy * hy * hy + zz * hz * hz) / 12


@triton.jit
def _cut(gap, wx, wy, wz):
    """Share beyond the plane at `gap` and its derivative by -gap; h_k |g_k| = 2 w_k. As `leaf_torch.cut`."""
    gap, wx, wy, wz = gap.to(tl.float64), wx.to(tl.float64), wy.to(tl.float64), wz.to(tl.float64)
    s = tl.maximum(2 * (wx + wy + wz), 1e-30)
    nx, ny, nz = tl.maximum(2 * wx, 1e-4 * s), tl.maximum(2 * wy, 1e-4 * s), tl.maximum(2 * wz, 1e-4 * s)
    total = nx + ny + nz
    nx, ny, nz = nx / total, ny / total, nz / total
    alpha = 0.5 - gap / s
    near = tl.maximum(tl.minimum(alpha, 1 - alpha), 0)
    bx, by, bz = tl.maximum(near - nx, 0), tl.maximum(near - ny, 0), tl.maximum(near - nz, 0)
    px, py, pz = tl.maximum(near - 1 + nx, 0), tl.maximum(near - 1 + ny, 0), tl.maximum(near - 1 + nz, 0)
    scale = 1 / (6 * nx * ny * nz)
    volume = near * near * near + (px * px * px + py * py * py + pz * pz * pz)
    volume = tl.minimum((volume - (bx * bx * bx + by * by * by + bz * bz * bz)) * scale, 0.5)
    area = near * near + (px * px + py * py + pz * pz) - (bx * bx + by * by + bz * bz)
    return tl.where(alpha <= 0.5, volume, 1 - volume), 3 * area * scale / s


@triton.jit
def _voxel(step, low, shape):
    """Places of a block's voxels from its centre, and are they in the lattice?"""
    v = tl.arange(0, 64)
    i, j, k = v // 16, v // 4 % 4, v % 4
    there = (tl.load(low) + i < tl.load(shape)) & (tl.load(low + 1) + j < tl.load(shape + 1))
    there &= tl.load(low + 2) + k < tl.load(shape + 2)
    return (i - 1.5) * tl.load(step), (j - 1.5) * tl.load(step + 1), (k - 1.5) * tl.load(step + 2), there


@triton.jit
def _lowest_three(candidates, special, begin, end, x, y, z):
    """The three lowest costs at each voxel and their candidates, -1 where there is none."""
    low = tl.where(x < float("inf"), float("inf"), x)
    who = tl.full(x.shape, -1, tl.int32)
    second, third, who_second, who_third = low, low, who, who
    for k in range(begin, end):
        cost = _cost(candidates, k, tl.load(special + k), begin, end - begin, end - begin, x, y, z)
        me = (k - begin).to(tl.int32)
        first, next_, last = cost < low, (cost >= low) & (cost < second), (cost >= second) & (cost < third)
        third = tl.where(first | next_, second, tl.where(last, cost, third))
        who_third = tl.where(first | next_, who_second, tl.where(last, me, who_third))
        second = tl.where(first, low, tl.where(next_, cost, second))
        who_second = tl.where(first, who, tl.where(next_, me, who_second))
        low, who = tl.where(first, cost, low), tl.where(first, me, who)
    return low, second, third, who, who_second, who_third


@triton.jit
def _note(coefficient, site, own, begin, who, gap, x, y, z, step, there, rivals, gaps, at):
    """Write down the site of candidate `who` (-1: none), its gap, and how far that varies across the voxel."""
    some = there & (who >= 0)
    row = begin + tl.maximum(who, 0)
    wx, wy, wz, _ = _widths(own, _candidate(coefficient, row), x, y, z, step)
    tl.store(rivals + at, tl.where(some, tl.load(site + row), -1).to(tl.int32))
    tl.store(gaps + 2 * at, gap)
    tl.store(gaps + 2 * at + 1, tl.where(some, 2 * (wx + wy + wz), 0.0))


@triton.jit
def _sharers(candidates, special, begin, end, own, won, x, y, z, step):
    """How many others share each voxel with its winner, and the first of them (-1: none)."""
    low, who = won
    count, other = tl.full(x.shape, 0, tl.int32), tl.full(x.shape, -1, tl.int32)
    for k in range(begin, end):
        cost = _cost(candidates, k, tl.load(special + k), begin, end - begin, end - begin, x, y, z)
        wx, wy, wz, curve = _widths(own, _candidate(candidates[0], k), x, y, z, step)
        me = (k - begin).to(tl.int32)
        shares = (me != who) & (cost < float("inf")) & (cost - low + curve < wx + wy + wz)
        other = tl.where(shares & (other < 0), me, other)
        count += shares.to(tl.int32)
    return count, other


@triton.jit
def _leaf(
    coefficient,
    site,
    special,
    away,
    first,
    lows,
    shape,
    step,
    per,
    names,
    shares,
    rivals,
    gaps,
    start,
    size,
    FLIPS: tl.constexpr,
):
    """The voxels of one block; outputs begin at block `start`: names [3, size], shares [2, size], rivals, gaps."""
    block = start + tl.program_id(0).to(tl.int64)
    at = (block - start) * 64 + tl.arange(0, 64)
    begin, end = tl.load(first + block), tl.load(first + block + 1)
    x, y, z, there = _voxel(step, lows + 3 * block, shape)
    candidates = (coefficient, site, away, per)
    if begin < end:
        low, second, third, who, next_, last = _lowest_three(candidates, special, begin, end, x, y, z)
        own = _candidate(coefficient, begin + tl.maximum(who, 0))
        count, other = _sharers(candidates, special, begin, end, own, (low, who), x, y, z, step)
        one, row = there & (count == 1), begin + tl.maximum(other, 0)
        mate = _candidate(coefficient, row)
        wx, wy, wz, curve = _widths(own, mate, x, y, z, step)
        part, steep = _cut(_value(mate, x, y, z) - low + curve, wx, wy, wz)
        tl.store(names + at, tl.where(there, tl.load(site + begin + tl.maximum(who, 0)), -1).to(tl.int32))
        tl.store(names + size + at, tl.where(one, tl.load(site + row), -1).to(tl.int32))
        tl.store(names + 2 * size + at, tl.where(there, count, 0))
        tl.store(shares + at, tl.where(one, part, 0.0))
        tl.store(shares + size + at, tl.where(one, steep, 0.0))
        if FLIPS:
            _note(coefficient, site, own, begin, next_, second - low, x, y, z, step, there, rivals, gaps, 2 * at)
            _note(coefficient, site, own, begin, last, third - low, x, y, z, step, there, rivals, gaps, 2 * at + 1)


def _inputs(some: Blocks, frame: Frame) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
    """What both kernels read of candidates, and steps [3] in µm and in parts of an image's reach."""
    dtype = some.coefficient.dtype
    per = torch.where(frame.lengths > 0, 1 / (1.5 * frame.lengths), 0.0)
    candidates = (some.coefficient, some.site, some.special.to(torch.int8), some.away, some.first)
    return candidates, frame.step.to(dtype), per.to(dtype)


def leaf(some: Blocks, frame: Frame, span: tuple[int, int], *, flips: bool) -> Leaves:
    """Winner, and what the others have of each voxel, in blocks span[0] <= index < span[1]."""
    candidates, step, per = _inputs(some, frame)
    b, kind = span[1] - span[0], {"device": some.low.device}
    names = torch.full((3, b, VOXELS), -1, dtype=torch.int32, **kind)
    names[2] = 0
    shares = torch.zeros((2, b, VOXELS), dtype=step.dtype, **kind)
    rivals = torch.full((b, VOXELS, 2) if flips else (1,), -1, dtype=torch.int32, **kind)
    gaps = torch.zeros((b, VOXELS, 4) if flips else (1,), dtype=step.dtype, **kind)
    inputs = (*candidates, some.low, frame.shape, step, per)
    _leaf[(b,)](
        *inputs, names, shares, rivals, gaps, span[0], b * VOXELS, FLIPS=flips, num_warps=2, enable_fp_fusion=False
    )
    return Leaves(*names, *shares, rivals if flips else None, gaps if flips else None)


@triton.jit
def _nth(candidates, special, r, begin, count, most, x, y, z):
    """Candidate number r of voxels [E, 1] that have `count` of them, and its cost: infinite where there are fewer."""
    k = begin + tl.minimum(r, tl.maximum(count, 1) - 1)
    odd = tl.max(tl.max(tl.load(special + k), 1), 0)
    cost = _cost(candidates, k, odd, begin, count, most, x, y, z)
    return k, tl.where(r < count, cost, float("inf"))


@triton.jit
def _member(coefficient, k, cost, own, low, mine, x, y, z, step):
    """Coefficients of candidate k, and does it share the voxel with its winner `own`?"""
    c = _candidate(coefficient, k)
    wx, wy, wz, curve = _widths(own, c, x, y, z, step)
    return c, (cost < float("inf")) & ((cost - low + curve < wx + wy + wz) | mine)


@triton.jit
def _places(at, places, step):
    """A voxel's place from its block's centre [E, 1], and those of its eighths [E, 8]."""
    place, part = places + 3 * (at % 64), tl.arange(0, 8)[None, :]
    x, y, z = tl.load(place), tl.load(place + 1), tl.load(place + 2)
    ex = x + (0.25 - 0.5 * (part // 4)) * tl.load(step)
    ey = y + (0.25 - 0.5 * (part // 2 % 2)) * tl.load(step + 1)
    return x, y, z, ex, ey, z + (0.25 - 0.5 * (part % 2)) * tl.load(step + 2)


@triton.jit
def _winners(candidates, special, begin, count, most, x, y, z, ex, ey, ez, step):
    """Of the voxels: lowest cost, its candidate's number and coefficients; of their eighths: lowest cost, number."""
    low, who = tl.where(x < float("inf"), float("inf"), x), 0 * count
    for r in range(most):
        _, cost = _nth(candidates, special, r, begin, count, most, x, y, z)
        who, low = tl.where(cost < low, r, who), tl.minimum(cost, low)
    own = _candidate(candidates[0], begin + who)
    least, best = tl.where(ex < float("inf"), float("inf"), ex), who + 0 * tl.arange(0, 8)[None, :]
    for r in range(most):
        k, cost = _nth(candidates, special, r, begin, count, most, x, y, z)
        c, member = _member(candidates[0], k, cost, own, low, who == r, x, y, z, step)
        value = tl.where(member, _value(c, ex, ey, ez), float("inf"))
        best, least = tl.where(value < least, r, best), tl.minimum(value, least)
    return low, who, own, least, best


@triton.jit
def _eighth(
    coefficient, site, special, away, first, ats, rows, places, step, per, names, shares, size, E: tl.constexpr
):
    """Eighths of E voxels: names (winner, taker) [2, size], shares (share, slope) [2, size]."""
    out = tl.program_id(0).to(tl.int64) * E + tl.arange(0, E)[:, None]
    at = tl.load(ats + out, mask=out < rows, other=0)
    begin, count = tl.load(first + at // 64), tl.load(first + at // 64 + 1) - tl.load(first + at // 64)
    begin, most = tl.where(count > 0, begin, 0), tl.max(tl.max(count, 1), 0)
    x, y, z, ex, ey, ez = _places(at, places, step)
    candidates = (coefficient, site, away, per)
    low, who, own, least, best = _winners(candidates, special, begin, count, most, x, y, z, ex, ey, ez, step)
    mine = _candidate(coefficient, begin + best)
    share, taker = tl.where(ex < float("inf"), 0.0, ex), tl.where(best >= 0, -1, best)
    for r in range(most):
        k, cost = _nth(candidates, special, r, begin, count, most, x, y, z)
        c, member = _member(coefficient, k, cost, own, low, who == r, x, y, z, step)
        wx, wy, wz, curve = _widths(mine, c, x, y, z, step)
        taken = 0.5 - (_value(c, ex, ey, ez) - least + 0.25 * curve) / tl.maximum(wx + wy + wz, 1e-30)
        more = member & (best != r) & (taken > share)
        taker, share = tl.where(more, r, taker), tl.where(more, taken, share)
    other = _candidate(coefficient, begin + tl.maximum(taker, 0))
    wx, wy, wz, curve = _widths(mine, other, x, y, z, step)
    share, slope = _cut(2 * (_value(other, ex, ey, ez) - least + 0.25 * curve), wx, wy, wz)
    part = tl.arange(0, 8)[None, :]
    store, there = out * 8 + part, (out < rows) & (count > 0) & (part < 8)
    name = tl.load(site + begin + tl.maximum(taker, 0))
    tl.store(names + store, tl.load(site + begin + best).to(tl.int32), mask=there)
    tl.store(names + size + store, tl.where(taker >= 0, name, -1).to(tl.int32), mask=there)
    tl.store(shares + store, tl.where(taker >= 0, share, 0.0), mask=there)
    tl.store(shares + size + store, tl.where(taker >= 0, slope, 0.0), mask=there)


def eighths(some: Blocks, frame: Frame, at: Tensor) -> Eighths:
    """The eighths of voxels at [M] (block * 64 + voxel): each lies between its winner and who takes most of it."""
    candidates, step, per = _inputs(some, frame)
    names = torch.full((2, len(at), 8), -1, dtype=torch.int32, device=at.device)
    shares = torch.zeros((2, len(at), 8), dtype=step.dtype, device=at.device)
    inputs = (*candidates, at, len(at), offsets(frame, step.dtype), step, per)
    _eighth[(triton.cdiv(len(at), FEW),)](
        *inputs, names, shares, 8 * len(at), E=FEW, num_warps=1, enable_fp_fusion=False
    )
    return Eighths(*names, *shares)


KERNELS = Kernels(keep, leaf, eighths, TILE)
