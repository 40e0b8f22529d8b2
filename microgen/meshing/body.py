"""`Body`: one named, coloured surface among the objects of a file; corners with equal coordinates made one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from microgen.meshing.mesh import TriangleMesh


@dataclass(frozen=True, eq=False)
class Body:
    """A surface with its name, as files that hold several objects have them."""

    name: str
    mesh: TriangleMesh
    colour: tuple[int, int, int] | None = None
    """Red, green, blue, 0 to 255 (sRGB)."""


def welded(points: np.ndarray, triangles: np.ndarray) -> TriangleMesh:
    """Corners whose float32 coordinates are equal made one; corners of no triangle dropped. float [n, 3], int [m, 3].

    Files cut surfaces open where normals or colours jump; what closes them is that corners lie in the same place.
    """
    used, triangles = np.unique(triangles, return_inverse=True)
    rows = np.ascontiguousarray(points[used].astype(np.float32) + np.float32(0))  # + 0 makes one zero of both
    _, first, index = np.unique(rows.view("V12").ravel(), return_index=True, return_inverse=True)
    # In the order of the file, so that what was welded before stays as it is.
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return TriangleMesh(rows[first[order]].astype(float), rank[index][triangles].reshape(-1, 3))


def joined(bodies: Sequence[Body]) -> TriangleMesh:
    """All surfaces as one."""
    starts = np.cumsum([0, *(len(body.mesh.points) for body in bodies)])
    return TriangleMesh(
        np.concatenate([body.mesh.points for body in bodies]),
        np.concatenate([body.mesh.triangles + start for body, start in zip(bodies, starts)]).astype(np.int32),
    )


def fans(corners: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Triangles from the first corner of each polygon: `corners` of all in a row, int [sum of counts]; int [m, 3]."""
    number = np.maximum(counts - 2, 0)
    first = np.repeat(np.cumsum(counts) - counts, number)
    step = np.arange(len(first)) - np.repeat(np.cumsum(number) - number, number)
    return corners[first[:, None] + np.stack([0 * step, step + 1, step + 2], axis=1)]
