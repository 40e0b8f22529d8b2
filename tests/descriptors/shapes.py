"""Shapes whose measures are known."""

from __future__ import annotations

import numpy as np

from microgen.grid import Grid
from microgen.microstructure import Microstructure


def voxels(full: np.ndarray, *, h: float | tuple[float, ...] = 1.0, periodic: bool = True) -> Microstructure:
    spacing = h if isinstance(h, tuple) else (h,) * full.ndim
    grid = Grid(full.shape, spacing, periodic=(periodic,) * full.ndim)
    return Microstructure(grid, np.where(full, 0, -1).astype(np.int16))


def level(u: np.ndarray, *, h: float = 1.0, periodic: bool = True) -> Microstructure:
    grid = Grid(u.shape, (h,) * u.ndim, periodic=(periodic,) * u.ndim)
    return Microstructure(grid, np.where(u > 0, 0, -1).astype(np.int16), level_set=u.astype(np.float32))


def centred(n: int, ndim: int = 3, shift: float = 0.37) -> list[np.ndarray]:
    """Coordinates about a point near the middle that is no point of the grid's symmetry."""
    return np.meshgrid(*[np.arange(n) - n / 2 + shift] * ndim, indexing="ij")


def ball(n: int, r: float, shift: float = 0.37) -> np.ndarray:
    """Signed distance to a ball's surface, positive inside."""
    return r - np.sqrt(sum(x**2 for x in centred(n, shift=shift)))


def cylinder(n: int, r: float) -> np.ndarray:
    """The same of a cylinder along z."""
    x, y, _ = centred(n)
    return r - np.hypot(x, y)


def plate(n: int, half: float) -> np.ndarray:
    """The same of a plate across x."""
    return half - np.abs(centred(n)[0])


def torus(n: int, ring: float, r: float) -> np.ndarray:
    """The same of a torus about z."""
    x, y, z = centred(n)
    return r - np.hypot(np.hypot(x, y) - ring, z)


def gyroid(n: int, cells: int = 1, offset: float = 0.0) -> np.ndarray:
    """sin x cos y + sin y cos z + sin z cos x - offset over whole cells: both sides have chi = -4 in each cell."""
    x, y, z = np.meshgrid(*[(np.arange(n) + 0.2) * 2 * np.pi * cells / n] * 3, indexing="ij")
    return np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x) - offset


def blobs(n: int, seed: int, ndim: int = 3, width: float = 1.5) -> np.ndarray:
    """A random periodic field, smooth over `width` voxels."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).standard_normal((n,) * ndim)
    u = gaussian_filter(noise, width, mode="wrap")
    return u / u.std()
