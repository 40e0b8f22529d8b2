"""What the voxels of an evaluated block tell that lie near an interface: shares, interface terms, possible flips.

A sweep that only follows some sites works out the shares of the voxels that these may have a part of, and of all others
just whether they may change hands: most of a sweep's time goes into shares.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgen.compiled import inner
from microgen.core.kernels.boxes import ROW, SIDE, leaf, runners_up, variation
from microgen.core.kernels.shares import share_voxel

ALL = np.zeros(0, np.bool_)


class Wanted(NamedTuple):
    """What a sweep is to compute."""

    labels: bool
    volumes: bool
    reach: float
    """Voxels that changes of the weights up to `reach` can flip are recorded; negative: none."""
    shares: bool = True
    """Record those too whose shares can change; without, sub-voxel volumes do not follow from the records."""
    counts: bool = True
    """Without them a part can be labelled in the memory of its labels, however many sites there are."""
    followed: np.ndarray = ALL
    """bool [n]: the sites whose volumes are asked for, of size 0 for all. Volumes of the others come out as anything,
    interface terms between them are left out, and so are records of voxels of theirs that only change shares."""


class Block(NamedTuple):
    """Voxels of a small box: first centre (in the coarse box's period), steps, and how many lie in the lattice."""

    start: np.ndarray
    step: np.ndarray
    shape: np.ndarray


@leaf
def reach_of(want):
    """Gap up to which voxels are recorded, beyond that at which they are shared; two weights change against another."""
    return want.reach if want.shares else 2 * want.reach


@leaf
def any_followed(want, site, m):
    """Is the volume of one of the m candidates in level 3 asked for?"""
    found = len(want.followed) == 0
    for k in range(m):
        found |= not found and want.followed[site[3, k]]
    return found


@leaf
def _record(cand, site, ranks, cost, v, point, step, flip, flip_gap, row, shares):
    """Write down a voxel that may change hands: its three lowest sites, their gaps and (of shares) variations."""
    winner = ranks[0]
    flip[row, 0] = site[winner]
    for rank in range(1, 3):
        k = ranks[rank]
        near = k >= 0 and cost[k, v] < np.inf
        flip[row, rank] = site[k] if near else site[winner]
        flip_gap[row, 2 * rank - 2] = cost[k, v] - cost[winner, v] if near else np.inf
        flip_gap[row, 2 * rank - 1] = variation(cand, winner, k, point, step) if near and shares else 0.0


@leaf
def _follows(want, site, winner, second, third):
    """Is the volume of one of a voxel's three lowest sites asked for?"""
    followed = want.followed
    if len(followed) == 0 or followed[site[winner]]:
        return True
    return (second >= 0 and followed[site[second]]) or (third >= 0 and followed[site[third]])


@leaf
def share_block(box, cand, site, m, work, half, want, flip, flip_gap, used, volumes, area):
    """Sub-voxel volumes, interface terms and flips of an evaluated block; returns the number of flips so far."""
    # Whole arrays and indices, no slices: the reference counts of slices are atomic, and a quarter of a sweep's time.
    cost, low, who, near, room = work.cost, work.low, work.who, work.near, work.room
    start, step, shape = box.start, box.step, box.shape
    point, widest, reach, chosen = work.point, work.widest, reach_of(want), len(want.followed) > 0
    most = max(reach, 0.0)
    for k in range(m):
        widest[k] = 0.0
        for i in range(m):
            widest[k] = max(widest[k], half[k, i])
    for r in range(SIDE * SIDE):
        if r // SIDE >= shape[0] or r % SIDE >= shape[1]:
            continue
        point[0], point[1] = start[0] + (r // SIDE) * step[0], start[1] + (r % SIDE) * step[1]
        for q in range(shape[2]):
            v = r * ROW + q
            winner, gap = np.int64(who[0, v]), low[1, v] - low[0, v]
            volumes[site[winner]] += 1.0
            if gap >= widest[winner] + most and (not chosen or gap >= 2 * most):
                continue
            point[2] = start[2] + q * step[2]
            if gap < widest[winner]:
                near[0], count, wanted = winner, 1, not chosen or want.followed[site[winner]]
                for k in range(m):
                    if cost[k, v] - low[0, v] < half[winner, k]:
                        near[count] = k
                        count += k != winner
                        wanted |= chosen and want.followed[site[k]]
                if count > 1 and wanted:
                    share_voxel(cand, site, near, count, point, step, room, volumes, area)
            if reach >= 0:
                second, third = runners_up(cost, m, winner, v)
                shares = want.shares and _follows(want, site, winner, second, third)
                limit = reach + half[winner, second] if shares else (2 * want.reach if want.shares else reach)
                if second >= 0 and gap < limit:
                    _record(cand, site, (winner, second, third), cost, v, point, step, flip, flip_gap, used, shares)
                    used += 1
    return used


@leaf
def record_block(box, cand, site, m, work, want, flip, flip_gap, used):
    """Flips alone of an evaluated block; returns their number so far."""
    cost, low, who, shape = work.cost, work.low, work.who, box.shape
    for r in range(SIDE * SIDE):
        if r // SIDE >= shape[0] or r % SIDE >= shape[1]:
            continue
        for q in range(shape[2]):
            v = r * ROW + q
            if low[1, v] - low[0, v] < 2 * want.reach:
                winner = np.int64(who[0, v])
                second, third = runners_up(cost, m, winner, v)
                if second >= 0:
                    ranks = (winner, second, third)
                    _record(cand, site, ranks, cost, v, work.point, box.step, flip, flip_gap, used, False)
                    used += 1
    return used


@inner
def pairs(site, m, area, chunk, sweep):
    """Append a block's interface terms."""
    used = sweep.pair_used[chunk]
    for i in range(m):
        for j in range(i + 1, m):
            if area[i, j] > 0 and site[i] != site[j]:
                sweep.pair[chunk, used, 0], sweep.pair[chunk, used, 1] = site[i], site[j]
                sweep.pair_area[chunk, used] = area[i, j]
                used += 1
    sweep.pair_used[chunk] = used
