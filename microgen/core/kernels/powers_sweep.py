"""One sweep over cells of powers, with void and within a mask: `cpu.sweep` for more costs, giving the same values.

Kept apart from `cpu`, whose quadratic cells need no power and no mask in their inner loops.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgen.compiled import compiled, inner
from microgen.core.kernels.boxes import (
    ROW,
    SIDE,
    Lattice,
    costs,
    keep_nearest_images,
    leaf,
    lowest,
    runners_up,
    second_lowest,
    several_images,
)
from microgen.core.kernels.cpu import CHUNKS, COARSE, Sweep, _box, buffers
from microgen.core.kernels.interfaces import Wanted, pairs, reach_of
from microgen.core.kernels.powers import (
    COLUMNS,
    PowerTree,
    around,
    collect,
    cull,
    half_variation,
    raise_costs,
    variation,
)
from microgen.core.kernels.shares import PLANES, Room, divide, shared
from microgen.threads import in_threads

FULL = 255
"""A voxel that lies in the mask wholly."""


class Mask(NamedTuple):
    """How much of each voxel takes part: uint8 [shape], FULL for all of it; nothing is looked at without `given`."""

    given: bool
    part: np.ndarray


EVERYWHERE = Mask(False, np.empty((1, 1, 1), np.uint8))


class Work(NamedTuple):
    """Scratch of one thread; see `cpu.Work`."""

    cand: np.ndarray  # float64 [4, capacity, 12]
    site: np.ndarray  # int64 [4, capacity]
    val: np.ndarray  # float64 [capacity, 6]
    cost: np.ndarray  # float64 [capacity, voxels]
    low: np.ndarray  # float64 [2, voxels]
    who: np.ndarray  # int32 [1, voxels]
    half: np.ndarray  # float64 [capacity]: `half_variation` of the block's candidates
    point: np.ndarray  # float64 [3]
    room: Room
    seen: np.ndarray  # int64 [n + 2]


@inner
def _work(capacity, n):
    return Work(
        np.empty((4, capacity, COLUMNS)),
        np.empty((4, capacity), np.int64),
        np.empty((capacity, 6)),
        np.empty((capacity, SIDE * SIDE * ROW)),
        np.empty((2, SIDE * SIDE * ROW)),
        np.empty((1, SIDE * SIDE * ROW), np.int32),
        np.empty(capacity),
        np.empty(3),
        Room(np.empty(capacity, np.int64), np.empty((capacity, 8)), np.empty(capacity), np.empty((PLANES, PLANES, 5))),
        np.zeros(n + 2, np.int64),
    )


@leaf
def _label(site, n):
    """1..n; 0 for the void, which is site n."""
    return np.int32(0) if site == n else np.int32(site + 1)


@inner
def _inside(mask, low, size, shape):
    """Does any part of the mask lie in the box?"""
    if not mask.given:
        return True
    high = np.minimum(low + size, shape)
    for x in range(low[0], high[0]):
        for y in range(low[1], high[1]):
            for z in range(low[2], high[2]):
                if mask.part[x, y, z] > 0:
                    return True
    return False


@inner
def _fill(low, size, site, n, mask, shape, want, out, counts, volumes):
    """A box with one survivor: its voxels are counted, and not looked at."""
    high = np.minimum(low + size, shape)
    label = _label(site, n)
    if not mask.given:
        whole = np.prod(high - low)
        counts[site] += whole
        volumes[site] += whole
        if want.labels:
            out[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = label
        return
    for x in range(low[0], high[0]):
        for y in range(low[1], high[1]):
            for z in range(low[2], high[2]):
                part = mask.part[x, y, z]
                volumes[site] += part / FULL
                counts[site] += 2 * part > FULL
                if want.labels and 2 * part > FULL:
                    out[x, y, z] = label


@leaf
def _tally(low, shape, site, n, winner, mask, labelled, out, counts):
    """Counts, and labels when wanted, of an evaluated block."""
    for r in range(SIDE * SIDE):
        x, y = low[0] + r // SIDE, low[1] + r % SIDE
        if x >= shape[0] or y >= shape[1]:
            continue
        for q in range(min(ROW, shape[2] - low[2])):
            if mask.given and 2 * mask.part[x, y, low[2] + q] <= FULL:
                continue
            owner = site[winner[r * ROW + q]]
            counts[owner] += 1
            if labelled:
                out[x, y, low[2] + q] = _label(owner, n)


@leaf
def _record(cand, site, winner, others, cost, v, point, step, flip, flip_gap, row):
    """Write down a voxel that may change hands; see `cpu._record`."""
    flip[row, 0] = site[winner]
    for rank in range(2):
        k = others[rank]
        near = k >= 0 and cost[k, v] < np.inf
        flip[row, 1 + rank] = site[k] if near else site[winner]
        flip_gap[row, 2 * rank] = cost[k, v] - cost[winner, v] if near else np.inf
        flip_gap[row, 2 * rank + 1] = variation(cand, winner, k, point, step) if near else 0.0


@leaf
def _share(cand, site, m, work, winner, v, step, amount, volumes, area):
    """Shares of one voxel, counted for its winner so far."""
    few, local = work.room.few, work.room.local
    few[0], count = winner, 0
    for k in range(m):
        if k != winner and work.cost[k, v] - work.low[0, v] < work.half[k] + work.half[winner]:
            if count == 0:
                around(cand, winner, work.point, step, local, 0)
                count = 1
            around(cand, k, work.point, step, local, count)
            if shared(local, count):
                few[count] = k
                count += 1
    divide(site, work.room, count, amount, volumes, area)


@leaf
def _shares(cand, site, m, work, low, lattice, start, mask, want, sweep, chunk, area):
    """Sub-voxel volumes, interface terms and flips of an evaluated block."""
    point, step, shape, reach = work.point, lattice.step, lattice.shape, reach_of(want)
    volumes, flip, flip_gap = sweep.volumes[chunk], sweep.flip[chunk], sweep.flip_gap[chunk]
    widest, used = 0.0, sweep.flip_used[chunk]
    for k in range(m):
        widest = max(widest, work.half[k])
    for r in range(SIDE * SIDE):
        x, y = low[0] + r // SIDE, low[1] + r % SIDE
        if x >= shape[0] or y >= shape[1]:
            continue
        point[0], point[1] = start[0] + (r // SIDE) * step[0], start[1] + (r % SIDE) * step[1]
        for q in range(min(ROW, shape[2] - low[2])):
            amount = mask.part[x, y, low[2] + q] / FULL if mask.given else 1.0
            if amount == 0:
                continue
            v = r * ROW + q
            winner, gap = np.int64(work.who[0, v]), work.low[1, v] - work.low[0, v]
            volumes[site[winner]] += amount
            near = work.half[winner] + widest
            if gap >= near + max(reach, 0.0):
                continue
            point[2] = start[2] + q * step[2]
            if gap < near:
                _share(cand, site, m, work, winner, v, step, amount, volumes, area)
            if reach >= 0 and amount > 0.5:
                second, third = runners_up(work.cost, m, winner, v)
                if second >= 0:
                    both = work.half[winner] + work.half[second]
                    if gap < reach + (both if want.shares else 0.0):
                        _record(cand, site, winner, (second, third), work.cost, v, point, step, flip, flip_gap, used)
                        used += 1
    sweep.flip_used[chunk] = used


@inner
def _block(tree, lattice, low, m, work, offset, mask, want, out, chunk, sweep):
    """A block of SIDE x SIDE x ROW voxels whose m candidates are in level 3 of the workspace; the void is last."""
    cand, site, step, n = work.cand[3], work.site[3], lattice.step, len(tree.rows)
    c, h, size = np.empty(3), np.empty(3), np.array([SIDE, SIDE, ROW])
    _box(lattice, low, size, 0.5, offset, c, h)
    start = lattice.start + low * step - offset
    costs(cand, m, start, step, work.cost)
    raise_costs(cand, m, work.cost)
    bodies = m - 1 if site[m - 1] == n else m
    if several_images(cand, site, bodies, c, h, lattice.lengths, work.seen):
        keep_nearest_images(cand, site, bodies, start, step, c, h, lattice.lengths, work.cost)
    lowest(work.cost, m, work.low, work.who)
    if want.volumes:
        second_lowest(work.cost, m, work.low)
        for k in range(m):
            work.half[k] = half_variation(cand, k, c, h, step)
        area = np.zeros((m, m))
        _shares(cand, site, m, work, low, lattice, start, mask, want, sweep, chunk, area)
        pairs(site, m, area, chunk, sweep)
    _tally(low, lattice.shape, site, n, work.who[0], mask, want.labels, out, sweep.counts[chunk])


@inner
def _narrow(tree, lattice, low, size, level, m, work, offset, mask, want, out, chunk, sweep):
    """Candidates of a box from those of its parent; fills the box and returns 0 when one is left, or nothing inside."""
    if not _inside(mask, low, size, lattice.shape):
        return 0
    c, h = np.empty(3), np.empty(3)
    _box(lattice, low, size, 0.5 if want.volumes else 0.0, offset, c, h)
    slack, above = 2 * max(want.reach, 0.0), level - 1
    cand, site = work.cand, work.site
    kept = cull(cand[above], site[above], m, c, h, lattice.lengths, slack, cand[level], site[level], work.val)
    if kept == 1:
        n, counts, volumes = len(tree.rows), sweep.counts[chunk], sweep.volumes[chunk]
        _fill(low, size, site[level, 0], n, mask, lattice.shape, want, out, counts, volumes)
        return 0
    return kept


@inner
def _coarse(tree, lattice, start, work, mask, want, out, chunk, sweep):
    """One coarse box: search the tree, then narrow twice. Returns False when the workspace is too small."""
    c, h, offset = np.empty(3), np.empty(3), np.zeros(3)
    size, middle, small = np.full(3, COARSE), np.full(3, COARSE // 2), np.array([SIDE, SIDE, ROW])
    if not _inside(mask, start, size, lattice.shape):
        return True
    _box(lattice, start, size, 0.5 if want.volumes else 0.0, offset, c, h)
    for a in range(3):
        if lattice.lengths[a] > 0:
            offset[a] = np.floor(c[a] / lattice.lengths[a]) * lattice.lengths[a]
    c -= offset
    m = collect(tree, c, h, lattice.lengths, 2 * max(want.reach, 0.0), work.cand[0], work.site[0])
    if m < 0:
        return False
    m = _narrow(tree, lattice, start, size, np.int64(1), m, work, offset, mask, want, out, chunk, sweep)
    if m == 0:
        return True
    end = np.minimum(start + size, lattice.shape)
    low, below = np.empty(3, np.int64), np.empty(3, np.int64)
    for low[0] in range(start[0], end[0], middle[0]):
        for low[1] in range(start[1], end[1], middle[1]):
            for low[2] in range(start[2], end[2], middle[2]):
                m1 = _narrow(tree, lattice, low, middle, np.int64(2), m, work, offset, mask, want, out, chunk, sweep)
                below[2] = low[2]
                for below[0] in range(low[0], min(low[0] + middle[0], end[0]) if m1 else low[0], SIDE):
                    for below[1] in range(low[1], min(low[1] + middle[1], end[1]), SIDE):
                        m2 = _narrow(
                            tree, lattice, below, small, np.int64(3), m1, work, offset, mask, want, out, chunk, sweep
                        )
                        if m2:
                            _block(tree, lattice, below, m2, work, offset, mask, want, out, chunk, sweep)
    return True


@compiled(nogil=True)
def _run(thread, threads, tree, lattice, mask, want, out, sweep):
    """A thread's share of the chunks: chunk k takes coarse boxes k·n/CHUNKS .. (k+1)·n/CHUNKS in memory order."""
    nx, ny, nz = (lattice.shape + COARSE - 1) // COARSE
    total = nx * ny * nz
    work = _work(np.int64(512), len(tree.rows))
    start = np.empty(3, np.int64)
    for chunk in range(thread, CHUNKS, threads):
        for box in range(chunk * total // CHUNKS, (chunk + 1) * total // CHUNKS):
            start[0], start[1], start[2] = box // (ny * nz), box // nz % ny, box % nz
            start *= COARSE
            while not _coarse(tree, lattice, start, work, mask, want, out, chunk, sweep):
                work = _work(2 * work.site.shape[1], len(tree.rows))


def sweep(tree: PowerTree, lattice: Lattice, mask: Mask, want: Wanted, room: Sweep | None = None) -> Sweep:
    """Sweep the lattice. Site n is the void where there is one, labelled 0 as is what lies outside the mask.

    `room` (from `cpu.buffers`, for n + 1 sites) is overwritten and returned, so that its pages serve again.
    """
    if room is None:
        small = lattice._replace(shape=np.ones(3, np.int64))
        room = buffers(lattice if want.volumes else small, len(tree.rows) + 1, flips=want.reach >= 0)
    for array in (room.counts, room.volumes, room.pair_used, room.flip_used):
        array.fill(0)
    labels = np.zeros(lattice.shape if want.labels else (1, 1, 1), np.int32)
    in_threads(_run, tree, lattice, mask, want, labels, room)
    return room._replace(labels=labels, counts=room.counts.sum(0), volumes=room.volumes.sum(0))
