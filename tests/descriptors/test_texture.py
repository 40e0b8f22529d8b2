"""Orientations and phases of grains, the texture index and the kernel behind it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microgen.descriptors.kernels import axial_gram, kernel_scale, orientation_gram
from microgen.descriptors.phases import phase_fraction
from microgen.descriptors.texture import mean_orientations, texture_index
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.microstructure import Grains, Microstructure, Phase
from microgen.orientation import LAUE_GROUPS, from_euler, multiply, perturb, random_orientations, symmetry_operators

PHASES = (Phase("austenite", "m-3m"), Phase("ferrite", "m-3m"), Phase("sigma", "4/mmm"))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def two_phase_map() -> Microstructure:
    grain_id = np.repeat([1, 2, 3], [2, 3, 5])[:, None] * np.ones((1, 4), np.int32)
    grains = Grains(np.array([1, 0, 1], np.int16), from_euler([0.1, 0.2, 0.3], 0.0, 0.0), np.zeros(3))
    phase = grains.phase_id[grain_id - 1]
    return Microstructure(Grid((10, 4), (0.5, 0.5)), phase, PHASES, grain_id=grain_id, grains=grains)


def test_phase_fractions_are_areas_by_name() -> None:
    assert phase_fraction(two_phase_map()) == pytest.approx({"austenite": 0.3, "ferrite": 0.7, "sigma": 0.0})


def test_points_of_no_phase_do_not_count() -> None:
    phase = np.array([[0, 1], [-1, -1]], np.int16)
    found = phase_fraction(Microstructure(Grid((2, 2), (1, 1)), phase, PHASES[:2]))
    assert found == {"austenite": 0.5, "ferrite": 0.5}


def test_no_phase_at_all_has_no_fraction() -> None:
    empty = Microstructure(Grid((2, 2), (1, 1)), np.full((2, 2), -1, np.int16), PHASES[:1])
    assert math.isnan(phase_fraction(empty)["austenite"])


def test_mean_orientations_are_those_of_one_phase_with_areas() -> None:
    q, areas = mean_orientations(two_phase_map(), 1)
    np.testing.assert_allclose(q, from_euler([0.1, 0.3], 0.0, 0.0))
    assert areas == pytest.approx([2.0, 5.0])


@pytest.mark.parametrize("group", LAUE_GROUPS)
def test_kernel_ignores_symmetry_and_has_mean_one(group: str, rng: np.random.Generator) -> None:
    width = np.radians(20)
    a, b = random_orientations(300, rng), random_orientations(300, rng)
    gram = orientation_gram(a, b, group, half_width=width)
    turned = multiply(rng.choice(symmetry_operators(group), 300), a)
    np.testing.assert_allclose(orientation_gram(turned, b, group, half_width=width), gram, atol=1e-12)
    assert gram.mean() * kernel_scale(group, width) == pytest.approx(1, abs=0.1)


def test_kernels_halve_at_their_half_width() -> None:
    turned = from_euler(np.radians(12), 0.0, 0.0)[None]
    none = np.array([[1.0, 0, 0, 0]])
    assert orientation_gram(none, turned, "m-3m", half_width=np.radians(12))[0, 0] == pytest.approx(0.5, abs=0.01)
    axis = np.array([[np.cos(np.radians(15)), -np.sin(np.radians(15))]])
    assert axial_gram(np.array([[1.0, 0]]), axis, half_width=np.radians(15))[0, 0] == pytest.approx(0.5, abs=0.02)


def test_kernel_is_positive_definite(rng: np.random.Generator) -> None:
    q = random_orientations(150, rng)
    gram = orientation_gram(q, q, "m-3m", half_width=np.radians(25))
    assert np.linalg.eigvalsh(gram).min() > -1e-9


def test_texture_index_of_random_and_of_sharp_textures(rng: np.random.Generator) -> None:
    random = texture_index(random_orientations(1500, rng), "m-3m")
    single = np.broadcast_to(random_orientations(1, rng), (50, 4))
    sharp, width = texture_index(single, "m-3m"), np.radians(12)
    assert random == pytest.approx(1, abs=0.05)
    assert sharp == pytest.approx(kernel_scale("m-3m", width), rel=0.01)
    wide, narrow = (texture_index(perturb(single, np.radians(a), rng), "m-3m") for a in (20, 8))
    assert 1.2 < wide < narrow < sharp


def test_weights_of_a_texture_are_repetitions(rng: np.random.Generator) -> None:
    q = random_orientations(3, rng)
    gram = orientation_gram(q, q, "mmm", half_width=np.radians(12))
    w = np.array([1.0, 2.0, 3.0])
    off = sum(w[i] * w[j] * gram[i, j] for i in range(3) for j in range(3) if i != j)
    expected = off / (36 - 14) * kernel_scale("mmm", np.radians(12))
    assert texture_index(q, "mmm", weights=w) == pytest.approx(expected)


def test_texture_of_one_grain_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="two or more"):
        texture_index(np.array([[1.0, 0, 0, 0]]), "m-3m")


@pytest.mark.parametrize("width", [0.0, -1.0, np.pi, np.nan])
def test_useless_half_widths_are_refused(width: float) -> None:
    with pytest.raises(InvalidParameter, match="half_width"):
        orientation_gram(np.ones((1, 4)) / 2, np.ones((1, 4)) / 2, "m-3m", half_width=width)
    with pytest.raises(InvalidParameter, match="half_width"):
        axial_gram(np.eye(2), np.eye(2), half_width=width)
