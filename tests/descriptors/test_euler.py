"""Euler numbers of shapes, of random voxels against scikit-image, and how boxes add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from microgen.descriptors.euler import connectivity_density, euler_contribution, euler_number
from tests.descriptors.shapes import ball, blobs, centred, cylinder, gyroid, level, plate, torus, voxels


@pytest.mark.parametrize(("u", "chi"), [(ball(24, 8), 1), (torus(32, 9, 4), 0), (-ball(24, 8), 2)])
def test_shapes_within_the_box(u: np.ndarray, chi: int) -> None:
    assert euler_number(level(u, periodic=False)) == chi


@pytest.mark.parametrize(
    ("u", "chi"), [(ball(24, 8), 1), (cylinder(16, 5), 0), (plate(16, 3), 0), (-ball(24, 8), 1), (gyroid(24), -4)]
)
def test_shapes_on_the_torus(u: np.ndarray, chi: int) -> None:
    """What is left around a ball has chi(torus) - chi(ball) + chi(sphere) = 0 - 1 + 2."""
    assert euler_number(level(u)) == chi


def test_shell_counts_its_cavity() -> None:
    u = np.minimum(ball(32, 12), -ball(32, 6))
    assert euler_number(level(u, periodic=False)) == 2


def test_corners_connect() -> None:
    full = np.zeros((4, 4, 4), bool)
    full[1, 1, 1] = full[2, 2, 2] = True
    assert euler_number(voxels(full)) == 1
    full[2, 2, 2], full[3, 3, 3] = False, True
    assert euler_number(voxels(full)) == 2


def test_solid_crossing_the_border_is_one_piece() -> None:
    u = np.roll(ball(24, 8), (12, 12, 12), (0, 1, 2))
    assert euler_number(level(u)) == 1
    assert euler_number(level(u, periodic=False)) == 8


@pytest.mark.parametrize("ndim", [2, 3])
def test_equals_scikit_image(ndim: int) -> None:
    measure = pytest.importorskip("skimage.measure")
    full = blobs(20, 1, ndim) > 0.3
    assert euler_number(voxels(full, periodic=False)) == measure.euler_number(full, connectivity=ndim)


@given(st.integers(0, 2**16), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_contributions_of_two_halves_add_up(seed: int, cut: int) -> None:
    """Equal layers on both sides of the cut let both parts see the same cells in it, half each."""
    full = np.random.default_rng(seed).random((7, 5, 4)) < 0.5
    full[cut] = full[cut - 1]
    whole = euler_contribution(voxels(full, periodic=False))
    parts = [euler_contribution(voxels(part, periodic=False)) for part in (full[:cut], full[cut:])]
    assert sum(parts) == pytest.approx(whole)


def test_all_solid_is_one_piece_that_contributes_nothing() -> None:
    ms = voxels(np.ones((3, 4, 5), bool), periodic=False)
    assert (euler_number(ms), euler_contribution(ms)) == (1, 0)


def test_connectivity_density_has_a_unit() -> None:
    ms = level(gyroid(24), h=2.0)
    assert connectivity_density(ms) == pytest.approx(5 / 48**3)


def test_turning_changes_nothing() -> None:
    full = blobs(16, 3) > 0.2
    assert len({euler_number(voxels(np.rot90(full, k, axes))) for k in range(4) for axes in ((0, 1), (1, 2))}) == 1


def test_a_plane_counts_holes() -> None:
    x, y = centred(30, 2)
    ring = np.abs(np.hypot(x, y) - 9) < 3
    assert euler_number(voxels(ring, periodic=False)) == 0
    assert connectivity_density(voxels(ring, h=0.5)) == pytest.approx(1 / 15**2)
