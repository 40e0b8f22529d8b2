"""Sizes and shapes of exact maps: rectangles, hexagonal maps, boxes across periodic borders."""

from __future__ import annotations

import numpy as np
import pytest

from microgen.descriptors.grains import (
    aspect_ratio,
    aspect_ratio_middle,
    astm_grain_size,
    axis_angle,
    equivalent_diameter,
    grain_measure,
    interior_grains,
    long_axes,
)
from microgen.descriptors.moments import grain_moments
from microgen.errors import InvalidParameter
from microgen.grid import Grid, HexGrid
from microgen.microstructure import Microstructure


def map_of(grain_id: np.ndarray, grid: Grid | HexGrid | None = None) -> Microstructure:
    """A map of one phase with given grains."""
    grid = grid or Grid(grain_id.shape, (1.0,) * grain_id.ndim)
    return Microstructure(grid, np.zeros(grain_id.shape, np.int16), grain_id=grain_id.astype(np.int32))


def block(shape: tuple[int, ...], start: tuple[int, ...], size: tuple[int, ...]) -> np.ndarray:
    """Grain 2 in a block (across the borders too) of grain 1."""
    grain_id = np.ones(shape, int)
    grain_id[np.ix_(*(np.arange(a, a + n) % full for a, n, full in zip(start, size, shape)))] = 2
    return grain_id


@pytest.mark.parametrize(
    ("a", "b", "spacing"), [(6, 2, (1, 1)), (3, 3, (1, 1)), (1, 5, (0.3, 0.3)), (4, 6, (0.5, 2.0))]
)
def test_rectangle_has_its_sides_as_aspect_ratio(a: int, b: int, spacing: tuple[float, float]) -> None:
    ms = map_of(block((20, 20), (5, 7), (a, b)), Grid((20, 20), spacing))
    sides = sorted((a * spacing[0], b * spacing[1]))
    assert aspect_ratio(ms).values == pytest.approx([sides[1] / sides[0]])
    assert equivalent_diameter(ms).values == pytest.approx([2 * np.sqrt(sides[0] * sides[1] / np.pi)])


@pytest.mark.parametrize(("size", "angle"), [((8, 2), 0.0), ((2, 8), np.pi / 2)])
def test_axis_lies_along_the_longer_side(size: tuple[int, int], angle: float) -> None:
    found = axis_angle(map_of(block((20, 20), (5, 7), size))).values[0]
    assert min(abs(found - angle), np.pi - abs(found - angle)) < 1e-9


def test_axis_of_a_slanted_ellipse() -> None:
    x, y = np.indices((200, 200)) - 99.5
    c, s = np.cos(np.radians(30)), np.sin(np.radians(30))
    inside = ((c * x + s * y) / 75) ** 2 + ((c * y - s * x) / 25) ** 2 < 1
    ms = map_of(np.where(inside, 2, 1))
    assert np.degrees(axis_angle(ms).values[0]) == pytest.approx(30, abs=0.1)
    assert aspect_ratio(ms).values[0] == pytest.approx(3, rel=0.005)
    assert np.abs(long_axes(ms)[0] @ [c, s]) == pytest.approx(1, abs=1e-5)


def test_box_has_its_sides_as_aspect_ratios() -> None:
    ms = map_of(block((12, 12, 12), (2, 3, 4), (6, 2, 3)))
    assert aspect_ratio(ms).values == pytest.approx([3.0])
    assert aspect_ratio_middle(ms).values == pytest.approx([2.0])
    assert equivalent_diameter(ms).values == pytest.approx([np.cbrt(6 * 36 / np.pi)])
    np.testing.assert_allclose(np.abs(long_axes(ms)[0]), [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("start", [(0, 0, 0), (9, 3, 7), (11, 11, 11)])
def test_periodic_grains_are_unwrapped(start: tuple[int, int, int]) -> None:
    grid = Grid((12, 12, 12), (0.5, 0.5, 0.5), periodic=(True, True, True))
    ms = map_of(block((12, 12, 12), start, (9, 3, 4)), grid)
    found = grain_moments(ms)
    np.testing.assert_allclose(found.covariance[1], np.diag([81, 9, 16]) * 0.25 / 12, atol=1e-12)
    centre = (np.array(start) + np.array([4.5, 1.5, 2])) * 0.5 % 6.0
    np.testing.assert_allclose(found.centroid[1], centre, atol=1e-12)
    assert interior_grains(ms).all()


def test_only_periodic_axes_are_unwrapped() -> None:
    grain_id = np.ones((10, 10), int)
    grain_id[:, [0, 9]] = 2
    open_box = map_of(grain_id, Grid((10, 10), (1, 1), periodic=(True, False)))
    closed = map_of(grain_id, Grid((10, 10), (1, 1), periodic=(False, True)))
    assert grain_moments(open_box).covariance[1, 1, 1] == pytest.approx(4.5**2 + 1 / 12)
    assert grain_moments(closed).covariance[1, 1, 1] == pytest.approx(4 / 12)


def test_single_hexagonal_point_is_round_and_has_the_hexagons_moment() -> None:
    grid = HexGrid((9, 9), 0.4)
    grain_id = np.where(grid.exists(), 1, 0)
    grain_id[4, 4] = 2
    ms = map_of(grain_id, grid)
    np.testing.assert_allclose(grain_moments(ms).covariance[1], np.eye(2) * 5 * 0.16 / 72, atol=1e-12)
    assert aspect_ratio(ms).values == pytest.approx([1.0])
    assert equivalent_diameter(ms).values == pytest.approx([2 * np.sqrt(0.16 * np.sqrt(3) / 2 / np.pi)])


def test_hexagon_of_seven_points_is_round() -> None:
    grid = HexGrid((9, 9), 1.0)
    distance = np.linalg.norm(grid.points() - grid.points()[4 * 9 + 4], axis=1).reshape(9, 9)
    ms = map_of(np.where(distance < 1.1, 2, 1) * grid.exists(), grid)
    assert np.count_nonzero(ms.grain_id == 2) == 7
    assert aspect_ratio(ms).values == pytest.approx([1.0])


@pytest.mark.parametrize("grid", [Grid((30, 20), (0.3, 0.7)), HexGrid((30, 20), 0.3)])
def test_areas_sum_to_the_map(grid: Grid | HexGrid) -> None:
    grain_id = np.random.default_rng(0).integers(1, 9, (30, 20))
    there = grid.exists() if isinstance(grid, HexGrid) else np.ones((30, 20), bool)
    ms = map_of(grain_id * there, grid)
    assert grain_measure(ms).sum() == pytest.approx(there.sum() * grid.cell_measure)


def test_interior_grains_touch_no_border() -> None:
    grain_id = np.repeat(np.repeat(np.arange(1, 17).reshape(4, 4), 3, 0), 3, 1)
    assert (np.flatnonzero(interior_grains(map_of(grain_id))) + 1).tolist() == [6, 7, 10, 11]
    band = Grid((12, 12), (1, 1), periodic=(True, False))
    assert interior_grains(map_of(grain_id, band)).sum() == 8


def test_grains_cropped_away_are_not_counted() -> None:
    grain_id = np.repeat(np.repeat(np.arange(1, 17).reshape(4, 4), 3, 0), 3, 1)
    part = map_of(grain_id).crop((3, 3), (12, 12))
    assert interior_grains(part).sum() == 1
    assert len(equivalent_diameter(part, interior=False)) == 9


def test_area_weighted_diameter_counts_areas() -> None:
    grain_id = block((30, 30), (2, 2), (10, 10))
    grain_id[20:22, 20:22] = 3
    d = equivalent_diameter(map_of(grain_id), weighting="measure")
    assert d.mean == pytest.approx((100 * np.sqrt(400 / np.pi) + 4 * np.sqrt(16 / np.pi)) / 104)
    assert d.grain_id is not None
    assert d.grain_id.tolist() == [2, 3]


def test_grain_size_number_of_a_board() -> None:
    """Fields of 12 x 12 points of 1 µm: 7000 a mm², in the table of ASTM E112 between G 9.5 and 10."""
    grain_id = np.repeat(np.repeat(np.arange(1, 37).reshape(6, 6), 12, 0), 12, 1)
    ms = map_of(grain_id)
    assert astm_grain_size(ms, standard="E2627") == pytest.approx(np.log2(1e6 / 144) - 2.954)
    assert astm_grain_size(ms) == pytest.approx(np.log2((16 + 20 / 2) / (72 * 72e-6)) - 2.954)


def test_grain_size_number_is_missing_without_large_grains() -> None:
    assert np.isnan(astm_grain_size(map_of(block((9, 9), (3, 3), (2, 2))), standard="E2627"))


def test_one_grain_has_no_interior() -> None:
    ms = map_of(np.ones((5, 5), int))
    assert len(equivalent_diameter(ms)) == len(aspect_ratio(ms)) == len(axis_angle(ms)) == 0
    assert aspect_ratio(ms, interior=False).values == pytest.approx([1.0])


def test_planes_and_volumes_are_told_apart() -> None:
    with pytest.raises(InvalidParameter):
        axis_angle(map_of(np.ones((2, 2, 2), int)))
    with pytest.raises(InvalidParameter):
        aspect_ratio_middle(map_of(np.ones((2, 2), int)))
    with pytest.raises(InvalidParameter, match="segment_grains"):
        interior_grains(Microstructure(Grid((2, 2), (1, 1)), np.zeros((2, 2), np.int16)))
