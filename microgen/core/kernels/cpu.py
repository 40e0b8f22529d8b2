"""One sweep over the diagram: labels, counts, sub-voxel volumes, their Jacobian and the voxels that may still flip.

Work is split in a fixed number of chunks and summed in their order, so results do not depend on the number of threads.

Sub-voxel volumes: in a voxel with winner i and runner-up j, the plane on which c_j - w_j = c_i - w_i, linearised at the
voxel's centre, cuts off j's share, and the cut's area over |grad(c_j - c_i)| is the derivative of the shares with
respect to the weights. A voxel that more than two sites share is cut in eight: leaving the third one out makes small
grains 1-2 % wrong and Newton overshoot, most of all at close sites. A linear share 1/2 - d/s would be as good on
average, but 1-2 % off for grains of 40 voxels.
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
    costs,
    cull,
    evaluate,
    half_variations,
    keep_nearest_images,
    lowest,
    lowest_three,
    several_images,
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
    """Scratch of one chunk: candidates as collected, of the coarse, middle and small box; voxels of the small box."""

    cand: np.ndarray  # float64 [4, capacity, 10]
    site: np.ndarray  # int64 [4, capacity]
    val: np.ndarray  # float64 [capacity, 4]
    cost: np.ndarray  # float64 [capacity, voxels]
    low: np.ndarray  # float64 [3, voxels]: the three lowest costs
    who: np.ndarray  # int32 [3, voxels]: the candidates they belong to
    near: np.ndarray  # int64 [capacity]: candidates that may share one voxel
    few: np.ndarray  # int64 [capacity]: candidates that share one voxel
    local: np.ndarray  # float64 [capacity, 8]: each of them around that voxel's centre


@njit(cache=True)
def _work(capacity):
    return Work(
        np.empty((4, capacity, 10)),
        np.empty((4, capacity), np.int64),
        np.empty((capacity, 4)),
        np.empty((capacity, SIDE * SIDE * ROW)),
        np.empty((3, SIDE * SIDE * ROW)),
        np.empty((3, SIDE * SIDE * ROW), np.int32),
        np.empty(capacity + 1, np.int64),
        np.empty(capacity, np.int64),
        np.empty((capacity, 8)),
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
def _tally(lattice, low, site, winner, labelled, out, counts):
    """Counts, and labels when wanted, of an evaluated block."""
    for r in range(SIDE * SIDE):
        ix, iy = low[0] + r // SIDE, low[1] + r % SIDE
        if ix >= lattice.shape[0] or iy >= lattice.shape[1]:
            continue
        for q in range(min(ROW, lattice.shape[2] - low[2])):
            owner = site[winner[r * ROW + q]]
            counts[owner] += 1
            if labelled:
                out[ix, iy, low[2] + q] = owner + 1


@njit(cache=True, inline="always")
def _around(cand, k, point, step, local, row):
    """local[row]: half-steps times gradient (3), cost at the centre, and the terms that an eighth's centre adds.

    Around the centre c_k(t) = c_k + 2 q·t + t·A t; at t = (±h_x, ±h_y, ±h_z) / 4 the terms are constant but for signs.
    """
    val, qx, qy, qz = evaluate(cand, k, point[0], point[1], point[2])
    hx, hy, hz = 0.25 * step[0], 0.25 * step[1], 0.25 * step[2]
    local[row, 0], local[row, 1], local[row, 2] = 2 * qx * hx, 2 * qy * hy, 2 * qz * hz
    local[row, 3] = val
    local[row, 4] = val + cand[k, 3] * hx * hx + cand[k, 6] * hy * hy + cand[k, 8] * hz * hz
    local[row, 5], local[row, 6] = 2 * cand[k, 4] * hx * hy, 2 * cand[k, 5] * hx * hz
    local[row, 7] = 2 * cand[k, 7] * hy * hz


@njit(cache=True, inline="always")
def _half_variation(local, a, b):
    """Half the variation of c_b - c_a across the voxel."""
    d = abs(local[a, 0] - local[b, 0]) + abs(local[a, 1] - local[b, 1]) + abs(local[a, 2] - local[b, 2])
    return 2 * d


@njit(cache=True, inline="always")
def _mean_excess(local, a, b):
    """What the curvature of c_b - c_a adds to its mean over the voxel: sum_k (A_b - A_a)_kk h_k² / 12."""
    return (local[b, 4] - local[b, 3] - local[a, 4] + local[a, 3]) * (4 / 3)


@njit(cache=True, inline="always")
def _cut(local, a, b, gap):
    """Share of a voxel on b's side of the plane gap + g·t = 0, and its derivative with respect to -gap.

    With n_k = h_k |g_k| / s summing to 1 and α = 1/2 - gap/s, the share is (Scardovelli and Zaleski 2000, J. Comput.
    Phys. 164, 228)  [α³ - sum_k (α - n_k)₊³ + sum_k (α - 1 + n_k)₊³] / (6 n_1 n_2 n_3)  up to α = 1/2.
    """
    s = 2 * _half_variation(local, a, b)
    alpha = 0.5 - gap / s
    near = min(alpha, 1 - alpha)
    if near <= 0:
        return (0.0 if alpha <= 0 else 1.0), 0.0
    least = 1e-4 * s  # a plane along an axis: the limit, to 1e-4; the widths must still sum to one
    x = max(4 * abs(local[a, 0] - local[b, 0]), least)
    y = max(4 * abs(local[a, 1] - local[b, 1]), least)
    z = max(4 * abs(local[a, 2] - local[b, 2]), least)
    volume, area, product = near**3, near**2, 6.0
    for width in (x, y, z):
        n = width / (x + y + z)
        product *= n
        beyond, past = max(near - n, 0.0), max(near - 1 + n, 0.0)
        volume += past**3 - beyond**3
        area += past**2 - beyond**2
    volume = min(volume / product, 0.5)
    return (volume if alpha <= 0.5 else 1 - volume), 3 * area / product / s


@njit(cache=True)
def _eighths(site, few, local, value, count, volumes, area):
    """A voxel that three or more sites share: each eighth lies between its winner and the site that takes most of it.

    few[:count] lists the sites; the whole voxel was counted for few[0] and is taken back here.
    """
    volumes[site[few[0]]] -= 1.0
    for part in range(8):
        x, y, z = 1.0 - 2 * (part >> 2), 1.0 - 2 * (part >> 1 & 1), 1.0 - 2 * (part & 1)
        best = 0
        for a in range(count):
            cross = x * y * local[a, 5] + x * z * local[a, 6] + y * z * local[a, 7]
            value[a] = local[a, 4] + x * local[a, 0] + y * local[a, 1] + z * local[a, 2] + cross
            if value[a] < value[best]:
                best = a
        most, taker = 0.0, -1
        for a in range(count):
            gap = value[a] - value[best] + 0.25 * _mean_excess(local, best, a)
            s = _half_variation(local, best, a)  # an eighth is half as wide
            if a != best and gap < (0.5 - most) * s:
                most, taker = 0.5 - gap / s, a
        if taker < 0:
            volumes[site[few[best]]] += 0.125
            continue
        i, j = few[best], few[taker]
        gap = value[taker] - value[best] + 0.25 * _mean_excess(local, best, taker)
        share, slope = _cut(local, best, taker, 2 * gap)  # the cut of a cube of half the size
        volumes[site[i]] += 0.125 * (1 - share)
        volumes[site[j]] += 0.125 * share
        area[min(i, j), max(i, j)] += 0.25 * slope


@njit(cache=True)
def _share(cand, site, near, point, step, few, local, value, volumes, area):
    """Shares and interface terms of one voxel, counted for its winner near[0] so far; near lists who may share it."""
    count = 1
    few[0] = near[0]
    _around(cand, near[0], point, step, local, 0)
    for k in near[1:]:
        _around(cand, k, point, step, local, count)
        gap = local[count, 3] - local[0, 3] + _mean_excess(local, 0, count)
        if gap < _half_variation(local, 0, count):
            few[count] = k
            count += 1
    if count == 2:
        i, j = few[0], few[1]
        share, slope = _cut(local, 0, 1, local[1, 3] - local[0, 3] + _mean_excess(local, 0, 1))
        volumes[site[i]] -= share
        volumes[site[j]] += share
        area[min(i, j), max(i, j)] += slope
    elif count > 2:
        _eighths(site, few, local, value, count, volumes, area)


@njit(cache=True)
def _record(cand, site, who, low, v, point, step, flip, flip_gap):
    """Write down a voxel that may change hands: its three lowest sites, their gaps and variations."""
    for rank in range(3):
        k = who[rank, v]
        flip[rank] = site[k] if k >= 0 else site[who[0, v]]
        if rank > 0:
            near = k >= 0 and low[rank, v] < np.inf
            flip_gap[2 * rank - 2] = low[rank, v] - low[0, v] if near else np.inf
            flip_gap[2 * rank - 1] = variation(cand, who[0, v], k, point, step) if near else 0.0


@njit(cache=True)
def _shares(box, cand, site, m, work, half, reach, flip, flip_gap, volumes, area):
    """Sub-voxel volumes, interface terms and flips of an evaluated block; returns the number of flips."""
    cost, low, who, few, local, value, near = (
        work.cost,
        work.low,
        work.who,
        work.few,
        work.local,
        work.val[:, 0],
        work.near,
    )
    point, used, widest = np.empty(3), 0, np.empty(m)
    for k in range(m):
        widest[k] = half[k].max()
    for r in range(SIDE * SIDE):
        if r // SIDE >= box.shape[0] or r % SIDE >= box.shape[1]:
            continue
        point[0], point[1] = box.start[0] + (r // SIDE) * box.step[0], box.start[1] + (r % SIDE) * box.step[1]
        for q in range(box.shape[2]):
            v = r * ROW + q
            winner, gap = who[0, v], low[1, v] - low[0, v]
            volumes[site[winner]] += 1.0
            if gap >= widest[winner] + max(reach, 0.0):
                continue
            point[2] = box.start[2] + q * box.step[2]
            if gap < widest[winner]:
                near[0], count = winner, 1
                for k in range(m):
                    if cost[k, v] - low[0, v] < half[winner, k]:
                        near[count] = k
                        count += k != winner
                if count > 1:
                    _share(cand, site, near[:count], point, box.step, few, local, value, volumes, area)
            if reach >= 0 and gap < half[winner, who[1, v]] + reach:
                _record(cand, site, who, low, v, point, box.step, flip[used], flip_gap[used])
                used += 1
    return used


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


class _Block(NamedTuple):
    """Voxels of a small box: first centre (in the coarse box's period), steps, and how many lie in the lattice."""

    start: np.ndarray
    step: np.ndarray
    shape: np.ndarray


@njit(cache=True)
def _block(lattice, low, m, work, offset, want, out, chunk, sweep):
    """A block of SIDE x SIDE x ROW voxels whose m candidates are in level 3 of the workspace."""
    cand, site, step = work.cand[3], work.site[3], lattice.step
    c, h, size = np.empty(3), np.empty(3), np.array([SIDE, SIDE, ROW])
    _box(lattice, low, size, 0.5, offset, c, h)
    start = lattice.start + low * step - offset
    costs(cand, m, start, step, work.cost)
    if several_images(cand, site, m, c, h, lattice.lengths):
        keep_nearest_images(cand, site, m, start, step, lattice.lengths, work.cost)
    if want.volumes:
        lowest_three(work.cost, m, work.low, work.who)
        area, half, used = np.zeros((m, m)), np.empty((m, m)), sweep.flip_used[chunk]
        half_variations(cand, m, c, h, step, work.local, half)
        box = _Block(start, step, np.minimum(size, lattice.shape - low))
        flip, flip_gap = sweep.flip[chunk, used:], sweep.flip_gap[chunk, used:]
        used += _shares(box, cand, site, m, work, half, want.reach, flip, flip_gap, sweep.volumes[chunk], area)
        sweep.flip_used[chunk] = used
        _pairs(site, m, area, chunk, sweep)
    else:
        lowest(work.cost, m, work.low, work.who)
    _tally(lattice, low, site, work.who[0], want.labels, out, sweep.counts[chunk])


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
    _run(tree, lattice, want, labels, room)
    return room._replace(labels=labels, counts=room.counts.sum(0), volumes=room.volumes.sum(0))
