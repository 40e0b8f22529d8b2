"""Rows of voxels as rays: where they go through triangles."""

from __future__ import annotations

import numpy as np

CHUNK = 2_000_000
"""Pairs of ray and triangle looked at in one go, about."""


def ray_crossings(triangles: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rays (i, j) along the last axis that hit a triangle of [m, 3, 3] in voxels, flat int [n]; height; triangle."""
    # Rays a hair beside the lattice hit no corner or edge of an outline made on the same lattice.
    flat = triangles[:, :, :2] - np.array([1.37e-5, 2.11e-5])
    low = np.clip(np.ceil(flat.min(axis=1)), 0, None).astype(int)
    high = np.minimum(np.floor(flat.max(axis=1)).astype(int), np.array(shape[:2]) - 1)
    sides = np.maximum(high - low + 1, 0)
    pairs = np.cumsum(sides.prod(axis=1))
    rows = np.split(np.arange(len(flat)), np.flatnonzero(np.diff(pairs // CHUNK)) + 1)
    found = [_hits(flat[k], low[k], sides[k]) for k in rows]
    at = np.concatenate([each[0] for each in found])
    which = np.concatenate([k[each[2]] for k, each in zip(rows, found)])
    height = np.einsum("kn,nk->n", np.concatenate([each[1] for each in found], axis=1), triangles[which, :, 2])
    return at @ np.array([shape[1], 1]), height, which


def _hits(flat: np.ndarray, low: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ray, weights of the corners [3, n] and triangle of each hit among the rays in the triangles' boxes."""
    count = sides.prod(axis=1)
    which = np.repeat(np.arange(len(flat)), count)
    rank = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    at = low[which] + np.stack(np.divmod(rank, np.maximum(sides[which, 1], 1)), axis=1)
    a, b, c = (flat[which, k] - at for k in range(3))
    parts = np.stack([p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0] for p, q in ((b, c), (c, a), (a, b))])
    hit = ((parts > 0).all(axis=0) | (parts < 0).all(axis=0)) & (parts.sum(axis=0) != 0)
    return at[hit], parts[:, hit] / parts[:, hit].sum(axis=0), which[hit]
