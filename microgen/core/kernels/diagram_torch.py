"""A diagram on any device, in plain torch: which sites can own a part of a box of voxels.

The octree of `boxes`, level by level: a level is a flat list of pairs (box, image of a site) in CSR order, the pairs of
a box one behind the other, by site. A periodic image is a candidate of its own. Each step evaluates all pairs at the
centres of the boxes' eighths, finds the winner of each and keeps what the difference bound against it cannot dismiss.
Boxes of 4³ voxels with several candidates are left to `leaf_torch`: there, costs are differences from the first
candidate of the box, around the box's centre. What is common to all is cancelled in float64, and float32 resolves the
rest to 1e-6 of the costs' spread in the box. The kernels of `diagram_cuda` do the same and are tested against this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

LEAF = 4  # voxels of the smallest boxes along each axis
VOXELS = LEAF**3
SHIFTS = 5  # periods by which an image may be moved along an axis: -2..2
CODES = SHIFTS**3
PAIRS = 2**20  # pairs evaluated at a time: some hundred bytes each


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


class Kernels(NamedTuple):
    """The steps of a sweep, as plain torch does them or Triton."""

    keep: Callable[..., Tensor]
    leaf: Callable[..., Leaves]
    eighths: Callable[..., Eighths]
    tile: int
    """Blocks whose voxels are worked out at a time."""


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
    lowest = segments(value, level.box, b, "amin", torch.inf)
    rank = torch.arange(p, device=value.device)[:, None]
    mine = (value == lowest[box]) & (level.box < b)[:, None] & (value < torch.inf)
    winner = segments(torch.where(mine, rank, p), level.box, b, "amin", p)
    rows = _images(frame, level.image[winner.clamp(max=max(p - 1, 0)).flatten()]).reshape(b, c, 10)
    kept = torch.empty((p, c), dtype=torch.bool, device=value.device)
    for part in chunks:
        kept[part] = _wins_somewhere(frame, level.image[part], box[part], boxes, rows, slack)
    unbeaten = (winner == p)[box]
    near = torch.where(unbeaten, _anywhere(frame, level, box, boxes), kept | (rank == winner[box]))
    return near & boxes.there[box] & (level.box < b)[:, None]


def segments(value: Tensor, segment: Tensor, count: int, how: str, start: float) -> Tensor:
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
