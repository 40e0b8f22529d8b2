"""Structure model index, fabric, percolation and diffusion of plates, rods and balls."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microgen.descriptors.anisotropy import degree_of_anisotropy, mean_intercept_lengths
from microgen.descriptors.diffusivity import effective_diffusivity
from microgen.descriptors.percolation import components, percolation
from microgen.descriptors.structure_model_index import structure_model_index
from microgen.errors import InvalidParameter, NotConverged
from tests.descriptors.shapes import ball, blobs, centred, cylinder, gyroid, plate, voxels


@pytest.mark.parametrize(
    ("u", "index"), [(plate(24, 4), 0), (cylinder(32, 8), 3), (cylinder(24, 4), 3), (ball(32, 10), 4)]
)
def test_model_index(u: np.ndarray, index: float) -> None:
    assert structure_model_index(voxels(u > 0, h=3.0)) == pytest.approx(index, abs=0.05)


def test_model_index_of_a_hole_is_negative() -> None:
    assert structure_model_index(voxels(ball(32, 10) < 0)) < -10


def test_model_index_has_its_limits() -> None:
    assert math.isnan(structure_model_index(voxels(np.ones((4, 4, 4), bool))))
    with pytest.raises(InvalidParameter, match="volume"):
        structure_model_index(voxels(np.eye(4, dtype=bool)))


@pytest.mark.parametrize("periodic", [True, False])
def test_plates_and_rods_are_anisotropic(periodic: bool) -> None:
    assert degree_of_anisotropy(voxels(plate(32, 6) > 0, periodic=periodic)) > 0.99
    assert degree_of_anisotropy(voxels(cylinder(32, 9) > 0, periodic=periodic)) > 0.9


def test_balls_and_gyroids_are_isotropic() -> None:
    assert degree_of_anisotropy(voxels(gyroid(48) > 0)) < 0.05
    assert degree_of_anisotropy(voxels(ball(40, 15) > 0)) < 0.05


def test_stretched_texture_is_recovered() -> None:
    """Voxels twice as long along x: intercepts along x are twice those across, DA = 1 - 1/4."""
    full = blobs(64, 4, width=3) > 0
    assert degree_of_anisotropy(voxels(full)) < 0.12
    stretched = voxels(full, h=(2.0, 1.0, 1.0))
    assert degree_of_anisotropy(stretched) == pytest.approx(0.75, abs=0.06)
    axis = np.linalg.eigh(mean_intercept_lengths(stretched).fabric)[1][:, 0]
    assert abs(axis[0]) > 0.99


def test_intercepts_of_a_plate() -> None:
    """Two crossings a period: MIL = L / (2 |cos|)."""
    found = mean_intercept_lengths(voxels(plate(32, 8) > 0))
    steep = np.abs(found.directions[:, 0]) > 0.3
    exact = 16 / np.abs(found.directions[steep, 0])
    assert found.length[steep] == pytest.approx(exact, rel=0.03)


def test_planes_have_a_fabric_too() -> None:
    rows = np.abs(centred(40, 2)[1]) < 8
    assert degree_of_anisotropy(voxels(rows)) > 0.99
    assert degree_of_anisotropy(voxels(np.hypot(*centred(40, 2)) < 12)) < 0.05


def test_nothing_to_cross() -> None:
    assert math.isnan(degree_of_anisotropy(voxels(np.ones((8, 8, 8), bool))))


@pytest.mark.parametrize(
    ("u", "solid", "void"),
    [
        (plate(12, 3), (0, 1, 1), (0, 1, 1)),
        (cylinder(12, 4), (0, 0, 1), (1, 1, 1)),
        (ball(12, 4), (0, 0, 0), (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("periodic", [True, False])
def test_percolation(u: np.ndarray, solid: tuple, void: tuple, periodic: bool) -> None:
    ms = voxels(u > 0, periodic=periodic)
    assert (percolation(ms), percolation(ms, of="void")) == (solid, void)


def test_percolation_counts_the_share_that_reaches_through() -> None:
    full = np.zeros((6, 6, 6), bool)
    full[:, 1, 1] = full[0, 4, 4] = full[1, 4, 4] = True
    assert percolation(voxels(full, periodic=False))[0] == 0.75


def test_paths_across_a_periodic_border() -> None:
    """A diagonal that leaves through y and comes back on the other side."""
    full = np.zeros((6, 6, 6), bool)
    full[np.arange(6), (np.arange(6) + 3) % 6, 2] = True
    assert percolation(voxels(full))[0] == 1
    assert percolation(voxels(full, periodic=False))[0] == 0
    assert (components(voxels(full)), components(voxels(full, periodic=False))) == (1, 2)


def test_corners_connect_solid_but_not_void() -> None:
    full = np.zeros((4, 4, 4), bool)
    full[0, 0, 0] = full[3, 3, 3] = True
    assert components(voxels(full)) == 1  # through the corner of the box
    assert components(voxels(full, periodic=False)) == 2
    assert components(voxels(~full), of="void") == 2


@pytest.mark.parametrize("periodic", [True, False])
def test_diffusion_along_and_across_plates(periodic: bool) -> None:
    ms = voxels(plate(12, 3) > 0, h=(1.0, 2.0, 0.5), periodic=periodic)
    found = [effective_diffusivity(ms, axis=k, of="solid") for k in range(3)]
    assert found == pytest.approx([0, 0.5, 0.5], abs=1e-9)


def test_diffusion_through_everything() -> None:
    assert effective_diffusivity(voxels(np.ones((5, 6, 7), bool)), of="solid") == pytest.approx(1)


def test_pieces_that_end_carry_nothing() -> None:
    balls = np.random.default_rng(0).random((20, 20, 20)) < 0.1  # far from reaching through
    assert effective_diffusivity(voxels(balls), of="solid") == 0
    through = np.zeros((8, 6, 6), bool)
    through[:, :2] = True
    alone = effective_diffusivity(voxels(through), of="solid")
    through[:3, 4, 4] = through[5:, 4, 2] = True  # from either face, not to the other
    assert effective_diffusivity(voxels(through), of="solid") == pytest.approx(alone) == pytest.approx(1 / 3)


def test_diffusion_through_a_piece_that_only_the_border_joins() -> None:
    solid = np.zeros((6, 5, 5), bool)
    solid[:4, 0, 2] = solid[3:, 4, 2] = True
    assert effective_diffusivity(voxels(solid), of="solid") > 0.01
    assert effective_diffusivity(voxels(solid, periodic=False), of="solid") == 0


def test_diffusion_around_balls_obeys_maxwell() -> None:
    """D_eff = (1 - f) / (1 + f/2) for a dilute cubic array of obstacles. Maxwell 1873."""
    u = ball(24, 6)
    f = (u > 0).mean()
    found = [effective_diffusivity(voxels(u > 0), axis=k) for k in range(3)]
    assert found == pytest.approx([(1 - f) / (1 + f / 2)] * 3, rel=0.015)


def test_diffusion_through_a_narrowing_channel() -> None:
    """A channel that narrows to half its width half way."""
    void = np.ones((8, 4), bool)
    void[4:, 2:] = False
    found = effective_diffusivity(voxels(~void, periodic=False))
    assert 0.5 < found < 2 / 3  # between one channel of half width and two in series without a bend


def test_diffusion_that_does_not_settle_says_so() -> None:
    with pytest.raises(NotConverged):
        effective_diffusivity(voxels(gyroid(16) > 0), max_iterations=2)
