from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from made_up import as_scan, make_sample

from microgen.grid import Grid
from microgen.microstructure import Phase
from microgen.orientation import LAUE_GROUPS, from_euler, ipf_color, random_orientations, symmetry_operators
from microgen.report.colours import NOT_INDEXED, by_grain, grain_colours, ipf_of_grains, ipf_of_points
from microgen.report.keys import corners, draw_key, frame, in_sector, keys_figure, lift, pole


def test_each_phase_is_coloured_by_its_own_symmetry() -> None:
    phases = (Phase("a", "m-3m"), Phase("b", "6/mmm"))
    ms = make_sample(Grid((10, 10), (1.0, 1.0)), phases=phases)
    assert ms.grains is not None
    expected = [ipf_color(q, phases[p].laue_group) for q, p in zip(ms.grains.orientation, ms.grains.phase_id)]
    assert np.array_equal(ipf_of_grains(ms), expected)
    assert np.array_equal(by_grain(ms, ipf_of_grains(ms)), ipf_of_points(ms))


def test_points_not_indexed_and_phases_not_listed_are_grey() -> None:
    scan = as_scan(make_sample(Grid((10, 10), (1.0, 1.0))))
    colours = ipf_of_points(scan).reshape(10, 10, 3)
    assert (colours[3:5, 2:4] == NOT_INDEXED).all()
    assert (ipf_of_points(replace(scan, phases=())) == NOT_INDEXED).all()


@pytest.mark.parametrize("phases", [1, 3])
def test_grain_colours_differ_and_are_neither_black_nor_white(phases: int) -> None:
    colours = grain_colours(np.arange(500) % phases, phases).astype(int)
    assert len(np.unique(colours, axis=0)) > 480
    assert (colours.max(-1) > 120).all()
    assert (colours.min(-1) < 235).all()


def test_phases_keep_to_their_hues() -> None:
    colours = grain_colours(np.arange(400) % 2, 2).astype(int)
    assert (colours[0::2, 2] > colours[0::2, 0]).all()
    assert (colours[1::2, 0] > colours[1::2, 2]).all()


@pytest.mark.parametrize("laue_group", LAUE_GROUPS)
def test_the_sector_is_the_group_s_share_of_the_sphere(laue_group: str) -> None:
    h = np.random.default_rng(0).standard_normal((200_000, 3))
    h /= np.linalg.norm(h, axis=1, keepdims=True)
    share = in_sector(h, laue_group).mean()
    assert share == pytest.approx(1 / (2 * len(symmetry_operators(laue_group))), rel=0.05)


@pytest.mark.parametrize("laue_group", LAUE_GROUPS)
def test_colours_of_the_sector_are_all_colours_there_are(laue_group: str) -> None:
    key = draw_key(laue_group, pixels=200)
    shown = key[key[..., 3] > 0][:, :3]
    drawn = ipf_color(random_orientations(300, np.random.default_rng(1)), laue_group).astype(int)
    nearest = np.abs(drawn[:, None] - shown[None].astype(int)).max(-1).min(1)
    assert nearest.max() < 30
    assert np.median(nearest) <= 4


@pytest.mark.parametrize("laue_group", LAUE_GROUPS)
def test_corners_are_red_green_blue(laue_group: str) -> None:
    pure = np.diag([255, 255, 255])
    for (_, place), colour in zip(corners(laue_group), pure):
        x, y, z = lift(*(0.999 * np.array(place) + 0.001 * np.array(middle(laue_group))))
        shown = ipf_color(from_euler(0.0, math.acos(z), math.atan2(x, y)), laue_group).astype(int)
        assert np.argmax(shown) == np.argmax(colour)
        assert np.sort(shown)[1] < 60


def middle(laue_group: str) -> tuple[float, float]:
    left, top, right, bottom = frame(laue_group)
    x, y = np.meshgrid(np.linspace(left, right, 60), np.linspace(top, bottom, 60))
    inside = in_sector(lift(x, y), laue_group)
    return float(x[inside].mean()), float(y[inside].mean())


def test_poles_and_directions_are_inverse() -> None:
    h = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8], [0.0, 1.0, 0.0]])
    assert np.allclose(lift(*np.array([pole(each) for each in h]).T), h)


def test_one_key_for_phases_of_one_group_and_names_are_escaped() -> None:
    text = keys_figure([Phase("<i>", "m-3m"), Phase("b", "6/mmm"), Phase("c", "m-3m")])
    assert text.count("<svg") == 2
    assert "&lt;i&gt;, c (m-3m)" in text
