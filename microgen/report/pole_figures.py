"""Pole figures: how densely the normals of lattice planes lie in each direction of the sample, in multiples of random.

Equal-area (Lambert) projection of the half sphere z >= 0, x to the right and y down as in the maps. A normal and its
opposite are one pole. Densities are kernel estimates with the de la Vallée Poussin kernel, whose pole figure is
(1 + kappa) ((1 + cos theta)/2)^kappa; Schaeben, Phys. Status Solidi B 200 (1997) 367.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from microgen.orientation import conjugate, kernel_exponent, rotate

HALF_WIDTH = math.radians(10)
"""Angle at which the kernel falls to one half."""
CELLS = 4000
"""More poles are gathered in this many equal cells of the half sphere, about 2° wide: below the kernel's width."""
ACROSS = 33
"""Densities are computed at so many places across the figure, and interpolated."""
FINE = 1 << 16
"""Steps of the cosine in the kernel's table."""
COLD, HOT = ((96, 136, 190), (229, 237, 244)), ((255, 244, 214), (246, 160, 70), (205, 60, 40), (110, 12, 38))
"""Colours below and above 1, the density of random orientations."""
LINE = (70, 74, 84)


@dataclass(frozen=True)
class PoleFigures:
    """Estimates densities; the kernel between all cells and places is computed once."""

    half_width: float = HALF_WIDTH

    @cached_property
    def _cells(self) -> np.ndarray:
        """Directions spread evenly over the half sphere (golden spiral), float64 [CELLS, 3]."""
        z = (np.arange(CELLS) + 0.5) / CELLS
        azimuth = np.arange(CELLS) * math.pi * (3 - math.sqrt(5))
        return np.stack([*(np.sqrt(1 - z * z) * (np.cos(azimuth), np.sin(azimuth))), z], axis=1)

    @cached_property
    def _of_cells(self) -> np.ndarray:
        return self._kernel(self._cells)

    def _kernel(self, poles: np.ndarray) -> np.ndarray:
        """float32 [places, poles], a mean of one over the sphere; looked up, many times as fast as powers."""
        x, y = np.meshgrid(np.linspace(-1, 1, ACROSS), np.linspace(-1, 1, ACROSS))
        cosine = directions(x.ravel(), y.ravel()).astype(np.float32) @ poles.T.astype(np.float32)
        return self._table[(np.minimum(np.abs(cosine), 1) * (FINE - 1) + 0.5).astype(np.uint16)]

    @cached_property
    def _table(self) -> np.ndarray:
        """The kernel of a pole and its opposite over |cos theta|, float32 [FINE]."""
        kappa, cosine = kernel_exponent(self.half_width), np.linspace(0, 1, FINE)
        return ((1 + kappa) / 2 * (((1 + cosine) / 2) ** kappa + ((1 - cosine) / 2) ** kappa)).astype(np.float32)

    def density(self, q: np.ndarray, weights: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Multiples of random, float64 [ACROSS, ACROSS]: rows down (y), columns to the right (x), from -1 to 1.

        `q` [n, 4] with weights [n] (not all zero), `normals` [k, 3] of all equivalent planes in the crystal.
        """
        from scipy.spatial import KDTree

        poles = rotate(conjugate(q)[:, None], normals[None]).reshape(-1, 3)
        shares = np.repeat(weights / (weights.sum() * len(normals)), len(normals))
        if len(poles) > CELLS:
            cell = KDTree(self._cells).query(np.where(poles[:, 2:] < 0, -poles, poles))[1]
            shares, kernel = np.bincount(cell, shares, CELLS), self._of_cells
        else:
            kernel = self._kernel(poles)
        return (kernel @ shares.astype(np.float32)).astype(float).reshape(ACROSS, ACROSS)


def directions(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Unit vectors [..., 3] at places of the equal-area projection; beyond radius 1 they lie in the other half."""
    square = np.minimum(x * x + y * y, 2.0)
    stretch = np.sqrt(2 - square)
    h = np.stack([x * stretch, y * stretch, 1 - square], axis=-1)
    return h / np.linalg.norm(h, axis=-1, keepdims=True)


def levels(highest: float) -> np.ndarray:
    """Edges of the bands: 0 to 1 in fifths, then up to the highest density, wider the higher it is."""
    above = np.array([*(m * 10.0**k for k in range(5) for m in (1.5, 2, 3, 5, 8)), math.inf])
    if highest <= 3:
        above = np.arange(1.1, 1.55, 0.1) if highest <= 1.5 else np.array([1.25, 1.5, 1.75, 2, 2.5, 3])
    reached = int(np.searchsorted(above, highest)) + 1
    return np.concatenate([np.arange(6) / 5, above[:reached]])


def band_colours(edges: np.ndarray) -> np.ndarray:
    """One colour a band, uint8 [bands, 3]."""
    below = int(np.searchsorted(edges, 1.0 - 1e-9))
    above = len(edges) - 1 - below
    return np.concatenate([_ramp(COLD, below), _ramp(HOT, above)])


def _ramp(stops: tuple[tuple[int, int, int], ...], count: int) -> np.ndarray:
    places = np.linspace(0, len(stops) - 1, max(count, 2))[:count]
    channels = [np.interp(places, np.arange(len(stops)), channel) for channel in zip(*stops)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


def draw_figure(density: np.ndarray, edges: np.ndarray, *, pixels: int = 256) -> np.ndarray:
    """The disc with its bands and the lines between them, uint8 RGBA [pixels, pixels, 4], transparent around it."""
    from scipy.interpolate import make_interp_spline

    fine, n = 2 * pixels, len(density)
    between = make_interp_spline(np.linspace(0, fine, n), np.eye(n))(np.arange(fine) + 0.5)
    value = between @ density @ between.T
    band = np.clip(np.searchsorted(edges, value, side="right") - 1, 0, len(edges) - 2)
    canvas = np.zeros((fine, fine, 4))
    canvas[..., :3], canvas[..., 3] = band_colours(edges)[band], 255
    border = np.zeros(band.shape, bool)
    border[:, 1:] |= band[:, 1:] != band[:, :-1]
    border[1:] |= band[1:] != band[:-1]
    canvas[border, :3] = 0.45 * canvas[border, :3] + 0.55 * np.array(LINE)
    x = 2 * (np.arange(fine) + 0.5) / fine - 1
    canvas[x[:, None] ** 2 + x**2 > 1] = 0
    opaque = canvas[..., 3:].reshape(pixels, 2, pixels, 2, 1).mean(axis=(1, 3))
    total = (canvas[..., :3] * (canvas[..., 3:] > 0)).reshape(pixels, 2, pixels, 2, 3).mean(axis=(1, 3))
    colour = total * 255 / np.maximum(opaque, 1)
    return np.round(np.concatenate([np.clip(colour, 0, 255), opaque], axis=-1)).astype(np.uint8)
