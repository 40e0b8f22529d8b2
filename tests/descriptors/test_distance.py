"""Distances with known values, and floors that two samples of one law keep to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import wasserstein_distance

from microgen.descriptors.distance import (
    fabric_floor,
    fabric_mmd,
    fraction_distance,
    fraction_floor,
    noise_floor,
    relative_wasserstein,
    texture_floor,
    texture_mmd,
    wasserstein,
)
from microgen.descriptors.distribution import Distribution
from microgen.descriptors.grains import equivalent_diameter
from microgen.descriptors.halves import fraction_halves, halves
from microgen.errors import InvalidParameter
from microgen.grid import Grid
from microgen.microstructure import Microstructure, Phase
from microgen.orientation import multiply, perturb, random_orientations, symmetry_operators

weighted = st.lists(st.tuples(st.floats(-50, 50), st.floats(0.01, 5)), min_size=1, max_size=12)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(13)


def of(values: list[float], weights: list[float] | None = None) -> Distribution:
    return Distribution(np.array(values), None if weights is None else np.array(weights))


@given(weighted, weighted)
def test_wasserstein_equals_scipys(a: list, b: list) -> None:
    (va, wa), (vb, wb) = (np.array(x).T for x in (a, b))
    expected = wasserstein_distance(va, vb, wa, wb)
    assert wasserstein(Distribution(va, wa), Distribution(vb, wb)) == pytest.approx(expected, abs=1e-9)


def test_wasserstein_of_a_shift_is_the_shift() -> None:
    assert wasserstein(of([1, 2, 5]), of([1.5, 2.5, 5.5])) == pytest.approx(0.5)
    assert wasserstein(of([1, 2, 5]), of([5, 1, 2])) == 0
    assert wasserstein(of([0, 1], [3, 1]), of([0, 1], [1, 3])) == pytest.approx(0.5)


def test_relative_distance_is_in_units_of_the_target() -> None:
    assert relative_wasserstein(of([2, 4]), of([5, 7])) == pytest.approx(1.0)
    assert relative_wasserstein(of([5, 7]), of([2, 4])) == pytest.approx(0.5)


@pytest.mark.parametrize("empty", [of([]), of([1.0], [0.0])])
def test_nothing_has_no_distance(empty: Distribution) -> None:
    with pytest.raises(InvalidParameter):
        wasserstein(of([1.0]), empty)


def test_fractions_differ_by_their_largest_difference() -> None:
    assert fraction_distance({"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.3, "c": 0.2}) == pytest.approx(0.2)
    assert fraction_distance({}, {}) == 0


def test_texture_distance_sees_texture_not_symmetry(rng: np.random.Generator) -> None:
    q = random_orientations(120, rng)
    turned = multiply(rng.choice(symmetry_operators("m-3m"), 120), q)
    assert texture_mmd(q, turned, "m-3m") == pytest.approx(0, abs=1e-6)
    other = random_orientations(120, rng)
    sharp = perturb(np.broadcast_to(q[0], (120, 4)), np.radians(5), rng)
    assert texture_mmd(q, sharp, "m-3m") > 3 * texture_mmd(q, other, "m-3m")


def test_texture_distance_of_two_single_orientations(rng: np.random.Generator) -> None:
    a, b = np.array([[1.0, 0, 0, 0]]), np.array([[np.cos(np.pi / 8), np.sin(np.pi / 8), 0, 0]])  # 45° about x
    assert texture_mmd(a, b, "m-3m") == pytest.approx(np.sqrt(2), abs=1e-3)
    assert texture_mmd(a, b, "m-3m", half_width=np.radians(40)) < 1.2


def test_weights_repeat_orientations(rng: np.random.Generator) -> None:
    a, b = random_orientations(4, rng), random_orientations(5, rng)
    w = np.array([1, 2, 3, 4])
    assert texture_mmd(a, b, "mmm", weights_a=w) == pytest.approx(texture_mmd(np.repeat(a, w, axis=0), b, "mmm"))


def test_fabric_distance_is_axial(rng: np.random.Generator) -> None:
    axes = rng.standard_normal((50, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    assert fabric_mmd(axes, -axes) == pytest.approx(0, abs=1e-7)
    assert fabric_mmd(np.eye(2)[:1], np.eye(2)[1:]) == pytest.approx(np.sqrt(2))


def test_distances_of_nothing_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="samples"):
        texture_mmd(np.empty((0, 4)), np.ones((1, 4)) / 2, "m-3m")


def test_floor_follows_the_published_rule(rng: np.random.Generator) -> None:
    """Median 1.15 CV sqrt(1/n1 + 1/n2) of the mean, 95th percentile 1.6 to 2 times it."""
    x = Distribution(rng.lognormal(0, 0.45, 3000))
    median, p95 = noise_floor(x, 160, 640, distance=relative_wasserstein, rng=rng, resamples=400)
    assert median == pytest.approx(1.15 * x.cv * np.sqrt(1 / 160 + 1 / 640), rel=0.25)
    assert 1.4 < p95 / median < 2.2


def test_new_samples_of_the_law_stay_below_the_floor(rng: np.random.Generator) -> None:
    scan = Distribution(rng.lognormal(0, 0.4, 200))
    _, p95 = noise_floor(scan, 200, 800, distance=relative_wasserstein, rng=rng)
    pairs = [(Distribution(rng.lognormal(0, 0.4, 200)), Distribution(rng.lognormal(0, 0.4, 800))) for _ in range(200)]
    assert 0.02 <= np.mean([relative_wasserstein(a, b) > p95 for a, b in pairs]) <= 0.12


def test_texture_floor_is_that_of_the_distance_itself(rng: np.random.Generator) -> None:
    q = perturb(np.broadcast_to(random_orientations(1, rng), (60, 4)), np.radians(20), rng)
    quick = texture_floor(q, 30, 50, laue_group="m-3m", rng=np.random.default_rng(1), resamples=40)

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return texture_mmd(a, b, "m-3m")

    plain = noise_floor(q, 30, 50, distance=distance, rng=np.random.default_rng(1), resamples=40)
    assert quick == pytest.approx(plain, rel=1e-9)


def test_fabric_floor_is_that_of_the_distance_itself(rng: np.random.Generator) -> None:
    angle = rng.uniform(0, 1, 40)
    axes = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    quick = fabric_floor(axes, 20, 30, rng=np.random.default_rng(1), resamples=30)
    assert quick == pytest.approx(
        noise_floor(axes, 20, 30, distance=fabric_mmd, rng=np.random.default_rng(1), resamples=30), rel=1e-9
    )


def test_fraction_floor_of_equal_grains_is_binomial(rng: np.random.Generator) -> None:
    phase = np.repeat([0, 1], [300, 700])
    median, p95 = fraction_floor(np.ones(1000), phase, 100, 400, rng=rng, resamples=2000)
    deviation = np.sqrt(0.3 * 0.7 * (1 / 100 + 1 / 400))
    assert median == pytest.approx(0.6745 * deviation, rel=0.1)
    assert p95 == pytest.approx(1.96 * deviation, rel=0.1)


def test_one_seed_gives_one_floor() -> None:
    x = of([1, 2, 4, 8])
    first, again = (noise_floor(x, 3, 3, distance=wasserstein, rng=np.random.default_rng(4)) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(("n_a", "n_b", "resamples"), [(0, 3, 10), (3, 0, 10), (3, 3, 0)])
def test_floors_need_something_to_draw(n_a: int, n_b: int, resamples: int, rng: np.random.Generator) -> None:
    with pytest.raises(InvalidParameter):
        noise_floor(of([1.0, 2.0]), n_a, n_b, distance=wasserstein, rng=rng, resamples=resamples)


def split_board() -> Microstructure:
    """Left fields of 4 x 4 points, right fields of 8 x 8; phase 1 in the left third."""
    fine = np.repeat(np.repeat(np.arange(1, 25).reshape(6, 4), 4, 0), 4, 1)
    coarse = 24 + np.repeat(np.repeat(np.arange(1, 7).reshape(3, 2), 8, 0), 8, 1)
    grain_id = np.vstack([fine, coarse]).astype(np.int32)
    phase = (np.indices(grain_id.shape)[0] < 16).astype(np.int16)
    return Microstructure(Grid(grain_id.shape, (1.0, 1.0)), phase, (Phase("a"), Phase("b")), grain_id=grain_id)


def test_halves_see_a_gradient_along_its_axis_only() -> None:
    ms = split_board()
    found = halves(ms, equivalent_diameter(ms, interior=False))
    side = 2 / np.sqrt(np.pi)
    assert found.left_right == pytest.approx(4 * side / ((24 * 4 + 6 * 8) / 30 * side))
    assert found.top_bottom == pytest.approx(0, abs=1e-12)


def test_halves_of_phase_fractions() -> None:
    found = fraction_halves(split_board())
    assert found.left_right == pytest.approx(16 / 24)
    assert found.top_bottom == 0


def test_an_empty_half_has_no_distance() -> None:
    grain_id = np.ones((10, 10), np.int32)
    grain_id[1:3, 4:6] = 2
    ms = Microstructure(Grid((10, 10), (1, 1)), np.zeros((10, 10), np.int16), grain_id=grain_id)
    assert np.isnan(halves(ms, equivalent_diameter(ms)).left_right)


@pytest.mark.parametrize(
    ("name", "left_right", "top_bottom", "p95"),
    [
        ("ebsdlib_Out_Of_Order.ang", 0.116, 0.123, 0.152),
        ("orixdata_sdss_ferrite_austenite.ang", 0.178, 0.172, 0.326),
        ("mtex_twins.ctf", 0.241, 0.205, 0.430),
        ("mtextools_MEA_60CR_1C.ctf", 0.112, 0.115, 0.174),
    ],
)
def test_floors_of_real_scans_are_the_measured_ones(
    real_data: Path, name: str, left_right: float, top_bottom: float, p95: float, rng: np.random.Generator
) -> None:
    from microgen.io import read
    from microgen.segmentation import segment_grains

    ms = segment_grains(read(real_data / "ebsd" / name))
    diameters = equivalent_diameter(ms)
    found, half = halves(ms, diameters), len(diameters) // 2
    # A grain whose centroid lies on the middle may fall to either side: that is .015 of the nickel scan.
    assert found.left_right == pytest.approx(left_right, abs=0.016)
    assert found.top_bottom == pytest.approx(top_bottom, abs=0.004)
    assert noise_floor(diameters, half, half, distance=relative_wasserstein, rng=rng)[1] == pytest.approx(p95, rel=0.2)
