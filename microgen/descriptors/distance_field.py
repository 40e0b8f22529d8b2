"""Exact Euclidean distance from every point of the solid to the nearest void, also across periodic borders.

Lower envelopes of parabolas, one axis after the other: Felzenszwalb & Huttenlocher, Theory of Computing 8 (2012) 415.
Squares of whole numbers of voxels come out exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import prange

from microgen.compiled import compiled, inner

FAR = np.float32(1e30)
"""Squared distance where there is no void at all."""


def squared_distance(inside: np.ndarray, spacing: Sequence[float], periodic: Sequence[bool]) -> np.ndarray:
    """Squared distance between centres of voxels, float32 [x, y, z]; 0 outside and FAR without any void.

    `inside` is bool [x, y, z]; beyond an axis that does not repeat nothing is known and nothing is void.
    """
    field = np.where(inside, FAR, np.float32(0))
    for axis in (2, 1, 0):
        if inside.shape[axis] > 1:
            _sweep(np.moveaxis(field, axis, -1), float(spacing[axis]) ** 2, bool(periodic[axis]))
    return field


@compiled(parallel=True)
def _sweep(field, weight, wraps):  # pragma: no cover - compiled
    """field[p, q, i] = min over j of field[p, q, j] + weight (i - j)², in place."""
    planes, rows, n = field.shape
    # No point is farther than half a period, so half a period on both sides shows all images that matter.
    margin = (n + 1) // 2 if wraps else 0
    for p in prange(planes):
        place = np.empty(n + 2 * margin, np.int64)
        start = np.empty(n + 2 * margin + 1, np.float64)
        line = np.empty(n, np.float32)
        for q in range(rows):
            some = False
            for i in range(n):
                line[i] = field[p, q, i]
                some = some or line[i] > 0
            if some:
                _envelope(line, weight, margin, place, start, field[p, q])


@inner
def _envelope(line, weight, margin, place, start, out):  # pragma: no cover - compiled
    n, top = len(line), -1
    for j in range(-margin, n + margin):
        height = line[j % n]
        if height >= FAR:
            continue
        cut = -np.inf
        while top >= 0:
            i = place[top]
            cut = 0.5 * (j + i + (np.float64(height) - line[i % n]) / (weight * (j - i)))
            if cut > start[top]:
                break
            top -= 1
            cut = -np.inf
        top += 1
        place[top], start[top] = j, cut
    if top < 0:
        return
    start[top + 1] = np.inf
    k = 0
    for i in range(n):
        while start[k + 1] < i:
            k += 1
        j = place[k]
        out[i] = line[j % n] + weight * (i - j) ** 2
