"""Orientations that change places: what may change, what must not, and cases whose best answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from microgen import Grid, Polycrystal, Texture
from microgen.descriptors.boundaries import boundaries, boundary_misorientation
from microgen.errors import InvalidParameter
from microgen.generators.misorientation import Contacts, arranged, contacts, size_classes, turned
from microgen.orientation import misorientation_angle, multiply, random_orientations

GRID = Grid((24, 24, 24), (1.0,) * 3, periodic=(True,) * 3)


def ring(n: int) -> Contacts:
    """Grains side by side in a circle."""
    first = np.arange(n)
    return Contacts(first, (first + 1) % n, np.ones(n))


def two_kinds(n: int) -> np.ndarray:
    """Half the orientations turned by 40 degrees against the other half, shuffled."""
    q = np.tile([1.0, 0, 0, 0], (n, 1))
    q[::2] = [math.cos(math.radians(20)), math.sin(math.radians(20)), 0, 0]
    return q[np.random.default_rng(0).permutation(n)]


def test_unlike_neighbours_can_be_had() -> None:
    q, before, left = arranged(two_kinds(60), ring(60), np.ones(60), "m-3m", np.full(50, math.radians(40)), rng())
    angle = misorientation_angle(q, np.roll(q, 1, axis=0), "m-3m")
    assert np.degrees(angle).mean() > 32  # 20 by chance; single swaps cannot move a whole row of grains by one place
    assert left < before / 2


def test_only_places_change() -> None:
    q = random_orientations(200, np.random.default_rng(1))
    wanted = np.linspace(0.2, 0.5, 50)
    out, before, after = arranged(q, ring(200), np.random.default_rng(2).random(200), "m-3m", wanted, rng())
    assert after < before
    np.testing.assert_array_equal(np.unique(out, axis=0), np.unique(q, axis=0))


def test_what_is_left_is_the_distance_of_the_new_order() -> None:
    q, touching = random_orientations(100, np.random.default_rng(1)), ring(100)
    wanted = np.sort(np.random.default_rng(3).uniform(0.3, 1.0, 400))
    out, _, left = arranged(q, touching, np.ones(100), "m-3m", wanted, rng())
    angles = np.sort(misorientation_angle(out, np.roll(out, -1, axis=0), "m-3m"))
    quantiles = np.interp((np.arange(2000) + 0.5) / 2000, (np.arange(100) + 0.5) / 100, angles)
    goal = np.interp((np.arange(2000) + 0.5) / 2000, (np.arange(400) + 0.5) / 400, wanted)
    assert left == pytest.approx(np.abs(quantiles - goal).mean(), abs=math.radians(1.0))


def test_turning_the_whole_sample_changes_nothing() -> None:
    q, wanted = random_orientations(80, np.random.default_rng(1)), np.linspace(0.3, 0.9, 40)
    turn = random_orientations(1, np.random.default_rng(9))[0]
    one = arranged(q, ring(80), np.ones(80), "6/mmm", wanted, rng())
    two = arranged(multiply(q, turn), ring(80), np.ones(80), "6/mmm", wanted, rng())
    assert two[1] == pytest.approx(one[1], abs=1e-3)
    assert two[2] == pytest.approx(one[2], abs=1e-2)


def test_classes_hold_grains_of_about_one_size_once_each() -> None:
    volumes = np.random.default_rng(0).lognormal(size=101)
    classes = size_classes(volumes)
    rows = classes[classes >= 0]
    assert sorted(rows.tolist()) == list(range(101))
    means = [volumes[row[row >= 0]].mean() for row in classes]
    assert means == sorted(means)


def test_contacts_are_the_boundaries_of_the_voxels() -> None:
    sample = Polycrystal(30).sample(GRID, seed=0)
    assert sample.grain_id is not None
    found, known = contacts([sample.grain_id], GRID), boundaries(sample)
    np.testing.assert_array_equal(found.first + 1, known.first)
    np.testing.assert_array_equal(found.second + 1, known.second)
    np.testing.assert_allclose(found.area, known.measure)


def test_phases_keep_their_own() -> None:
    rng_, n = np.random.default_rng(0), 60
    q, phase = random_orientations(n, rng_), np.arange(n) % 2
    labels = np.arange(1, n + 1).reshape(5, 4, 3).repeat(2, 0)
    grid = Grid(labels.shape, (1.0,) * 3)
    laws = [("m-3m", tuple(np.linspace(0.3, 0.6, 20))), ("m-3m", ())]
    out, left = turned(q, phase, np.ones(n), [labels], grid, laws, rng())
    np.testing.assert_array_equal(out[phase == 1], q[phase == 1])
    np.testing.assert_array_equal(np.unique(out[phase == 0], axis=0), np.unique(q[phase == 0], axis=0))
    assert math.isfinite(left)


def test_a_sample_comes_nearer_and_is_otherwise_the_same() -> None:
    plain = Polycrystal(150)
    wanted = tuple(np.radians(np.linspace(15, 40, 60)).tolist())
    law = replace(plain, texture=Texture(misorientation=(wanted,)))
    before, after = (generator.sample(GRID, seed=3) for generator in (plain, law))
    np.testing.assert_array_equal(before.grain_id, after.grain_id)
    means = [math.degrees(boundary_misorientation(s).mean) for s in (before, after)]
    assert abs(means[1] - 27.5) < abs(means[0] - 27.5) - 3
    assert after.provenance is not None
    assert after.provenance.achieved["misorientation_distance"] > 0
    again = Polycrystal.from_configuration(law.configuration()).sample(GRID, seed=3)
    np.testing.assert_array_equal(again.grains.orientation, after.grains.orientation)  # type: ignore[union-attr]


@pytest.mark.parametrize("angles", [((0.5,),), ((0.5, 0.4),), ((0.1, 4.0),), ((0.1, 0.2), (0.1, 0.2))])
def test_angles_that_are_no_law_are_refused(angles: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(InvalidParameter, match="texture.misorientation"):
        Polycrystal(10, texture=Texture(misorientation=angles))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)
