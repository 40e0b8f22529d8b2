"""Two-point correlation, chords and lineal path against brute force and random points."""

from __future__ import annotations

import numpy as np
import pytest

from microgen.descriptors.correlation import two_point_correlation
from microgen.descriptors.curve import Curve
from microgen.descriptors.lineal_path import lineal_path, solid_chord_length
from microgen.descriptors.surface import level_surface, specific_surface
from microgen.errors import InvalidParameter
from tests.descriptors.shapes import blobs, gyroid, level, plate, voxels


def random_points(share: float, n: int = 30) -> np.ndarray:
    return np.random.default_rng(0).random((n, n, n)) < share


@pytest.mark.parametrize("periodic", [True, False])
def test_independent_points_are_not_correlated(periodic: bool) -> None:
    s2 = two_point_correlation(voxels(random_points(0.3), h=2.0, periodic=periodic))
    assert s2.y[0] == pytest.approx(0.3, abs=0.01)
    assert s2.y[1:] == pytest.approx(s2.y[0] ** 2, abs=0.002)
    assert (s2.x[0], s2.unit) == (0, "µm")
    assert 28 < s2.x[-1] <= 30


@pytest.mark.parametrize("periodic", [True, False])
def test_all_directions_equal_brute_force(periodic: bool) -> None:
    full, h = blobs(7, 1) > 0, np.array([1.0, 2.0, 1.5])
    places = np.indices(full.shape).reshape(3, -1).T
    steps = places[:, None] - places[None]
    steps = (steps + 3) % 7 - 3 if periodic else steps
    distance = np.sqrt(((steps * h) ** 2).sum(axis=2))
    both = full.ravel()[:, None] & full.ravel()[None]
    near = (distance <= 3.0001) & (np.abs(steps) <= 3).all(axis=2)
    bins = np.rint(distance[near] / 2.0).astype(int)
    exact = np.bincount(bins, both[near]) / np.bincount(bins)
    assert two_point_correlation(voxels(full, h=tuple(h), periodic=periodic)).y == pytest.approx(exact)


def test_along_an_axis() -> None:
    """A periodic plate of half the box: S2 falls along a straight line from 1/2 to 0."""
    s2 = two_point_correlation(voxels(plate(16, 4) > 0), axis=0)
    assert s2.y == pytest.approx(0.5 - np.arange(9) / 16)
    assert two_point_correlation(voxels(plate(16, 4) > 0), axis=1).y == pytest.approx(np.full(9, 0.5))


def test_slope_at_the_origin_is_the_surface() -> None:
    """dS2/dr = -S_V / 4 at 0 (Debye)."""
    ms = level(gyroid(64))
    s2 = two_point_correlation(ms)
    slope = np.polyfit(s2.x[1:5], s2.y[1:5], 2)[1]
    assert slope == pytest.approx(-level_surface(ms, gyroid(64)) / 4, rel=0.08)


def test_lineal_path_of_independent_points() -> None:
    path = lineal_path(voxels(random_points(0.5, 40)))
    assert path.y[:5] == pytest.approx(0.5 ** np.arange(1, 6), abs=0.01)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("axis", [0, 1])
def test_lineal_path_equals_brute_force(periodic: bool, axis: int) -> None:
    full = blobs(9, 3, 2) > -0.5
    full[0] = True
    rows = np.moveaxis(full, axis, -1)
    rows = np.hstack([rows, rows]) if periodic else rows
    starts = range(9) if periodic else None
    exact = [np.mean([rows[:, i : i + k].all(1) for i in (starts or range(10 - k))]) for k in range(1, 10)]
    assert lineal_path(voxels(full, periodic=periodic), axis=axis).y == pytest.approx(exact)


def test_void_has_paths_of_its_own() -> None:
    full = plate(12, 3) > 0
    solid, void = (lineal_path(voxels(full), of=side) for side in ("solid", "void"))
    assert solid.y == pytest.approx(void.y)
    assert np.array_equal(lineal_path(voxels(~full)).y, void.y)


def test_chords_of_a_plate() -> None:
    ms = voxels(plate(20, 3) > 0, h=0.5)
    assert solid_chord_length(ms).values.tolist() == [3.0]
    assert solid_chord_length(ms, of="void").mean == 7.0
    assert len(solid_chord_length(ms, axis=1)) == 0  # endless along the plate


def test_chords_cut_by_the_border_do_not_count() -> None:
    row = np.array([[1, 1, 0, 1, 0, 1, 1, 1]], bool).T.repeat(2, axis=1)
    assert solid_chord_length(voxels(row, periodic=False)).values.tolist() == [1]
    assert solid_chord_length(voxels(row)).values.tolist() == [1, 5]


def test_chords_fill_the_solid_and_their_mean_is_four_volumes_over_the_surface() -> None:
    ms = level(blobs(48, 5, width=2.5))
    chords = [solid_chord_length(ms, axis=k) for k in range(3)]
    lengths = [float(c.values @ c.weights) for c in chords]
    endless = [(ms.phase_id == 0).all(axis=k).sum() * 48 for k in range(3)]
    assert [a + b for a, b in zip(lengths, endless)] == [(ms.phase_id == 0).sum()] * 3
    mean = sum(lengths) / sum(c.weights.sum() for c in chords)  # type: ignore[union-attr]
    assert mean == pytest.approx(4 * (ms.phase_id == 0).mean() / specific_surface(ms), rel=0.07)


@pytest.mark.parametrize("call", [two_point_correlation, lineal_path, solid_chord_length])
def test_axis_is_checked(call) -> None:
    with pytest.raises(InvalidParameter, match="axis"):
        call(voxels(plate(6, 1) > 0), axis=3)


def test_side_is_checked() -> None:
    with pytest.raises(InvalidParameter, match="solid or void"):
        lineal_path(voxels(plate(6, 1) > 0), of="pores")  # type: ignore[arg-type]


def test_curves_ascend() -> None:
    with pytest.raises(InvalidParameter):
        Curve(np.array([1.0, 0.0]), np.zeros(2))
