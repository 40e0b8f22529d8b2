"""Two-point correlation of the solid."""

from __future__ import annotations

import numpy as np
from scipy import fft

from microgen.descriptors.curve import Curve
from microgen.descriptors.solid import solid, voxel_grid
from microgen.errors import InvalidParameter
from microgen.microstructure import Microstructure


def two_point_correlation(ms: Microstructure, *, phase: int | None = None, axis: int | None = None) -> Curve:
    """S2(r): probability that two points a distance r apart are both solid; r in µm.

    Along one axis, or over all directions (`axis` None): the mean over all pairs of voxels whose distance falls into a
    bin as wide as the largest spacing, placed at the mean distance of the bin. S2(0) is the volume fraction, and
    S2 -> its square where nothing is correlated. Up to half the box (the shortest axis). Pairs across a periodic border
    count; elsewhere only pairs inside the box do. Torquato, Random Heterogeneous Materials (2002), by FFT.
    """
    grid, full = voxel_grid(ms), solid(ms, phase=phase)
    if axis is not None and not 0 <= axis < grid.ndim:
        raise InvalidParameter("axis", expected="an axis of the grid, or None for all directions", got=axis)
    if axis is not None:
        lags = grid.shape[axis] // 2
        along = _along(full, axis, lags, wraps=grid.periodic[axis])
        return Curve(np.arange(lags + 1) * grid.spacing[axis], along, "µm", "two_point_correlation")
    distance, share = _all_directions(full, grid.spacing, grid.periodic)
    return Curve(distance, share, "µm", "two_point_correlation")


def _along(full: np.ndarray, axis: int, lags: int, *, wraps: bool) -> np.ndarray:
    """Share of pairs of solid voxels at 0 .. lags steps along an axis."""
    lines = np.moveaxis(full, axis, 0)
    share = np.empty(lags + 1)
    for k in range(lags + 1):
        both = lines & np.roll(lines, -k, 0) if wraps else lines[: len(lines) - k] & lines[k:]
        share[k] = both.mean()
    return share


def _all_directions(
    full: np.ndarray, spacing: tuple[float, ...], periodic: tuple[bool, ...]
) -> tuple[np.ndarray, np.ndarray]:
    lags = [n // 2 for n in full.shape]
    # Padded by the largest lag that is asked for, pairs across the border fall outside of what is read.
    size = [n if wraps else fft.next_fast_len(n + k, real=True) for n, k, wraps in zip(full.shape, lags, periodic)]
    spectrum = np.asarray(fft.rfftn(full.astype(np.float32), s=size, workers=-1))
    np.multiply(spectrum, spectrum.conj(), out=spectrum)
    pairs = np.asarray(fft.irfftn(spectrum, s=size, workers=-1, overwrite_x=True))
    del spectrum
    reach = min((k * h for k, h in zip(lags, spacing) if k), default=0.0)
    squared, possible = np.zeros(()), np.ones(())
    for axis, (n, k, h, wraps) in enumerate(zip(full.shape, lags, spacing, periodic)):
        # One of each pair of opposite lags would do, but only together are they all of an axis.
        steps = np.arange(-k, k + 1) if 2 * k < n else np.arange(-k + 1, k + 1)
        pairs = np.take(pairs, steps, axis=axis, mode="wrap")
        squared = np.add.outer(squared, (steps * h) ** 2)
        possible = np.multiply.outer(possible, np.full(len(steps), n) if wraps else n - np.abs(steps))
    distance = np.sqrt(squared).ravel()
    near = distance <= reach * (1 + 1e-9)
    bins = np.rint(distance[near] / max(spacing)).astype(np.int32)
    weight = possible.ravel()[near]
    total = np.bincount(bins, weight)
    there = total > 0
    share = np.bincount(bins, np.rint(pairs.ravel()[near]).astype(float))[there] / total[there]
    return (np.bincount(bins, distance[near] * weight)[there] / total[there]), share
