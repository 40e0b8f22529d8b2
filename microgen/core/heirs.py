"""Who gets the islands, worked out on pieces and the faces between them instead of on voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgen.core.kernels.pieces import joined


class Pieces(NamedTuple):
    """Connected pieces of labels, in the order of their lowest voxels, and the faces of some."""

    root: np.ndarray
    """int64 [p]: lowest voxel"""
    size: np.ndarray
    """int64 [p]"""
    label: np.ndarray
    """int32 [p], 0 is void"""
    faces: np.ndarray
    """int64 [f, 3]: piece, piece of another label that it touches, number of faces that they share: of all islands"""

    def islands(self) -> np.ndarray:
        """bool [p]: all but the largest piece of each label (ties: the lowest)."""
        order = np.lexsort((self.root, -self.size, self.label))
        _, first = np.unique(self.label[order], return_index=True)
        island = self.label > 0
        island[order[first]] = False
        return island


def heirs(pieces: Pieces, known: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """int32 [p]: the labels of the pieces once each island went to the label that shares most faces with it.

    Ties go to the lowest label. In rounds, as what an island went to may itself be one, or have gone. The faces of the
    `known` pieces (bool [p], all islands among them) are told. Where the largest piece of a label is outgrown, faces of
    others matter: those are returned (bool [p]), and labels are not to be told without theirs.
    """
    label, cluster, island = pieces.label.copy(), np.arange(len(pieces.root)), pieces.islands()
    a, b, count = pieces.faces.T
    for _ in range(rounds):
        if not island.any() or (island & ~known).any():
            break
        free = island[a] & (label[a] != label[b])
        shared, where = np.unique(np.stack([cluster[a[free]], label[b[free]]], axis=1), axis=0, return_inverse=True)
        total = np.bincount(where.ravel(), count[free], len(shared))
        order = np.lexsort((shared[:, 1], -total, shared[:, 0]))
        losers, best = np.unique(shared[order, 0], return_index=True)
        heir = np.zeros(len(label), np.int32)
        heir[losers] = shared[order[best], 1]
        label = np.where(heir[cluster] > 0, heir[cluster], label)
        one = label[a] == label[b]
        cluster = joined(a[one], b[one], len(label))
        island = Pieces(pieces.root, np.bincount(cluster, pieces.size, len(label)), label, pieces.faces).islands()
        island = (island & (cluster == np.arange(len(label))))[cluster]
    return label, island & ~known
