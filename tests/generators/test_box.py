"""Any three of grains, shape, spacing and mean size give the fourth."""

from __future__ import annotations

import math

import pytest

from microgen.errors import InvalidParameter
from microgen.generators.box import implied_mean, mean_volume, resolve_box
from microgen.generators.laws import SizeLaw
from microgen.grid import Grid

ONE_SIZE = SizeLaw(cv=0.0)


def test_mean_volume_is_that_of_the_ball_and_the_disc() -> None:
    assert mean_volume(ONE_SIZE, 2.0, 3) == pytest.approx(4 / 3 * math.pi)
    assert mean_volume(ONE_SIZE, 2.0, 2) == pytest.approx(math.pi)
    assert mean_volume(SizeLaw(cv=0.5), 1.0, 3) == pytest.approx(math.pi / 6 * 1.25**3)


@pytest.mark.parametrize("missing", [0, 1, 2, 3])
def test_any_three_give_the_fourth(missing: int) -> None:
    mean = implied_mean(ONE_SIZE, 500, Grid((64,) * 3, (0.5,) * 3))
    given: list = [500, (64, 64, 64), 0.5, mean]
    given[missing] = None
    grid, grains, resolved = resolve_box(*given, size_law=ONE_SIZE, periodic=(True, True, False))
    assert (grid.shape, grains, resolved) == ((64, 64, 64), 500, pytest.approx(mean))
    assert grid.spacing == pytest.approx((0.5,) * 3)
    assert grid.periodic == (True, True, False)


def test_four_that_agree_pass_and_four_that_do_not_are_refused_with_the_numbers() -> None:
    mean = implied_mean(ONE_SIZE, 500, Grid((64,) * 3, (0.5,) * 3))
    assert resolve_box(500, (64,) * 3, 0.5, 1.005 * mean, size_law=ONE_SIZE)[2] == pytest.approx(mean)
    with pytest.raises(InvalidParameter, match=f"{mean:.5g}.*500 grains.*32 x 32 x 32"):
        resolve_box(500, (64,) * 3, 0.5, 1.05 * mean, size_law=ONE_SIZE)


def test_defaults_are_a_thousand_grains_twelve_voxels_across() -> None:
    grid, grains, mean = resolve_box(None, None, None, 6.0)
    assert grains == 1000
    assert mean / grid.spacing[0] == pytest.approx(12, rel=0.01)
    assert len(set(grid.shape)) == 1


def test_boxes_that_nobody_asked_for_stay_within_160_voxels() -> None:
    assert resolve_box(100_000, None, None, 3.0)[0].shape == (160, 160, 160)
    assert resolve_box(None, None, 1.0, 30.0)[0].shape == (160, 160, 160)
    assert resolve_box(2000, None, 1.0, 30.0)[0].shape > (160, 160, 160)


def test_planes_use_areas() -> None:
    grid, grains, mean = resolve_box(None, (200, 100), 1.0, 10.0, size_law=ONE_SIZE)
    assert grid.ndim == 2
    assert grains == round(20_000 / (25 * math.pi))
    assert grains * math.pi / 4 * mean**2 == pytest.approx(20_000)


@pytest.mark.parametrize(
    "arguments",
    [
        (0, None, None, None),
        (2.5, None, None, None),
        (None, (10, 0, 10), None, None),
        (None, (10,), None, None),
        (None, None, -1.0, None),
        (None, None, math.nan, None),
        (None, None, (1.0, 2.0), None),
        (None, None, None, 0.0),
        (None, None, None, math.inf),
        (1001, (10, 10, 10), 1.0, None),
        (None, (10, 10, 10), 1.0, 100.0),
    ],
)
def test_impossible_boxes_are_refused(arguments: tuple) -> None:
    with pytest.raises(InvalidParameter):
        resolve_box(*arguments)
