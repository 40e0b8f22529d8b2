"""Surface per volume of shapes: below the voxel from level sets, by Crofton's formula from voxels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microgen.descriptors.surface import crofton_surface, directions, level_surface, specific_surface
from tests.descriptors.shapes import ball, blobs, centred, cylinder, gyroid, level, plate, voxels


@pytest.mark.parametrize(
    ("u", "area"), [(ball(32, 11), 4 * math.pi * 121), (cylinder(24, 8), 2 * math.pi * 8 * 24), (plate(16, 4), 512)]
)
def test_level_sets(u: np.ndarray, area: float) -> None:
    assert specific_surface(level(u, h=0.5)) == pytest.approx(area / u.size / 0.5, rel=0.004)


def test_gyroid() -> None:
    """The minimal surface has 3.0915 a² in a cell; the trigonometric one 3.097 (Schoen; Gandy & Klinowski 2000)."""
    assert specific_surface(level(gyroid(48))) * 48 == pytest.approx(3.0965, rel=0.003)


@pytest.mark.parametrize("r", [6, 10, 14])
def test_balls_of_voxels(r: float) -> None:
    u = ball(36, r)
    assert specific_surface(voxels(u > 0, h=2.0)) == pytest.approx(4 * math.pi * r**2 / u.size / 2, rel=0.02)


@pytest.mark.parametrize("angle", [0, 15, 30, 45])
def test_planes_of_voxels_in_all_directions(angle: float) -> None:
    """Two planes across a volume that is not periodic; the worst direction is along an axis."""
    x, y, z = centred(40)
    n = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle)), 0.2])
    n /= np.linalg.norm(n)
    full = np.abs(n[0] * x + n[1] * y + n[2] * z) < 4
    sharp = level(4 - np.abs(n[0] * x + n[1] * y + n[2] * z), periodic=False)
    assert specific_surface(voxels(full, periodic=False)) == pytest.approx(specific_surface(sharp), rel=0.08)


def test_voxels_and_level_set_agree_on_a_random_texture() -> None:
    ms = level(blobs(40, 2, width=3))
    assert crofton_surface(ms) == pytest.approx(specific_surface(ms), rel=0.03)


def test_turning_and_shifting_change_nothing() -> None:
    u = blobs(16, 0)
    for other in (np.rot90(u), np.rot90(u, axes=(0, 2)), u[::-1], np.roll(u, (3, 5, 7), (0, 1, 2))):
        for measure in (specific_surface, crofton_surface):
            assert measure(level(other)) == pytest.approx(measure(level(u)), rel=1e-5)


def test_uneven_voxels_measure_the_same_ball() -> None:
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in (40, 60, 30)], indexing="ij")
    u = 0.7 - np.sqrt(x**2 + y**2 + z**2)
    ms = voxels(u > 0, h=(2 / 39, 2 / 59, 2 / 29))
    box = math.prod(ms.grid.lengths)
    assert crofton_surface(ms) * box == pytest.approx(4 * math.pi * 0.49, rel=0.04)
    assert level_surface(ms, u) * box == pytest.approx(4 * math.pi * 0.49, rel=0.005)


def test_directions_share_the_sphere() -> None:
    steps, shares = directions((1.0, 1.0, 1.0))
    assert shares.sum() == pytest.approx(1)
    kinds = np.abs(steps).sum(axis=1)
    # Ohser & Mücklich: 0.0457779, 0.0369806, 0.0351956 for the axes, the face and the space diagonals, halved there.
    assert [shares[kinds == k][0] / 2 for k in (1, 2, 3)] == pytest.approx([0.0457779, 0.0369806, 0.0351956], abs=1e-6)


@pytest.mark.parametrize("h", [1.0, 0.25])
def test_outline_of_a_disc(h: float) -> None:
    u = 12 - np.hypot(*centred(32, 2))
    assert specific_surface(level(u, h=h)) == pytest.approx(24 * math.pi / 32**2 / h, rel=0.002)
    assert specific_surface(voxels(u > 0, h=h)) == pytest.approx(24 * math.pi / 32**2 / h, rel=0.02)


def test_equals_marching_cubes() -> None:
    measure = pytest.importorskip("skimage.measure")
    u = blobs(32, 4, width=3)
    points, faces, _, _ = measure.marching_cubes(u, 0.0)
    area = measure.mesh_surface_area(points, faces)
    assert specific_surface(level(u, periodic=False)) * 31**3 == pytest.approx(area, rel=0.01)
