"""Effective diffusivity through the solid or the void, from Laplace's equation on the voxels."""

from __future__ import annotations

import numpy as np
from numba import prange
from scipy.ndimage import label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from microgen.compiled import compiled, inner
from microgen.descriptors.solid import Side, as_volume, side_of, voxel_grid
from microgen.errors import InvalidParameter, NotConverged
from microgen.microstructure import Microstructure


def effective_diffusivity(
    ms: Microstructure,
    *,
    axis: int = 0,
    of: Side = "void",
    phase: int | None = None,
    tolerance: float = 1e-5,
    max_iterations: int = 20_000,
) -> float:
    """D_eff / D_0 along an axis, where only the void (or the solid) conducts: 0 where nothing gets through.

    Steady diffusion between two faces of the box held at 1 and 0, no flux into the other side, the other axes closed or
    repeating: finite volumes on the voxels, conjugate gradients to a relative residual of `tolerance`. Tortuosity is
    fraction / (D_eff / D_0). Conductivity follows the same law. Raises NotConverged after `max_iterations`.
    """
    grid = voxel_grid(ms)
    if not 0 <= axis < grid.ndim:
        raise InvalidParameter("axis", expected="an axis of the grid", got=axis)
    inside, spacing, periodic = as_volume(side_of(ms, of, phase), grid)
    order = [axis, *(k for k in range(3) if k != axis)]
    inside = np.ascontiguousarray(inside.transpose(order))
    h = np.asarray(spacing)[order]
    wraps = np.array([False, *(periodic[k] and inside.shape[n] > 2 for n, k in enumerate(order) if n)])
    conductance = (h[0] / h) ** 2
    inside = _spanning(inside, wraps)
    if not inside.any():
        return 0.0
    field, flux = _solve(inside, conductance, wraps, tolerance=tolerance, max_iterations=max_iterations)
    del field
    # Flux through one voxel's face under a unit difference over n voxels would be 1 / n.
    return flux * inside.shape[0] / (inside.shape[1] * inside.shape[2])


def _spanning(inside: np.ndarray, wraps: np.ndarray) -> np.ndarray:
    """Pieces, connected by faces, that reach from the first layer to the last. The others carry nothing, but conjugate
    gradients would end with a rest of flux in them."""
    labels = np.empty(inside.shape, np.int32)
    count = int(label(inside, output=labels))  # pyright: ignore[reportArgumentType]
    ends = [np.moveaxis(labels, axis, 0)[[-1, 0]].reshape(2, -1) for axis in (1, 2) if wraps[axis]]
    pairs = np.hstack([np.zeros((2, 0), np.int32), *(both[:, (both > 0).all(0)] for both in ends)])
    links = coo_array((np.ones(pairs.shape[1], np.int8), tuple(pairs)), shape=(count + 1, count + 1))
    piece = connected_components(links, directed=False)[1]
    first, last = (piece[np.unique(layer[layer > 0])] for layer in (labels[0], labels[-1]))
    through = np.isin(piece, np.intersect1d(first, last))
    through[0] = False
    return through[labels]


def _solve(
    inside: np.ndarray, conductance: np.ndarray, wraps: np.ndarray, *, tolerance: float, max_iterations: int
) -> tuple[np.ndarray, float]:
    """Concentration at the voxels, and the flux through the box, by conjugate gradients scaled by the diagonal."""
    n = inside.shape[0]
    scale = _inverse_diagonal(inside, conductance, wraps)
    profile = 1 - (np.arange(n) + 0.5) / n
    x = np.where(inside, profile[:, None, None], 0.0)
    product = np.empty_like(x)
    _apply(inside, conductance, wraps, x, product)
    residual = -product
    residual[0] += np.where(inside[0], 2 * conductance[0], 0.0)
    norm = np.sqrt(2 * conductance[0] * 2 * conductance[0] * max(np.count_nonzero(inside[0]), 1))
    z = residual * scale
    p = z.copy()
    rz = float(np.vdot(residual, z))
    for _ in range(max_iterations):
        if np.sqrt(float(np.vdot(residual, residual))) <= tolerance * norm:
            return x, float(2 * conductance[0] * x[-1][inside[-1]].sum())
        _apply(inside, conductance, wraps, p, product)
        step = rz / float(np.vdot(p, product))
        x += step * p
        residual -= step * product
        np.multiply(residual, scale, out=z)
        rz, before = float(np.vdot(residual, z)), rz
        p *= rz / before
        p += z
    raise NotConverged(f"diffusion did not settle to {tolerance} in {max_iterations} iterations; allow more.", best=x)


def _inverse_diagonal(inside: np.ndarray, conductance: np.ndarray, wraps: np.ndarray) -> np.ndarray:
    total = np.zeros(inside.shape)
    for axis in range(3):
        for step in (1, -1):
            there = np.roll(inside, step, axis)
            if not wraps[axis]:
                np.moveaxis(there, axis, 0)[0 if step == 1 else -1] = False
            total += conductance[axis] * there
    total[0] += 2 * conductance[0]
    total[-1] += 2 * conductance[0]
    # Voxels without any neighbour conduct nothing and stay as they are.
    return np.where(inside & (total > 0), 1 / np.where(total > 0, total, 1.0), 0.0)


@compiled(parallel=True)
def _apply(inside, conductance, wraps, x, out):  # pragma: no cover - compiled
    """out = A x: fluxes out of each voxel; half a voxel lies between the first and last layer and the faces."""
    n0, n1, n2 = inside.shape
    for i in prange(n0):
        for j in range(n1):
            for k in range(n2):
                total = 0.0
                if inside[i, j, k]:
                    here = x[i, j, k]
                    total += conductance[0] * (_drop(inside, x, here, i - 1, j, k) if i > 0 else 2 * here)
                    total += conductance[0] * (_drop(inside, x, here, i + 1, j, k) if i < n0 - 1 else 2 * here)
                    if j > 0 or wraps[1]:
                        total += conductance[1] * _drop(inside, x, here, i, j - 1, k)
                    if j < n1 - 1 or wraps[1]:
                        total += conductance[1] * _drop(inside, x, here, i, j + 1 if j < n1 - 1 else 0, k)
                    if k > 0 or wraps[2]:
                        total += conductance[2] * _drop(inside, x, here, i, j, k - 1)
                    if k < n2 - 1 or wraps[2]:
                        total += conductance[2] * _drop(inside, x, here, i, j, k + 1 if k < n2 - 1 else 0)
                out[i, j, k] = total


@inner
def _drop(inside, x, here, i, j, k):  # pragma: no cover - compiled
    """Difference to a neighbour that conducts; -1 is the last of the axis."""
    return here - x[i, j, k] if inside[i, j, k] else 0.0
