"""Principal curvatures of spheres, cylinders, tori and minimal surfaces."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microgen.descriptors.curvature import curvature_diagram
from microgen.descriptors.surface import specific_surface
from microgen.errors import InvalidParameter
from tests.descriptors.shapes import ball, cylinder, gyroid, level, plate, torus, voxels


@pytest.mark.parametrize(
    ("u", "kappa_1", "kappa_2"),
    [
        (ball(40, 12), 1 / 12, 1 / 12),
        (-ball(40, 12), -1 / 12, -1 / 12),
        (cylinder(40, 10), 0.1, 0),
        (plate(9, 2), 0, 0),
    ],
)
def test_shapes(u: np.ndarray, kappa_1: float, kappa_2: float) -> None:
    diagram = curvature_diagram(level(u, h=2.0), band=1.0)
    found = [diagram.distribution(name).mean * 2 for name in ("kappa_1", "kappa_2")]
    assert found == pytest.approx([kappa_1, kappa_2], abs=0.001)
    assert diagram.distribution("kappa_1").sd * 2 < 0.01


def test_torus_has_the_gauss_curvature_of_its_outer_and_inner_side() -> None:
    """K = cos t / (r (R + r cos t)): positive outside, negative inside, zero in all (Gauss-Bonnet)."""
    diagram = curvature_diagram(level(torus(60, 18, 7), periodic=False))
    assert diagram.distribution("kappa_1").mean == pytest.approx(1 / 7, rel=0.02)
    gauss = diagram.distribution("gauss_curvature")
    assert abs(gauss.mean) < 2e-4
    assert gauss.quantile(0.99) == pytest.approx(1 / (7 * 25), rel=0.1)


def test_gyroid_has_no_mean_curvature_and_obeys_gauss_bonnet() -> None:
    """Integral of K is 2 pi chi of the surface, -8 in a cell."""
    ms = level(gyroid(48))
    diagram = curvature_diagram(ms)
    assert abs(diagram.distribution("mean_curvature").mean) < 1e-4
    total = diagram.distribution("gauss_curvature").mean * specific_surface(ms) * 48**3
    assert total == pytest.approx(-16 * math.pi, rel=0.03)


def test_borders_are_left_out_unless_periodic() -> None:
    u = plate(12, 3)
    assert len(curvature_diagram(level(u), band=1).area) > len(curvature_diagram(level(u, periodic=False), band=1).area)


@pytest.mark.parametrize("ms", [voxels(ball(8, 3) > 0), level(np.eye(8) - 0.5)])
def test_a_volume_with_a_level_set_is_needed(ms) -> None:
    with pytest.raises(InvalidParameter, match="level set"):
        curvature_diagram(ms)


def test_band_and_name_are_checked() -> None:
    with pytest.raises(InvalidParameter, match="band"):
        curvature_diagram(level(ball(8, 3)), band=0)
    with pytest.raises(InvalidParameter, match="kappa_1"):
        curvature_diagram(level(ball(8, 3)), band=1).distribution("kappa_3")
