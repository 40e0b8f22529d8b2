"""Small changes of the weights without sweeping again: only voxels near an interface can change hands.

A sweep records each voxel whose gap is within `reach` of flipping, with its winner i and, for the next two sites j, gap
d and variation s. For weights changed by δ the gap is d + δ_i - δ_j, so counts follow from the records alone: exact for
three sites while |δ_i - δ_j| <= reach. Changes of sub-voxel volumes treat the sites one by one, which the next sweep
corrects. The third site is needed: near two close sites it is the one that both share their outer faces with.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from microgen.compiled import compiled, inner
from microgen.core.kernels.cpu import Sweep

GROUPS = 8  # fixed, as the order of summation must not depend on threads; each takes memory for all sites


@compiled
def _share(gap, s):
    return min(max(0.5 - gap / s, 0.0), 1.0) if s > 0 else (1.0 if gap < 0 else 0.0)


@inner
def _moved_chunk(flip, flip_gap, used, change, shares, counts, volumes):
    for r in range(used):
        i, winner, least = flip[r, 0], 0, 0.0
        for rank in range(1, 3):
            j, gap, s = flip[r, rank], flip_gap[r, 2 * rank - 2], flip_gap[r, 2 * rank - 1]
            new = gap + change[i] - change[j]
            if new < least:
                winner, least = rank, new
            if shares:
                share = _share(new, s) - _share(gap, s)
                volumes[i] -= share
                volumes[j] += share
        if winner > 0:
            counts[i] -= 1
            counts[flip[r, winner]] += 1


@compiled(parallel=True)
def _moved(flip, flip_gap, used, change, shares, counts, volumes):
    for group in prange(len(counts)):
        for chunk in range(group * len(used) // len(counts), (group + 1) * len(used) // len(counts)):
            _moved_chunk(flip[chunk], flip_gap[chunk], used[chunk], change, shares, counts[group], volumes[group])


def moved(sweep: Sweep, change: np.ndarray, *, shares: bool) -> tuple[np.ndarray, np.ndarray]:
    """Counts int64 [n] and sub-voxel volumes float64 [n] (in voxels) after the weights changed by `change` [n].

    Without `shares` (or where the sweep did not record them) the volumes are those of the sweep.
    """
    groups = min(GROUPS, len(sweep.flip_used))
    counts = np.zeros((groups, len(change)), np.int64)
    volumes = np.zeros(counts.shape)
    _moved(sweep.flip, sweep.flip_gap, sweep.flip_used, change, shares, counts, volumes)
    return sweep.counts + counts.sum(0), sweep.volumes + volumes.sum(0)
