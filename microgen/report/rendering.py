"""A picture of the solid of a level set: rays through the voxels, in plain numpy, so that no OpenGL is needed.

The view is that of `pictures.draw_box`: parallel, z pointing down into the material, the faces z = 0, y = max and
x = max towards the reader. A ray ends where the level set changes sign; light comes from one side, and hollows are
darker by the share of solid around them.
"""

from __future__ import annotations

import numpy as np

from microgen.grid import Grid
from microgen.microstructure import Microstructure
from microgen.report.pictures import FACE_LIGHT, edge_middle, extent, projection, size_of, smooth

SOLID = np.array([232, 222, 200.0])
"""Of the surface; cuts at the faces of the box are `CUT`."""
CUT = np.array([196, 112, 76.0])
LIGHT = np.array([0.35, 0.55, -0.76])
"""Towards the light, [x, y, z]."""
MOST = 160
"""Voxels along an axis that are drawn; finer ones are averaged."""
STEP = 0.7
"""Voxels a ray goes at a time."""


def draw_solid(
    ms: Microstructure, *, pixels: int = 620, paint: np.ndarray | None = None, cut: np.ndarray = CUT
) -> tuple[np.ndarray, dict[str, tuple[float, float]]]:
    """Picture of the solid u > 0, uint8 RGBA, transparent around it; and the middles of the edges along x, y, z.

    `paint`, [*shape, 3] from 0 to 255, is the colour of the surface from place to place; `cut` that of the faces of the
    box, one for all or painted likewise.
    """
    grid = ms.grid
    assert isinstance(grid, Grid)
    u = _coarse(ms.level_set if ms.level_set is not None else np.where(ms.phase_id >= 0, 1.0, -1.0))
    spacing = np.array(grid.lengths) / u.shape
    low, high = extent(grid)
    scale = 2 * pixels / (high - low).max()
    width, height = (size_of(side * scale) for side in high - low)
    right = low[0] + (np.arange(width) + 0.5) / width * (high - low)[0]
    down = low[1] + (np.arange(height) + 0.5) / height * (high - low)[1]
    start, ray, face = _enter(np.array(grid.lengths), right, down)
    canvas = np.zeros((height * width, 4), np.uint8)
    seen = np.flatnonzero(face >= 0)
    place, hit, capped = _cast(u, start[seen] / spacing - 0.5, ray / spacing)
    colours = _colour(SOLID if paint is None else paint, place, u.shape)
    colours[capped] = _colour(cut, place[capped], u.shape) * np.array(FACE_LIGHT)[2 - face[seen[hit[capped]]], None]
    colours[~capped] *= _shade(u, place[~capped], spacing)[:, None]
    canvas[seen[hit], :3], canvas[seen[hit], 3] = np.clip(colours, 0, 255).astype(np.uint8), 255
    return smooth(canvas.reshape(height, width, 4)), {
        name: edge_middle(axis, grid, (low, high)) for axis, name in enumerate("xyz")
    }


def _coarse(u: np.ndarray) -> np.ndarray:
    """float32, averaged over cubes of voxels where there are more than can be seen."""
    for axis in range(3):
        n = -(-u.shape[axis] // MOST)
        if n > 1:
            starts = np.arange(0, u.shape[axis], n)
            counts = np.diff(np.append(starts, u.shape[axis]))
            u = np.add.reduceat(u, starts, axis) / np.expand_dims(counts, [k for k in range(3) if k != axis])
    return np.ascontiguousarray(u, np.float32)


def _enter(lengths: np.ndarray, right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the ray of each pixel meets the box, float [n, 3]; its direction; the axis of the face there (-1: none)."""
    axes = projection()
    ray = np.cross(axes[:, 0], axes[:, 1])
    ray *= np.sign(ray[2]) / np.linalg.norm(ray)
    # Any point of a ray: the one of the plane through the origin that the picture shows at (right, down).
    back = np.linalg.pinv(axes.T)
    base = (right[None, :, None] * back[:, 0] + down[:, None, None] * back[:, 1]).reshape(-1, 3)
    start, face = np.zeros_like(base), np.full(len(base), -1)
    for axis in range(3):
        depth = ((lengths[axis] if ray[axis] < 0 else 0.0) - base[:, axis]) / ray[axis]
        at = base + depth[:, None] * ray
        others = [k for k in range(3) if k != axis]
        inside = ((at[:, others] >= 0) & (at[:, others] < lengths[others])).all(axis=1)
        start[inside], face[inside] = at[inside], axis
    return start, ray, face


def _cast(u: np.ndarray, at: np.ndarray, ray: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where rays meet the solid, in voxels, float32 [hits, 3]; which rays do; which of them at the face of the box."""
    from scipy.ndimage import map_coordinates

    step = (ray * STEP / np.abs(ray).max()).astype(np.float32)
    place = at.astype(np.float32)
    value = map_coordinates(u, place.T, order=1, mode="nearest")
    cut = value > 0
    alive = np.flatnonzero(~cut)
    before = value[alive]
    found = cut.copy()
    upper = np.array(u.shape) - 0.5
    while len(alive):
        # The last step of a ray ends at the face of the box where it leaves: else edges there would be jagged.
        left = (np.where(step > 0, upper, -0.5) - place[alive]) / np.where(step == 0, 1e-9, step)
        part = np.clip(left.min(axis=1, where=step != 0, initial=1.0), 0, 1).astype(np.float32)
        place[alive] += part[:, None] * step
        after = map_coordinates(u, place[alive].T, order=1, mode="nearest")
        hit = after > 0
        back = part[hit] * after[hit] / (after[hit] - before[hit])
        place[alive[hit]] -= back[:, None] * step
        found[alive[hit]] = True
        on = ~hit & (part >= 1)
        alive, before = alive[on], after[on]
    return place[found], np.flatnonzero(found), cut[found]


def _colour(paint: np.ndarray, place: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """float [n, 3]: one colour for all, or that of [x, y, z, 3] at places given in voxels of `shape`."""
    from scipy.ndimage import map_coordinates

    if paint.ndim == 1:
        return np.tile(paint, (len(place), 1))
    at = ((place + 0.5) * np.array(paint.shape[:3]) / shape - 0.5).T
    return np.stack(
        [map_coordinates(channel, at, order=1, mode="nearest") for channel in np.moveaxis(paint, -1, 0)], -1
    )


def _shade(u: np.ndarray, place: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Brightness of points of the surface: by the angle to the light, and darker where there is much solid in front."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    blurred = gaussian_filter(u, 0.7)
    slopes = [map_coordinates(g, place.T, order=1, mode="nearest") for g in np.gradient(blurred, *spacing)]
    normal = -np.stack(slopes, axis=-1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    around = gaussian_filter((u > 0).astype(np.float32), 4.0)
    ahead = place + 3.0 * normal * spacing.min() / spacing
    hidden = map_coordinates(around, ahead.T, order=1, mode="nearest")
    lit = 0.5 + 0.5 * normal @ LIGHT
    return (0.25 + 0.85 * lit) * np.clip(1.15 - 1.3 * hidden, 0.3, 1.0)
