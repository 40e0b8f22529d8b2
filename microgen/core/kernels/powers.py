"""Bounds of costs c(y) = q(y)^e - w, q = (y - x)^T A (y - x), over a box: which sites can own a part of it.

q grows with distance and t^e grows with t, so whatever bounds q bounds the cost. A site k is compared with the site b
that is best at the centre of a box. With Q the bound of `boxes` on q_k - q_b from below (exact to first order, and
where metrics are equal to second),

    c_k - c_b >= min over u in [low_b, high_b] of max(u + Q, low_k)^e - u^e,     [low, high] the range of q in the box,

which is monotone in u where the exponents are equal, and is bounded piece by piece where they are not. At e = 1 this is
the bound of the quadratic diagram. Void is a candidate like any other, with A = 0.

Rows of candidates are those of `boxes` and two columns more: x y z, A_xx A_xy A_xz A_yy A_yz A_zz, w, e, w'. Exactly
one of the two weights is used: w at e = 1, where all arithmetic is that of the quadratic diagram, else w'.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgen.compiled import compiled, inner
from microgen.core.kernels.boxes import (
    ROW,
    SIDE,
    STACK,
    _node_distance,
    _quadratic,
    _site_distance,
    evaluate,
    leaf,
    within_reach,
)
from microgen.core.kernels.tree import SiteTree

COLUMNS = 12
PIECES = 4  # of the range of q, where exponents differ


class PowerTree(NamedTuple):
    """A `SiteTree` whose costs are powers: arrays and numbers only, for Numba."""

    order: np.ndarray  # int64 [n]
    rows: np.ndarray  # float64 [n, 12]: candidates, in tree order
    eigenvalue: np.ndarray  # float64 [n]
    first: np.ndarray  # int64 [nodes]
    last: np.ndarray  # int64 [nodes]
    left: np.ndarray  # int64 [nodes]
    box: np.ndarray  # float64 [nodes, 6]
    bound: np.ndarray  # float64 [nodes, 4]: smallest eigenvalue, smallest and largest exponent e, largest weight
    void: float
    """Weight of the void; NaN where there is none."""


def power_tree(tree: SiteTree, exponents: np.ndarray) -> PowerTree:
    """Sites of a tree with powers e [n] of their quadratic forms, in the caller's order."""
    rows = np.zeros((len(tree.rows), COLUMNS))
    rows[:, :9] = tree.rows[:, :9]
    rows[:, 10] = exponents[tree.order]
    bound = np.zeros((len(tree.first), 4))
    bound[:, 0] = tree.bound[:, 0]
    return PowerTree(tree.order, rows, tree.eigenvalue, tree.first, tree.last, tree.left, tree.box, bound, np.nan)


def with_weights(tree: PowerTree, weights: np.ndarray, void: float) -> PowerTree:
    """The same tree for other weights."""
    rows, bound = tree.rows.copy(), tree.bound.copy()
    w = weights[tree.order]
    rows[:, 9] = np.where(rows[:, 10] == 1, w, 0.0)
    rows[:, 11] = np.where(rows[:, 10] == 1, 0.0, w)
    _bounds(rows, tree.first, tree.last, tree.left, bound)
    return tree._replace(rows=rows, bound=bound, void=void)


@compiled
def _bounds(rows, first, last, left, bound):
    for node in range(len(first) - 1, -1, -1):  # children come after their parent
        a, b, child = first[node], last[node], left[node]
        if child < 0:
            bound[node, 1], bound[node, 2] = rows[a:b, 10].min(), rows[a:b, 10].max()
            bound[node, 3] = (rows[a:b, 9] + rows[a:b, 11]).max()
        else:
            bound[node, 1] = min(bound[child, 1], bound[child + 1, 1])
            bound[node, 2] = max(bound[child, 2], bound[child + 1, 2])
            bound[node, 3] = max(bound[child, 3], bound[child + 1, 3])


@leaf
def power(q, e):
    """q^e for q >= 0 (less is rounding); the usual powers without a logarithm."""
    q = max(q, 0.0)
    if e == 0.5:
        return np.sqrt(q)
    if e == 1.0:
        return q
    if e == 2.0:
        return q * q
    if e == 3.0:
        return q * q * q
    return q**e


@leaf
def raised(cand, k, v):
    """Cost minus weight from what `boxes.evaluate` gives: q - w at e = 1, else q."""
    return v if cand[k, 10] == 1.0 else power(v, cand[k, 10]) - cand[k, 11]


@leaf
def raise_costs(cand, m, cost):
    """What `boxes.costs` gives made costs, in place."""
    for k in range(m):
        e, w = cand[k, 10], cand[k, 11]
        if e == 1.0:
            continue
        if e == 0.5:
            for i in range(SIDE * SIDE * ROW):
                cost[k, i] = np.sqrt(max(cost[k, i], 0.0)) - w
        elif e == 3.0:
            for i in range(SIDE * SIDE * ROW):
                cost[k, i] = cost[k, i] * cost[k, i] * cost[k, i] - w
        else:
            for i in range(SIDE * SIDE * ROW):
                cost[k, i] = power(cost[k, i], e) - w


@leaf
def _linear(cand, k, qx, qy, qz, h):
    """How far the first-order part of q varies from the centre of a box."""
    return 2 * (abs(qx) * h[0] + abs(qy) * h[1] + abs(qz) * h[2])


@leaf
def _curved(cand, k, h):
    """Most that the second-order part of q adds within a box."""
    square = cand[k, 3] * h[0] ** 2 + cand[k, 6] * h[1] ** 2 + cand[k, 8] * h[2] ** 2
    cross = abs(cand[k, 4]) * h[0] * h[1] + abs(cand[k, 5]) * h[0] * h[2] + abs(cand[k, 7]) * h[1] * h[2]
    return square + 2 * cross


@leaf
def _node_above(tree, node, c, h, shift, limit):
    """Does every site of a node, shifted, cost more than `limit` everywhere in the box?"""
    t = tree.bound[node, 0] * _node_distance(tree.box, node, c, h, shift)
    low = power(t, tree.bound[node, 1])
    if tree.bound[node, 2] != tree.bound[node, 1]:
        low = min(low, power(t, tree.bound[node, 2]))
    return low - tree.bound[node, 3] > limit


@leaf
def _visit(tree, c, h, shift, lengths, slack, cand, site, m, limit, stack):
    """Add the sites of one periodic image that may own a part of the box; returns (m, limit). See `boxes._visit`."""
    stack[0], top = 0, 1
    while top > 0:
        top -= 1
        node = stack[top]
        if _node_above(tree, node, c, h, shift, limit + slack):
            continue
        child = tree.left[node]
        if child >= 0:
            near = _node_distance(tree.box, child, c, h, shift) <= _node_distance(tree.box, child + 1, c, h, shift)
            stack[top], stack[top + 1] = (child + 1, child) if near else (child, child + 1)
            top += 2
            continue
        for row in range(tree.first[node], tree.last[node]):
            if m >= len(site) - 1:  # one place is the void's
                return -1, limit
            for a in range(COLUMNS):
                cand[m, a] = tree.rows[row, a]
            for a in range(3):
                cand[m, a] += shift[a]
            w = cand[m, 9] + cand[m, 11]
            if power(tree.eigenvalue[row] * _site_distance(cand, m, c, h), cand[m, 10]) - w > limit + slack:
                continue
            if not within_reach(cand[m], c, h, lengths, -1.0):
                continue
            site[m] = tree.order[row]
            if within_reach(cand[m], c, h, lengths, 1.0):
                v, qx, qy, qz = evaluate(cand, m, c[0], c[1], c[2])
                limit = min(limit, raised(cand, m, v + _linear(cand, m, qx, qy, qz, h) + _curved(cand, m, h)))
            m += 1
    return m, limit


@inner
def collect(tree, c, h, lengths, slack, cand, site):
    """All candidates of a box, periodic images included and the void last; -1 when the workspace is too small."""
    m, n = np.int64(0), len(tree.rows)
    limit = -tree.void if tree.void == tree.void else np.inf
    reach, shift, stack = np.zeros(3, np.int64), np.empty(3), np.empty(STACK, np.int64)
    for a in range(3):
        if lengths[a] > 0:
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
    if tree.void == tree.void:
        cand[m] = 0.0
        cand[m, :3], cand[m, 9], cand[m, 10] = c, tree.void, 1.0
        site[m] = n
        m += 1
    return m


@leaf
def _least_gap(cand, k, b, lead, low_k, low_b, high_b):
    """Least of c_k - c_b without weights, where q_k - q_b >= lead; see the head of this file."""
    e, f = cand[k, 10], cand[b, 10]
    if e == f:
        apart = power(low_k, e) - power(high_b, e)
        # (u + lead)^e - u^e rises with u where (e - 1) lead > 0
        u = low_b if (e - 1) * lead > 0 else high_b
        if u + lead < 0:
            u = -lead
        return max(apart, power(u + lead, e) - power(u, e))
    least = np.inf
    for piece in range(PIECES):
        low = low_b + (high_b - low_b) * piece / PIECES
        high = low_b + (high_b - low_b) * (piece + 1) / PIECES
        least = min(least, power(max(low + lead, low_k), e) - power(high, f))
    return least


@leaf
def cull(cand, site, m, c, h, lengths, slack, out, out_site, val):
    """Keep the candidates that can own a part of the box; returns their number. val [m, 6] is scratch."""
    best = -1
    for k in range(m):
        val[k, 0], val[k, 1], val[k, 2], val[k, 3] = evaluate(cand, k, c[0], c[1], c[2])
        val[k, 4] = raised(cand, k, val[k, 0])
        if (best < 0 or val[k, 4] < val[best, 4]) and within_reach(cand[k], c, h, lengths, 1.0):
            best = k
    kept, low_b, high_b, w_b = 0, 0.0, 0.0, 0.0
    if best >= 0:
        w_b = cand[best, 9] + cand[best, 11]
        q, spread = val[best, 0] + cand[best, 9], _linear(cand, best, val[best, 1], val[best, 2], val[best, 3], h)
        low_b, high_b = max(q - spread, 0.0), q + spread + _curved(cand, best, h)
    for k in range(m):
        if best >= 0 and k != best:
            spread = h[0] * abs(val[k, 1] - val[best, 1]) + h[1] * abs(val[k, 2] - val[best, 2])
            spread += h[2] * abs(val[k, 3] - val[best, 3])
            w = cand[k, 9] + cand[k, 11]
            q = val[k, 0] + cand[k, 9]
            lead = q - val[best, 0] - cand[best, 9] - 2 * spread + _quadratic(cand, k, best, h)
            gap = lead
            if cand[k, 10] != 1.0 or cand[best, 10] != 1.0:
                low_k = max(q - _linear(cand, k, val[k, 1], val[k, 2], val[k, 3], h), 0.0)
                gap = _least_gap(cand, k, best, lead, low_k, low_b, high_b)
            scale = abs(val[k, 4]) + abs(val[best, 4]) + abs(w) + abs(w_b) + power(high_b, cand[best, 10])
            if gap - w + w_b > slack + 1e-12 * scale:
                continue
        for a in range(COLUMNS):
            out[kept, a] = cand[k, a]
        out_site[kept] = site[k]
        kept += 1
    return kept


@leaf
def slopes(cand, k, v, qx, qy, qz, step):
    """First and second derivative of the power by q, at a point where `evaluate` gave v.

    Below e = 1 they have no bound at the site itself: there q is taken to be its mean over a voxel around the site.
    """
    e = cand[k, 10]
    if e == 1.0:
        return 1.0, 0.0
    mean = (cand[k, 3] * step[0] ** 2 + cand[k, 6] * step[1] ** 2 + cand[k, 8] * step[2] ** 2) / 12
    q = max(v, mean)
    first = e * power(q, e) / q
    return first, (e - 1) * first / q


@leaf
def around(cand, k, point, step, local, row):
    """`shares._around` for a power: with f' and f'' of the power, c(t) = c + 2 f' q·t + f' t·A t + 2 f'' (q·t)²."""
    v, qx, qy, qz = evaluate(cand, k, point[0], point[1], point[2])
    f, g = slopes(cand, k, v, qx, qy, qz, step)
    hx, hy, hz = 0.25 * step[0], 0.25 * step[1], 0.25 * step[2]
    value = raised(cand, k, v)
    local[row, 0], local[row, 1], local[row, 2] = 2 * f * qx * hx, 2 * f * qy * hy, 2 * f * qz * hz
    local[row, 3] = value
    local[row, 4] = value + f * cand[k, 3] * hx * hx + f * cand[k, 6] * hy * hy + f * cand[k, 8] * hz * hz
    local[row, 4] += 2 * g * ((qx * hx) ** 2 + (qy * hy) ** 2 + (qz * hz) ** 2)
    local[row, 5] = 2 * (f * cand[k, 4] + 2 * g * qx * qy) * hx * hy
    local[row, 6] = 2 * (f * cand[k, 5] + 2 * g * qx * qz) * hx * hz
    local[row, 7] = 2 * (f * cand[k, 7] + 2 * g * qy * qz) * hy * hz


@leaf
def half_variation(cand, k, c, h, step):
    """Most that c_k changes from the centre of a voxel of the box to its corners, and half of what curvature adds."""
    v, qx, qy, qz = evaluate(cand, k, c[0], c[1], c[2])
    x = abs(qx) + cand[k, 3] * h[0] + abs(cand[k, 4]) * h[1] + abs(cand[k, 5]) * h[2]
    y = abs(qy) + abs(cand[k, 4]) * h[0] + cand[k, 6] * h[1] + abs(cand[k, 7]) * h[2]
    z = abs(qz) + abs(cand[k, 5]) * h[0] + abs(cand[k, 7]) * h[1] + cand[k, 8] * h[2]
    spread = _linear(cand, k, qx, qy, qz, h)
    f, g = slopes(cand, k, v + spread + _curved(cand, k, h), qx, qy, qz, step)
    f_low, g_low = slopes(cand, k, v - spread, qx, qy, qz, step)
    f, g = max(f, f_low), max(abs(g), abs(g_low))
    bound = f * (x * step[0] + y * step[1] + z * step[2])
    bound += f * (cand[k, 3] * step[0] ** 2 + cand[k, 6] * step[1] ** 2 + cand[k, 8] * step[2] ** 2) / 12
    return bound + g * ((x * step[0]) ** 2 + (y * step[1]) ** 2 + (z * step[2]) ** 2) / 6


@leaf
def variation(cand, i, j, point, step):
    """sum_a h_a |d_a (c_j - c_i)| at a point: how far the gap varies across the voxel."""
    v, ix, iy, iz = evaluate(cand, i, point[0], point[1], point[2])
    w, jx, jy, jz = evaluate(cand, j, point[0], point[1], point[2])
    f, _ = slopes(cand, i, v, ix, iy, iz, step)
    g, _ = slopes(cand, j, w, jx, jy, jz, step)
    x, y, z = abs(g * jx - f * ix), abs(g * jy - f * iy), abs(g * jz - f * iz)
    return 2 * (step[0] * x + step[1] * y + step[2] * z)
