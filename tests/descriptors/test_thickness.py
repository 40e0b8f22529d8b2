"""Local thickness: plates, balls and cylinders, against brute force and against scipy's distance transform."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from microgen.descriptors.distance_field import squared_distance
from microgen.descriptors.painting import largest_ball
from microgen.descriptors.thickness import local_thickness, separation, thickness
from tests.descriptors.shapes import ball, blobs, centred, cylinder, plate, voxels


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_plates(n: int) -> None:
    full = np.zeros((24, 6, 6), bool)
    full[9 : 9 + n] = True
    ms = voxels(full, h=0.5)
    half = -0.5 if n % 2 == 0 else 0.5
    assert thickness(ms).mean == pytest.approx(0.5 * (n + half))
    assert separation(ms).mean == pytest.approx(0.5 * (24 - n + (-0.5 if n % 2 == 0 else 0.5)))
    assert thickness(ms).sd == 0


@pytest.mark.parametrize(("u", "diameter"), [(ball(40, 15), 30), (cylinder(40, 13), 26)])
def test_round_shapes(u: np.ndarray, diameter: float) -> None:
    """Within two voxels, always below: the balls are centred at voxels and end at centres of voxels."""
    found = thickness(voxels(u > 0))
    assert diameter - 2 < found.mean < diameter
    assert found.quantile(0.1) > diameter - 2.5


def test_balls_of_two_sizes_keep_theirs() -> None:
    x, y, z = centred(48)
    full = ((x - 9) ** 2 + y**2 + z**2 < 12**2) | ((x + 14) ** 2 + y**2 + z**2 < 6**2)
    field = local_thickness(voxels(full))
    assert field[33, 24, 24] == pytest.approx(23, abs=1)
    assert field[10, 24, 24] == pytest.approx(11, abs=1)
    assert (field[~full] == 0).all()


@pytest.mark.parametrize("periodic", [True, False])
def test_distance_equals_scipys(periodic: bool) -> None:
    full, h = blobs(14, 5) > -1.5, (1.0, 0.5, 2.0)
    tiled = np.tile(full, (3, 3, 3)) if periodic else full
    exact = distance_transform_edt(tiled, sampling=h)
    exact = exact[14:28, 14:28, 14:28] if periodic else exact
    assert np.sqrt(squared_distance(full, h, (periodic,) * 3)) == pytest.approx(exact, rel=1e-5)


def brute_force(squared: np.ndarray, h: tuple[float, ...], *, wraps: bool) -> np.ndarray:
    """Largest squared radius of the balls that hold each point, one ball after the other."""
    places = np.indices(squared.shape).reshape(3, -1).T
    found = np.zeros(len(places), np.float32)
    for centre in places[squared.ravel() > 0]:
        gap = np.abs(places - centre)
        gap = np.minimum(gap, np.array(squared.shape) - gap) if wraps else gap
        inside = ((gap * h) ** 2).sum(axis=1) < squared[tuple(centre)]
        found[inside] = np.maximum(found[inside], squared[tuple(centre)])
    return found.reshape(squared.shape)


@pytest.mark.parametrize("wraps", [True, False])
@pytest.mark.parametrize("h", [(1.0, 1.0, 1.0), (1.0, 1.5, 1.0)])
def test_equals_brute_force(wraps: bool, h: tuple[float, ...]) -> None:
    squared = squared_distance(blobs(18, 7) > -1.2, h, (wraps,) * 3)
    exact = brute_force(squared, h, wraps=wraps)
    assert np.array_equal(largest_ball(squared, h, (wraps,) * 3, steep=2.0), exact)


def test_painting_ridges_only_changes_little() -> None:
    squared = squared_distance(blobs(40, 1) > -2.2, (1.0,) * 3, (True,) * 3)
    exact = np.sqrt(largest_ball(squared, (1.0,) * 3, (True,) * 3, steep=2.0))
    quick = np.sqrt(largest_ball(squared, (1.0,) * 3, (True,) * 3))
    assert exact.max() > 8
    assert ((quick > 0) == (exact > 0)).all()
    assert (quick <= exact).all()
    assert quick.mean() == pytest.approx(exact.mean(), rel=0.002)


def test_turning_and_shifting_change_nothing() -> None:
    full = blobs(20, 2) > 0
    one = thickness(voxels(full))
    for other in (np.rot90(full), np.rot90(full, axes=(1, 2)), np.roll(full, (3, 8, 15), (0, 1, 2))):
        assert np.array_equal(thickness(voxels(other)).values, one.values)
        assert np.array_equal(thickness(voxels(other)).weights, one.weights)


def test_planes_are_measured_by_discs() -> None:
    disc = np.hypot(*centred(40, 2)) < 12
    assert thickness(voxels(disc)).mean == pytest.approx(23, abs=1)


def test_nothing_to_bound_it() -> None:
    ms = voxels(np.ones((4, 4, 4), bool))
    assert len(thickness(ms)) == len(separation(ms)) == 0


def test_plate_across_the_border_is_whole() -> None:
    full = np.roll(plate(20, 3) > 0, 10, axis=0)
    assert thickness(voxels(full)).mean == pytest.approx(5.5)
    assert thickness(voxels(full, periodic=False)).mean > 5.4
