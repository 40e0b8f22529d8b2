"""Principal curvatures of a level set, weighted by area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import prange

from microgen.compiled import compiled, inner
from microgen.descriptors.distribution import Distribution
from microgen.descriptors.solid import voxel_grid
from microgen.errors import InvalidParameter
from microgen.microstructure import Microstructure

BAND = 0.3
"""Where |u| is below it the level sets of a phase field follow the surface."""


@dataclass(frozen=True, eq=False)
class CurvatureDiagram:
    """Curvatures at points near the surface, each with the area it stands for; positive where the solid is convex."""

    kappa_1: np.ndarray
    """float64 [n], 1/µm: the larger one."""
    kappa_2: np.ndarray
    """float64 [n], 1/µm."""
    area: np.ndarray
    """float64 [n], in any scale."""

    def distribution(self, name: str) -> Distribution:
        """kappa_1, kappa_2, mean_curvature (their mean) or gauss_curvature (their product, 1/µm²), by area."""
        values = {
            "kappa_1": self.kappa_1,
            "kappa_2": self.kappa_2,
            "mean_curvature": (self.kappa_1 + self.kappa_2) / 2,
            "gauss_curvature": self.kappa_1 * self.kappa_2,
        }
        if name not in values:
            raise InvalidParameter("name", expected=f"one of {', '.join(values)}", got=name)
        return Distribution(values[name], self.area, "1/µm²" if name == "gauss_curvature" else "1/µm", name)


def curvature_diagram(ms: Microstructure, *, band: float = BAND) -> CurvatureDiagram:
    """Curvatures kappa_1 >= kappa_2 of the surface u = 0 of a volume, from central differences where |u| < `band`.

    With n = -grad u / |grad u| out of the solid (u > 0): kappa_1 + kappa_2 = div n and kappa_1 kappa_2 =
    g^T adj(Hess u) g / |g|^4. A point weighs |grad u|: by the coarea formula the area of all level sets in the band.
    Points beside a border that does not repeat have no differences and are left out. Song, JMIV 64 (2022) 745.
    Raises InvalidParameter without a level set, for a plane, and for a band that is not positive.
    """
    grid = voxel_grid(ms)
    if ms.level_set is None or grid.ndim != 3:
        raise InvalidParameter("ms", expected="a volume with a level set", got=grid.shape, remedy="Voxels have none.")
    if not band > 0:
        raise InvalidParameter("band", expected="a positive number", got=band)
    near = np.abs(ms.level_set) < band
    for axis, wraps in enumerate(grid.periodic):
        if not wraps:
            np.moveaxis(near, axis, 0)[[0, -1]] = False
    first, second, area = _curvatures(np.ascontiguousarray(ms.level_set), np.argwhere(near), np.asarray(grid.spacing))
    there = area > 0
    return CurvatureDiagram(first[there], second[there], area[there])


@compiled(parallel=True)
def _curvatures(u, places, spacing):  # pragma: no cover - compiled
    count = len(places)
    first, second, area = np.zeros(count), np.zeros(count), np.zeros(count)
    for n in prange(count):
        g, h = _derivatives(u, places[n], spacing)
        squared = g[0] ** 2 + g[1] ** 2 + g[2] ** 2
        if squared > 0:
            along = 0.0
            gauss = 0.0
            for a in range(3):
                b, c = (a + 1) % 3, (a + 2) % 3
                for k in range(3):
                    along += g[a] * h[a, k] * g[k]
                gauss += g[a] ** 2 * (h[b, b] * h[c, c] - h[b, c] ** 2)
                gauss += 2 * g[b] * g[c] * (h[a, b] * h[a, c] - h[a, a] * h[b, c])
            mean = -(h[0, 0] + h[1, 1] + h[2, 2] - along / squared) / (2 * np.sqrt(squared))
            apart = np.sqrt(max(mean**2 - gauss / squared**2, 0.0))
            first[n], second[n], area[n] = mean + apart, mean - apart, np.sqrt(squared)
    return first, second, area


@inner
def _derivatives(u, place, spacing):  # pragma: no cover - compiled
    """Gradient [3] and Hessian [3, 3] by central differences; mixed ones from the four corners."""
    g, h = np.empty(3), np.empty((3, 3))
    here = u[place[0], place[1], place[2]]
    for a in range(3):
        up, down = _at(u, place, a, 1, a, 0), _at(u, place, a, -1, a, 0)
        g[a] = (up - down) / (2 * spacing[a])
        h[a, a] = (up - 2 * here + down) / spacing[a] ** 2
        for b in range(a):
            equal = _at(u, place, a, 1, b, 1) + _at(u, place, a, -1, b, -1)
            other = _at(u, place, a, 1, b, -1) + _at(u, place, a, -1, b, 1)
            h[a, b] = h[b, a] = (equal - other) / (4 * spacing[a] * spacing[b])
    return g, h


@inner
def _at(u, place, a, step_a, b, step_b):  # pragma: no cover - compiled
    """Value a step along axis a and a step along axis b away, across the border where needed."""
    x, y, z = place[0], place[1], place[2]
    x += step_a * (a == 0) + step_b * (b == 0)
    y += step_a * (a == 1) + step_b * (b == 1)
    z += step_a * (a == 2) + step_b * (b == 2)
    return np.float64(u[x % u.shape[0], y % u.shape[1], z % u.shape[2]])
