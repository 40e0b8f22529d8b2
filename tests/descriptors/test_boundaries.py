"""Boundaries, neighbours, misorientation across boundaries and chords of exact maps; Mackenzie's curve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from microgen.descriptors.boundaries import boundaries, boundary_misorientation, neighbours
from microgen.descriptors.chords import chord_length
from microgen.descriptors.mackenzie import mackenzie_density
from microgen.errors import InvalidParameter
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.orientation import from_euler, misorientation_angle, random_orientations


def map_of(grain_id: np.ndarray, grid: Grid | HexGrid | None = None, **changes) -> Microstructure:
    grid = grid or Grid(grain_id.shape, (1.0,) * grain_id.ndim)
    return Microstructure(grid, np.zeros(grain_id.shape, np.int16), grain_id=grain_id.astype(np.int32), **changes)


def board(n: int, size: int) -> np.ndarray:
    """n x n fields of size x size points, numbered along y first."""
    return np.repeat(np.repeat(np.arange(1, n * n + 1).reshape(n, n), size, 0), size, 1)


def test_boundaries_of_a_board_have_the_fields_sides() -> None:
    found = boundaries(map_of(board(3, 4), Grid((12, 12), (0.5, 2.0))))
    assert len(found.first) == 12
    along_x = found.second - found.first == 1  # neighbours along y share a side along x
    np.testing.assert_allclose(found.measure[along_x], 4 * 0.5)
    np.testing.assert_allclose(found.measure[~along_x], 4 * 2.0)


def test_faces_of_voxels_are_areas() -> None:
    grain_id = np.ones((4, 5, 6), int)
    grain_id[2:] = 2
    found = boundaries(map_of(grain_id, Grid((4, 5, 6), (1.0, 0.5, 0.25))))
    assert found.measure.tolist() == [5 * 6 * 0.5 * 0.25]


def test_periodic_borders_are_boundaries() -> None:
    grain_id = np.ones((6, 4), int)
    grain_id[3:] = 2
    assert boundaries(map_of(grain_id, Grid((6, 4), (1, 1), periodic=(True, True)))).measure.tolist() == [8.0]


def test_void_has_no_boundary() -> None:
    grain_id = np.ones((6, 4), int)
    grain_id[2:4], grain_id[4:] = 0, 2
    assert len(boundaries(map_of(grain_id)).first) == 0


def test_one_hexagonal_point_has_six_sides() -> None:
    grid = HexGrid((9, 9), 2.0)
    grain_id = np.where(grid.exists(), 1, 0)
    grain_id[4, 4] = 2
    assert boundaries(map_of(grain_id, grid)).measure == pytest.approx([6 * 2 / np.sqrt(3)])


def test_neighbours_of_a_board_and_of_a_brick_wall() -> None:
    assert neighbours(map_of(board(4, 3))).values.tolist() == [4, 4, 4, 4]
    wall = board(6, 4)
    wall[:, 4:8] = np.roll(wall[:, 4:8], 2, 0)
    wall[:, 12:16] = np.roll(wall[:, 12:16], 2, 0)
    wall[:, 20:] = np.roll(wall[:, 20:], 2, 0)
    inner = neighbours(map_of(wall, Grid((24, 24), (1, 1), periodic=(True, False))))
    assert inner.values.mean() == 6


def grains_of(angles: list[float], phases: list[int]) -> Grains:
    q = from_euler(np.radians(angles), 0.0, 0.0)
    return Grains(np.array(phases, np.int16), q, np.ones(len(angles)))


def test_boundary_misorientation_weighs_lengths_and_leaves_out_phase_boundaries() -> None:
    grain_id = np.repeat([1, 2, 3, 4], 3)[:, None] * np.ones((1, 5), int)
    grain_id[0, 0] = 2  # two short sides more between 1 and 2
    phases = (Phase("a", "m-3m"), Phase("b", "6/mmm"))
    ms = map_of(grain_id, phases=phases, grains=grains_of([0, 30, 10, 60], [0, 0, 1, 1]))
    found = boundary_misorientation(ms)
    assert np.degrees(found.values) == pytest.approx([30, 10])
    assert found.weights == pytest.approx([7, 5])


def test_random_grains_follow_mackenzie() -> None:
    rng = np.random.default_rng(5)
    n = 90
    grain_id = rng.permutation(np.arange(1, n * n + 1)).reshape(n, n)
    grains = Grains(np.zeros(n * n, np.int16), random_orientations(n * n, rng), np.ones(n * n))
    found = boundary_misorientation(map_of(grain_id, phases=(Phase("a", "m-3m"),), grains=grains))
    assert np.degrees(found.mean) == pytest.approx(40.74, abs=0.4)
    assert np.degrees(found.values.max()) < 62.80


def test_boundary_misorientation_needs_orientations() -> None:
    with pytest.raises(InvalidParameter, match="orientations"):
        boundary_misorientation(map_of(board(2, 2)))


def test_orientations_of_points_stand_in_for_a_table() -> None:
    rng = np.random.default_rng(2)
    grain_id, phases = board(6, 4), (Phase("a", "m-3m"), Phase("b", "6/mmm"))
    phase_id = rng.integers(0, 2, 36)
    grains = Grains(phase_id, random_orientations(36, rng), np.ones(36))
    told = replace(map_of(grain_id, phases=phases, grains=grains), phase_id=phase_id[grain_id - 1].astype(np.int16))
    found = boundary_misorientation(replace(told, grains=None, orientation=told.point_orientation))
    expected = boundary_misorientation(told)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-12)
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_mackenzie_curve_has_its_published_mean_and_end() -> None:
    w = np.radians(np.linspace(0, 65, 100_001))
    p = mackenzie_density(w)
    assert np.trapezoid(p, w) == pytest.approx(1, abs=1e-6)
    assert np.degrees(np.trapezoid(p * w, w)) == pytest.approx(40.74, abs=0.005)
    assert np.degrees(w[p > 0].max()) == pytest.approx(62.80, abs=0.005)
    assert np.degrees(w[p.argmax()]) == pytest.approx(45, abs=0.01)


def test_mackenzie_curve_fits_random_angles_up_to_the_end() -> None:
    rng = np.random.default_rng(2)
    angle = misorientation_angle(random_orientations(400_000, rng), np.array([1.0, 0, 0, 0]), "m-3m")
    edges = np.radians([0, 20, 40, 45, 50, 55, 60, 60.72, 61.5, 62.8])
    fine = [np.linspace(a, b, 500) for a, b in zip(edges, edges[1:])]
    expected = np.array([np.trapezoid(mackenzie_density(w), w) for w in fine])
    found = np.histogram(angle, edges)[0] / 400_000
    assert np.abs(found - expected).max() < 4 * np.sqrt(0.25 * 0.75 / 400_000)
    np.testing.assert_allclose(found[-2:], expected[-2:], rtol=0.15)


def test_chords_of_stripes_are_their_widths() -> None:
    stripes = np.repeat([1, 2, 3, 4], [3, 7, 1, 5])[:, None] * np.ones((1, 2), int)
    ms = map_of(stripes, Grid((16, 2), (0.5, 1.0)))
    assert sorted(chord_length(ms).values) == [0.5, 0.5, 3.5, 3.5]
    assert len(chord_length(ms, axis=1)) == 0


def test_periodic_chords_cross_the_border() -> None:
    stripes = np.repeat([1, 2, 1], [3, 7, 6])[:, None] * np.ones((1, 2), int)
    ms = map_of(stripes, Grid((16, 2), (1.0, 1.0), periodic=(True, True)))
    assert sorted(chord_length(ms).values) == [7, 7, 9, 9]
    assert len(chord_length(ms, axis=1)) == 0  # each line stays in one grain


def test_chords_that_end_at_an_empty_place_are_left_out() -> None:
    stripes = np.repeat([1, 2, 0, 3, 4, 5], [2, 3, 2, 4, 5, 6])[:, None] * np.ones((1, 1), int)
    assert chord_length(map_of(stripes)).values.tolist() == [5]


def test_hexagonal_maps_have_chords_along_rows_only() -> None:
    grid = HexGrid((12, 4), 0.5)
    grain_id = np.repeat([1, 2, 3], 4)[:, None] * grid.exists()
    assert chord_length(map_of(grain_id, grid)).values.tolist() == [2.0] * 4
    with pytest.raises(InvalidParameter, match="axis"):
        chord_length(map_of(grain_id, grid), axis=1)
