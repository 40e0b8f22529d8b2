"""Grey values to solid and void."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.io import read
from microgen.microstructure import Microstructure
from microgen.segmentation import multi_otsu, otsu, threshold


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


def three_levels(dtype: type = np.uint8, factor: float = 1) -> np.ndarray:
    """600 points of 10, 300 of 60, 100 of 200."""
    return (np.repeat([10, 60, 200], [600, 300, 100]).reshape(10, 10, 10) * factor).astype(dtype)


@pytest.mark.parametrize(("dtype", "factor"), [(np.uint8, 1), (np.uint16, 300), (np.int16, -1), (np.float32, 0.01)])
def test_the_brightest_of_three_classes_is_solid(dtype: type, factor: float) -> None:
    ms = threshold(grey(three_levels(dtype, factor)), "multi-otsu")
    assert (ms.phase_id == 0).sum() == (600 if factor < 0 else 100)
    assert ms.notes[-1].count(",") == 1  # both cuts


def test_number_of_classes() -> None:
    assert threshold(grey(three_levels()), "multi-otsu").notes[-1] == "solid above 60 (multi-otsu: 10, 60)"
    two = threshold(grey(three_levels()), "multi-otsu:2")
    assert (two.phase_id == threshold(grey(three_levels()), "otsu").phase_id).all()
    with pytest.raises(InvalidParameter, match="4 different grey values"):
        threshold(grey(three_levels()), "multi-otsu:4")


def test_multi_otsu_equals_scikit_image() -> None:
    from skimage.filters import threshold_multiotsu

    values = np.random.default_rng(2).gamma(3, 20, 5000).clip(0, 255).astype(np.uint8)
    for classes in (2, 3, 4):
        assert multi_otsu(values, classes) == threshold_multiotsu(values, classes).tolist()


def test_hysteresis_keeps_what_is_connected_to_the_bright() -> None:
    values = np.array([[0, 60, 90, 60, 0, 60, 60, 0]], np.uint8)
    ms = threshold(grey(values), "hysteresis:50,80")
    assert (ms.phase_id[0] == 0).tolist() == [False, True, True, True, False, False, False, False]
    assert ms.notes[-1] == "solid above 50, connected to above 80"


def test_hysteresis_of_a_ramp_with_islands() -> None:
    values = np.tile(np.arange(0, 100, 5, dtype=np.uint8), (6, 6, 1))  # rises along z: above 50 from z = 11 on
    values[2, 2, 3] = values[3, 3, 3] = 70  # touch along an edge only, above LOW, below HIGH
    values[1, 4, 2] = 90
    full = threshold(grey(values), "hysteresis:50,80").phase_id == 0
    assert full[:, :, 11:].all()
    assert np.argwhere(full[:, :, :11]).tolist() == [[1, 4, 2]]


def test_dark_solid() -> None:
    values = np.array([[1, 2], [3, 4]], np.uint8)
    ms = threshold(grey(values), 2, invert=True)
    assert ms.phase_id.tolist() == [[0, 0], [-1, -1]]
    assert ms.notes[-1] == "void above 2: solid is what is darker"


@pytest.mark.parametrize("rule", ["otsu", "multi-otsu", "hysteresis:50,80", 60])
def test_inverted_is_the_complement(rule: str | float) -> None:
    ms = grey(three_levels())
    assert ((threshold(ms, rule).phase_id == 0) != (threshold(ms, rule, invert=True).phase_id == 0)).all()


def test_inverted_level_set_is_positive_in_the_solid() -> None:
    u = np.array([[-0.5, 0.2], [0.4, 1.0]], np.float32)
    ms = threshold(replace(grey(u), grey=None, level_set=u), 0.3, invert=True)
    assert ms.level_set is not None
    assert ((ms.level_set > 0) == (ms.phase_id == 0)).all()


def test_binary_volumes_keep_their_solid(tmp_path: Path) -> None:
    values = np.random.default_rng(3).choice(np.array([0, 255], np.uint8), (4, 4, 4))
    np.save(tmp_path / "a.npy", values)
    ms = read(tmp_path / "a.npy", format="numpy-grey")
    assert (threshold(ms, "otsu").phase_id == ms.phase_id).all()
    assert (ms.phase_id == 0).any()


RULES = ["yen", "", "otsu:3", "hysteresis", "hysteresis:9", "hysteresis:90,60", "hysteresis:nan,60", "hysteresis:0,inf"]
RULES += ["hysteresis:1,2,3", "multi-otsu:", "multi-otsu:1", "multi-otsu:x", "multi-otsu:6", "nan", "inf"]


@pytest.mark.parametrize("rule", [*RULES, math.nan, math.inf, "hysteresis:60,90", "hysteresis:-2,-1", "64", -1])
def test_rules_that_are_none_are_refused_with_a_remedy(rule: str | float) -> None:
    with pytest.raises(InvalidParameter, match="threshold") as caught:
        threshold(grey(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)), rule)
    assert caught.value.remedy
