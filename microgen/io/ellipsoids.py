"""The ellipsoid of each grain: that of its second moments, with its volume; and diagrams of such ellipsoids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgen.io.grain_volume import GrainVolume
from microgen.orientation import conjugate, rotate


@dataclass(frozen=True, eq=False)
class Ellipsoids:
    """One a grain."""

    centre: np.ndarray
    """float64 [n, 3], µm."""
    semi: np.ndarray
    """float64 [n, 3]: semi-axes, the longest first, µm."""
    turn: np.ndarray
    """float64 [n, 4]: quaternion (passive) from the sample's frame to that of the axes."""

    @property
    def volume(self) -> np.ndarray:
        """float64 [n], µm³."""
        return 4 / 3 * np.pi * self.semi.prod(axis=1)

    def metrics(self) -> np.ndarray:
        """float64 [n, 3, 3], 1/µm²: (y - x)^T A (y - x) is 1 on the surface."""
        axes = np.stack([rotate(conjugate(self.turn), e) for e in np.eye(3)], axis=1)
        return np.einsum("nki,nk,nkj->nij", axes, self.semi**-2.0, axes)


def grain_ellipsoids(volume: GrainVolume) -> Ellipsoids:
    """From the voxels; grains that reach over a periodic border are put together first.

    The second moments of a solid ellipsoid are a²/5. Grains without voxels give nan.
    """
    labels, grid, n = volume.labels.ravel(), volume.grid, len(volume.phase_id)
    inside = np.flatnonzero(labels)
    label = labels[inside] - 1
    place = (np.stack(np.unravel_index(inside, grid.shape), axis=1) + 0.5) * grid.spacing
    found, first = np.unique(label, return_index=True)
    anchor = np.full((n, 3), np.nan)
    anchor[found] = place[first]
    apart, lengths = place - anchor[label], np.array(grid.lengths)
    wraps = np.array(grid.periodic)
    apart -= np.where(wraps, lengths * np.rint(apart / lengths), 0.0)
    count = np.bincount(label, minlength=n).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _sums(label, apart, n) / count[:, None]
        apart -= mean[label]
        i, j = np.triu_indices(3)
        moments = np.empty((n, 3, 3))
        moments[:, i, j] = moments[:, j, i] = _sums(label, apart[:, i] * apart[:, j], n) / count[:, None]
    moments += np.diag(np.square(grid.spacing)) / 12
    centre = anchor + mean
    centre = np.where(wraps, centre % lengths, centre) + grid.origin
    semi, turn = _axes(moments, count * grid.cell_measure)
    return Ellipsoids(centre, semi, turn)


def _sums(label: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    return np.stack([np.bincount(label, column, minlength=n) for column in values.T], axis=1)


def _axes(moments: np.ndarray, volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Semi-axes and turns of ellipsoids with these moments, scaled to these volumes."""
    from scipy.spatial.transform import Rotation

    semi, turn = np.full((len(moments), 3), np.nan), np.tile([1.0, 0, 0, 0], (len(moments), 1))
    known = np.isfinite(moments).all(axis=(1, 2))
    squares, axes = np.linalg.eigh(moments[known])
    found = np.sqrt(5 * squares[:, ::-1])
    semi[known] = found * np.cbrt(volume[known] / (4 / 3 * np.pi * found.prod(axis=1)))[:, None]
    # Columns are the axes in the sample's frame: a right-handed frame that the sample's is turned into.
    frames = axes[:, :, ::-1].copy()
    frames[:, :, 2] *= np.sign(np.linalg.det(frames))[:, None]
    turn[known] = Rotation.from_matrix(frames).as_quat()[:, [3, 0, 1, 2]]
    return semi, np.where(turn[:, :1] < 0, -turn, turn)
