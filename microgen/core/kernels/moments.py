"""Centroids of the cells of a label volume."""

from __future__ import annotations

import numpy as np

from microgen.compiled import compiled
from microgen.core.kernels.boxes import Lattice


@compiled
def _displacements(labels, first, sites, start, step, lengths, total, count):
    nx, ny, nz = labels.shape
    index = np.empty(3, np.int64)
    for index[0] in range(nx):
        for index[1] in range(ny):
            for index[2] in range(nz):
                i = labels[index[0], index[1], index[2]] - 1
                if i < 0:
                    continue
                count[i] += 1
                for a in range(3):
                    d = start[a] + (index[a] + (first if a == 0 else 0)) * step[a] - sites[i, a]
                    if lengths[a] > 0:
                        d -= lengths[a] * np.rint(d / lengths[a])
                    total[i, a] += d


def displacements(
    labels: np.ndarray, first: int, sites: np.ndarray, lattice: Lattice, total: np.ndarray, count: np.ndarray
) -> None:
    """Add to total [n, 3] and count [n] the voxels of a slab, which begins at layer `first` of the lattice."""
    _displacements(labels, first, sites, lattice.start, lattice.step, lattice.lengths, total, count)


def centroids(labels: np.ndarray, sites: np.ndarray, lattice: Lattice) -> np.ndarray:
    """float64 [n, 3]: mean of the voxel centres of each label 1..n; along periodic axes, next to its site [n, 3].

    An empty cell keeps its site.
    """
    total, count = np.zeros(sites.shape), np.zeros(len(sites), np.int64)
    displacements(labels, 0, sites, lattice, total, count)
    return sites + total / np.maximum(count, 1)[:, None]
