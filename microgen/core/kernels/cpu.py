"""One sweep over the diagram: labels, counts, sub-voxel volumes, their Jacobian and the voxels that may still flip.

Work is split in a fixed number of chunks and summed in their order, so results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import prange

from microgen.compiled import compiled
from microgen.core.kernels.boxes import (
    ROW,
    SIDE,
    Lattice,
    collect,
    costs,
    cull,
    half_variations,
    keep_nearest_images,
    leaf,
    lowest,
    runners_up,
    second_lowest,
    several_images,
    sieve,
    variation,
)
from microgen.core.kernels.shares import PLANES, Room, share_voxel
from microgen.core.kernels.tree import SiteTree

COARSE = 16  # voxels of the boxes that search the tree; multiple of ROW and SIDE
MANY = 16  # candidates of a block from which it pays to sieve them
CHUNKS = 32  # fixed, whatever the number of threads: the order of summation must not depend on it


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


class Sweep(NamedTuple):
    """What one sweep gives; sites in the caller's order. Pairs and flips are per chunk, `*_used` long."""

    labels: np.ndarray  # int32 [shape], 1..n; shape (1, 1, 1) when not asked for
    counts: np.ndarray  # int64 [n]
    volumes: np.ndarray  # float64 [n], sub-voxel, in voxels
    pair: np.ndarray  # int32 [CHUNKS, cap, 2]: neighbouring sites
    pair_area: np.ndarray  # float64 [CHUNKS, cap]: d volume / d weight, voxels per unit of cost
    pair_used: np.ndarray  # int64 [CHUNKS]
    flip: np.ndarray  # int32 [CHUNKS, cap, 3]: winner, second and third of voxels near an interface
    flip_gap: np.ndarray  # float32 [CHUNKS, cap, 4]: gap and variation across the voxel, of the second and the third
    flip_used: np.ndarray  # int64 [CHUNKS]


class Part(NamedTuple):
    """The part of the lattice that is swept, and where its labels go."""

    labels: np.ndarray  # int32 [end - corner]; shape (1, 1, 1) when not asked for
    corner: np.ndarray  # int64 [3]: first voxel, multiples of COARSE, so that boxes are those of a sweep of the whole
    end: np.ndarray  # int64 [3]: one past the last


class Work(NamedTuple):
    """Scratch of one chunk: candidates as collected, of the coarse, middle and small box; voxels of the small box."""

    cand: np.ndarray  # float64 [4, capacity, 10]
    site: np.ndarray  # int64 [4, capacity]
    val: np.ndarray  # float64 [capacity, 4]
    cost: np.ndarray  # float64 [capacity, voxels]
    low: np.ndarray  # float64 [2, voxels]: the two lowest costs
    who: np.ndarray  # int32 [1, voxels]: the candidate of the lowest
    near: np.ndarray  # int64 [capacity]: candidates that may share one voxel
    local: np.ndarray  # float64 [capacity, 3]: gradients of the block's candidates
    point: np.ndarray  # float64 [3]: a voxel's centre
    widest: np.ndarray  # float64 [capacity]: gap beyond which a candidate shares no voxel of the block
    corner: np.ndarray  # float64 [3]: centre of the block's first voxel
    c: np.ndarray  # float64 [3]: centre of the box at hand
    h: np.ndarray  # float64 [3]: its half-widths
    room: Room  # for one shared voxel
    seen: np.ndarray  # int64 [n + 1]: see several_images


@leaf
def _reach(want):
    """Gap up to which voxels are recorded, beyond that at which they are shared; two weights change against another."""
    return want.reach if want.shares else 2 * want.reach


@compiled
def _work(capacity, n):
    return Work(
        np.empty((4, capacity, 10)),
        np.empty((4, capacity), np.int64),
        np.empty((capacity, 4)),
        np.empty((capacity, SIDE * SIDE * ROW)),
        np.empty((2, SIDE * SIDE * ROW)),
        np.empty((1, SIDE * SIDE * ROW), np.int32),
        np.empty(capacity + 1, np.int64),
        np.empty((capacity, 3)),
        np.empty(3),
        np.empty(capacity),
        np.empty(3),
        np.empty(3),
        np.empty(3),
        Room(np.empty(capacity, np.int64), np.empty((capacity, 8)), np.empty(capacity), np.empty((PLANES, PLANES, 5))),
        np.zeros(n + 1, np.int64),
    )


@leaf
def _box(lattice, low, size, margin, offset, c, h):
    """Centre (minus offset) and half-widths of the box of voxels low .. low + size, cut at the lattice's end.

    `margin` is 1/2 to hold whole voxels, 0 to hold their centres only.
    """
    for a in range(3):
        high = min(low[a] + size[a], lattice.shape[a])
        c[a] = lattice.start[a] + 0.5 * (low[a] + high - 1) * lattice.step[a] - offset[a]
        h[a] = (0.5 * (high - low[a] - 1) + margin) * lattice.step[a]


@leaf
def _fill(lattice, low, size, site, want, out, counts, volumes):
    """A box with one survivor: no voxel needs to be looked at."""
    x, y, z = low[0], low[1], low[2]
    nx, ny = min(size[0], lattice.shape[0] - x), min(size[1], lattice.shape[1] - y)
    nz = min(size[2], lattice.shape[2] - z)
    if want.counts:
        counts[site] += nx * ny * nz
        volumes[site] += nx * ny * nz
    if want.labels:
        labels, a, b, c = out.labels, out.corner[0], out.corner[1], out.corner[2]
        for i in range(x - a, x - a + nx):
            for j in range(y - b, y - b + ny):
                for k in range(z - c, z - c + nz):
                    labels[i, j, k] = site + 1


@leaf
def _tally(lattice, low, site, winner, want, out, counts):
    """Counts and labels, when wanted, of an evaluated block."""
    labels, a, b, c = out.labels, out.corner[0], out.corner[1], out.corner[2]
    for r in range(SIDE * SIDE):
        ix, iy = low[0] + r // SIDE, low[1] + r % SIDE
        if ix >= lattice.shape[0] or iy >= lattice.shape[1]:
            continue
        for q in range(min(ROW, lattice.shape[2] - low[2])):
            owner = site[winner[r * ROW + q]]
            if want.counts:
                counts[owner] += 1
            if want.labels:
                labels[ix - a, iy - b, low[2] + q - c] = owner + 1


@leaf
def _record(cand, site, ranks, cost, v, point, step, flip, flip_gap, row):
    """Write down a voxel that may change hands: its three lowest sites, their gaps and variations."""
    winner = ranks[0]
    flip[row, 0] = site[winner]
    for rank in range(1, 3):
        k = ranks[rank]
        near = k >= 0 and cost[k, v] < np.inf
        flip[row, rank] = site[k] if near else site[winner]
        flip_gap[row, 2 * rank - 2] = cost[k, v] - cost[winner, v] if near else np.inf
        flip_gap[row, 2 * rank - 1] = variation(cand, winner, k, point, step) if near else 0.0


@leaf
def _shares(box, cand, site, m, work, half, want, flip, flip_gap, used, volumes, area):
    """Sub-voxel volumes, interface terms and flips of an evaluated block; returns the number of flips so far."""
    # Whole arrays and indices, no slices: the reference counts of slices are atomic, and a quarter of a sweep's time.
    cost, low, who, near, room = work.cost, work.low, work.who, work.near, work.room
    start, step, shape = box.start, box.step, box.shape
    point, widest, reach = work.point, work.widest, _reach(want)
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
            if gap >= widest[winner] + max(reach, 0.0):
                continue
            point[2] = start[2] + q * step[2]
            if gap < widest[winner]:
                near[0], count = winner, 1
                for k in range(m):
                    if cost[k, v] - low[0, v] < half[winner, k]:
                        near[count] = k
                        count += k != winner
                if count > 1:
                    share_voxel(cand, site, near, count, point, step, room, volumes, area)
            if reach >= 0:
                second, third = runners_up(cost, m, winner, v)
                if second >= 0 and gap < reach + (half[winner, second] if want.shares else 0.0):
                    _record(cand, site, (winner, second, third), cost, v, point, step, flip, flip_gap, used)
                    used += 1
    return used


@compiled
def _pairs(site, m, area, chunk, sweep):
    """Append a block's interface terms."""
    used = sweep.pair_used[chunk]
    for i in range(m):
        for j in range(i + 1, m):
            if area[i, j] > 0 and site[i] != site[j]:
                sweep.pair[chunk, used, 0], sweep.pair[chunk, used, 1] = site[i], site[j]
                sweep.pair_area[chunk, used] = area[i, j]
                used += 1
    sweep.pair_used[chunk] = used


class _Block(NamedTuple):
    """Voxels of a small box: first centre (in the coarse box's period), steps, and how many lie in the lattice."""

    start: np.ndarray
    step: np.ndarray
    shape: np.ndarray


@leaf
def _costs(lattice, low, m, work, offset, size):
    """Costs of the m candidates in level 3 of the workspace; are several of them images of one site?"""
    for a in range(3):
        work.corner[a] = lattice.start[a] + low[a] * lattice.step[a] - offset[a]
    _box(lattice, low, size, 0.5, offset, work.c, work.h)
    costs(work.cand[3], m, work.corner, lattice.step, work.cost)
    return several_images(work.cand[3], work.site[3], m, work.c, work.h, lattice.lengths, work.seen)


@leaf
def _label_block(lattice, low, m, work, want, out, sweep, chunk):
    """Labels and counts of a block whose costs are known."""
    lowest(work.cost, m, work.low, work.who)
    _tally(lattice, low, work.site[3], work.who[0], want, out, sweep.counts[chunk])


@compiled
def _keep_nearest(lattice, m, work):
    cand, site, start = work.cand[3], work.site[3], work.corner
    keep_nearest_images(cand, site, m, start, lattice.step, work.c, work.h, lattice.lengths, work.cost)


@compiled
def _measure_block(lattice, low, m, work, want, out, chunk, sweep):
    """Labels, counts, volumes and interface terms of a block whose costs are known."""
    cand, site, step, c, h = work.cand[3], work.site[3], lattice.step, work.c, work.h
    lowest(work.cost, m, work.low, work.who)
    if m > MANY:
        m = sieve(cand, site, m, work.cost, work.low, work.who, c, step, h, max(_reach(want), 0.0), work.local)
        lowest(work.cost, m, work.low, work.who)
    second_lowest(work.cost, m, work.low)
    area, half = np.zeros((m, m)), np.empty((m, m))
    half_variations(cand, m, c, step, h, work.local, half)
    box = _Block(work.corner, step, np.minimum(np.array([SIDE, SIDE, ROW]), lattice.shape - low))
    flip, flip_gap, used = sweep.flip[chunk], sweep.flip_gap[chunk], sweep.flip_used[chunk]
    used = _shares(box, cand, site, m, work, half, want, flip, flip_gap, used, sweep.volumes[chunk], area)
    sweep.flip_used[chunk] = used
    _pairs(site, m, area, chunk, sweep)
    _tally(lattice, low, site, work.who[0], want, out, sweep.counts[chunk])


@leaf
def _narrow(lattice, low, size, level, m, work, offset, want, out, chunk, sweep):
    """Candidates of a box from those of its parent; fills the box and returns 0 when one is left."""
    # A leaf, as a million boxes are narrowed in a sweep: counting references to all these arrays took half its time.
    c, h = work.c, work.h
    _box(lattice, low, size, 0.5 if want.volumes else 0.0, offset, c, h)
    slack = 2 * max(want.reach, 0.0)
    above, mine = level - 1, level
    cand, site = work.cand[above], work.site[above]
    kept = cull(cand, site, m, c, h, lattice.lengths, slack, work.cand[mine], work.site[mine], work.val)
    if kept == 1:
        _fill(lattice, low, size, work.site[level, 0], want, out, sweep.counts[chunk], sweep.volumes[chunk])
        return 0
    return kept


@compiled
def _coarse(tree, lattice, start, work, want, out, chunk, sweep):
    """One coarse box: search the tree, then narrow twice. Returns False when the workspace is too small."""
    c, h, offset = np.empty(3), np.empty(3), np.zeros(3)
    size, middle, small = np.full(3, COARSE), np.full(3, COARSE // 2), np.array([SIDE, SIDE, ROW])
    margin = 0.5 if want.volumes else 0.0
    _box(lattice, start, size, margin, offset, c, h)
    for a in range(3):
        if lattice.lengths[a] > 0:
            offset[a] = np.floor(c[a] / lattice.lengths[a]) * lattice.lengths[a]
    c -= offset
    m = collect(tree, c, h, lattice.lengths, 2 * max(want.reach, 0.0), work.cand[0], work.site[0])
    if m < 0:
        return False
    m = _narrow(lattice, start, size, np.int64(1), m, work, offset, want, out, chunk, sweep)
    if m == 0:
        return True
    end = np.minimum(start + size, lattice.shape)
    low, below = np.empty(3, np.int64), np.empty(3, np.int64)
    for low[0] in range(start[0], end[0], middle[0]):
        for low[1] in range(start[1], end[1], middle[1]):
            for low[2] in range(start[2], end[2], middle[2]):
                m1 = _narrow(lattice, low, middle, np.int64(2), m, work, offset, want, out, chunk, sweep)
                below[2] = low[2]
                for below[0] in range(low[0], min(low[0] + middle[0], end[0]) if m1 else low[0], SIDE):
                    for below[1] in range(low[1], min(low[1] + middle[1], end[1]), SIDE):
                        m2 = _narrow(lattice, below, small, np.int64(3), m1, work, offset, want, out, chunk, sweep)
                        if m2:
                            if _costs(lattice, below, m2, work, offset, small):
                                _keep_nearest(lattice, m2, work)
                            if want.volumes:
                                _measure_block(lattice, below, m2, work, want, out, chunk, sweep)
                            else:
                                _label_block(lattice, below, m2, work, want, out, sweep, chunk)
    return True


@compiled(parallel=True)
def _run(tree, lattice, want, out, sweep):
    """All chunks; chunk k takes coarse boxes k·n/CHUNKS .. (k+1)·n/CHUNKS of the part in memory order."""
    first = out.corner // COARSE
    nx, ny, nz = (out.end + COARSE - 1) // COARSE - first
    total = nx * ny * nz
    for index in prange(CHUNKS):
        chunk = np.int64(index)  # as outside of parallel loops: what it calls is compiled once
        work = _work(np.int64(512), len(tree.order))
        start = np.empty(3, np.int64)
        for box in range(chunk * total // CHUNKS, (chunk + 1) * total // CHUNKS):
            start[0], start[1], start[2] = box // (ny * nz), box // nz % ny, box % nz
            start += first
            start *= COARSE
            while not _coarse(tree, lattice, start, work, want, out, chunk, sweep):
                work = _work(2 * work.site.shape[1], len(tree.order))


def buffers(lattice: Lattice, n: int, *, flips: bool = True) -> Sweep:
    """Room for sweeps that measure n sites: as large as could be needed, the system gives only the pages in use."""
    boxes = -(-lattice.shape // COARSE)
    voxels = -(-int(np.prod(boxes)) // CHUNKS) * COARSE**3
    return Sweep(
        np.empty((1, 1, 1), np.int32),
        np.empty((CHUNKS, n), np.int64),
        np.empty((CHUNKS, n)),
        np.empty((CHUNKS, voxels, 2), np.int32),
        np.empty((CHUNKS, voxels)),
        np.empty(CHUNKS, np.int64),
        np.empty((CHUNKS, voxels if flips else 1, 3), np.int32),
        np.empty((CHUNKS, voxels if flips else 1, 4), np.float32),
        np.empty(CHUNKS, np.int64),
    )


def sweep(tree: SiteTree, lattice: Lattice, want: Wanted, room: Sweep | None = None) -> Sweep:
    """Sweep the lattice; `room` (from `buffers`) is overwritten and returned, so that its pages serve again."""
    if room is None:
        small = lattice._replace(shape=np.ones(3, np.int64))
        room = buffers(lattice if want.volumes else small, len(tree.order), flips=want.reach >= 0)
    for array in (room.counts, room.volumes, room.pair_used, room.flip_used):
        array.fill(0)
    labels = np.empty(lattice.shape if want.labels else (1, 1, 1), np.int32)
    _run(tree, lattice, want, Part(labels, np.zeros(3, np.int64), lattice.shape), room)
    return room._replace(labels=labels, counts=room.counts.sum(0), volumes=room.volumes.sum(0))


def label_part(tree: SiteTree, lattice: Lattice, start: Sequence[int], stop: Sequence[int]) -> np.ndarray:
    """int32 [stop - start]: the labels of a part of the lattice, bit for bit those of a sweep of the whole."""
    low = np.array(start, np.int64) // COARSE * COARSE
    end = np.minimum(-(-np.array(stop, np.int64) // COARSE) * COARSE, lattice.shape)
    labels = np.empty(end - low, np.int32)
    room = buffers(lattice._replace(shape=np.ones(3, np.int64)), 1, flips=False)
    want = Wanted(True, False, -1.0, counts=False)
    _run(tree, lattice, want, Part(labels, low, end), room)
    return labels[tuple(slice(a - k, b - k) for a, b, k in zip(start, stop, low))]
