"""Hard-core random placement of sites: big grains first, no two ellipsoids closer than a share of their radii.

Random sequential addition (Feder 1980, J. Theor. Biol. 87, 237) for ellipsoids of many sizes. Placed grains are
kept in one cell grid per octave of size, so that a trial meets a handful of neighbours whatever the sizes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from microgen.compiled import compiled, inner

TRIALS = 300  # random positions tried before the factor is relaxed
RELAX = 0.95
OCTAVES = 12


class Placement(NamedTuple):
    """Where the sites are, and what it took."""

    sites: np.ndarray
    """float64 [n, d], µm, in [0, lengths)."""
    hard_core: float
    """The factor that holds for every pair: as asked, or smaller where it could not be packed."""


def place_sites(
    shapes: np.ndarray,
    volumes: np.ndarray,
    lengths: tuple[float, ...],
    *,
    periodic: tuple[bool, ...],
    hard_core: float,
    rng: np.random.Generator,
    inside: np.ndarray | None = None,
) -> Placement:
    """Sites for grains of unit-determinant shapes [n, d, d] and volumes [n] (µm^d) in the box [0, lengths).

    Along the line between sites i and j at distance s, r_i and r_j are the radii of their ellipsoids in that
    direction, and s >= hard_core (r_i + r_j) holds, periodic images included. Where 300 random positions fail,
    the factor shrinks by 5 % for this grain and all smaller ones, so the search always ends. With `inside`, bool on any
    grid of the box, all sites lie in its voxels.
    """
    n, d = len(volumes), len(lengths)
    ball = {2: math.pi, 3: 4 * math.pi / 3}[d]
    radius = (volumes / ball) ** (1 / d)
    forms = np.zeros((n, 3, 3))
    forms[:, :d, :d] = shapes / radius[:, None, None] ** 2
    reach = 1 / np.sqrt(np.linalg.eigvalsh(forms[:, :d, :d])[:, 0])
    box, wrap = np.ones(3), np.zeros(3, np.bool_)
    box[:d], wrap[:d] = lengths, periodic
    order = np.argsort(-volumes, kind="stable")
    octave = np.minimum(np.log2(reach.max() / reach).astype(np.int64), OCTAVES - 1)
    cells = _cells(reach, hard_core, box, d)
    among = np.empty((0, 3)) if inside is None else _corners(inside, d)
    width = np.ones(3) if inside is None else box / np.array((*inside.shape, 1)[:3])
    sites, factor = _place(forms, reach, order, octave, cells, box, wrap, d, float(hard_core), rng, among, width)
    return Placement(sites[:, :d].copy(), float(factor))


def _corners(inside: np.ndarray, d: int) -> np.ndarray:
    """float64 [m, 3]: numbers of the voxels that sites may lie in."""
    corners = np.zeros((int(inside.sum()), 3))
    corners[:, :d] = np.argwhere(inside)
    return corners


def _cells(reach: np.ndarray, hard_core: float, box: np.ndarray, d: int) -> np.ndarray:
    """int64 [OCTAVES, 3]: cells per axis; a cell is about as wide as two grains of its octave must be apart."""
    widest = reach.max() / 2.0 ** np.arange(OCTAVES)
    most = (2 * len(reach)) ** (1 / d) + 1  # more cells than grains only cost memory
    cells = np.ones((OCTAVES, 3), np.int64)
    share = box[:d] / box[:d].max()
    wanted = np.minimum(box[:d] / (2 * max(hard_core, 1e-3) * widest[:, None]), most * share)
    cells[:, :d] = np.maximum(1, wanted).astype(np.int64)
    return cells


@inner
def _clear(x, i, hard_core, sites, forms, reach, octave_reach, cells, first, head, after, box, wrap):
    """Is position x free for grain i?"""
    dx, low, count = np.zeros(3), np.zeros(3, np.int64), np.ones(3, np.int64)
    for level in range(len(cells)):
        if first[level] == first[level + 1]:
            continue
        far = hard_core * (reach[i] + octave_reach[level])
        for a in range(3):
            width = box[a] / cells[level, a]
            low[a] = int(np.floor((x[a] - far) / width))
            high = int(np.floor((x[a] + far) / width))
            if not wrap[a]:
                low[a], high = max(low[a], 0), min(high, cells[level, a] - 1)
            count[a] = min(high - low[a] + 1, cells[level, a])
        for c0 in range(low[0], low[0] + count[0]):
            for c1 in range(low[1], low[1] + count[1]):
                for c2 in range(low[2], low[2] + count[2]):
                    cell = (c0 % cells[level, 0] * cells[level, 1] + c1 % cells[level, 1]) * cells[level, 2]
                    j = head[first[level] + cell + c2 % cells[level, 2]]
                    while j >= 0:
                        s2 = 0.0
                        for a in range(3):
                            dx[a] = x[a] - sites[j, a]
                            if wrap[a]:
                                dx[a] -= box[a] * np.rint(dx[a] / box[a])
                            s2 += dx[a] * dx[a]
                        if s2 < (hard_core * (reach[i] + reach[j])) ** 2:
                            qi, qj = 0.0, 0.0
                            for a in range(3):
                                for b in range(3):
                                    qi += forms[i, a, b] * dx[a] * dx[b]
                                    qj += forms[j, a, b] * dx[a] * dx[b]
                            if qi <= 0 or qj <= 0 or hard_core * (1 / np.sqrt(qi) + 1 / np.sqrt(qj)) > 1:
                                return False
                        j = after[j]
    return True


@compiled
def _place(forms, reach, order, octave, cells, box, wrap, d, hard_core, rng, among, width):
    levels, n = len(cells), len(order)
    octave_reach, used = np.zeros(levels), np.zeros(levels, np.bool_)
    for i in range(n):
        octave_reach[octave[i]] = max(octave_reach[octave[i]], reach[i])
        used[octave[i]] = True
    first = np.zeros(levels + 1, np.int64)
    for level in range(levels):
        size = cells[level, 0] * cells[level, 1] * cells[level, 2] if used[level] else 0
        first[level + 1] = first[level] + size
    head, after = np.full(first[levels], -1, np.int64), np.full(n, -1, np.int64)
    sites, x = np.zeros((n, 3)), np.zeros(3)
    for i in order:
        placed = False
        while not placed:
            for _ in range(TRIALS):
                voxel = int(rng.random() * len(among)) if len(among) else 0
                for a in range(d):
                    x[a] = (among[voxel, a] + rng.random()) * width[a] if len(among) else rng.random() * box[a]
                placed = _clear(
                    x, i, hard_core, sites, forms, reach, octave_reach, cells, first, head, after, box, wrap
                )
                if placed:
                    break
            if not placed:
                hard_core = hard_core * RELAX if hard_core > 1e-3 else 0.0
        level, cell = octave[i], 0
        for a in range(3):
            sites[i, a] = x[a]
            cell = cell * cells[level, a] + min(int(x[a] / box[a] * cells[level, a]), cells[level, a] - 1)
        after[i], head[first[level] + cell] = head[first[level] + cell], i
    return sites, hard_core
