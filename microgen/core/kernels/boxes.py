"""Which sites can own a part of a box of voxels, and the costs of the few that can.

A box first collects the sites (periodic images count as sites) that a
lower bound cannot dismiss, then drops those that lose everywhere in it to the site b that is best at its centre:

    val_k - val_b - 2 h·|q_k - q_b| + sum_a min(D_aa, 0) h_a² - 2 sum_{a<b} |D_ab| h_a h_b > 0,   D = A_k - A_b,

with val = cost at the centre, q = A (centre - site) and h the half-widths. Comparing with b cancels the large common
terms. The few survivors are then evaluated densely: rows of voxels along the last axis run in vector registers, which
beats any finer descent. Everything is float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgen.compiled import inner

ROW = 8  # voxels evaluated together along the last axis (one or two vector registers of float64)
SIDE = 4  # voxels of a block along the other axes
STACK = 256

leaf = inner(_nrt=False)
"""Compiles a function that makes no array. Without reference counts: those of arrays handed on are atomic, and two
threads counting the same ones took a third of a sweep's time."""


class Lattice(NamedTuple):
    """Voxel centres `start + k * step`, k < shape, in a box of `lengths` (0: not periodic along the axis)."""

    shape: np.ndarray  # int64 [3]
    step: np.ndarray  # float64 [3]
    start: np.ndarray  # float64 [3]
    lengths: np.ndarray  # float64 [3]


@leaf
def evaluate(cand, k, x, y, z):
    """Cost minus weight of candidate k at a point, and q = A (point - site)."""
    dx, dy, dz = x - cand[k, 0], y - cand[k, 1], z - cand[k, 2]
    qx = cand[k, 3] * dx + cand[k, 4] * dy + cand[k, 5] * dz
    qy = cand[k, 4] * dx + cand[k, 6] * dy + cand[k, 7] * dz
    qz = cand[k, 5] * dx + cand[k, 7] * dy + cand[k, 8] * dz
    return dx * qx + dy * qy + dz * qz - cand[k, 9], qx, qy, qz


@leaf
def _upper(cand, k, c, h):
    """Upper bound of candidate k's cost over the box."""
    val, qx, qy, qz = evaluate(cand, k, c[0], c[1], c[2])
    linear = 2 * (abs(qx) * h[0] + abs(qy) * h[1] + abs(qz) * h[2])
    square = cand[k, 3] * h[0] ** 2 + cand[k, 6] * h[1] ** 2 + cand[k, 8] * h[2] ** 2
    cross = abs(cand[k, 4]) * h[0] * h[1] + abs(cand[k, 5]) * h[0] * h[2] + abs(cand[k, 7]) * h[1] * h[2]
    return val + linear + square + 2 * cross


@leaf
def within_reach(x, c, h, lengths, sign):
    """Is the image x one of the 3^d translates everywhere (sign +1) or somewhere (sign -1) in the box?

    The periodic cost takes displacements in [-1.5 L, 1.5 L) per axis: the wrapped one and its two translates.
    """
    reached = True
    for a in range(3):
        reached &= not (lengths[a] > 0 and abs(c[a] - x[a]) + sign * h[a] > 1.5 * lengths[a])
    return reached


@leaf
def _site_distance(cand, k, c, h):
    """Squared distance between a candidate's site and the box (c, h)."""
    total = 0.0
    for a in range(3):
        gap = max(abs(cand[k, a] - c[a]) - h[a], 0.0)
        total += gap * gap
    return total


@leaf
def _node_distance(box, node, c, h, shift):
    """Squared distance between a node's box, shifted, and the box (c, h)."""
    total = 0.0
    for a in range(3):
        gap = max(box[node, a] + shift[a] - c[a] - h[a], c[a] - h[a] - box[node, 3 + a] - shift[a], 0.0)
        total += gap * gap
    return total


@leaf
def _visit(tree, c, h, shift, lengths, slack, cand, site, m, limit, stack):
    """Add the sites of one periodic image that may own a part of the box; returns (m, limit).

    `limit` is the lowest upper bound met so far; `m` is -1 when the workspace is too small.
    """
    stack[0], top = 0, 1
    while top > 0:
        top -= 1
        node = stack[top]
        if tree.bound[node, 0] * _node_distance(tree.box, node, c, h, shift) - tree.bound[node, 1] > limit + slack:
            continue
        child = tree.left[node]
        if child >= 0:
            near = _node_distance(tree.box, child, c, h, shift) <= _node_distance(tree.box, child + 1, c, h, shift)
            stack[top], stack[top + 1] = (child + 1, child) if near else (child, child + 1)
            top += 2
            continue
        for row in range(tree.first[node], tree.last[node]):
            if m == len(site):
                return -1, limit
            for a in range(3):
                cand[m, a] = tree.rows[row, a] + shift[a]
            if tree.eigenvalue[row] * _site_distance(cand, m, c, h) - tree.rows[row, 9] > limit + slack:
                continue
            if not within_reach(cand[m], c, h, lengths, -1.0):
                continue
            site[m] = tree.order[row]
            for a in range(3, 10):
                cand[m, a] = tree.rows[row, a]
            if within_reach(cand[m], c, h, lengths, 1.0):
                limit = min(limit, _upper(cand, m, c, h))
            m += 1
    return m, limit


@inner
def collect(tree, c, h, lengths, slack, cand, site):
    """All candidates of a box, periodic images included; -1 when the workspace is too small."""
    m, limit = 0, np.inf
    reach, shift, stack = np.zeros(3, np.int64), np.empty(3), np.empty(STACK, np.int64)
    for a in range(3):
        if lengths[a] > 0:  # |c - x| < L and |c - x - s L| <= 1.5 L + h bound the shift s
            reach[a] = int(2.5 + h[a] / lengths[a])
    for ring in range(max(reach[0], reach[1], reach[2]) + 1):  # the box's own period first: it lowers the limit
        for i in range(-min(ring, reach[0]), min(ring, reach[0]) + 1):
            for j in range(-min(ring, reach[1]), min(ring, reach[1]) + 1):
                for k in range(-min(ring, reach[2]), min(ring, reach[2]) + 1):
                    if max(abs(i), abs(j), abs(k)) != ring:
                        continue
                    shift[0], shift[1], shift[2] = i * lengths[0], j * lengths[1], k * lengths[2]
                    m, limit = _visit(tree, c, h, shift, lengths, slack, cand, site, m, limit, stack)
                    if m < 0:
                        return m
    return m


@leaf
def cull(cand, site, m, c, h, lengths, slack, out, out_site, val):
    """Keep the candidates that can own a part of the box; returns their number."""
    best = -1
    for k in range(m):
        val[k, 0], val[k, 1], val[k, 2], val[k, 3] = evaluate(cand, k, c[0], c[1], c[2])
        if (best < 0 or val[k, 0] < val[best, 0]) and within_reach(cand[k], c, h, lengths, 1.0):
            best = k
    kept = 0
    for k in range(m):
        if best >= 0:
            spread = h[0] * abs(val[k, 1] - val[best, 1]) + h[1] * abs(val[k, 2] - val[best, 2])
            spread += h[2] * abs(val[k, 3] - val[best, 3])
            lead = val[k, 0] - val[best, 0] - 2 * spread
            if lead > slack:  # the quadratic part is small and dear: only where the linear one does not decide
                lead += _quadratic(cand, k, best, h)
                if lead > slack + 1e-12 * (abs(val[k, 0]) + abs(val[best, 0])):
                    continue
        for a in range(10):
            out[kept, a] = cand[k, a]
        out_site[kept] = site[k]
        kept += 1
    return kept


@leaf
def _quadratic(cand, k, b, h):
    """Lower bound of t^T (A_k - A_b) t over |t| <= h."""
    total = 0.0
    for a, row in ((0, 3), (1, 6), (2, 8)):
        total += min(cand[k, row] - cand[b, row], 0.0) * h[a] * h[a]
    total -= 2 * abs(cand[k, 4] - cand[b, 4]) * h[0] * h[1]
    total -= 2 * abs(cand[k, 5] - cand[b, 5]) * h[0] * h[2]
    return total - 2 * abs(cand[k, 7] - cand[b, 7]) * h[1] * h[2]


@leaf
def costs(cand, m, start, step, cost):
    """cost [m, SIDE * SIDE * ROW]: each candidate's cost at the voxels of a block with first centre `start`."""
    for k in range(m):
        dz0 = start[2] - cand[k, 2]
        for r in range(SIDE * SIDE):
            dx, dy = start[0] + (r // SIDE) * step[0] - cand[k, 0], start[1] + (r % SIDE) * step[1] - cand[k, 1]
            base = cand[k, 3] * dx * dx + 2 * cand[k, 4] * dx * dy + cand[k, 6] * dy * dy - cand[k, 9]
            slope = 2 * (cand[k, 5] * dx + cand[k, 7] * dy)
            for i in range(ROW):
                dz = dz0 + i * step[2]
                cost[k, r * ROW + i] = base + dz * (slope + cand[k, 8] * dz)


@inner
def keep_nearest_images(cand, site, m, start, step, c, h, lengths, cost):
    """Where a site has several images: only its nearest one in reach keeps its cost, the others get infinity."""
    point, none = np.empty(3), np.zeros(3)
    for k in range(m):
        everywhere, alone = within_reach(cand[k], c, h, lengths, 1.0), True
        for j in range(k):
            alone = alone and site[j] != site[k]
        if everywhere and alone:
            continue
        for v in range(SIDE * SIDE * ROW):
            if not everywhere:
                point[0], point[1] = start[0] + (v // (SIDE * ROW)) * step[0], start[1] + (v // ROW % SIDE) * step[1]
                point[2] = start[2] + (v % ROW) * step[2]
                if not within_reach(cand[k], point, none, lengths, 1.0):
                    cost[k, v] = np.inf
            for j in range(k):
                if site[j] != site[k]:
                    continue
                if cost[j, v] <= cost[k, v]:
                    cost[k, v] = np.inf
                else:
                    cost[j, v] = np.inf


@leaf
def lowest(cost, m, low, who):
    """The lowest cost low[0] and its candidate who[0] at each voxel; ties go to the first."""
    low[0], who[0] = np.inf, -1
    for k in range(m):
        for i in range(SIDE * SIDE * ROW):
            who[0, i] = k if cost[k, i] < low[0, i] else who[0, i]
            low[0, i] = min(cost[k, i], low[0, i])


@leaf
def lowest_site(cost, site, m, order, low, who):
    """The same, but ties go to the lowest site: they do not depend on the tree by which candidates were found.

    `order` is scratch.
    """
    for k in range(m):
        r = k
        while r > 0 and site[order[r - 1]] > site[k]:
            order[r] = order[r - 1]
            r -= 1
        order[r] = k
    low[0], who[0] = np.inf, -1
    for r in range(m):
        k = order[r]
        for i in range(SIDE * SIDE * ROW):
            who[0, i] = k if cost[k, i] < low[0, i] else who[0, i]
            low[0, i] = min(cost[k, i], low[0, i])


@leaf
def second_lowest(cost, m, low):
    """The second lowest cost low[1] at each voxel, and once more low[0]: min and max alone run in vector registers."""
    for i in range(SIDE * SIDE * ROW):
        low[0, i], low[1, i] = np.inf, np.inf
    for k in range(m):
        for i in range(SIDE * SIDE * ROW):
            low[1, i] = min(low[1, i], max(cost[k, i], low[0, i]))
            low[0, i] = min(low[0, i], cost[k, i])


@leaf
def runners_up(cost, m, winner, v):
    """The second and third candidate of voxel v, -1 where there is none."""
    second, third, low, high = -1, -1, np.inf, np.inf
    for k in range(m):
        c = cost[k, v]
        if c >= high or k == winner:
            continue
        if c < low:
            second, third, low, high = k, second, c, low
        else:
            third, high = k, c
    return second, third


@leaf
def several_images(cand, site, m, c, h, lengths, seen):
    """Does a site occur twice among the candidates, or is an image out of reach in a part of the box?

    `seen` int64 [n + 1] is scratch, zero at first: seen[n] counts the calls, the others say when a site was last met.
    """
    seen[-1] += 1
    several = False
    for k in range(m):
        several |= seen[site[k]] == seen[-1] or not within_reach(cand[k], c, h, lengths, 1.0)
        seen[site[k]] = seen[-1]
    return several


@leaf
def _half_variation(cand, i, j, q, h, step):
    """Cost gap beyond which i and j share no voxel of the box; q [m, 3] holds A (centre - site).

    Half the variation of c_j - c_i across a voxel: its gradient is 2 (q_j - q_i), changing by 2 (A_j - A_i) t within
    the box; and what curvature adds.
    """
    xx, xy, xz = abs(cand[i, 3] - cand[j, 3]), abs(cand[i, 4] - cand[j, 4]), abs(cand[i, 5] - cand[j, 5])
    yy, yz, zz = abs(cand[i, 6] - cand[j, 6]), abs(cand[i, 7] - cand[j, 7]), abs(cand[i, 8] - cand[j, 8])
    bound = step[0] * (abs(q[i, 0] - q[j, 0]) + xx * h[0] + xy * h[1] + xz * h[2])
    bound += step[1] * (abs(q[i, 1] - q[j, 1]) + xy * h[0] + yy * h[1] + yz * h[2])
    bound += step[2] * (abs(q[i, 2] - q[j, 2]) + xz * h[0] + yz * h[1] + zz * h[2])
    return bound + (xx * step[0] ** 2 + yy * step[1] ** 2 + zz * step[2] ** 2) / 12


@leaf
def half_variations(cand, m, c, step, h, q, half):
    """half [m, m]: `_half_variation` of all pairs; q is scratch."""
    for k in range(m):
        _, q[k, 0], q[k, 1], q[k, 2] = evaluate(cand, k, c[0], c[1], c[2])
    for i in range(m):
        half[i, i] = 0.0
        for j in range(i):
            half[i, j] = half[j, i] = _half_variation(cand, i, j, q, h, step)


@leaf
def _shares_with_one(cand, k, winner, lead, q, h, step):
    """May candidate k, which loses by `lead` or more, share a voxel with one of the winners?"""
    shares, i = False, 0
    while i < len(winner) and not shares:
        shares = winner[i] and lead < _half_variation(cand, i, k, q, h, step)
        i += 1
    return shares


@inner
def sieve(cand, site, m, cost, low, who, c, step, h, reach, q):
    """Keep the candidates that come near to winning in some voxel of a block; in place, returns their number.

    Where cells are thin, hundreds pass the bounds of a block and a few dozen matter; all that follows is quadratic.
    """
    winner, near = np.zeros(m, np.bool_), np.empty(ROW)
    for v in range(who.shape[1]):
        winner[who[0, v]] = True
    for k in range(m):
        q[k, 0], q[k, 1], q[k, 2] = evaluate(cand, k, c[0], c[1], c[2])[1:]
    kept = 0
    for k in range(m):
        if not winner[k]:
            near[:] = np.inf
            for r in range(SIDE * SIDE):  # eight minima side by side run in vector registers
                for i in range(ROW):
                    near[i] = min(near[i], cost[k, r * ROW + i] - low[0, r * ROW + i])
            if not _shares_with_one(cand, k, winner, near.min() - reach, q, h, step):
                continue
        site[kept] = site[k]
        winner[kept] = winner[k]
        cand[kept], cost[kept], q[kept] = cand[k], cost[k], q[k]
        kept += 1
    return kept


@leaf
def variation(cand, i, j, point, step):
    """sum_a h_a |d_a (c_j - c_i)| at a point: how far the gap varies across the voxel."""
    _, ix, iy, iz = evaluate(cand, i, point[0], point[1], point[2])
    _, jx, jy, jz = evaluate(cand, j, point[0], point[1], point[2])
    return 2 * (step[0] * abs(jx - ix) + step[1] * abs(jy - iy) + step[2] * abs(jz - iz))
