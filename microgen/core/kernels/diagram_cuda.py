"""The descent of a diagram on a GPU, in Triton: that of `diagram_torch`, which it is tested against.

The pairs of a box are given to so many programs that the few large boxes keep a GPU busy, too. No two programs write
one number, so results repeat bit for bit. With TRITON_INTERPRET=1 the same code runs on a CPU.
"""

# What the compiler makes of a kernel's numbers and loops is not what a type checker sees.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from microgen.core.kernels.diagram_torch import Boxes, Frame, Level

PROGRAMS = 4096  # that share the pairs of a level, at least
ROWS = 32  # pairs that a program evaluates at a time


@triton.jit
def _image(rows, lengths, image, there):
    """Rows of the sites of images, moved: [ROWS, 1] each."""
    site, code = image // 125, image % 125
    row = rows + site * 10
    x = tl.load(row, mask=there, other=0) + (code // 25 - 2) * tl.load(lengths)
    y = tl.load(row + 1, mask=there, other=0) + (code // 5 % 5 - 2) * tl.load(lengths + 1)
    z = tl.load(row + 2, mask=there, other=0) + (code % 5 - 2) * tl.load(lengths + 2)
    xx, xy, xz = tl.load(row + 3, mask=there), tl.load(row + 4, mask=there), tl.load(row + 5, mask=there)
    yy, yz, zz = tl.load(row + 6, mask=there), tl.load(row + 7, mask=there), tl.load(row + 8, mask=there)
    return x, y, z, xx, xy, xz, yy, yz, zz, tl.load(row + 9, mask=there)


@triton.jit
def _evaluate(image, cx, cy, cz):
    """Displacement, q = A y and cost minus weight of an image at a centre."""
    x, y, z, xx, xy, xz, yy, yz, zz, w = image
    dx, dy, dz = cx - x, cy - y, cz - z
    qx, qy, qz = xx * dx + xy * dy + xz * dz, xy * dx + yy * dy + yz * dz, xz * dx + yz * dy + zz * dz
    return dx, dy, dz, qx, qy, qz, dx * qx + dy * qy + dz * qz - w


@triton.jit
def _beyond(d, h, length):
    """Is a displacement `d` beyond the reach of an image along an axis, with h added?"""
    return (length + 0 * d > 0) & (tl.abs(d) + h > 1.5 * length)  # of one shape: the interpreter wants that


@triton.jit
def _far(dx, dy, dz, hx, hy, hz, lengths):
    far = _beyond(dx, hx, tl.load(lengths)) | _beyond(dy, hy, tl.load(lengths + 1))
    return far | _beyond(dz, hz, tl.load(lengths + 2))


@triton.jit
def _vectors(pointer, box, C: tl.constexpr):
    """Three numbers for each part of a box, [1, C] each."""
    at = pointer + (box * C + tl.arange(0, C)[None, :]) * 3
    return tl.load(at), tl.load(at + 1), tl.load(at + 2)


@triton.jit
def _span(first, box, split, SPLIT: tl.constexpr):
    """The pairs of a box that one of its programs does."""
    begin, end = tl.load(first + box), tl.load(first + box + 1)
    each = (end - begin + SPLIT - 1) // SPLIT
    return begin + split * each, tl.minimum(begin + (split + 1) * each, end)


@triton.jit
def _best(
    rows, lengths, images, first, centre, half, low, who, SPLIT: tl.constexpr, C: tl.constexpr, ROWS: tl.constexpr
):
    """The lowest cost at the centre of each part of a box, and its pair, of one program's share of the pairs."""
    box, split = tl.program_id(0).to(tl.int64), tl.program_id(1)
    begin, end = _span(first, box, split, SPLIT)
    cx, cy, cz = _vectors(centre, box, C)
    hx, hy, hz = _vectors(half, box, C)
    least = tl.full((C,), float("inf"), tl.float64)
    winner = tl.full((C,), -1, tl.int64)
    for start in range(begin, end, ROWS):
        pair = start + tl.arange(0, ROWS)[:, None].to(tl.int64)
        there = pair < end
        image = tl.load(images + pair, mask=there, other=0)
        dx, dy, dz, _, _, _, value = _evaluate(_image(rows, lengths, image, there), cx, cy, cz)
        value = tl.where(there & ~_far(dx, dy, dz, hx, hy, hz, lengths), value, float("inf"))
        lowest = tl.min(value, 0)
        mine = tl.min(tl.where(value == lowest[None, :], pair, 2**62), 0)
        winner = tl.where(lowest < least, mine, winner)
        least = tl.minimum(lowest, least)
    at = (box * SPLIT + split) * C + tl.arange(0, C)
    tl.store(low + at, least)
    tl.store(who + at, winner)


@triton.jit
def _lead(image, rival, cx, cy, cz, hx, hy, hz, lengths):
    """The difference bound, its rounding error, and is the image out of reach everywhere? See `boxes`."""
    dx, dy, dz, qx, qy, qz, value = _evaluate(image, cx, cy, cz)
    _, _, _, bx, by, bz, best = _evaluate(rival, cx, cy, cz)
    lead = value - best - 2 * (hx * tl.abs(qx - bx) + hy * tl.abs(qy - by) + hz * tl.abs(qz - bz))
    xx, xy, xz, yy, yz, zz = (
        image[3] - rival[3],
        image[4] - rival[4],
        image[5] - rival[5],
        image[6] - rival[6],
        image[7] - rival[7],
        image[8] - rival[8],
    )
    lead += tl.minimum(xx, 0) * hx * hx + tl.minimum(yy, 0) * hy * hy + tl.minimum(zz, 0) * hz * hz
    lead -= 2 * (tl.abs(xy) * hx * hy + tl.abs(xz) * hx * hz + tl.abs(yz) * hy * hz)
    return lead, 1e-12 * (tl.abs(value) + tl.abs(best)), _far(dx, dy, dz, -hx, -hy, -hz, lengths)


@triton.jit
def _keep(
    rows,
    lengths,
    images,
    first,
    centre,
    half,
    there_at,
    winners,
    kept,
    slack,
    SPLIT: tl.constexpr,
    C: tl.constexpr,
    ROWS: tl.constexpr,
):
    """Which pairs the difference bound against the winner cannot dismiss, of one program's share of a box's pairs."""
    box, split = tl.program_id(0).to(tl.int64), tl.program_id(1)
    begin, end = _span(first, box, split, SPLIT)
    cx, cy, cz = _vectors(centre, box, C)
    hx, hy, hz = _vectors(half, box, C)
    part = tl.arange(0, C)[None, :]
    inside = tl.load(there_at + box * C + part) != 0
    winner = tl.load(winners + box * C + part)
    known = winner >= 0
    rival = _image(rows, lengths, tl.load(images + winner, mask=known, other=0), known)
    for start in range(begin, end, ROWS):
        pair = start + tl.arange(0, ROWS)[:, None].to(tl.int64)
        there = pair < end
        image = _image(rows, lengths, tl.load(images + pair, mask=there, other=0), there)
        lead, error, far = _lead(image, rival, cx, cy, cz, hx, hy, hz, lengths)
        wins = (lead <= tl.load(slack) + error) | (pair == winner) | ~known
        wins = wins & ~far & inside
        tl.store(kept + pair * C + part, wins.to(tl.int8), mask=there & (part < C))


def keep(frame: Frame, level: Level, boxes: Boxes, slack: float) -> Tensor:
    """bool [P, C]: may the image own a part of this part of its box?"""
    (b, c), device = boxes.there.shape, level.image.device
    split = 1 << max(0, (PROGRAMS // b).bit_length() - 1)  # of few values: each is compiled once
    low = torch.empty((b, split, c), dtype=torch.float64, device=device)
    who = torch.empty((b, split, c), dtype=torch.int64, device=device)
    kept = torch.zeros((len(level.image), c), dtype=torch.int8, device=device)
    # Products that are fused with sums here and not there would make one expression two numbers.
    size = {"SPLIT": split, "C": c, "ROWS": ROWS, "enable_fp_fusion": False}
    centre, half = boxes.centre.contiguous(), boxes.half.contiguous()
    what = (frame.rows, frame.lengths, level.image, level.first, centre, half)
    _best[(b, split)](*what, low, who, **size)
    winner = who.gather(1, low.argmin(1, keepdim=True))[:, 0].contiguous()
    inside = boxes.there.to(torch.int8)
    limit = torch.full((1,), slack, dtype=torch.float64, device=device)
    _keep[(b, split)](*what, inside, winner, kept, limit, **size)
    return kept.bool()
