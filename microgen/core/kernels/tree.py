"""A tree over the sites, so that a box of voxels meets only the sites that can own a part of it.

Each node keeps the bounding box of its sites, their smallest metric eigenvalue λ and their largest weight w: no
site below it costs less than λ·dist² − w anywhere in a box at distance dist, so whole nodes are dismissed at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgen.compiled import compiled

LEAF = 6  # sites per leaf: fewer make the tree deeper, more make every visit dearer


class SiteTree(NamedTuple):
    """Sites in tree order (so that a leaf is a run of rows) and the nodes above them; arrays only, for Numba."""

    order: np.ndarray  # int64 [n]: original index of each row
    rows: np.ndarray  # float64 [n, 10]: x y z, A_xx A_xy A_xz A_yy A_yz A_zz, w
    eigenvalue: np.ndarray  # float64 [n]: smallest eigenvalue of A
    first: np.ndarray  # int64 [nodes]: first row of the node
    last: np.ndarray  # int64 [nodes]: one past its last row
    left: np.ndarray  # int64 [nodes]: left child (the right one follows), -1 for leaves
    box: np.ndarray  # float64 [nodes, 6]: lower corner, upper corner of its sites
    bound: np.ndarray  # float64 [nodes, 2]: smallest eigenvalue, largest weight


def build(sites: np.ndarray, metrics: np.ndarray, weights: np.ndarray) -> SiteTree:
    """Tree over sites [n, 3] with metrics [n, 3, 3] and weights [n], all float64."""
    order, first, last, left = _split(sites)
    rows = np.empty((len(sites), 10))
    rows[:, :3] = sites[order]
    rows[:, 3:9] = metrics[order][:, [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]]
    smallest = np.maximum(np.linalg.eigvalsh(metrics)[:, 0], 0.0)[order]
    room = np.empty((len(first), 6)), np.empty((len(first), 2))
    tree = SiteTree(order, rows, smallest, first, last, left, *room)
    _boxes(tree.rows, tree.first, tree.last, tree.box)
    return with_weights(tree, weights)


def with_weights(tree: SiteTree, weights: np.ndarray) -> SiteTree:
    """The same tree for other weights: only column w and the bounds are new."""
    rows = tree.rows.copy()
    rows[:, 9] = weights[tree.order]
    bound = np.empty_like(tree.bound)
    _bounds(rows, tree.eigenvalue, tree.first, tree.last, tree.left, bound)
    return tree._replace(rows=rows, bound=bound)


def _split(sites: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Halve the longest side at the median until leaves are small: order of the sites; first, last and left of nodes.

    A level at a time. Compiled code that takes node by node is twice as fast, which seldom shows, but takes seconds to
    compile.
    """
    order, nodes = np.arange(len(sites)), 1
    first, last, left = [np.array([0])], [np.array([len(sites)])], []
    while True:
        large = np.flatnonzero(last[-1] - first[-1] > LEAF)
        left.append(np.full(len(first[-1]), -1))
        left[-1][large] = nodes + 2 * np.arange(len(large))
        nodes += 2 * len(large)
        if not len(large):
            return order, np.concatenate(first), np.concatenate(last), np.concatenate(left)
        a, b = first[-1][large], last[-1][large]
        begin = np.cumsum(b - a) - (b - a)
        rows = np.arange((b - a).sum()) + np.repeat(a - begin, b - a)
        part = sites[order[rows]]
        axis = (np.maximum.reduceat(part, begin) - np.minimum.reduceat(part, begin)).argmax(axis=1)
        along = part[np.arange(len(part)), np.repeat(axis, b - a)]
        order[rows] = order[rows][np.lexsort((along, np.repeat(np.arange(len(large)), b - a)))]
        middle = (a + b) // 2
        first.append(np.stack([a, middle], axis=1).ravel())
        last.append(np.stack([middle, b], axis=1).ravel())


@compiled
def _boxes(rows, first, last, box):
    for node in range(len(first)):
        for k in range(3):
            column = rows[first[node] : last[node], k]
            box[node, k], box[node, 3 + k] = column.min(), column.max()


@compiled
def _bounds(rows, eigenvalue, first, last, left, bound):
    for node in range(len(first) - 1, -1, -1):  # children come after their parent
        a, b, child = first[node], last[node], left[node]
        if child < 0:
            bound[node, 0], bound[node, 1] = eigenvalue[a:b].min(), rows[a:b, 9].max()
        else:
            bound[node, 0] = min(bound[child, 0], bound[child + 1, 0])
            bound[node, 1] = max(bound[child, 1], bound[child + 1, 1])
