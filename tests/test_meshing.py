"""Grain surfaces are closed, oriented, hold exactly the grain's volume and stay in the box, whatever the labels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.meshing import TriangleMesh, grain_surfaces, is_watertight, parts, surface, volume
from microgen.microstructure import Microstructure

FREE = np.zeros((3, 2), bool)


def sample(labels: np.ndarray, spacing: tuple[float, ...] = (1, 1, 1), **grid: tuple) -> Microstructure:
    return Microstructure(Grid(labels.shape, spacing, **grid), np.zeros(labels.shape, np.int16), grain_id=labels)


def free(inside: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> TriangleMesh:
    return surface(inside, np.array(spacing), origin=np.zeros(3), capped=FREE)


def voronoi(shape: tuple[int, ...], n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 1, 3)
    distance = ((points - rng.random((n, 3)) * shape) ** 2 * rng.random((n, 3))).sum(-1)
    return (distance.argmin(1) + 1).reshape(shape).astype(np.int32)


def test_all_arrangements_of_eight_voxels_are_closed() -> None:
    for bits in product((False, True), repeat=8):
        if any(bits):
            mesh = free(np.array(bits).reshape(2, 2, 2))
            assert is_watertight(mesh)
            assert volume(mesh) == pytest.approx(sum(bits), rel=1e-9)


@pytest.mark.parametrize("filled", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_noise_is_closed_and_keeps_its_volume(filled: float) -> None:
    rng = np.random.default_rng(int(filled * 10))
    for _ in range(20):
        inside = rng.random((6, 7, 5)) < filled
        mesh = free(inside, (1.0, 0.5, 2.0))
        assert is_watertight(mesh)
        assert volume(mesh) == pytest.approx(inside.sum(), rel=1e-9)


def test_a_single_voxel_is_an_octahedron() -> None:
    mesh = free(np.ones((1, 1, 1), bool))
    assert (len(mesh.points), len(mesh.triangles)) == (6, 8)
    assert np.allclose(np.abs(mesh.points - 0.5).max(axis=1), (3 / 4) ** (1 / 3))


def test_diagonal_neighbours_are_two_parts_and_face_neighbours_one() -> None:
    inside = np.zeros((2, 2, 2), bool)
    inside[0, 0, 0] = inside[1, 1, 0] = True
    assert parts(free(inside)) == 2
    inside[1, 0, 0] = True
    assert parts(free(inside)) == 1


def test_grains_fill_the_box_and_do_not_leave_it() -> None:
    labels = voronoi((20, 22, 24), 30)
    ms = sample(labels, (0.5, 1.0, 2.0), origin=(100.0, -50.0, 7.0))
    meshes = dict(grain_surfaces(ms))
    voxel = ms.grid.cell_measure * 1e-9
    assert sorted(meshes) == list(range(1, 31))
    assert all(is_watertight(mesh) for mesh in meshes.values())
    for grain, mesh in meshes.items():
        assert volume(mesh) == pytest.approx((labels == grain).sum() * voxel, rel=1e-6)
    low, high = np.array(ms.grid.origin) * 1e-3, np.add(ms.grid.origin, ms.grid.lengths) * 1e-3
    points = np.concatenate([mesh.points for mesh in meshes.values()])
    assert np.allclose([points.min(axis=0), points.max(axis=0)], [low, high], rtol=0, atol=1e-12)


def test_a_grain_across_a_periodic_face_is_cut_into_closed_parts() -> None:
    labels = np.ones((12, 4, 4), np.int32)
    labels[3:9] = 2
    meshes = dict(grain_surfaces(sample(labels, periodic=(True, True, True))))
    assert (parts(meshes[1]), parts(meshes[2])) == (2, 1)
    assert is_watertight(meshes[1])


def test_ids_that_are_missing_are_left_out() -> None:
    labels = np.zeros((4, 4, 4), np.int32)
    labels[1:3, 1:3, 1:3], labels[0, 0, 0] = 5, 2
    assert [grain for grain, _ in grain_surfaces(sample(labels))] == [2, 5]


def test_surfaces_are_in_millimetres_around_their_voxels() -> None:
    labels = np.zeros((9, 9, 9), np.int32)
    labels[2:7, 3:6, 4:5] = 1
    ((_, mesh),) = grain_surfaces(sample(labels, (10.0, 20.0, 30.0)))
    middle = (mesh.points.min(axis=0) + mesh.points.max(axis=0)) / 2
    assert np.allclose(middle, [0.045, 0.090, 0.135])
    assert np.allclose(np.ptp(mesh.points, axis=0), [0.05, 0.06, 0.03], rtol=0, atol=0.01)


def test_open_inverted_and_doubled_surfaces_are_not_watertight() -> None:
    mesh = free(np.ones((2, 2, 2), bool))
    again = np.concatenate([mesh.triangles, mesh.triangles])
    flipped = mesh.triangles.copy()
    flipped[0] = flipped[0, ::-1]
    for triangles in (mesh.triangles[1:], mesh.triangles[:0], again, flipped):
        assert not is_watertight(TriangleMesh(mesh.points, triangles))
    assert volume(TriangleMesh(mesh.points, mesh.triangles[:, ::-1])) == pytest.approx(-8)


def test_corners_that_coincide_in_float32_are_not_watertight() -> None:
    mesh = free(np.ones((2, 2, 2), bool))
    assert not is_watertight(TriangleMesh(mesh.points + 1e9, mesh.triangles))


def test_a_plane_and_a_volume_without_grains_are_refused() -> None:
    plane = Microstructure(Grid((4, 4), (1, 1)), np.zeros((4, 4), np.int16), grain_id=np.ones((4, 4), np.int32))
    for ms in (plane, Microstructure(Grid((4, 4, 4), (1, 1, 1)), np.zeros((4, 4, 4), np.int16))):
        with pytest.raises(InvalidParameter, match="3-D"):
            next(grain_surfaces(ms))
