"""Orientations: groups, angles with known maxima and means, invariance under symmetry, colours of the corners."""

from __future__ import annotations

import numpy as np
import pytest

from microgen.errors import InvalidParameter
from microgen.orientation import (
    LAUE_GROUPS,
    conjugate,
    disorientation,
    from_euler,
    grouped_mean_orientation,
    ipf_color,
    laue_group_from,
    mean_orientation,
    misorientation_angle,
    multiply,
    perturb,
    random_orientations,
    reduce_to_fundamental_zone,
    rotate,
    symmetry_operators,
    to_euler,
)

ORDERS = {"-1": 1, "2/m": 2, "mmm": 4, "-3": 3, "-3m": 6, "4/m": 4, "4/mmm": 8, "6/m": 6, "6/mmm": 12}
ORDERS |= {"m-3": 12, "m-3m": 24}
# Largest disorientation angles, degrees: Grimmer, Acta Cryst. A 36 (1980) 382.
LARGEST = {"mmm": 120.0, "-3m": 104.48, "4/mmm": 98.42, "6/mmm": 93.84, "m-3": 90.0, "m-3m": 62.80}
LARGEST |= {"-1": 180.0, "2/m": 180.0, "-3": 180.0, "4/m": 180.0, "6/m": 180.0}
every_group = pytest.mark.parametrize("group", LAUE_GROUPS)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def about(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """Quaternion of a turn about an axis."""
    unit = np.asarray(axis, float) / np.linalg.norm(axis)
    return np.array([np.cos(np.radians(degrees) / 2), *(np.sin(np.radians(degrees) / 2) * unit)])


def bunge_matrix(phi1: float, Phi: float, phi2: float) -> np.ndarray:  # noqa: N803
    """g as printed in Bunge, Texture Analysis in Materials Science (1982), eq. 2.50."""
    c1, s1, c, s, c2, s2 = np.cos(phi1), np.sin(phi1), np.cos(Phi), np.sin(Phi), np.cos(phi2), np.sin(phi2)
    return np.array(
        [
            [c1 * c2 - s1 * s2 * c, s1 * c2 + c1 * s2 * c, s2 * s],
            [-c1 * s2 - s1 * c2 * c, -s1 * s2 + c1 * c2 * c, c2 * s],
            [s1 * s, -c1 * s, c],
        ]
    )


def test_quaternions_turn_vectors_as_bunges_matrix_does() -> None:
    angles = (0.3, 1.1, 5.0)
    turned = rotate(from_euler(*angles), np.eye(3))
    np.testing.assert_allclose(turned.T, bunge_matrix(*angles), atol=1e-15)


def test_product_is_the_matrix_product(rng: np.random.Generator) -> None:
    a, b, v = random_orientations(50, rng), random_orientations(50, rng), rng.standard_normal((50, 3))
    np.testing.assert_allclose(rotate(multiply(a, b), v), rotate(a, rotate(b, v)), atol=1e-14)
    np.testing.assert_allclose(rotate(conjugate(a), rotate(a, v)), v, atol=1e-14)


def test_euler_angles_come_back(rng: np.random.Generator) -> None:
    angles = rng.uniform(0, 1, (500, 3)) * [2 * np.pi, np.pi, 2 * np.pi]
    np.testing.assert_allclose(to_euler(from_euler(*angles.T)), angles, atol=1e-12)


@pytest.mark.parametrize("Phi", [0.0, np.pi])
def test_euler_angles_of_flat_orientations_give_the_same_rotation(Phi: float) -> None:  # noqa: N803
    q = from_euler(0.7, Phi, 0.4)
    angles = to_euler(q)
    assert angles[2] == 0.0
    assert abs(from_euler(*angles) @ q) == pytest.approx(1.0, abs=1e-14)


@every_group
def test_operators_form_a_group_of_the_right_order(group: str) -> None:
    operators = symmetry_operators(group)
    assert operators.shape == (ORDERS[group], 4)
    np.testing.assert_allclose(operators[0], [1, 0, 0, 0], atol=1e-15)
    products = multiply(operators[:, None], operators[None]).reshape(-1, 4)
    overlap = np.abs(products @ operators.T)
    assert np.all(np.isclose(overlap, 1.0, atol=1e-12).sum(axis=1) == 1)


def test_twofold_axes_lie_where_edax_puts_them() -> None:
    def holds(group: str, turn: np.ndarray) -> bool:
        return bool(np.abs(symmetry_operators(group) @ turn).max() > 1 - 1e-12)

    assert holds("2/m", about((0, 1, 0), 180))
    assert holds("-3m", about((1, 0, 0), 180))
    assert not holds("-3m", about((0, 1, 0), 180))
    assert holds("-3m", about((0, 0, 1), 120))


@every_group
def test_angle_ignores_symmetry_order_and_sample_frame(group: str, rng: np.random.Generator) -> None:
    a, b = random_orientations(40, rng), random_orientations(40, rng)
    operators = symmetry_operators(group)
    first, second = rng.choice(operators, 40), rng.choice(operators, 40)
    angle = misorientation_angle(a, b, group)
    np.testing.assert_allclose(misorientation_angle(multiply(first, a), multiply(second, b), group), angle, atol=1e-7)
    np.testing.assert_allclose(misorientation_angle(b, a, group), angle, atol=1e-7)
    turn = random_orientations(1, rng)
    np.testing.assert_allclose(misorientation_angle(multiply(a, turn), multiply(b, turn), group), angle, atol=1e-7)


@every_group
def test_angle_equals_the_search_over_both_sides(group: str, rng: np.random.Generator) -> None:
    a, b = random_orientations(30, rng), random_orientations(30, rng)
    s = symmetry_operators(group)
    m = multiply(multiply(s[:, None, None], multiply(a, conjugate(b))), s[:, None])
    both = 2 * np.arccos(np.clip(np.abs(m[..., 0]).max(axis=(0, 1)), 0, 1))
    np.testing.assert_allclose(misorientation_angle(a, b, group), both, atol=1e-7)


@every_group
def test_largest_angle_is_reached_and_never_passed(group: str, rng: np.random.Generator) -> None:
    none = np.array([1.0, 0, 0, 0])
    angles = np.degrees(misorientation_angle(random_orientations(60_000, rng), none, group))
    assert LARGEST[group] - 3.5 < angles.max() <= LARGEST[group] + 0.005


def test_random_cubic_angles_follow_mackenzie(rng: np.random.Generator) -> None:
    a, b = random_orientations(200_000, rng), random_orientations(200_000, rng)
    angles = np.degrees(misorientation_angle(a, b, "m-3m"))
    assert angles.mean() == pytest.approx(40.74, abs=0.1)
    # Below 45° the density is 2/15 (1 - cos w) per degree, so 45° has a share of 6 - (24/pi) sin 45°.
    assert np.mean(angles < 45) == pytest.approx(6 - 24 / np.pi * np.sin(np.pi / 4), abs=0.004)


def test_angle_of_many_rows_and_of_broadcast_shapes_agree(rng: np.random.Generator) -> None:
    a, b = random_orientations(300, rng), random_orientations(400, rng)
    table = misorientation_angle(a[:, None], b[None], "m-3m")  # more rows than one chunk
    assert table.shape == (300, 400)
    assert table[299, 399] == pytest.approx(float(misorientation_angle(a[299], b[399], "m-3m")), abs=1e-12)


def test_disorientation_of_a_cubic_twin_is_60_degrees_about_111(rng: np.random.Generator) -> None:
    a = random_orientations(20, rng)
    b = multiply(multiply(rng.choice(symmetry_operators("m-3m"), 20), about((1, -1, 1), 60)), a)
    twin = disorientation(b, a, "m-3m")
    np.testing.assert_allclose(twin, np.broadcast_to(about((1, 1, 1), 60), (20, 4)), atol=1e-12)


@every_group
def test_disorientation_ignores_symmetry_and_order(group: str, rng: np.random.Generator) -> None:
    a, b = random_orientations(40, rng), random_orientations(40, rng)
    found = disorientation(a, b, group)
    np.testing.assert_allclose(2 * np.arccos(found[:, 0]), misorientation_angle(a, b, group), atol=1e-7)
    turned = disorientation(multiply(rng.choice(symmetry_operators(group), 40), b), a, group)
    np.testing.assert_allclose(turned, found, atol=1e-6)


@every_group
def test_reduced_orientations_are_one_per_class(group: str, rng: np.random.Generator) -> None:
    q = random_orientations(60, rng)
    turned = multiply(rng.choice(symmetry_operators(group), 60), q)
    reduced = reduce_to_fundamental_zone(q, group)
    np.testing.assert_allclose(reduce_to_fundamental_zone(turned, group), reduced, atol=1e-12)
    np.testing.assert_allclose(misorientation_angle(reduced, q, group), 0, atol=1e-7)


@every_group
def test_mean_finds_the_centre_of_scrambled_equivalents(group: str, rng: np.random.Generator) -> None:
    centre = random_orientations(1, rng)[0]
    turns = np.array([about(axis, angle) for axis in np.eye(3) for angle in (-6, 6)])
    cloud = multiply(rng.choice(symmetry_operators(group), 6), multiply(turns, centre))
    assert misorientation_angle(mean_orientation(cloud, group), centre, group) < 1e-7


def test_weights_move_the_mean() -> None:
    q = np.array([about((0, 0, 1), 0), about((0, 0, 1), 8)])
    mean = mean_orientation(q, "-1", weights=np.array([3.0, 1.0]))
    # The principal axis of 3 q1 q1' + q2 q2': tan(w) = sin 8 / (3 + cos 8) for the angle w.
    expected = np.degrees(np.arctan2(np.sin(np.radians(8)), 3 + np.cos(np.radians(8))))
    assert np.degrees(to_euler(mean)[0]) == pytest.approx(expected, abs=1e-9)


def test_grouped_means_equal_single_ones(rng: np.random.Generator) -> None:
    centres = random_orientations(5, rng)
    group = rng.permutation(np.repeat(np.arange(5), 20))
    q = multiply(rng.choice(symmetry_operators("6/mmm"), 100), perturb(centres[group], np.radians(4), rng))
    together = grouped_mean_orientation(q, group, "6/mmm")
    alone = [mean_orientation(q[group == k], "6/mmm") for k in range(5)]
    np.testing.assert_allclose(misorientation_angle(together, np.array(alone), "6/mmm"), 0, atol=1e-7)


def test_no_orientations_have_no_mean() -> None:
    with pytest.raises(InvalidParameter, match="n > 0"):
        mean_orientation(np.empty((0, 4)), "m-3m")


def test_kernel_density_halves_at_its_half_width(rng: np.random.Generator) -> None:
    q = np.broadcast_to(random_orientations(1, rng), (400_000, 4))
    angle = misorientation_angle(perturb(q, np.radians(10), rng), q, "-1")
    counts, edges = np.histogram(angle, bins=np.radians([0, 2, 9, 11]))
    density = counts / np.diff(edges - np.sin(edges))  # the volume of SO(3) within w is w - sin w
    assert density[2] / density[0] == pytest.approx(0.5 / 0.987, abs=0.03)


def test_random_orientations_have_no_preferred_axis(rng: np.random.Generator) -> None:
    turned = rotate(random_orientations(100_000, rng), np.array([0, 0, 1.0]))
    np.testing.assert_allclose(turned.T @ turned / 100_000, np.eye(3) / 3, atol=0.01)


def facing(direction: tuple[float, float, float]) -> np.ndarray:
    """An orientation whose crystal `direction` lies along the sample's z."""
    unit = np.asarray(direction, float) / np.linalg.norm(direction)
    phi2 = np.arctan2(unit[0], unit[1])
    return from_euler(0.9, np.arccos(unit[2]), phi2)


HALF, ROOT = 0.5, np.sqrt(3) / 2


@pytest.mark.parametrize(
    ("group", "green", "blue"),
    [
        ("m-3m", (1, 0, 1), (1, 1, 1)),
        ("m-3", (1, 0, 1), (0, 1, 1)),
        ("6/mmm", (1, 0, 0), (ROOT, HALF, 0)),
        ("-3m", (ROOT, HALF, 0), (0, 1, 0)),
        ("4/mmm", (1, 0, 0), (1, 1, 0)),
        ("mmm", (1, 0, 0), (0, 1, 0)),
    ],
)
def test_corners_are_red_green_blue(group: str, green: tuple, blue: tuple) -> None:
    corners = [facing((0, 0, 1)), facing(green), facing(blue)]
    colours = ipf_color(np.array(corners), group).astype(int)
    # A corner that a group maps onto another one (m-3) may take either colour, a little off the corner it may not.
    if group == "m-3":
        colours[1:] = colours[1:][np.argsort(-colours[1:, 1])]
    assert np.abs(colours - 255 * np.eye(3, dtype=int)).max() <= 1


@every_group
def test_equivalent_directions_have_one_colour(group: str, rng: np.random.Generator) -> None:
    q = random_orientations(200, rng)
    plain = ipf_color(q, group).astype(int)
    turned = ipf_color(multiply(rng.choice(symmetry_operators(group), 200), q), group).astype(int)
    opposite = ipf_color(q, group, direction=(0, 0, -1)).astype(int)
    assert np.abs(turned - plain).max() <= 1
    assert np.abs(opposite - plain).max() <= 1
    assert len(np.unique(plain, axis=0)) > 100


@pytest.mark.parametrize("group", ["m-3m", "6/mmm", "4/mmm", "mmm", "-3m"])
def test_colours_of_mirror_groups_are_continuous(group: str, rng: np.random.Generator) -> None:
    q = random_orientations(2000, rng)
    near = perturb(q, 1e-4, rng)
    assert np.abs(ipf_color(q, group).astype(int) - ipf_color(near, group)).max() <= 12


def test_colour_keeps_the_shape_and_refuses_no_direction() -> None:
    assert ipf_color(np.ones((2, 3, 4)) / 2, "m-3m").shape == (2, 3, 3)
    with pytest.raises(InvalidParameter, match="direction"):
        ipf_color(np.ones((1, 4)) / 2, "m-3m", direction=(0, 0, 0))


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ({"tsl": 43}, "m-3m"),
        ({"tsl": 62}, "6/mmm"),
        ({"tsl": 20}, "2/m"),
        ({"hkl": 2}, "2/m"),
        ({"hkl": 9}, "6/mmm"),
        ({"hkl": 11}, "m-3m"),
        ({"space_group": 1}, "-1"),
        ({"space_group": 167}, "-3m"),
        ({"space_group": 194}, "6/mmm"),
        ({"space_group": 225}, "m-3m"),
        ({"point_group": "432"}, "m-3m"),
        ({"point_group": "-43m"}, "m-3m"),
        ({"point_group": "mm2"}, "mmm"),
    ],
)
def test_codes_of_file_formats(code: dict, group: str) -> None:
    assert laue_group_from(**code) == group


@pytest.mark.parametrize("code", [{"tsl": 44}, {"hkl": 0}, {"hkl": 12}, {"space_group": 231}, {"point_group": "x"}, {}])
def test_unknown_codes_are_refused(code: dict) -> None:
    with pytest.raises(InvalidParameter):
        laue_group_from(**code)


def test_every_space_group_has_the_laue_group_of_its_crystal_system() -> None:
    counts = {group: sum(laue_group_from(space_group=n) == group for n in range(1, 231)) for group in LAUE_GROUPS}
    assert list(counts.values()) == [2, 13, 59, 6, 19, 14, 54, 9, 18, 12, 24]


def test_unknown_laue_group_is_refused_by_name() -> None:
    with pytest.raises(InvalidParameter, match="m-3m"):
        symmetry_operators("cubic")
