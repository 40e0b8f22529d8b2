"""Grey values to solid and void."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io import read
from microgen.microstructure import Microstructure
from microgen.segmentation import otsu, threshold


def grey(values: np.ndarray) -> Microstructure:
    void = np.full(values.shape, -1, np.int16)
    return Microstructure(Grid(values.shape, (1.0,) * values.ndim), void, grey=values)


def test_solid_lies_above() -> None:
    ms = threshold(grey(np.array([[1, 2], [3, 4]], np.uint8)), 2)
    assert ms.phase_id.tolist() == [[-1, -1], [0, 0]]
    assert ms.grey is not None
    assert (ms.phases[0].name, ms.notes[-1]) == ("solid", "solid above 2")


def test_level_set_is_lowered() -> None:
    u = np.array([[-0.5, 0.2], [0.4, 1.0]], np.float32)
    ms = threshold(replace(grey(u), grey=None, level_set=u), 0.3)
    assert ms.level_set is not None
    assert ((ms.level_set > 0) == (ms.phase_id == 0)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_otsu_divides_two_peaks(dtype: type) -> None:
    rng = np.random.default_rng(0)
    low, high = rng.normal(40, 5, 3000), rng.normal(100, 5, 1000)
    cut = otsu(np.concatenate([low, high]).astype(dtype))
    assert 52 < cut < 85


def test_otsu_equals_scikit_image() -> None:
    filters = pytest.importorskip("skimage.filters")
    values = np.random.default_rng(1).gamma(3, 20, 5000).clip(0, 255).astype(np.uint8)
    assert otsu(values) == filters.threshold_otsu(values)


@pytest.mark.parametrize("value", [4, -1, 300.0])
def test_values_that_divide_nothing_are_refused(value: float) -> None:
    with pytest.raises(InvalidParameter, match="from 1 to below 4"):
        threshold(grey(np.array([[1, 2], [3, 4]], np.uint8)), value)


def test_one_grey_value_cannot_be_divided() -> None:
    with pytest.raises(InvalidParameter, match="two different values"):
        threshold(grey(np.ones((2, 2), np.uint8)))


def test_labels_have_no_grey_values() -> None:
    with pytest.raises(InvalidParameter, match="neither"):
        threshold(replace(grey(np.ones((2, 2))), grey=None), 1)


def test_human_bone(real_data: Path) -> None:
    bone = read(real_data / "uct" / "lhdl_3155_D_4_bc")
    assert (bone.grid.shape, bone.notes[0][:10]) == ((200, 200, 200), "200 slices")
    assert (threshold(bone, 63).phase_id == 0).mean() == pytest.approx(0.228, abs=5e-4)
    assert bone.grey is not None
    assert otsu(bone.grey) == 84


def test_the_brightest_of_three_classes_is_solid() -> None:
    values = np.repeat(np.array([10, 60, 200], np.uint8), [600, 300, 100]).reshape(10, 10, 10)
    ms = threshold(grey(values), "multi-otsu")
    assert (ms.phase_id == 0).sum() == 100
    assert "multi-otsu" in ms.notes[-1]
    two = threshold(grey(values), "multi-otsu:2")
    assert (two.phase_id == 0).sum() in (100, 400)


def test_hysteresis_keeps_what_is_connected_to_the_bright() -> None:
    values = np.array([[0, 60, 90, 60, 0, 60, 60, 0]], np.uint8)
    ms = threshold(grey(values), "hysteresis:50,80")
    assert (ms.phase_id[0] == 0).tolist() == [False, True, True, True, False, False, False, False]


def test_dark_solid() -> None:
    values = np.array([[1, 2], [3, 4]], np.uint8)
    assert threshold(grey(values), 2, invert=True).phase_id.tolist() == [[0, 0], [-1, -1]]


@pytest.mark.parametrize("rule", ["yen", "hysteresis:9", "hysteresis:90,60", "multi-otsu:1", "multi-otsu:x", "nan"])
def test_rules_that_are_none_are_refused(rule: str) -> None:
    with pytest.raises(InvalidParameter, match="threshold"):
        threshold(grey(np.arange(64, dtype=np.uint8).reshape(4, 4, 4)), rule)
