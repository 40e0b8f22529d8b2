from __future__ import annotations

import math

import numpy as np
import pytest

from microgen.microstructure import Phase
from microgen.orientation import LAUE_GROUPS, from_euler, kernel_exponent, perturb, random_orientations
from microgen.report.crystal_planes import planes_of
from microgen.report.pole_figures import ACROSS, CELLS, PoleFigures, band_colours, directions, draw_figure, levels

MIDDLE = ACROSS // 2
HEXAGONAL = Phase("Ti", "6/mmm", (2.95, 2.95, 4.686, 90, 90, 120))


@pytest.fixture(scope="module")
def figures() -> PoleFigures:
    return PoleFigures()


def density(figures: PoleFigures, phase: Phase, q: np.ndarray, plane: int = 0) -> np.ndarray:
    return figures.density(q, np.ones(len(q)), planes_of(phase)[plane][1])


def brightest(shown: np.ndarray) -> np.ndarray:
    """Place of the highest density, (right, down) from -1 to 1."""
    inside = np.hypot(*np.meshgrid(*2 * [np.linspace(-1, 1, ACROSS)])) <= 1.001
    row, column = np.unravel_index(np.where(inside, shown, 0).argmax(), shown.shape)
    return 2 * np.array([column, row]) / (ACROSS - 1) - 1


def test_random_orientations_are_once_random_everywhere(figures: PoleFigures) -> None:
    q = random_orientations(30_000, np.random.default_rng(0))
    for plane in range(3):
        assert density(figures, Phase("Ni"), q, plane) == pytest.approx(1.0, abs=0.08)


def test_a_single_crystal_has_the_peak_of_the_kernel(figures: PoleFigures) -> None:
    kappa = kernel_exponent(figures.half_width)
    shown = density(figures, Phase("Sn", "4/mmm"), np.array([[1.0, 0, 0, 0]]))
    assert shown[MIDDLE, MIDDLE] == pytest.approx((1 + kappa) / 2, rel=1e-3)
    angle = 2 * math.asin(3 / (math.sqrt(2) * MIDDLE))  # three places from the middle
    expected = (1 + kappa) / 2 * math.cos(angle / 2) ** (2 * kappa)
    assert shown[MIDDLE, MIDDLE + 3] == pytest.approx(expected, rel=1e-3)


def test_many_poles_in_cells_are_as_good_as_one_by_one(figures: PoleFigures) -> None:
    q = random_orientations(1200, np.random.default_rng(5))
    sharp = perturb(np.tile([[0.8, 0.6, 0, 0]], (1200, 1)), math.radians(12), np.random.default_rng(6))
    for each in (q, sharp):
        many = np.tile(each, (4, 1))
        one_by_one = density(figures, Phase("Ni"), each)
        assert len(many) * 3 > CELLS >= len(each) * 3
        assert density(figures, Phase("Ni"), many) == pytest.approx(one_by_one, abs=0.02 * one_by_one.max())


def test_the_mean_over_the_half_sphere_is_one(figures: PoleFigures) -> None:
    right, down = np.meshgrid(*2 * [np.linspace(-1, 1, ACROSS)])
    q = random_orientations(3, np.random.default_rng(2))
    assert density(figures, Phase("Ni"), q)[np.hypot(right, down) <= 1].mean() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("angle", [20.0, 65.0, 100.0])
def test_poles_turn_with_the_crystal(figures: PoleFigures, angle: float) -> None:
    """A crystal turned by phi1 has its c axis, tilted by Phi about x', at azimuth phi1 - 90° from x towards y."""
    q = from_euler(math.radians(angle), math.radians(50), 0.3)
    azimuth, radius = math.radians(angle - 90), math.sqrt(2) * math.sin(math.radians(25))
    expected = radius * np.array([math.cos(azimuth), math.sin(azimuth)])
    assert brightest(density(figures, HEXAGONAL, q[None])) == pytest.approx(expected, abs=0.06)


def test_weights_count(figures: PoleFigures) -> None:
    q = np.array([[1.0, 0, 0, 0], from_euler(0.0, math.pi / 2, 0.0)])
    normals = planes_of(HEXAGONAL)[0][1]
    shown = figures.density(q, np.array([3.0, 1.0]), normals)
    assert shown[MIDDLE, MIDDLE] == pytest.approx(3 * shown[0, MIDDLE], rel=0.1)


def test_projection_keeps_areas_and_the_rim_is_the_equator() -> None:
    h = directions(np.array([0.0, 1.0, 0.0, math.sqrt(0.5)]), np.array([0.0, 0.0, -1.0, 0.0]))
    assert h == pytest.approx(np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0], [math.sqrt(3) / 2, 0, 0.5]]), abs=1e-9)


@pytest.mark.parametrize("highest", [1.02, 1.4, 2.2, 4.0, 37.0, 1e3])
def test_bands_hold_all_densities_and_break_at_one(highest: float) -> None:
    edges = levels(highest)
    assert edges[-1] >= highest
    assert 1.0 in edges.round(9)
    assert (np.diff(edges) > 0).all()
    colours = band_colours(edges).astype(int)
    assert len(colours) == len(edges) - 1
    assert (colours[:5, 2] > colours[:5, 0]).all()
    assert (colours[5:, 0] > colours[5:, 2]).all()


def test_the_disc_is_warm_at_the_pole_cold_off_it_and_transparent_around(figures: PoleFigures) -> None:
    shown = density(figures, HEXAGONAL, np.array([[1.0, 0, 0, 0]]))
    pixels = draw_figure(shown, levels(float(shown.max())), pixels=100).astype(int)
    assert pixels[50, 50, 0] > pixels[50, 50, 2] + 50
    assert pixels[50, 90, 2] > pixels[50, 90, 0] + 50
    assert pixels[2, 2].tolist() == [0, 0, 0, 0]


def test_planes_of_the_brief() -> None:
    assert [name for name, _ in planes_of(Phase("Ni"))] == ["{001}", "{011}", "{111}"]
    assert [len(normals) for _, normals in planes_of(Phase("Ni"))] == [3, 6, 4]
    names, normals = zip(*planes_of(HEXAGONAL))
    assert [name.replace("1\u0305", "-1") for name in names] == ["(0001)", "(10-10)", "(10-11)"]
    assert [len(n) for n in normals] == [1, 3, 6]
    assert np.degrees(np.arccos(np.abs(normals[2][:, 2]))) == pytest.approx(61.4, abs=0.1)


def test_without_a_lattice_no_ratio_is_made_up() -> None:
    assert planes_of(Phase("hcp", "6/mmm"))[2][0].startswith("(112")
    assert [name for name, _ in planes_of(Phase("clay", "-1"))] == ["x", "y", "z"]


def test_rhombohedral_axes_give_the_ratio_of_the_hexagonal_ones() -> None:
    """Calcite: a = 6.375 Å, alpha = 46.08° are a = 4.990 Å, c = 17.06 Å."""
    cells = ((6.375, 6.375, 6.375, 46.08, 46.08, 46.08), (4.990, 4.990, 17.061, 90, 90, 120))
    one, other = (planes_of(Phase("calcite", "-3m", cell))[2][1] for cell in cells)
    assert np.abs(one[:, 2]) == pytest.approx(np.abs(other[:, 2]), abs=2e-3)


@pytest.mark.parametrize("laue_group", LAUE_GROUPS)
def test_normals_are_unit_and_no_two_are_alike(laue_group: str) -> None:
    for _, normals in planes_of(Phase("any", laue_group, (3.0, 4.0, 5.0, 80.0, 95.0, 103.0))):
        close = np.abs(normals @ normals.T) - np.eye(len(normals))
        assert np.linalg.norm(normals, axis=1) == pytest.approx(1)
        assert close.max() < 1 - 1e-6
