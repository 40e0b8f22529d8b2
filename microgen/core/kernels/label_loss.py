"""Scores of grains at the points of a label map, the smoothed loss of the labels, and its gradient.

A pair is a grain and a point that it may own. Pairs come grain by grain (`first`), and each point knows its pairs
(`begin`, `order`) and which of them is the grain that the map has there (`own`): sums then run in a fixed order. A
score is minus the cost of a power diagram plus its weight, quadratic in the grain's own coordinates u:

    s = t_0 + sum_a t_a u_a + sum_{a <= b} t_ab u_a u_b,     u = whiten (y - centre), y - centre wrapped where periodic.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from microgen.compiled import compiled, inner


@inner(_nrt=False)
def _own_coordinates(points, p, centre, whiten, i, lengths, away, u):
    d = len(u)
    for a in range(d):
        away[a] = points[p, a] - centre[i, a]
        if lengths[a] > 0:
            away[a] -= lengths[a] * np.rint(away[a] / lengths[a])
    for a in range(d):
        u[a] = 0.0
        for b in range(d):
            u[a] += whiten[i, a, b] * away[b]


@compiled(parallel=True)
def scores(theta, centre, whiten, lengths, points, first, point, out):
    """Score of each pair, into `out` [pairs]."""
    n, d = centre.shape
    for i in prange(n):
        away, u = np.empty(d), np.empty(d)
        for k in range(first[i], first[i + 1]):
            _own_coordinates(points, point[k], centre, whiten, i, lengths, away, u)
            s, f = theta[i, 0], 1 + d
            for a in range(d):
                s += theta[i, 1 + a] * u[a]
                for b in range(a, d):
                    s += theta[i, f] * u[a] * u[b]
                    f += 1
            out[k] = s


@compiled(parallel=True)
def loss(s, begin, order, own, temperature, ramp):
    """Sum over points of -log p (`ramp` false) or 1 - p of the own grain; `s` becomes its derivative by the scores.

    p is the soft maximum over the point's pairs, exp(s / temperature) normalised. -log p is convex in the scores;
    1 - p goes to the number of wrong labels as the temperature falls.
    """
    part = np.empty(len(own))
    for p in prange(len(own)):
        top, z, lead = -np.inf, 0.0, s[own[p]]
        for q in range(begin[p], begin[p + 1]):
            top = max(top, s[order[q]])
        for q in range(begin[p], begin[p + 1]):
            s[order[q]] = np.exp((s[order[q]] - top) / temperature)
            z += s[order[q]]
        share = s[own[p]] / z
        part[p] = 1 - share if ramp else np.log(z) - (lead - top) / temperature
        factor = (share if ramp else 1.0) / temperature
        for q in range(begin[p], begin[p + 1]):
            s[order[q]] *= factor / z
        s[own[p]] -= factor
    total = 0.0
    for p in range(len(own)):  # in order, whatever the number of threads
        total += part[p]
    return total


@compiled(parallel=True)
def gradient(slope, centre, whiten, lengths, points, first, point, out):
    """Derivative by theta, into `out` [n, features], of what has the derivative `slope` by the pairs' scores."""
    n, d = centre.shape
    for i in prange(n):
        away, u = np.empty(d), np.empty(d)
        out[i] = 0.0
        for k in range(first[i], first[i + 1]):
            g = slope[k]
            if abs(g) < 1e-12:
                continue
            _own_coordinates(points, point[k], centre, whiten, i, lengths, away, u)
            out[i, 0] += g
            f = 1 + d
            for a in range(d):
                out[i, 1 + a] += g * u[a]
                for b in range(a, d):
                    out[i, f] += g * u[a] * u[b]
                    f += 1
