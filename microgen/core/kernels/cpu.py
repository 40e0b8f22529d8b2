"""One sweep over the diagram: labels, counts, sub-voxel volumes, their Jacobian and the voxels that may still flip.

Work is split in a fixed number of chunks and summed in their order, so results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from microgen.compiled import compiled, inner
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
    lowest_site,
    second_lowest,
    several_images,
    sieve,
)
from microgen.core.kernels.interfaces import (
    Block,
    Wanted,
    any_followed,
    pairs,
    reach_of,
    record_block,
    share_block,
)
from microgen.core.kernels.shares import PLANES, Room
from microgen.core.kernels.tree import SiteTree
from microgen.threads import in_threads

COARSE = 16  # voxels of the boxes that search the tree; multiple of ROW and SIDE
MANY = 16  # candidates of a block from which it pays to sieve them
EVERY = np.zeros(0, np.int64)
LABELS = Wanted(True, False, -1.0, counts=False)
CHUNKS = 32  # fixed, whatever the number of threads: the order of summation must not depend on it


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
    boxes: np.ndarray  # int64: numbers, rising, of the coarse boxes in it that are swept; of size 0: all


class Work(NamedTuple):
    """Scratch of one thread: candidates as collected, of the coarse, middle and small box; voxels of the small box."""

    cand: np.ndarray  # float64 [4, capacity, 10]
    site: np.ndarray  # int64 [4, capacity]
    val: np.ndarray  # float64 [capacity, 4]
    cost: np.ndarray  # float64 [capacity, voxels]
    low: np.ndarray  # float64 [2, voxels]: the two lowest costs
    who: np.ndarray  # int32 [1, voxels]: the candidate of the lowest
    near: np.ndarray  # int64 [capacity]: candidates in order of their sites, or that may share one voxel
    local: np.ndarray  # float64 [capacity, 3]: gradients of the block's candidates
    point: np.ndarray  # float64 [3]: a voxel's centre
    widest: np.ndarray  # float64 [capacity]: gap beyond which a candidate shares no voxel of the block
    corner: np.ndarray  # float64 [3]: centre of the block's first voxel
    c: np.ndarray  # float64 [3]: centre of the box at hand
    h: np.ndarray  # float64 [3]: its half-widths
    room: Room  # for one shared voxel
    seen: np.ndarray  # int64 [n + 1]: see several_images


@inner
def workspace(capacity, n):
    """Room for so many candidates, of n sites."""
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
def _own_period(lattice, low, size, margin, offset, c, h):
    """The same of a box as it lies in the periodic box, and the offset to there."""
    offset[0], offset[1], offset[2] = 0.0, 0.0, 0.0
    _box(lattice, low, size, margin, offset, c, h)
    for a in range(3):
        if lattice.lengths[a] > 0:
            offset[a] = np.floor(c[a] / lattice.lengths[a]) * lattice.lengths[a]
        c[a] -= offset[a]


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
    lowest_site(work.cost, work.site[3], m, work.near, work.low, work.who)
    _tally(lattice, low, work.site[3], work.who[0], want, out, sweep.counts[chunk])


@inner
def _keep_nearest(lattice, m, work):
    cand, site, start = work.cand[3], work.site[3], work.corner
    keep_nearest_images(cand, site, m, start, lattice.step, work.c, work.h, lattice.lengths, work.cost)


@inner
def _measure_block(lattice, low, m, work, want, out, chunk, sweep):
    """Labels, counts, volumes and interface terms of a block whose costs are known."""
    cand, site, step, c, h = work.cand[3], work.site[3], lattice.step, work.c, work.h
    lowest_site(work.cost, site, m, work.near, work.low, work.who)
    if m > MANY:
        m = sieve(cand, site, m, work.cost, work.low, work.who, c, step, h, max(reach_of(want), 0.0), work.local)
        lowest_site(work.cost, site, m, work.near, work.low, work.who)
    second_lowest(work.cost, m, work.low)
    area, half = np.zeros((m, m)), np.empty((m, m))
    half_variations(cand, m, c, step, h, work.local, half)
    box = Block(work.corner, step, np.minimum(np.array([SIDE, SIDE, ROW]), lattice.shape - low))
    flip, flip_gap, used = sweep.flip[chunk], sweep.flip_gap[chunk], sweep.flip_used[chunk]
    used = share_block(box, cand, site, m, work, half, want, flip, flip_gap, used, sweep.volumes[chunk], area)
    sweep.flip_used[chunk] = used
    pairs(site, m, area, chunk, sweep)
    _tally(lattice, low, site, work.who[0], want, out, sweep.counts[chunk])


@inner
def _watch_block(lattice, low, m, work, want, out, chunk, sweep):
    """Labels, counts and the voxels that may flip of a block in which no site's volume is followed."""
    cand, site = work.cand[3], work.site[3]
    lowest_site(work.cost, site, m, work.near, work.low, work.who)
    second_lowest(work.cost, m, work.low)
    box = Block(work.corner, lattice.step, np.minimum(np.array([SIDE, SIDE, ROW]), lattice.shape - low))
    flip, flip_gap, used = sweep.flip[chunk], sweep.flip_gap[chunk], sweep.flip_used[chunk]
    sweep.flip_used[chunk] = record_block(box, cand, site, m, work, want, flip, flip_gap, used)
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


@inner
def _coarse(tree, lattice, start, work, want, out, chunk, sweep):
    """One coarse box: search the tree, then narrow twice. Returns False when the workspace is too small."""
    c, h, offset = np.empty(3), np.empty(3), np.zeros(3)
    size, middle, small = np.full(3, COARSE), np.full(3, COARSE // 2), np.array([SIDE, SIDE, ROW])
    margin = 0.5 if want.volumes else 0.0
    _own_period(lattice, start, size, margin, offset, c, h)
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
                            if want.volumes and any_followed(want, work.site, m2):
                                _measure_block(lattice, below, m2, work, want, out, chunk, sweep)
                            elif want.volumes:
                                _watch_block(lattice, below, m2, work, want, out, chunk, sweep)
                            else:
                                _label_block(lattice, below, m2, work, want, out, sweep, chunk)
    return True


@compiled
def labels_of(tree, lattice, box, work, want, sweep, chunk):
    """int32 [voxels of a coarse box]: its labels as in any sweep, and the workspace as it had to be.

    `want` is LABELS, `sweep` is `spare()`.
    """
    ny, nz = (lattice.shape[1:] + COARSE - 1) // COARSE
    start = np.array([box // (ny * nz), box // nz % ny, box % nz]) * COARSE
    end = np.minimum(start + COARSE, lattice.shape)
    labels = np.empty((end[0] - start[0], end[1] - start[1], end[2] - start[2]), np.int32)
    part = Part(labels, start, end, EVERY)
    while not _coarse(tree, lattice, start, work, want, part, chunk, sweep):
        work = workspace(2 * work.site.shape[1], len(tree.order))
    return labels, work


@compiled(nogil=True)
def _run(thread, threads, tree, lattice, want, out, sweep):
    """A thread's share of the chunks; chunk k takes coarse boxes k·n/CHUNKS .. (k+1)·n/CHUNKS in memory order."""
    first = out.corner // COARSE
    nx, ny, nz = (out.end + COARSE - 1) // COARSE - first
    listed = len(out.boxes) > 0
    total = len(out.boxes) if listed else nx * ny * nz
    work, start = workspace(np.int64(512), len(tree.order)), np.empty(3, np.int64)
    for chunk in range(thread, CHUNKS, threads):
        for k in range(chunk * total // CHUNKS, (chunk + 1) * total // CHUNKS):
            box = out.boxes[k] if listed else k
            start[0], start[1], start[2] = box // (ny * nz), box // nz % ny, box % nz
            start += first
            start *= COARSE
            while not _coarse(tree, lattice, start, work, want, out, chunk, sweep):
                work = workspace(2 * work.site.shape[1], len(tree.order))


@compiled(nogil=True)
def _touched(thread, threads, tree, lattice, active, slack, out):
    ny, nz = (lattice.shape[1:] + COARSE - 1) // COARSE
    work, c, h, offset = workspace(np.int64(512), len(tree.order)), np.empty(3), np.empty(3), np.zeros(3)
    low, size = np.empty(3, np.int64), np.full(3, COARSE)
    for chunk in range(thread, CHUNKS, threads):
        for box in range(chunk * len(out) // CHUNKS, (chunk + 1) * len(out) // CHUNKS):
            low[0], low[1], low[2] = box // (ny * nz) * COARSE, box // nz % ny * COARSE, box % nz * COARSE
            _own_period(lattice, low, size, 0.5, offset, c, h)
            m = -1
            while m < 0:
                m = collect(tree, c, h, lattice.lengths, slack, work.cand[0], work.site[0])
                if m < 0:
                    work = workspace(2 * work.site.shape[1], len(tree.order))
            m = cull(work.cand[0], work.site[0], m, c, h, lattice.lengths, slack, work.cand[1], work.site[1], work.val)
            for k in range(m):
                out[box] |= active[work.site[1, k]]


def touched(tree: SiteTree, lattice: Lattice, active: np.ndarray, reach: float) -> np.ndarray:
    """bool: the coarse boxes, in memory order, of which a site in `active` bool [n] may have a part.

    Or come to have one while no two weights change against each other by more than twice `reach`.
    """
    out = np.zeros(int(np.prod(-(-lattice.shape // COARSE))), np.bool_)
    in_threads(_touched, tree, lattice, active, 2 * max(reach, 0.0), out)
    return out


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


def spare(lattice: Lattice) -> Sweep:
    """Room for sweeps that want nothing but labels."""
    return buffers(lattice._replace(shape=np.ones(3, np.int64)), 1, flips=False)


def sweep(
    tree: SiteTree, lattice: Lattice, want: Wanted, room: Sweep | None = None, *, boxes: np.ndarray = EVERY
) -> Sweep:
    """Sweep the lattice; `room` (from `buffers`) is overwritten and returned, so that its pages serve again.

    With `boxes`, numbers of coarse boxes in memory order, only these: labels elsewhere are not set.
    """
    if room is None:
        small = lattice._replace(shape=np.ones(3, np.int64))
        room = buffers(lattice if want.volumes else small, len(tree.order), flips=want.reach >= 0)
    for array in (room.counts, room.volumes, room.pair_used, room.flip_used):
        array.fill(0)
    labels = np.empty(lattice.shape if want.labels else (1, 1, 1), np.int32)
    in_threads(_run, tree, lattice, want, Part(labels, np.zeros(3, np.int64), lattice.shape, boxes), room)
    return room._replace(labels=labels, counts=room.counts.sum(0), volumes=room.volumes.sum(0))


def label_part(tree: SiteTree, lattice: Lattice, start: Sequence[int], stop: Sequence[int]) -> np.ndarray:
    """int32 [stop - start]: the labels of a part of the lattice, bit for bit those of a sweep of the whole."""
    low = np.array(start, np.int64) // COARSE * COARSE
    end = np.minimum(-(-np.array(stop, np.int64) // COARSE) * COARSE, lattice.shape)
    labels = np.empty(end - low, np.int32)
    in_threads(_run, tree, lattice, LABELS, Part(labels, low, end, EVERY), spare(lattice))
    return labels[tuple(slice(a - k, b - k) for a, b, k in zip(start, stop, low))]
