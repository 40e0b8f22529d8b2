"""Material seen from several sides: frames, preferred axes with known answers, and sections of turned samples."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from microgen import Grid, Microstructure, Polycrystal, Target, compare, segment_grains
from microgen.descriptors.distribution import Distribution
from microgen.errors import InvalidParameter
from microgen.fitting.planes import grain_maps, layers
from microgen.fitting.sections import Body, section, sections
from microgen.fitting.views import PLANES, alignment, axes, in_sample_frame, seen
from microgen.generators.laws import AspectRatioLaw, Fabric
from microgen.orientation import random_orientations, rotate

LIMITS = {"threshold": math.radians(5), "min_pixels": 10}
UNIT = np.eye(3)


@pytest.mark.parametrize("plane", PLANES)
def test_the_axes_of_a_map_are_those_its_name_says(plane: str) -> None:
    q = random_orientations(5, np.random.default_rng(0))
    i, j, _ = axes(plane)
    for ours, theirs in ((0, i), (1, j)):
        np.testing.assert_allclose(rotate(seen(q, plane), UNIT[ours]), rotate(q, UNIT[theirs]), atol=1e-12)


@pytest.mark.parametrize("plane", PLANES)
def test_turning_there_and_back_changes_nothing(plane: str) -> None:
    q = random_orientations(4, np.random.default_rng(1)).reshape(2, 2, 4)
    map_ = Microstructure(Grid((2, 2), (1.0, 1.0)), np.zeros((2, 2), np.int16), orientation=seen(q, plane))
    np.testing.assert_allclose(in_sample_frame(map_, plane).orientation, q, atol=1e-12)


def angles(axis: np.ndarray, plane: str, *, strength: float) -> Distribution:
    """Long axes of which as many more lie along the axis than across it as their resultant says."""
    i, j, _ = axes(plane)
    r = strength * complex(axis[i], axis[j]) ** 2
    angle = np.angle(r) / 2
    values, weights = [angle % np.pi, (angle + np.pi / 2) % np.pi], [1 + abs(r), 1 - abs(r)]
    return Distribution(np.repeat(values, 500), np.repeat(weights, 500))


@pytest.mark.parametrize("planes", [("xy", "yz", "xz"), ("yx", "zy", "zx")])
@pytest.mark.parametrize("strength", [0.4, -0.4])
@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 1, 1), (0.6, 0, 0.8), (-0.48, 0.6, 0.64)])
def test_the_preferred_axis_comes_back(axis: tuple, strength: float, planes: tuple) -> None:
    axis = np.array(axis) / np.linalg.norm(axis)
    found = alignment({plane: angles(axis, plane, strength=strength) for plane in planes})
    assert abs(np.dot(found.axis, axis)) == pytest.approx(1, abs=1e-5)
    assert found.flat == (strength < 0)
    assert found.strength == pytest.approx(0.4, abs=1e-4)


def test_what_chance_does_is_no_fabric() -> None:
    rng = np.random.default_rng(0)
    found = alignment({plane: Distribution(rng.random(200) * np.pi) for plane in ("xy", "yz", "xz")})
    assert found.strength == 0


@lru_cache(1)
def needles() -> Microstructure:
    """Grains twice as long as wide, along (0, 0.6, 0.8)."""
    laws = Polycrystal(600, aspect_ratio=AspectRatioLaw(2.2, 0.1), fabric=Fabric((0.0, 0.6, 0.8), 12.0))
    return laws.sample(Grid((44, 48, 52), (1.0, 1.0, 1.0), periodic=(True,) * 3), seed=0)


@pytest.mark.parametrize("plane", PLANES)
def test_sections_of_a_turned_body_are_the_planes_of_its_voxels(plane: str) -> None:
    sample = needles()
    i, j, across = axes(plane)
    grid = Grid(tuple(sample.grid.shape[k] for k in (i, j)), (1.0, 1.0))
    found = section(Body.of(sample).turned(plane), grid, corner=(0.0, 0.0), height=20.5)
    wanted = seen(sample.section(across, 20).point_orientation, plane)
    wanted = wanted.transpose(1, 0, 2) if i > j else wanted
    assert np.isclose(found.orientation, wanted, atol=1e-9).all(axis=-1).mean() > 0.99  # but for repaired islands


def scans(sample: Microstructure, planes: tuple[str, ...], step: float = 0.5) -> list[Microstructure]:
    """One segmented section of each plane."""
    body, rng, window = Body.of(sample), np.random.default_rng(0), Grid((90, 90), (step, step))
    shots = [next(iter(sections(body.turned(plane), window, rng=rng))) for plane in planes]
    return [segment_grains(shot, **LIMITS) for shot in shots]


def test_three_sections_show_the_fabric_in_space_and_match_their_own_sample() -> None:
    planes = ("xy", "yz", "xz")
    target = Target.from_scan(scans(needles(), planes), **LIMITS, planes=planes)
    found = alignment({plane: side.measured["axis_angle"][1] for plane, side in target.views.items()})
    assert not found.flat
    assert np.dot(found.axis, (0, 0.6, 0.8)) > math.cos(math.radians(10))
    same = compare(needles(), target, seed=0)
    assert {"aspect_ratio.yz", "axis_angle.xz", "texture.material", "neighbours"} <= set(same) == set(target.statistics)
    assert sum(s.inside for s in same.values()) >= len(same) - 1


def test_a_sample_with_its_axes_exchanged_is_not_the_same() -> None:
    planes = ("xy", "yz", "xz")
    wrong = Target.from_scan(scans(needles(), planes), **LIMITS, planes=("yz", "xz", "xy"))
    assert not compare(needles(), wrong, seed=0)["axis_angle.xy"].inside


def test_a_labelled_volume_is_seen_from_its_three_sides() -> None:
    labels = replace(needles(), grains=None)
    target = Target.of(labels)
    assert set(target.views) == {"xy", "yz", "xz"}
    assert not target.oriented
    assert all(s.inside for s in compare(labels, target, seed=0).values())


def test_planes_of_a_volume_have_the_orientations_that_are_seen_in_them() -> None:
    first = grain_maps(needles(), **LIMITS)["yz"][0]
    layer = layers(needles(), 0)[0]
    wanted = seen(needles().section(0, layer).point_orientation, "yz")
    assert (
        np.isclose(first.orientation, wanted).all(axis=-1).mean() > 0.9
    )  # specks, also of grains that the border cuts, went to their neighbours


def test_scans_that_do_not_go_together_are_refused() -> None:
    one, two = scans(needles(), ("xy", "xy"))
    coarse = scans(needles(), ("xy",), step=1.0)[0]
    with pytest.raises(InvalidParameter, match="first scan"):
        Target.from_scan([one, coarse], **LIMITS)
    assert set(Target.from_scan([one, coarse], **LIMITS, planes=("xy", "yz")).views) == {"xy", "yz"}
    with pytest.raises(InvalidParameter, match="plane"):
        Target.from_scan([one, two], **LIMITS, planes=("xy", "xx"))
    with pytest.raises(InvalidParameter, match="planes"):
        Target.from_scan([one, two], **LIMITS, planes=("xy",))
