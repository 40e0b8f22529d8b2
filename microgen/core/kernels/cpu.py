"""One sweep over the diagram: labels, counts, sub-voxel volumes, their Jacobian and the voxels that may still flip.

Work is split in a fixed number of chunks and summed in their order, so results do not depend on the number of threads.

Sub-voxel volumes: in a voxel with winner i and runner-up j, cost gap d and variation s = sum_a h_a |d_a(c_j - c_i)|,
the share f = max(0, 1/2 - d/s) belongs to j, and 1/s is at once the derivative of the shares with respect to the
weights: exact on plane averages, a linearisation voxel by voxel. A voxel that more than two sites share is cut in
eight: leaving the third one out makes small grains 1-2 % wrong and Newton overshoot, most of all at close sites.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from microgen.core.kernels.boxes import (
    ROW,
    SIDE,
    Lattice,
    collect,
    cull,
    dense,
    dense_images,
    evaluate,
    several_images,
    steepest,
    variation,
)
from microgen.core.kernels.tree import SiteTree

COARSE = 16  # voxels of the boxes that search the tree; multiple of ROW and SIDE
CHUNKS = 32  # fixed, whatever the number of threads: the order of summation must not depend on it


class Wanted(NamedTuple):
    """What a sweep is to compute."""

    labels: bool
    volumes: bool
    reach: float
    """Voxels whose gap is within `reach` of flipping or sharing are recorded; negative: none."""


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


class Work(NamedTuple):
    """Scratch arrays of one chunk: candidates as collected, of the coarse, middle and small box; the small box's voxels."""

    cand: np.ndarray  # float64 [4, capacity, 10]
    site: np.ndarray  # int64 [4, capacity]
    val: np.ndarray  # float64 [capacity, 4]
    cost: np.ndarray  # float64 [SIDE * SIDE * ROW]
    low: np.ndarray  # float64 [3, voxels]: the three lowest costs
    who: np.ndarray  # int32 [3, voxels]: the candidates they belong to
    few: np.ndarray  # int64 [capacity]: candidates that share one voxel


@njit(cache=True)
def _work(capacity):
    return Work(
        np.empty((4, capacity, 10)),
        np.empty((4, capacity), np.int64),
        np.empty((capacity, 4)),
        np.empty(SIDE * SIDE * ROW),
        np.empty((3, SIDE * SIDE * ROW)),
        np.empty((3, SIDE * SIDE * ROW), np.int32),
        np.empty(capacity, np.int64),
    )


@njit(cache=True)
def _box(lattice, low, size, margin, offset, c, h):
    """Centre (minus offset) and half-widths of the box of voxels low .. low + size, cut at the lattice's end.

    `margin` is 1/2 to hold whole voxels, 0 to hold their centres only.
    """
    for a in range(3):
        high = min(low[a] + size[a], lattice.shape[a])
        c[a] = lattice.start[a] + 0.5 * (low[a] + high - 1) * lattice.step[a] - offset[a]
        h[a] = (0.5 * (high - low[a] - 1) + margin) * lattice.step[a]


@njit(cache=True)
def _fill(lattice, low, size, site, want, out, counts, volumes):
    """A box with one survivor: no voxel needs to be looked at."""
    high = np.minimum(low + size, lattice.shape)
    n = np.prod(high - low)
    counts[site] += n
    volumes[site] += n
    if want.labels:
        out[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = site + 1


@njit(cache=True)
def _tally(lattice, low, site, work, want, out, counts):
    """Counts, and labels when wanted, of an evaluated block."""
    for r in range(SIDE * SIDE):
        ix, iy = low[0] + r // SIDE, low[1] + r % SIDE
        if ix >= lattice.shape[0] or iy >= lattice.shape[1]:
            continue
        for q in range(min(ROW, lattice.shape[2] - low[2])):
            owner = site[work.who[0, r * ROW + q]]
            counts[owner] += 1
            if want.labels:
                out[ix, iy, low[2] + q] = owner + 1


@njit(cache=True)
def _corners(cand, site, work, count, x, y, z, step, volumes, area):
    """A voxel that three or more sites share: its eight parts, each between its winner and the site that takes most.

    work.few[:count] lists the sites; the whole voxel was counted for work.few[0] and is taken back here.
    """
    volumes[site[work.few[0]]] -= 1.0
    quarter = 0.25 * step
    for part in range(8):
        px = x + (quarter[0] if part & 4 else -quarter[0])
        py = y + (quarter[1] if part & 2 else -quarter[1])
        pz = z + (quarter[2] if part & 1 else -quarter[2])
        best, lowest = -1, np.inf
        for a in range(count):
            work.cost[a] = evaluate(cand, work.few[a], px, py, pz)[0]
            if work.cost[a] < lowest:
                best, lowest = a, work.cost[a]
        share, taker, slope = 0.0, -1, 1.0
        for a in range(count):
            if a != best:
                s = 0.5 * variation(cand, work.few[best], work.few[a], px, py, pz, step)
                gap = work.cost[a] - lowest
                if gap < 0.5 * s and 0.5 - gap / s > share:
                    share, taker, slope = 0.5 - gap / s, a, s
        volumes[site[work.few[best]]] += 0.125 * (1 - share)
        if taker >= 0:
            i, j = work.few[best], work.few[taker]
            volumes[site[j]] += 0.125 * share
            area[min(i, j), max(i, j)] += 0.125 / slope


@njit(cache=True)
def _sharers(cand, m, work, v, x, y, z, step, cut):
    """List in work.few the winner and every site that takes a share of voxel v; returns their number."""
    winner, lowest, count = work.who[0, v], work.low[0, v], 1
    work.few[0] = winner
    if work.low[2, v] - lowest >= cut:  # only the runner-up is near
        j = work.who[1, v]
        if work.low[1, v] - lowest < 0.5 * variation(cand, winner, j, x, y, z, step):
            work.few[1], count = j, 2
        return count
    for k in range(m):
        if k != winner:
            gap = evaluate(cand, k, x, y, z)[0] - lowest
            if gap < cut and count < len(work.cost) and gap < 0.5 * variation(cand, winner, k, x, y, z, step):
                work.few[count] = k
                count += 1
    return count


@njit(cache=True)
def _voxel(cand, site, m, work, v, x, y, z, step, cut, volumes, area):
    """Shares and interface terms of one voxel near an interface, counted for its winner so far."""
    count = _sharers(cand, m, work, v, x, y, z, step, cut)
    if count == 2:
        i, j = work.few[0], work.few[1]
        s = variation(cand, i, j, x, y, z, step)
        share = 0.5 - (evaluate(cand, j, x, y, z)[0] - work.low[0, v]) / s
        volumes[site[i]] -= share
        volumes[site[j]] += share
        area[min(i, j), max(i, j)] += 1 / s
    elif count > 2:
        _corners(cand, site, work, count, x, y, z, step, volumes, area)


@njit(cache=True)
def _record(cand, site, work, v, x, y, z, step, chunk, used, sweep):
    """Write down a voxel that may change hands: its three lowest sites, their gaps and variations."""
    winner = work.who[0, v]
    for rank in range(3):
        k = work.who[rank, v]
        sweep.flip[chunk, used, rank] = site[k] if k >= 0 else site[winner]
        if rank > 0:
            gap = work.low[rank, v] - work.low[0, v]
            sweep.flip_gap[chunk, used, 2 * rank - 2] = gap if k >= 0 else np.inf
            s = variation(cand, winner, k, x, y, z, step) if k >= 0 else 0.0
            sweep.flip_gap[chunk, used, 2 * rank - 1] = s


@njit(cache=True)
def _shares(lattice, low, cand, site, m, work, offset, cut, want, chunk, sweep, area):
    """Sub-voxel volumes, interface terms and flips of an evaluated block."""
    used, volumes = sweep.flip_used[chunk], sweep.volumes[chunk]
    edge = cut + max(want.reach, 0.0)
    for r in range(SIDE * SIDE):
        ix, iy = low[0] + r // SIDE, low[1] + r % SIDE
        if ix >= lattice.shape[0] or iy >= lattice.shape[1]:
            continue
        x = lattice.start[0] + ix * lattice.step[0] - offset[0]
        y = lattice.start[1] + iy * lattice.step[1] - offset[1]
        for q in range(min(ROW, lattice.shape[2] - low[2])):
            v = r * ROW + q
            volumes[site[work.who[0, v]]] += 1.0
            gap = work.low[1, v] - work.low[0, v]
            if gap >= edge:
                continue
            z = lattice.start[2] + (low[2] + q) * lattice.step[2] - offset[2]
            if gap < cut:
                _voxel(cand, site, m, work, v, x, y, z, lattice.step, cut, volumes, area)
            if want.reach >= 0:
                _record(cand, site, work, v, x, y, z, lattice.step, chunk, used, sweep)
                used += 1
    sweep.flip_used[chunk] = used


@njit(cache=True)
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


@njit(cache=True)
def _block(lattice, low, m, work, offset, want, out, chunk, sweep):
    """A block of SIDE x SIDE x ROW voxels whose m candidates are in level 3 of the workspace."""
    cand, site = work.cand[3], work.site[3]
    c, h, size = np.empty(3), np.empty(3), np.array([SIDE, SIDE, ROW])
    _box(lattice, low, size, 0.5, offset, c, h)
    x0 = lattice.start[0] + low[0] * lattice.step[0] - offset[0]
    y0 = lattice.start[1] + low[1] * lattice.step[1] - offset[1]
    z0 = lattice.start[2] + low[2] * lattice.step[2] - offset[2]
    if several_images(cand, site, m, c, h, lattice.lengths):
        dense_images(cand, site, m, x0, y0, z0, lattice.step, lattice.lengths, work.low, work.who)
    else:
        dense(cand, m, x0, y0, z0, lattice.step, work.cost, work.low, work.who)
    _tally(lattice, low, site, work, want, out, sweep.counts[chunk])
    if want.volumes:
        area = np.zeros((m, m))
        cut = 0.5 * steepest(cand, m, c, h, lattice.step)
        _shares(lattice, low, cand, site, m, work, offset, cut, want, chunk, sweep, area)
        _pairs(site, m, area, chunk, sweep)


@njit(cache=True)
def _narrow(lattice, low, size, level, m, work, offset, want, out, chunk, sweep):
    """Candidates of a box from those of its parent; fills the box and returns 0 when one is left."""
    c, h = np.empty(3), np.empty(3)
    _box(lattice, low, size, 0.5 if want.volumes else 0.0, offset, c, h)
    slack = 2 * max(want.reach, 0.0)
    kept = cull(
        work.cand[level - 1],
        work.site[level - 1],
        m,
        c,
        h,
        lattice.lengths,
        slack,
        work.cand[level],
        work.site[level],
        work.val,
    )
    if kept == 1:
        _fill(lattice, low, size, work.site[level, 0], want, out, sweep.counts[chunk], sweep.volumes[chunk])
        return 0
    return kept


@njit(cache=True)
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
    m = _narrow(lattice, start, size, 1, m, work, offset, want, out, chunk, sweep)
    if m == 0:
        return True
    end = np.minimum(start + size, lattice.shape)
    low, below = np.empty(3, np.int64), np.empty(3, np.int64)
    for low[0] in range(start[0], end[0], middle[0]):
        for low[1] in range(start[1], end[1], middle[1]):
            for low[2] in range(start[2], end[2], middle[2]):
                m1 = _narrow(lattice, low, middle, 2, m, work, offset, want, out, chunk, sweep)
                below[2] = low[2]
                for below[0] in range(low[0], min(low[0] + middle[0], end[0]) if m1 else low[0], SIDE):
                    for below[1] in range(low[1], min(low[1] + middle[1], end[1]), SIDE):
                        m2 = _narrow(lattice, below, small, 3, m1, work, offset, want, out, chunk, sweep)
                        if m2:
                            _block(lattice, below, m2, work, offset, want, out, chunk, sweep)
    return True


@njit(cache=True, parallel=True)
def _run(tree, lattice, want, out, sweep):
    """All chunks; chunk k takes coarse boxes k·n/CHUNKS .. (k+1)·n/CHUNKS in memory order."""
    nx, ny, nz = (lattice.shape + COARSE - 1) // COARSE
    total = nx * ny * nz
    for chunk in prange(CHUNKS):
        work = _work(512)
        start = np.empty(3, np.int64)
        for box in range(chunk * total // CHUNKS, (chunk + 1) * total // CHUNKS):
            start[0], start[1], start[2] = box // (ny * nz), box // nz % ny, box % nz
            start *= COARSE
            while not _coarse(tree, lattice, start, work, want, out, chunk, sweep):
                work = _work(2 * work.site.shape[1])


def buffers(lattice: Lattice, n: int, *, flips: bool = True) -> Sweep:
    """Room for sweeps that measure n sites. As large as could ever be needed; the system gives only the pages that are used."""
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
    _run(tree, lattice, want, labels, room)
    return room._replace(labels=labels, counts=room.counts.sum(0), volumes=room.volumes.sum(0))
