"""Walls of a solid given as voxels: how thick they are, and what is too thin to print."""

from __future__ import annotations

import numpy as np

OPPOSITE = -0.5
"""Largest cosine between the ways to the nearest surfaces on both sides of a wall: corners (90°) are no walls."""


def walls(u: np.ndarray, spacing: np.ndarray, *, kept: np.ndarray | None = None) -> np.ndarray:
    """Thickness at every voxel in the middle of a wall of the solid u > 0, unit of `spacing`; only where `kept` (bool).

    Cuts make no walls: the solid goes on beyond the box as it is at its faces. (Every cut leaves slivers somewhere,
    which would always be the thinnest.)

    The middle is the ridge of the distance to the surface: where a step away from the nearest surface leads to voxels
    whose nearest surface lies on the other side. The thickness is the distance between the two surface points along
    the mean normal; surface points are placed between voxels by the level set, which the distance transform alone
    rounds to whole ones. Shape [n].
    """
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(u, 2, mode="edge")
    inside = padded > 0
    if inside.all():
        return np.zeros(0)
    kept = np.pad(u > 0 if kept is None else kept, 2) & inside
    nearest = np.asarray(
        distance_transform_edt(inside, sampling=spacing, return_distances=False, return_indices=True), np.int32
    )
    here = np.argwhere(kept)
    way, normal = _to_surface(padded, nearest, here, spacing=spacing)
    behind = here - _step(normal, spacing)
    there = inside[tuple(behind.T)]
    here, behind, way, normal = here[there], behind[there], way[there], normal[there]
    way_behind, normal_behind = _to_surface(padded, nearest, behind, spacing=spacing)
    ridge = np.einsum("ij,ij->i", normal, normal_behind) < OPPOSITE
    across = ((here - behind) * spacing + way - way_behind)[ridge]
    mean = (normal - normal_behind)[ridge]
    return np.abs(np.einsum("ij,ij->i", across, mean)) / np.linalg.norm(mean, axis=1)


def depths(u: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Distance of the voxel centres in the solid u > 0 to its surface, the box being surface too; 0 in the void."""
    from scipy.ndimage import distance_transform_edt

    rim = np.pad(np.zeros(u.shape, bool), 1, constant_values=True)
    padded = np.pad(u, 1, mode="edge")
    padded = np.where(rim, -np.abs(padded), padded)  # the surface lies half a voxel beyond the last centre
    inside = padded > 0
    nearest = np.asarray(
        distance_transform_edt(inside, sampling=spacing, return_distances=False, return_indices=True), np.int32
    )
    here = np.argwhere(inside)
    found = np.zeros(padded.shape)
    found[inside] = np.linalg.norm(_to_surface(padded, nearest, here, spacing=spacing)[0], axis=1)
    return found[1:-1, 1:-1, 1:-1]


def _to_surface(
    padded: np.ndarray, nearest: np.ndarray, at: np.ndarray, *, spacing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Vector from voxels to their nearest surface point, float [n, 3], and its direction.

    The surface crosses the way from the voxel to its nearest void voxel in the last step, where u changes sign.
    """
    void = nearest[(slice(None), *at.T)].T
    way = (void - at) * spacing
    length = np.linalg.norm(way, axis=1)
    normal = way / length[:, None]
    last = void - _step(normal, spacing)
    inner, outer = padded[tuple(last.T)].astype(float), padded[tuple(void.T)].astype(float)
    step = np.linalg.norm((void - last) * spacing, axis=1)
    share = np.where(inner > 0, outer / np.minimum(outer - inner, -1e-30), 0.5)
    return normal * (length - share * step)[:, None], normal


def _step(direction: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """To the neighbouring voxel that lies most in a direction: int [n, 3], -1, 0 or 1."""
    along = direction / spacing
    return np.rint(along / np.abs(along).max(axis=1, keepdims=True)).astype(int)


def thin_share(thickness: np.ndarray, limit: float) -> float:
    """Share of the walls below `limit`; 0 where there is none."""
    return float((thickness < limit).mean()) if len(thickness) else 0.0
