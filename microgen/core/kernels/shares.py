"""Shares of the voxels that an interface crosses.

In a voxel with winner i and runner-up j, the plane on which c_j - w_j = c_i - w_i, linearised at the
voxel's centre, cuts off j's share, and the cut's area over |grad(c_j - c_i)| is the derivative of the shares with
respect to the weights. A voxel that more than two sites share is cut in eight: leaving the third one out makes small
grains 1-2 % wrong and Newton overshoot, most of all at close sites. A linear share 1/2 - d/s would be as good on
average, but 1-2 % off for grains of 40 voxels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgen.core.kernels.boxes import evaluate, leaf

PLANES = 8  # sites of one voxel between which planes are kept


class Room(NamedTuple):
    """Scratch for one voxel that several sites share."""

    few: np.ndarray  # int64 [capacity]: the candidates that share it
    local: np.ndarray  # float64 [capacity, 8]: each of them around the voxel's centre
    value: np.ndarray  # float64 [capacity]: their costs at the centre of an eighth
    planes: np.ndarray  # float64 [PLANES, PLANES, 5]: see `_kept_plane`


@leaf
def _around(cand, k, point, step, local, row):
    """local[row]: half-steps times gradient (3), cost at the centre, and the terms that an eighth's centre adds.

    Around the centre c_k(t) = c_k + 2 q·t + t·A t; at t = (±h_x, ±h_y, ±h_z) / 4 the terms are constant but for signs.
    """
    val, qx, qy, qz = evaluate(cand, k, point[0], point[1], point[2])
    hx, hy, hz = 0.25 * step[0], 0.25 * step[1], 0.25 * step[2]
    local[row, 0], local[row, 1], local[row, 2] = 2 * qx * hx, 2 * qy * hy, 2 * qz * hz
    local[row, 3] = val
    local[row, 4] = val + cand[k, 3] * hx * hx + cand[k, 6] * hy * hy + cand[k, 8] * hz * hz
    local[row, 5], local[row, 6] = 2 * cand[k, 4] * hx * hy, 2 * cand[k, 5] * hx * hz
    local[row, 7] = 2 * cand[k, 7] * hy * hz


@leaf
def _half_variation(local, a, b):
    """Half the variation of c_b - c_a across the voxel."""
    d = abs(local[a, 0] - local[b, 0]) + abs(local[a, 1] - local[b, 1]) + abs(local[a, 2] - local[b, 2])
    return 2 * d


@leaf
def _mean_excess(local, a, b):
    """What the curvature of c_b - c_a adds to its mean over the voxel: sum_k (A_b - A_a)_kk h_k² / 12."""
    return (local[b, 4] - local[b, 3] - local[a, 4] + local[a, 3]) * (4 / 3)


@leaf
def _plane(local, a, b):
    """1/s, the widths n_k, and 1/(6 n_1 n_2 n_3) of the plane between a and b: see `_cut`."""
    s = max(2 * _half_variation(local, a, b), 1e-300)
    least = 1e-4 * s  # a plane along an axis: the limit, to 1e-4; the widths must still sum to one
    x = max(4 * abs(local[a, 0] - local[b, 0]), least)
    y = max(4 * abs(local[a, 1] - local[b, 1]), least)
    z = max(4 * abs(local[a, 2] - local[b, 2]), least)
    scale = 1 / (x + y + z)
    x, y, z = x * scale, y * scale, z * scale
    return 1 / s, x, y, z, 1 / (6 * x * y * z)


@leaf
def _cut(plane, gap):
    """Share of a voxel on b's side of the plane gap + g·t = 0, and its derivative with respect to -gap.

    With n_k = h_k |g_k| / s summing to 1 and α = 1/2 - gap/s, the share is (Scardovelli and Zaleski 2000, J. Comput.
    Phys. 164, 228)  [α³ - sum_k (α - n_k)₊³ + sum_k (α - 1 + n_k)₊³] / (6 n_1 n_2 n_3)  up to α = 1/2.
    """
    inverse, x, y, z, scale = plane
    alpha = 0.5 - gap * inverse
    near = min(alpha, 1 - alpha)
    if near <= 0:
        return (0.0 if alpha <= 0 else 1.0), 0.0
    volume, area = near * near * near, near * near
    for n in (x, y, z):
        beyond, past = max(near - n, 0.0), max(near - 1 + n, 0.0)
        volume += past * past * past - beyond * beyond * beyond
        area += past * past - beyond * beyond
    volume = min(volume * scale, 0.5)
    return (volume if alpha <= 0.5 else 1 - volume), 3 * area * scale * inverse


@leaf
def _kept_plane(local, a, b, planes):
    """`_plane`, worked out once for the eighths of a voxel (of few sites: the others are rare)."""
    if a >= PLANES or b >= PLANES:
        return _plane(local, a, b)
    if planes[a, b, 0] < 0:
        planes[a, b, 0], planes[a, b, 1], planes[a, b, 2], planes[a, b, 3], planes[a, b, 4] = _plane(local, a, b)
    return planes[a, b, 0], planes[a, b, 1], planes[a, b, 2], planes[a, b, 3], planes[a, b, 4]


@leaf
def _eighths(site, room, count, amount, volumes, area):
    """A voxel that three or more sites share: each eighth lies between its winner and the site that takes most of it.

    room.few[:count] lists the sites; the whole voxel was counted for few[0] and is taken back here.
    """
    few, local, value, planes = room.few, room.local, room.value, room.planes
    for a in range(min(count, PLANES)):
        for b in range(min(count, PLANES)):
            planes[a, b, 0] = -1.0
    volumes[site[few[0]]] -= amount
    eighth = 0.125 * amount
    for part in range(8):
        x, y, z = 1.0 - 2 * (part >> 2), 1.0 - 2 * (part >> 1 & 1), 1.0 - 2 * (part & 1)
        best = 0
        for a in range(count):
            cross = x * y * local[a, 5] + x * z * local[a, 6] + y * z * local[a, 7]
            value[a] = local[a, 4] + x * local[a, 0] + y * local[a, 1] + z * local[a, 2] + cross
            if value[a] < value[best]:
                best = a
        most, taker = 0.0, -1
        for a in range(count):
            gap = value[a] - value[best] + 0.25 * _mean_excess(local, best, a)
            s = _half_variation(local, best, a)  # an eighth is half as wide
            if a != best and gap < (0.5 - most) * s:
                most, taker = 0.5 - gap / s, a
        if taker < 0:
            volumes[site[few[best]]] += eighth
            continue
        i, j = few[best], few[taker]
        gap = value[taker] - value[best] + 0.25 * _mean_excess(local, best, taker)
        share, slope = _cut(_kept_plane(local, best, taker, planes), 2 * gap)  # the cut of a cube of half the size
        volumes[site[i]] += eighth * (1 - share)
        volumes[site[j]] += eighth * share
        area[min(i, j), max(i, j)] += 2 * eighth * slope


@leaf
def shared(local, row):
    """May the site of `row` take a part of the voxel from the one of row 0?"""
    return local[row, 3] - local[0, 3] + _mean_excess(local, 0, row) < _half_variation(local, 0, row)


@leaf
def divide(site, room, count, amount, volumes, area):
    """Shares and interface terms of a voxel of `amount` (1: a whole one) that room.few[:count] share.

    It was counted for few[0] so far; room.local holds each of them around the voxel's centre.
    """
    few, local = room.few, room.local
    if count == 2:
        i, j = few[0], few[1]
        share, slope = _cut(_plane(local, 0, 1), local[1, 3] - local[0, 3] + _mean_excess(local, 0, 1))
        volumes[site[i]] -= amount * share
        volumes[site[j]] += amount * share
        area[min(i, j), max(i, j)] += amount * slope
    elif count > 2:
        _eighths(site, room, count, amount, volumes, area)


@leaf
def share_voxel(cand, site, near, members, point, step, room, volumes, area):
    """Shares and interface terms of one voxel, counted for its winner near[0] so far; near[:members] may share it."""
    few, local = room.few, room.local
    count = 1
    few[0] = near[0]
    _around(cand, near[0], point, step, local, 0)
    for r in range(1, members):
        _around(cand, near[r], point, step, local, count)
        if shared(local, count):
            few[count] = near[r]
            count += 1
    divide(site, room, count, 1.0, volumes, area)
