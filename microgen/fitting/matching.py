"""Which grain of one polycrystal becomes which of another: the assignment of least total cost, phase by phase.

The cost of a pair is the squared distance of `descriptors.grain_cloud`, with the displacement itself along periodic
axes (the shortest way around the box) in place of its chord. Of unequal numbers all grains of the smaller side are
matched; those left over die (first side) or are born (second side).

Up to some millions of pairs the assignment is exact (Crouse, IEEE Trans. Aerosp. Electron. Syst. 52 (2016) 1679).
Beyond, entropic potentials f, g choose the CANDIDATES pairs of each grain with the least c - f - g, and the assignment
is exact among those (Jonker and Volgenant, Computing 38 (1987) 325).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial.distance import cdist

from microgen.core.wasserstein import sinkhorn_divergence
from microgen.descriptors.grain_cloud import GrainCloud, points

PAIRS = 6_250_000  # up to so many costs are written down: 50 MB, and 1 to 2 seconds to assign
CANDIDATES, ROWS, BLUR = 24, 256, 0.3


@dataclass(frozen=True, eq=False)
class Matching:
    """Rows of two clouds."""

    first: np.ndarray
    """int [k]: rows of a, in order."""
    second: np.ndarray
    """int [k]: the row of b that each becomes."""
    deaths: np.ndarray
    """int: rows of a alone."""
    births: np.ndarray
    """int: rows of b alone."""
    cost: float
    """Mean squared distance of the pairs; 0 where there are none."""


def match(a: GrainCloud, b: GrainCloud) -> Matching:
    """The assignment within each phase (all grains are one phase where both have a single one)."""
    alone, scale = len(set(a.phase)) == len(set(b.phase)) == 1, math.sqrt(a.spacing * b.spacing)
    first, second, total = [np.empty(0, int)], [np.empty(0, int)], 0.0
    for name in [""] if alone else sorted({*a.phase, *b.phase}):
        rows, others = (np.flatnonzero([alone or p == name for p in c.phase]) for c in (a, b))
        if not len(rows) or not len(others):
            continue
        i, j, cost = _assigned(a.take(rows), b.take(others), scale)
        first.append(rows[i])
        second.append(others[j])
        total += cost
    i, j = np.concatenate(first), np.concatenate(second)
    order = np.argsort(i)
    deaths, births = (np.setdiff1d(np.arange(len(c)), rows) for c, rows in ((a, i), (b, j)))
    return Matching(i[order], j[order], deaths, births, total / max(len(i), 1))


def costs(a: GrainCloud, b: GrainCloud, scale: float) -> np.ndarray:
    """float64 [n, m]: squared distances, the shortest way around periodic boxes; `scale` is the grain spacing, µm."""
    out = cdist(a.size_and_shape, b.size_and_shape, "sqeuclidean")
    for axis, (one, other) in enumerate(zip(a.lengths, b.lengths)):
        away = a.place[:, axis, None] - b.place[None, :, axis]
        if a.periodic[axis] and b.periodic[axis]:
            away -= np.rint(away)
        out += (away * (math.sqrt(one * other) / scale)) ** 2
    return out


def _assigned(a: GrainCloud, b: GrainCloud, scale: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Rows of a, rows of b, and the sum of their costs."""
    if len(a) * len(b) <= PAIRS:
        cost = costs(a, b, scale)
        i, j = linear_sum_assignment(cost)
        return i, j, float(cost[i, j].sum())
    i, j, cost = (np.concatenate(part) for part in zip(*_candidates(a, b, scale)))
    both = np.unique(i * len(b) + j, return_index=True)[1]
    # The same for every pair, as every assignment has as many: a cost of 0 would be no pair at all.
    graph = coo_matrix((1 + cost[both], (i[both], j[both])), shape=(len(a), len(b))).tocsr()
    i, j = min_weight_full_bipartite_matching(graph)
    return i, j, float(np.asarray(graph[i, j]).sum() - len(i))


def _candidates(a: GrainCloud, b: GrainCloud, scale: float) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs and their costs: the least c - f - g of each grain of either side, and one assignment that always is."""
    x, y = points(a, b, position=math.sqrt(a.spacing * b.spacing) / scale)
    found = sinkhorn_divergence(x, y, blur=BLUR, throw=False)
    sides = ((a, b, found.second, False), (b, a, found.first, True))
    for one, other, potential, turned in sides:
        for start in range(0, len(one), ROWS):
            rows = np.arange(start, min(start + ROWS, len(one)))
            cost = costs(one.take(rows), other, scale)
            near = np.argpartition(cost - potential, min(CANDIDATES, len(other) - 1), axis=1)[:, :CANDIDATES]
            here, there = np.repeat(rows, near.shape[1]), near.ravel()
            i, j = (there, here) if turned else (here, there)
            yield i, j, np.take_along_axis(cost, near, 1).ravel()
    k = min(len(a), len(b))
    i, j = (np.argsort(c.place[:, 0], kind="stable")[:k] for c in (a, b))
    pieces = [costs(a.take(i[s : s + ROWS]), b.take(j[s : s + ROWS]), scale).diagonal() for s in range(0, k, ROWS)]
    yield i, j, np.concatenate(pieces)
