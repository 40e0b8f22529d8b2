"""Shapes a solid is cut to: the cut is made in the level set, before there is a surface, so that this is closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from microgen.errors import InvalidParameter
from microgen.meshing.mesh import TriangleMesh
from microgen.meshing.rays import ray_crossings

FADE = 2.0
"""Voxels over which the signed distance to the shape goes from 0 to 1: about the width of a phase field's interface."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A cylinder along an axis, a sphere, or any closed surface, in the middle of the box."""

    kind: Literal["cylinder", "sphere", "outline"] = "cylinder"
    diameter: float | None = None
    """mm; what fits into the box when not given."""
    axis: int = 2
    """Of a cylinder: 0, 1, 2 for x, y, z."""
    outline: TriangleMesh | None = None
    """mm; its bounding box is moved to the middle of the sample's."""

    def __post_init__(self) -> None:
        if self.kind not in ("cylinder", "sphere", "outline"):
            raise InvalidParameter("clip", expected="cylinder, sphere or an STL file", got=self.kind)
        if self.diameter is not None and not (np.isfinite(self.diameter) and self.diameter > 0):
            raise InvalidParameter("clip.diameter", expected="a length above 0 mm", got=self.diameter)
        if (self.kind == "outline") != (self.outline is not None):
            raise InvalidParameter("clip.outline", expected="a surface with kind 'outline'", got=self.kind)

    def check(self, lengths: np.ndarray) -> None:
        """Raise InvalidParameter when the shape is larger than a sample of these lengths, mm."""
        if self.outline is not None:
            sides = np.ptp(self.outline.points, axis=0)
            if (sides > lengths * (1 + 1e-6)).any():
                sizes = [" x ".join(f"{v:.4g}" for v in values) for values in (lengths, sides)]
                raise InvalidParameter(
                    "clip", expected=f"an outline within the sample of {sizes[0]} mm", got=f"one of {sizes[1]} mm"
                )
            return
        room = float(lengths[self._across(len(lengths))].min())
        if self.diameter is not None and self.diameter > room * (1 + 1e-9):
            raise InvalidParameter(
                "clip.diameter", expected=f"at most the {room:g} mm of the sample", got=self.diameter
            )

    def _across(self, ndim: int) -> list[int]:
        """Axes along which the shape is round."""
        return [k for k in range(ndim) if self.kind == "sphere" or k != self.axis]

    def cut(self, u: np.ndarray, spacing: np.ndarray) -> np.ndarray:
        """min(u, signed distance to the shape), float [x, y, z]; `spacing` in mm."""
        inside = self.distance(u.shape, spacing) / (FADE * spacing.min())
        return np.minimum(u, np.clip(inside, -1, 1).astype(np.float32))

    def distance(self, shape: tuple[int, ...], spacing: np.ndarray) -> np.ndarray:
        """Signed distance of the voxel centres to the shape, above 0 inside, mm; far away only its sign is right."""
        lengths = np.array(shape) * spacing
        self.check(lengths)
        if self.outline is not None:
            return _outline_distance(self.outline, shape, spacing)
        across = self._across(len(shape))
        room = float(lengths[across].min())
        centred = np.ogrid[tuple(slice(0, n) for n in shape)]
        square = sum(((centred[k] + 0.5) * spacing[k] - lengths[k] / 2) ** 2 for k in across)
        return np.broadcast_to((self.diameter or room) / 2 - np.sqrt(square), shape)


def _outline_distance(outline: TriangleMesh, shape: tuple[int, ...], spacing: np.ndarray) -> np.ndarray:
    low, high = outline.points.min(axis=0), outline.points.max(axis=0)
    lengths = np.array(shape) * spacing
    triangles = (outline.points - (low + high) / 2 + lengths / 2)[outline.triangles] / spacing - 0.5
    return signed_distance(triangles, shape) * spacing.min()


def signed_distance(triangles: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Distance to closed triangles [m, 3, 3] in voxels, above 0 inside, exact near flat surfaces, 2 far from them.

    Rows of voxels are rays: a centre is inside when the surface crosses its ray an odd number of times before it. With
    the crossings nearest along the three axes at a, b, c, a plane through them is 1/sqrt(1/a² + 1/b² + 1/c²) away.
    """
    votes = np.zeros(shape, np.int8)
    inverse = np.zeros(shape)
    for axis in range(3):
        turned = np.moveaxis(votes, axis, 2), np.moveaxis(inverse, axis, 2)
        order = [k for k in range(3) if k != axis] + [axis]
        line, height, _ = ray_crossings(triangles[:, :, order], turned[0].shape)
        _vote(turned[0], line, height)
        _near(turned[1], line, height)
    distance = np.where(inverse > 0, 1 / np.sqrt(np.maximum(inverse, 1e-30)), 2.0)
    return np.where(votes >= 2, 1.0, -1.0) * np.minimum(distance, 2.0)


def _vote(votes: np.ndarray, line: np.ndarray, height: np.ndarray) -> None:
    """One vote for every centre with an odd number of crossings below it; two of three axes decide."""
    above = np.ceil(height).astype(int)
    flips = np.zeros((votes.shape[0] * votes.shape[1], votes.shape[2] + 1), np.int32)
    np.add.at(flips, (line, np.clip(above, 0, votes.shape[2])), 1)
    votes += (np.cumsum(flips[:, :-1], axis=1) % 2).astype(np.int8).reshape(votes.shape)


def _near(inverse: np.ndarray, line: np.ndarray, height: np.ndarray) -> None:
    """Add 1/a² for the nearest crossing a of each ray to the centres within two voxels of it."""
    nearest = np.zeros(inverse.shape)
    flat = nearest.reshape(-1, inverse.shape[2])
    for offset in (-1, 0, 1, 2):
        k = np.floor(height).astype(int) + offset
        there = (k >= 0) & (k < inverse.shape[2])
        square = np.maximum((k[there] - height[there]) ** 2, 1e-12)
        np.maximum.at(flat, (line[there], k[there]), 1 / square)
    inverse += nearest
