"""How wide the kernel around each measured orientation must be, so that a sample is as textured as the scan is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from microgen.descriptors.distance import ORIENTATION_HALF_WIDTH
from microgen.descriptors.kernels import kernel_scale, orientation_gram
from microgen.descriptors.texture import texture_index

WIDTHS = tuple(math.radians(w) for w in (5, 7.5, 10, 12.5, 15, 20, 25, 30))


def kernel_width(
    orientations: Sequence[np.ndarray],
    areas: Sequence[np.ndarray],
    laue_groups: Sequence[str],
) -> float:
    """Narrowest of WIDTHS (radians) for which the law's texture index is no more than that of the scan.

    Orientations [n, 4] and areas [n] per phase. Around each of a few orientations a narrow kernel makes a sharper
    texture than the material has: its index counts each orientation paired with itself, which the scan's does not. Two
    draws of the law differ as two measured orientations do, each turned by a kernel; half widths add in squares.
    """
    for width in WIDTHS:
        excess = 0.0
        for q, a, group in zip(orientations, areas, laue_groups):
            if len(q) > 1:
                measured = max(texture_index(q, group, weights=a), 0.5)
                excess += a.sum() * math.log(_index_of_law(q, a, group, width) / measured)
        if excess <= math.log(1.1) * sum(a.sum() for a in areas):
            return width
    return WIDTHS[-1]


def _index_of_law(q: np.ndarray, areas: np.ndarray, laue_group: str, width: float) -> float:
    """Texture index, as the statistics measure it, of the law with kernels of this half width."""
    wide = math.sqrt(2 * width**2 + ORIENTATION_HALF_WIDTH**2)
    share = areas / areas.sum()
    gram = orientation_gram(q, q, laue_group, half_width=wide)
    return float(share @ gram @ share * kernel_scale(laue_group, wide))
