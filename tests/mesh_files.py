"""Small surfaces for the tests of mesh formats, and files of them made by trimesh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microgen.meshing import Body, TriangleMesh, volume, welded


def box(sides: tuple[float, ...] = (1.0, 2.0, 3.0), at: tuple[float, ...] = (0.0, 0.0, 0.0)) -> TriangleMesh:
    """A closed box with its lowest corner `at`."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * sides + at
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return TriangleMesh(corners, np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32))


def inverted(mesh: TriangleMesh) -> TriangleMesh:
    return TriangleMesh(mesh.points, mesh.triangles[:, ::-1])


def together(*meshes: TriangleMesh) -> TriangleMesh:
    """All in one, welded."""
    starts = np.cumsum([0, *(len(mesh.points) for mesh in meshes)])
    rows = [mesh.triangles + start for mesh, start in zip(meshes, starts)]
    return welded(np.concatenate([mesh.points for mesh in meshes]), np.concatenate(rows))


def bodies() -> list[Body]:
    """Two boxes that touch, with names that need care and colours."""
    return [
        Body('grain <1> & "é"', box(), (255, 0, 10)),
        Body("grain 2", box((0.5, 2.0, 3.0), (1.0, 0.0, 0.0)), (0, 128, 255)),
    ]


def theirs(mesh: TriangleMesh) -> Any:
    trimesh = pytest.importorskip("trimesh")
    return trimesh.Trimesh(mesh.points, mesh.triangles, process=False)


def exported(mesh: TriangleMesh, path: Path, **options: Any) -> Path:
    """A file that trimesh writes."""
    theirs(mesh).export(path, **options)
    return path


def same(found: TriangleMesh, expected: TriangleMesh) -> bool:
    """The same triangles, in any order of corners and triangles."""

    def rows(mesh: TriangleMesh) -> list[list[float]]:
        corners = mesh.points.astype(np.float32)[mesh.triangles]
        first = np.lexsort(corners.transpose(2, 0, 1)[::-1])[:, 0]
        turned = corners[np.arange(len(corners))[:, None], (first[:, None] + np.arange(3)) % 3]
        return sorted(turned.reshape(-1, 9).tolist())

    return bool(np.allclose(rows(found), rows(expected), atol=1e-5)) and np.isclose(volume(found), volume(expected))
