"""The disorientation angles of random cubic grains."""

from __future__ import annotations

import math

import numpy as np

_T = math.tan(math.pi / 8)
"""Distance of the zone's six cube faces from its middle in Rodrigues space; the eight others lie at 1/sqrt(3)."""
_LARGEST = 2 * math.atan(math.sqrt(2 * _T**2 + (1 - 2 * _T) ** 2))


def mackenzie_density(angle: np.ndarray | float) -> np.ndarray:
    """Density (1/rad) of the disorientation angle (radians) of random cubic grains, Laue group m-3m.

    p(w) = 24 (1 - cos w)/pi times the share of the sphere of radius tan(w/2) in Rodrigues space that lies in the zone,
    a truncated cube: caps beyond the faces are taken off, where two of them overlap they are given back. Mean 40.74°,
    largest angle 62.80°. Mackenzie, Biometrika 45 (1958) 229; Handscomb, Can. J. Math. 10 (1958) 85.
    """
    w = np.asarray(angle, float)
    inside = (w > 0) & (w < _LARGEST)
    r = np.tan(np.where(inside, w, 0.1) / 2)
    cube, octa = np.minimum(_T / r, 1.0), np.minimum(1 / (math.sqrt(3) * r), 1.0)
    caps = 6 * (1 - cube) / 2 + 8 * (1 - octa) / 2
    overlaps = 12 * _lens(cube, cube, 0.0) + 24 * _lens(cube, octa, 1 / math.sqrt(3))
    return np.where(inside, 24 / math.pi * (1 - np.cos(w)) * np.maximum(1 - caps + overlaps, 0.0), 0.0)


def _lens(a: np.ndarray, b: np.ndarray, c: float) -> np.ndarray:
    """Share of the sphere common to two caps; cosines of their radii (a, b) and of the angle between their axes (c)."""
    apart = np.arccos(a) + np.arccos(b) <= math.acos(c)
    a, b = (np.where(apart, 0.5, x) for x in (a, b))
    sine_a, sine_b, sine_c = np.sqrt(1 - a * a), np.sqrt(1 - b * b), math.sqrt(1 - c * c)
    corner = np.arccos(np.clip((c - a * b) / (sine_a * sine_b), -1, 1))
    at_a = np.arccos(np.clip((b - a * c) / (sine_a * sine_c), -1, 1))
    at_b = np.arccos(np.clip((a - b * c) / (sine_b * sine_c), -1, 1))
    return np.where(apart, 0.0, (math.pi - corner - at_a * a - at_b * b) / (2 * math.pi))
